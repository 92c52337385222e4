"""A dataset built for an object store, a few shards at a time: the disk never holds all of it.

Ranges of shards are built in a scratch folder, sent while the next range is built, and removed when
they are proved to be there. A log beside the folder names each shard that was sent, so that a build
that was stopped resumes with the same command, to the same digest.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..cpus import available_cpus
from ..dataset.documents import load_head
from ..dataset.versions import publish
from ..errors import BusyError, ConfigError, OutputError
from ..files import why
from ..schema.manifest import LOCK, MANIFEST, Manifest, ShardRecord
from ..store.journal import read_journal
from ..store.layout import Layout
from ..store.location import DatasetLocation, new_location
from ..store.lock import BuilderLock
from ..store.remote_target import RemoteTarget, There
from ..urls import RemotePath
from .finish import BUILT, make_manifest
from .inventory import Inventory, remove_files
from .plan import Plan
from .progress import Progress, Report
from .push import claim, files_of, publish_remote, send_all
from .range_job import build_range
from .ranges import merge_ranges, recorded_in_ranges
from .run import Built
from .start import make_folders, write_metadata

_RANGE_BYTES = 256 << 20
"""Bytes of a range that is built before it is sent; at least a shard for each thread."""
_MERGE = 16
"""Ranges after which their records go into one journal."""
_LOG = ".pushed.jsonl"


def range_shards(plan: Plan, threads: int) -> int:
    """Return how many shards are built before they are sent; twice as many lie on the disk."""
    shard = plan.layout.shard_rows * sum(spec.row_bytes for spec in plan.table)
    return max(threads, _RANGE_BYTES // shard, 1)


class _Log:
    """What was sent: the first line says of what and to where, each other one names a shard."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file = file
        self.path = path
        self.sent: dict[int, dict[str, list[object]]] = {}

    def add(self, shard: int, files: dict[str, There]) -> None:
        """Note a shard whose files are there."""
        self.sent[shard] = {name: list(there) for name, there in files.items()}
        line = json.dumps({"shard": shard, "files": self.sent[shard]})
        self._file.write(line + "\n")
        self._file.flush()


def _log_path(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOG)


@contextmanager
def _log(folder: Path, head: dict[str, Any]) -> Iterator[_Log]:
    """Open the log beside a scratch folder; one process at a time has it."""
    path = _log_path(folder)
    if folder.exists() and not path.exists():
        raise OutputError(
            f"{folder}: expected a place for scratch files, got something that is there already; "
            "pass another --scratch"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {why(error)}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(
                f"{folder}: another process builds here for {head['url']}; wait for it, or pass "
                "another --scratch"
            ) from None
        log = _Log(file, path)
        file.seek(0)
        lines = [line for line in file if line.endswith("\n")]
        if not lines:
            file.truncate(0)
            file.write(json.dumps(head) + "\n")
            file.flush()
        elif json.loads(lines[0]) != head:
            raise OutputError(
                f"{path}: another build was started with this scratch folder, for "
                f"{json.loads(lines[0]).get('url')}; finish it, or pass another --scratch"
            )
        else:
            size = sum(len(line.encode()) for line in lines)
            file.truncate(size)  # a line that was cut short counts for nothing
            for line in lines[1:]:
                entry = json.loads(line)
                log.sent[entry["shard"]] = entry["files"]
        yield log


class _Counted:
    """Reports the progress of one range as that of the whole."""

    def __init__(self, plan: Plan, report: Report | None) -> None:
        self._plan = plan
        self._report = report
        self.n_kept = 0
        self._before = Progress(0, plan.n_samples, 0)

    def keep(self, n_rows: int, n_shards: int) -> None:
        """Count what was sent before."""
        self.n_kept = n_rows
        self._before = Progress(n_rows, self._plan.n_samples, 0, n_rows, shards_done=n_shards)
        self._show(self._before)

    def show(self, progress: Progress) -> None:
        """Report a range that is being built."""
        before = self._before
        self._show(
            before._replace(
                n_done=before.n_done + progress.n_done,
                bytes_stored=before.bytes_stored + progress.bytes_stored,
                shards_done=before.shards_done + progress.shards_done,
            )
        )

    def finish(self, n_rows: int, n_shards: int) -> None:
        """Count a range that was built."""
        before = self._before
        self._before = before._replace(
            n_done=before.n_done + n_rows,
            shards_done=before.shards_done + n_shards,
        )

    def _show(self, progress: Progress) -> None:
        if self._report is not None:
            self._report(progress._replace(n_shards=self._plan.n_shards))


def build_remote(
    plan: Plan,
    url: RemotePath,
    scratch: Path,
    threads: int | None = None,
    report: Report | None = None,
) -> Built:
    """Build a Zarr dataset in an object store, or resume its build.

    Parameters
    ----------
    plan
        What is built.
    url
        Where it goes.
    scratch
        Folder for files until they are sent; made, and removed with what was written into it.
    threads
        Threads that make rows; by default one for each processor.
    report
        Called as the build goes on.

    Raises
    ------
    ConfigError
        If the URL is none that can be written to.
    OutputError
        If another dataset is there, or it cannot be written; what was sent stays.
    BusyError
        If another process builds with the same scratch folder.
    """
    start = time.perf_counter()
    if plan.format != "zarr":
        raise ConfigError(f"{url}: expected a Zarr dataset, got an HDF5 one; build it on a disk")
    target = RemoteTarget(url)
    location = new_location(scratch, plan.format)
    counted = _Counted(plan, report)
    there = target.files()
    manifest = _complete(target, there, plan)
    if manifest is not None:
        counted.n_kept = plan.n_samples
        if not _log_path(location.folder).exists():  # else it was killed before it tidied up
            return Built(manifest, time.perf_counter() - start, plan.n_samples)
    with _log(location.folder, _head(target, plan)) as log:
        if manifest is None:
            lock = location.folder / LOCK
            claim(target, there, lock.read_bytes() if lock.exists() else plan.lock().text.encode())
            _build_ranges(plan, location, target, there, log, counted, threads or available_cpus())
            manifest = _finish(plan, location, target)
        _remove_scratch(plan, location)
        log.path.unlink()
    return Built(manifest, time.perf_counter() - start, counted.n_kept)


def _remove_scratch(plan: Plan, location: DatasetLocation) -> None:
    """Remove what a build wrote into its scratch folder, and the folder if it is empty then."""
    if not location.folder.is_dir():
        return
    fields = [spec.name for spec in plan.table]
    axes = [one.name for one in plan.contents.positions]
    with BuilderLock(location.folder) as held:
        remove_files(Inventory(location.folder, fields, axes, plan.n_shards), held.check)
    with suppress(OSError):  # a file of others is in it
        location.folder.rmdir()


def _head(target: RemoteTarget, plan: Plan) -> dict[str, Any]:
    """Return what distinguishes a build from others."""
    return {
        "url": target.url,
        "recipe": plan.document.digest,
        "n_samples": plan.n_samples,
        **plan.layout.model_dump(mode="json"),
    }


def _complete(target: RemoteTarget, there: dict[str, There], plan: Plan) -> Manifest | None:
    """Return the manifest if the very dataset is there; None if nothing is, or part of it."""
    if MANIFEST in there:
        known = Manifest.model_validate_json(target.read(MANIFEST))
        same = (known.recipe_digest, known.n_samples) == (plan.document.digest, plan.n_samples)
        if same and Layout.of(known) == plan.layout:
            return known
        raise OutputError(
            f"{target.url}: holds another dataset ({known.n_samples} samples, digest "
            f"{known.digest[:12]}); build to another URL"
        )
    if there and LOCK not in there:
        raise OutputError(
            f"{target.url}: expected nothing there, found {min(there)}; build to another URL"
        )
    return None


def _build_ranges(
    plan: Plan,
    location: DatasetLocation,
    target: RemoteTarget,
    there: dict[str, There],
    log: _Log,
    counted: _Counted,
    threads: int,
) -> None:
    """Build the shards that were not sent, and send each range while the next one is built."""
    sent = {
        shard
        for shard, files in log.sent.items()
        if all(name in there and list(there[name]) == facts for name, facts in files.items())
    }
    todo = [shard for shard in range(plan.n_shards) if shard not in sent]
    if todo and (location.folder / MANIFEST).exists():
        raise OutputError(
            f"{target.url}: files that were sent are gone or changed; remove {location.folder} and "
            f"{log.path}, and build again"
        )
    counted.keep(sum(map(plan.rows_of, sent)), len(sent))
    sending: Future[None] | None = None
    with ThreadPoolExecutor(1, "tersgen-send") as pool:
        for number, (first, last) in enumerate(_ranges(todo, range_shards(plan, threads))):
            built = build_range(plan, location, first, last, threads, counted.show)
            counted.finish(built.n_rows, last - first)
            if sending is not None:
                sending.result()
            if number % _MERGE == _MERGE - 1:
                with BuilderLock(location.folder) as held:
                    merge_ranges(location, held, take_over=False)
            records = _records(plan, location)
            some = [records[shard] for shard in range(first, last)]
            sending = pool.submit(_send, location, target, there, log, some)
        if sending is not None:
            sending.result()


def _ranges(todo: list[int], step: int) -> Iterator[tuple[int, int]]:
    """Yield runs of neighbouring shards, the last one not included, of at most ``step``."""
    first = 0
    for k in range(1, len(todo) + 1):
        if k == len(todo) or todo[k] != todo[k - 1] + 1 or k - first == step:
            yield todo[first], todo[k - 1] + 1
            first = k


def _records(plan: Plan, location: DatasetLocation) -> dict[int, ShardRecord]:
    found = read_journal(location.folder).records + recorded_in_ranges(location.folder)
    return plan.recorded(found)


def _send(
    location: DatasetLocation,
    target: RemoteTarget,
    there: dict[str, There],
    log: _Log,
    records: list[ShardRecord],
) -> None:
    """Send the files of shards, note them, and remove them here."""
    facts = {name: one for record in records for name, one in record.files.items()}
    paths = {name: location.folder / name for name in facts}
    arrived = {one.inside: one.there for one in send_all(target, there, paths, facts)}
    for record in records:
        log.add(record.shard, {name: arrived[name] for name in record.files})
        for name in record.files:
            paths[name].unlink()


def _finish(plan: Plan, location: DatasetLocation, target: RemoteTarget) -> Manifest:
    """Make metadata and manifest, and send them."""
    with BuilderLock(location.folder) as held:
        make_folders(location, plan)
        merge_ranges(location, held, take_over=False)
        if (location.folder / MANIFEST).exists():
            manifest = load_head(location)
        else:
            files = write_metadata(location, plan, held.check)
            manifest = make_manifest(plan, _records(plan, location), files, BUILT, held.check)
            publish(location, manifest, held.check)
    there = target.files()
    for _ in send_all(target, there, dict(files_of(location)), {}):
        pass
    publish_remote(target, there, (location.folder / MANIFEST).read_bytes())
    return manifest
