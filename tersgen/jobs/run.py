"""Running a build: the process that holds the lock, has shards built, records and publishes them.

The shards are built by threads of this process, or by workers elsewhere (``executors``). A build
that is stopped, for any reason, resumes when it is called again.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.versions import publish
from ..errors import CancelledError, ClusterError, OutputError, TersError
from ..files import why
from ..schema.manifest import EVENTS, JOURNAL, LOCK, MANIFEST, Manifest, ShardRecord
from ..store.files import make_folder, remove_unfinished
from ..store.journal import Journal, read_journal
from ..store.location import DatasetLocation, new_location
from ..store.lock import BuilderLock
from ..text import counted
from .commit import Right, ShardCommitter, remove_leftovers
from .events import EventLog, plugin_files, spans, spans_text
from .executors.interface import Executor, Job
from .executors.threads import Threads
from .finish import BUILT, Origin, make_manifest
from .output import check_output
from .plan import Plan
from .progress import ProgressCounter, Report
from .ranges import merge_ranges, recorded_in_ranges, refuse_live_ranges, remove_ranges
from .replace import Finish, building_location, refuse_interrupted, replacing
from .rows import RowMaker
from .start import (
    check_same,
    kept_shards,
    make_folders,
    remove_started,
    write_documents,
    write_metadata,
)


class Built(NamedTuple):
    """A finished build."""

    manifest: Manifest
    seconds: float
    n_kept: int
    """Rows that were there before."""


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, unless it is there; on an error remove what was made, if that is empty."""
    try:
        made = make_folder(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in made:
                path.rmdir()
        raise


@contextmanager
def explained(
    location: DatasetLocation,
    plan: Plan,
    lock: BuilderLock,
    counter: ProgressCounter,
    shown: Path | None = None,
) -> Iterator[None]:
    """Say what is kept when a build stops; of a new dataset nothing is, if nothing was finished.

    Call it with the lock held. ``shown`` is the dataset that the user knows, where this one is to
    take its place.
    """
    new = not any((location.folder / name).exists() for name in (LOCK, MANIFEST, JOURNAL))
    try:
        yield
    except BaseException as error:
        lock.check()
        done, wanted = counter.progress.n_done, counter.progress.n_samples
        if done == 0 and new:
            remove_started(location, plan, lock.check)
            left = "no shard was finished, and nothing is left"
        else:
            left = (
                f"{done} of {counted(wanted, 'sample')} are on disk and kept; the same command "
                "resumes"
            )
        if shown is not None:
            left += "; the dataset that was there stays until then"
        path = shown or location.path
        if isinstance(error, CancelledError):
            raise CancelledError(f"{path}: cancelled; {left}") from None
        if isinstance(error, ClusterError):
            raise ClusterError(f"{path}: {error}; {left}") from error
        if isinstance(error, OSError) and not isinstance(error, TersError):
            raise OutputError(f"{path}: writing failed: {why(error)}; {left}") from error
        if not isinstance(error, TersError):
            error.add_note(f"{path}: stopped; {left}")
        raise


def build_shards(
    plan: Plan,
    location: DatasetLocation,
    lock: BuilderLock,
    executor: Executor,
    rows: RowMaker | None,
    counter: ProgressCounter,
    wanted: Collection[int],
    right: Right | None = None,
    folder: Path | None = None,
) -> dict[int, ShardRecord]:
    """Have the wanted shards made that are not there; return the records of all that are then.

    ``folder`` is that of the journal, where that is a job's own; ``right`` is what the job checks
    before it writes.
    """
    right, folder = right or lock, folder or location.folder
    store = plan.store()
    with Journal(folder, right.check) as journal, EventLog(folder, right.check) as events:
        records = journal.records
        if folder != location.folder:
            others = read_journal(location.folder).records + recorded_in_ranges(location.folder)
            records = [one for one in others if one.shard in wanted] + records
        kept = kept_shards(location, plan, records)
        if folder == location.folder:
            remove_leftovers(folder)
        counter.keep(list(kept.values()))
        todo = [shard for shard in wanted if shard not in kept]
        committer = ShardCommitter(location.folder, store, right, journal, events)
        events.write("started", n_shards=plan.n_shards, kept=spans(kept), **plugin_files())
        executor.run(Job(plan, location, store, lock, rows, todo, committer, counter, events))
        made = {record.shard: record for record in committer.committed}
        missing = sorted({*todo} - {*made})
        if missing:
            raise ClusterError(
                f"expected the executor to make {len(todo)} shards, got none of "
                f"{spans_text(missing)}"
            )
        events.write("complete")
    return {**kept, **made}


def complete(
    plan: Plan,
    location: DatasetLocation,
    lock: BuilderLock,
    origin: Origin,
    executor: Executor,
    counter: ProgressCounter,
    take_over: bool = False,
) -> Manifest:
    """Commit every shard of a plan that is not there, and publish the version.

    Call it with the lock held and the lock file of the plan written.
    """
    make_folders(location, plan)
    merge_ranges(location, lock, take_over)
    shards = range(plan.n_shards)
    records = build_shards(plan, location, lock, executor, origin.rows, counter, shards)
    files = write_metadata(location, plan, lock.check)
    manifest = make_manifest(plan, records, files, origin, lock.check)
    publish(location, manifest, lock.check)
    tidy_up(location, lock)
    return manifest


def tidy_up(location: DatasetLocation, lock: BuilderLock) -> None:
    """Remove what is there only while a dataset is built; call it with the lock held.

    Temporary files are those of workers that were believed dead; if one wakes up it finds its file
    gone, and then that there is no builder any more.
    """
    lock.check()
    remove_unfinished(location.folder)
    remove_leftovers(location.folder)
    log = location.folder / EVENTS
    if log.is_file() and not log.is_symlink():
        with suppress(OSError):
            log.unlink(missing_ok=True)
    remove_ranges(location.folder)


def _no_more(_: Path) -> None:
    """Do nothing more with a complete dataset."""


def run(
    plan: Plan,
    out: Path | DatasetLocation,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
    origin: Origin | Callable[[DatasetLocation], Origin] = BUILT,
    take_over: bool = False,
    executor: Executor | None = None,
    finish: Finish = _no_more,
    cancel: Event | None = None,
) -> Built:
    """Build a dataset, or resume its build, and return its manifest and the time taken.

    One that takes the place of another (``overwrite``) is built beside it, and is put there when it
    is complete. ``origin`` may depend on where it is built. ``executor`` makes the shards; by
    default as many threads of this process as asked for. ``finish`` is called with the path of the
    complete dataset, before it takes another's place. Once ``cancel`` is set, the build stops.

    Raises
    ------
    OutputError
        If another dataset is there, or the output cannot be written; finished shards stay.
    BusyError
        If another builder is writing it.
    DatasetError
        If what is there is damaged.
    ClusterError
        If scheduler or workers are lost; finished shards stay.
    CancelledError
        If it was cancelled; finished shards stay.
    """
    location = new_location(out, plan.format)
    check_output(location, overwrite)
    start = time.perf_counter()
    counter = ProgressCounter(plan.n_samples, report, plan.n_shards, cancel)
    makers = executor or Threads(threads or available_cpus())

    def built(manifest: Manifest, n_kept: int) -> Built:
        return Built(manifest, time.perf_counter() - start, n_kept)

    def build(place: DatasetLocation, shown: Path | None = None) -> Built:
        """Build at a place, or resume there; ``shown`` is what it is to replace, if anything."""
        refuse_live_ranges(place.folder, take_over)
        with (
            new_folder(place.folder),
            BuilderLock(place.folder, take_over) as lock,
            explained(place, plan, lock, counter, shown),
        ):
            manifest = check_same(place, plan)
            if manifest is not None:
                if not os.path.lexists(place.folder / MANIFEST):
                    publish(place, manifest, lock.check)
                tidy_up(place, lock)
                return built(manifest, manifest.n_samples)
            write_documents(place, plan, lock.check)
            rows_from = origin(place) if callable(origin) else origin
            manifest = complete(plan, place, lock, rows_from, makers, counter, take_over)
        return built(manifest, counter.progress.n_kept)

    if building_location(location, plan, overwrite) != location:
        with replacing(location, plan, take_over) as replacement:
            if replacement.done is not None:
                return built(replacement.done, replacement.done.n_samples)
            replacement.check()
            result = build(replacement.staged, location.path)
            finish(replacement.staged.path)
            replacement.finish()
        return result
    refuse_interrupted(location)
    result = build(location)
    finish(location.path)
    return result
