"""The commit protocol: how a shard gets to disk, complete and permanent, or not at all.

A new shard: its files are written under temporary names and flushed; each gets its name by a hard
link, which replaces nothing; the folders are flushed; then the record is appended to the journal
and flushed. A shard without a record does not count.

A shard that exists already (the last one of a dataset that grows, or a damaged one): the record is
written first, while the new files wait under ``.new``; then they replace the old ones. So a record
always describes the files as they are, or as they will be when the build resumes.
"""

import stat
import threading
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..schema.manifest import FileFacts, ShardRecord
from ..store.files import (
    PARTIAL,
    STAGE_BYTES,
    Check,
    DirectFile,
    facts_of,
    has_facts,
    publish,
    remove_unfinished,
    sync_folder,
    write_partial,
)
from ..store.interface import ShardFile, Store
from ..store.journal import Journal
from .chunks import Shard
from .events import EventLog

NEW = ".new"
FILES_AT_ONCE = 4
"""Files of a shard that are written and flushed at once: flushing them one by one takes longer."""
STAGED_BYTES = FILES_AT_ONCE * STAGE_BYTES
"""Memory that the bytes of a shard pass through while it is written."""


class ShardWriter:
    """Writes the files of shards, from several threads at once; it has nothing to do with records.

    ``check`` is called just before files get their names.
    """

    def __init__(self, folder: Path, store: Store, check: Check) -> None:
        self._folder = folder
        self._store = store
        self._check = check
        self._free: list[DirectFile] = []

    def write(self, shard: Shard, token: str, replacing: bool = False) -> ShardRecord:
        """Write the files of a shard and return its record.

        They get their names, or, if they are to replace others, wait beside these under ``.new``.
        ``token`` sets the temporary names apart from those of all others who write now.

        Raises
        ------
        OSError
            If the file system refuses; temporary files are removed.
        LostLockError
            If another builder has taken over.
        """
        partials: dict[Path, Path] = {}
        try:
            with ThreadPoolExecutor(FILES_AT_ONCE, "tersgen-write") as pool:
                files = self._write(shard, partials, token, pool)
                record = ShardRecord(
                    shard=shard.number,
                    rows=shard.n_rows,
                    files=files,
                    digests=shard.digests(),
                    class_counts=shard.class_counts(),
                )
                self._check()
                for path, partial in partials.items():
                    if replacing:
                        partial.replace(_waiting(path))
                    else:
                        facts = files[path.relative_to(self._folder).as_posix()]
                        self._give_name(partial, path, facts)
                list(pool.map(sync_folder, _parents(partials)))
        except BaseException:
            for partial in partials.values():
                partial.unlink(missing_ok=True)
            raise
        return record

    def _write(
        self, shard: Shard, partials: dict[Path, Path], token: str, pool: Executor
    ) -> dict[str, FileFacts]:
        """Write the files of a shard under temporary names, noted in ``partials``."""
        files = list(self._store.shard_files(shard.number, shard.n_rows, shard.chunks()))
        for file in files:
            path = self._folder / file.path
            partials[path] = path.with_name(f"{path.name}.{token}{PARTIAL}")
        facts = pool.map(self._write_file, partials.values(), files)
        return {file.path: fact for file, fact in zip(files, facts, strict=True)}

    def _write_file(self, partial: Path, file: ShardFile) -> FileFacts:
        try:
            direct = self._free.pop()
        except IndexError:  # all are in use
            direct = DirectFile()
        try:
            write_partial(partial, file.parts, direct)
        finally:
            self._free.append(direct)
        return facts_of(file.parts)

    def _give_name(self, partial: Path, path: Path, facts: FileFacts) -> None:
        if publish(partial, path):
            return
        # left by a builder that was killed before its record, or no file of this dataset
        if has_facts(path, facts):
            partial.unlink()
            return
        self._check()
        partial.replace(path)


class Right(Protocol):
    """The right to commit shards."""

    token: str
    """Sets the temporary names of its holder apart."""

    def check(self) -> object:
        """Raise if it is lost."""


class ShardCommitter:
    """Commits shards, from several threads at once; the only one who writes records."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        lock: Right,
        journal: Journal,
        events: EventLog | None = None,
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._journal = journal
        self._events = events
        self._writer = ShardWriter(folder, store, lock.check)
        self._appending = threading.Lock()
        self._recorded = {record.shard for record in journal.records}
        self.committed: list[ShardRecord] = []

    def replaces(self, shard: int) -> bool:
        """Return whether a shard takes the place of one that is recorded."""
        return shard in self._recorded

    def commit(self, shard: Shard) -> ShardRecord:
        """Write one shard and its record; replace the one that is there, if any is recorded.

        Raises
        ------
        OSError
            If the file system refuses; temporary files are removed.
        LostLockError
            If another builder has taken over.
        """
        replacing = self.replaces(shard.number)
        record = self._writer.write(shard, self._lock.token, replacing)
        self.record(record, replacing)
        return record

    def record(self, record: ShardRecord, replacing: bool, **facts: object) -> None:
        """Write the record of a shard whose files are there, or wait to replace others.

        ``facts`` go into the log of events.
        """
        with self._appending:
            self._lock.check()
            self._journal.append(record)
            self._recorded.add(record.shard)
            self.committed.append(record)
            if self._events is not None:
                self._events.committed(record, **facts)
        if replacing:
            paths = [self._folder / name for name in record.files]
            for path in paths:
                _waiting(path).replace(path)
            for parent in _parents(paths):
                sync_folder(parent)


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + NEW)


def _parents(paths: Iterable[Path]) -> list[Path]:
    return sorted({path.parent for path in paths})


def is_there(folder: Path, record: ShardRecord) -> bool:
    """Return whether the files of a record are there with their sizes, and finish a replacement.

    Contents are left to ``verify``: a build resumes without reading what it has written.
    """
    for name, facts in record.files.items():
        path = folder / name
        waiting = _waiting(path)
        if waiting.exists() and has_facts(waiting, facts):
            waiting.replace(path)
            sync_folder(path.parent)
        if path.is_symlink() or not path.is_file() or path.stat().st_size != facts.bytes:
            return False
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove new files of shards that no record is about; call it with the lock held."""
    remove_unfinished(folder, NEW)


def is_written(folder: Path, record: ShardRecord, replacing: bool) -> bool:
    """Return whether the files that a worker wrote for a record are seen here.

    A network file system may show a name late to others than the one who gave it; opening the
    folder makes it ask again.
    """
    for name, facts in record.files.items():
        path = folder / name
        if not _has_size(_waiting(path) if replacing else path, facts.bytes):
            with suppress(OSError):
                sync_folder(path.parent)
            return False
    return True


def _has_size(path: Path, size: int) -> bool:
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size
