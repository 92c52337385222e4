"""The commit protocol: how a shard comes to be on disk, whole and for good, or not at all.

A new shard: its files are written under temporary names and flushed; each gets its name by a hard
link, which replaces nothing; the folders are flushed; then the record is appended to the journal
and flushed. A shard without a record does not count.

A shard that is there already (the last one of a dataset that grows, or a damaged one): the record
goes first, while the new files wait under ``.new``; then they take the place of the old ones. So a
record always tells what the files are, or what they become when the build goes on.
"""

import threading
from collections.abc import Iterable
from pathlib import Path

from ..schema.manifest import FileFacts, ShardRecord
from ..store.files import (
    PARTIAL,
    DirectFile,
    facts_of,
    has_facts,
    publish,
    remove_unfinished,
    sync_folder,
    write_partial,
)
from ..store.interface import Store
from ..store.journal import Journal
from ..store.lock import BuilderLock
from .chunks import Shard

NEW = ".new"


class Sealer:
    """Seals shards, from several threads at once."""

    def __init__(self, folder: Path, store: Store, lock: BuilderLock, journal: Journal) -> None:
        self._folder = folder
        self._store = store
        self._lock = lock
        self._journal = journal
        self._appending = threading.Lock()
        self._files = threading.local()
        self._recorded = {record.shard for record in journal.records}
        self.sealed: list[ShardRecord] = []

    def seal(self, shard: Shard) -> ShardRecord:
        """Write one shard and its record; replace the one that is there, if any is recorded.

        Raises
        ------
        OSError
            If the file system refuses; temporary files are removed.
        LostLockError
            If another builder has taken over.
        """
        partials: dict[Path, Path] = {}
        try:
            files = self._write(shard, partials)
            record = ShardRecord(
                shard=shard.number,
                rows=shard.n_rows,
                files=files,
                digests=shard.digests(),
                class_counts=shard.class_counts(),
            )
            self._lock.check()
            if shard.number in self._recorded:
                self._replace(partials, record)
            else:
                for path, partial in partials.items():
                    self._give_name(partial, path, files[path.relative_to(self._folder).as_posix()])
                _sync_parents(partials)
                self._append(record)
        except BaseException:
            for partial in partials.values():
                partial.unlink(missing_ok=True)
            raise
        return record

    def _write(self, shard: Shard, partials: dict[Path, Path]) -> dict[str, FileFacts]:
        """Write the files of a shard under temporary names, noted in ``partials``."""
        if not hasattr(self._files, "direct"):
            self._files.direct = DirectFile()
        files = {}
        for file in self._store.shard_files(shard.number, shard.n_rows, shard.chunks()):
            path = self._folder / file.path
            partials[path] = path.with_name(f"{path.name}.{self._lock.token}{PARTIAL}")
            write_partial(partials[path], file.parts, self._files.direct)
            files[file.path] = facts_of(file.parts)
        return files

    def _give_name(self, partial: Path, path: Path, facts: FileFacts) -> None:
        if publish(partial, path):
            return
        # left by a builder that was killed before its record, or no file of this dataset
        if has_facts(path, facts):
            partial.unlink()
            return
        self._lock.check()
        partial.replace(path)

    def _replace(self, partials: dict[Path, Path], record: ShardRecord) -> None:
        for path, partial in partials.items():
            partial.replace(_waiting(path))
        _sync_parents(partials)
        self._append(record)
        for path in partials:
            _waiting(path).replace(path)
        _sync_parents(partials)

    def _append(self, record: ShardRecord) -> None:
        with self._appending:
            self._lock.check()
            self._journal.append(record)
            self._recorded.add(record.shard)
            self.sealed.append(record)


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + NEW)


def _sync_parents(paths: Iterable[Path]) -> None:
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


def is_there(folder: Path, record: ShardRecord) -> bool:
    """Return whether the files of a record are there with their sizes, and finish a replacement.

    Contents are left to ``verify``: a build goes on without reading what it has written.
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
