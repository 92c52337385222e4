"""Running a build: the one who holds the lock, has shards made, records them, and publishes.

Threads of this process make the shards, or workers elsewhere (``executors``). A build that is
stopped, by whatever, goes on when it is called again.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..dataset.versions import publish
from ..errors import ClusterError, OutputError, TersError
from ..sampling.cpus import available_cpus
from ..schema.manifest import EVENTS, JOURNAL, LOCK, MANIFEST, RANGES, Manifest
from ..store.files import make_folder, remove_unfinished
from ..store.home import Home, new_home
from ..store.journal import Journal
from ..store.lock import BuilderLock
from .begin import (
    check_same,
    kept_shards,
    make_folders,
    remove_dataset,
    write_beginning,
    write_metadata,
)
from .events import EventLog, spans
from .executors.interface import Executor, Job
from .executors.threads import Threads
from .finish import BUILT, Origin, make_manifest
from .output import check_output
from .plan import Plan
from .ranges import merge_ranges, refuse_live_ranges
from .seal import Sealer, remove_leftovers
from .tally import Report, Tally


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
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in made:
                path.rmdir()
        raise


@contextmanager
def explained(
    home: Home, lock: BuilderLock, tally: Tally, again: str = "the same command"
) -> Iterator[None]:
    """Say what is kept when a build stops; of a new dataset nothing is, if nothing was sealed.

    Call it with the lock held.

    Raises
    ------
    LostLockError
        Instead of any error, if another builder has taken over.
    """
    new = not any((home.folder / name).exists() for name in (LOCK, MANIFEST, JOURNAL))
    try:
        yield
    except BaseException as error:
        lock.check()
        done, wanted = tally.progress.n_done, tally.progress.n_samples
        if done == 0 and new:
            remove_dataset(home)
            left = "nothing was sealed yet, and nothing is left behind"
        else:
            left = f"{done} of {wanted} samples are on disk and kept; {again} goes on"
        if isinstance(error, ClusterError):
            raise ClusterError(f"{home.path}: {error}; {left}") from error
        if isinstance(error, OSError) and not isinstance(error, TersError):
            reason = error.strerror or str(error)
            raise OutputError(f"{home.path}: writing failed: {reason}; {left}") from error
        if not isinstance(error, TersError):
            error.add_note(f"{home.path}: stopped; {left}")
        raise


def complete(
    plan: Plan,
    home: Home,
    lock: BuilderLock,
    origin: Origin,
    executor: Executor,
    tally: Tally,
    take_over: bool = False,
) -> Manifest:
    """Seal every shard of a plan that is not there, and publish the version.

    Call it with the lock held and the lock file of the plan written.

    Raises
    ------
    OSError
        If the file system refuses.
    LostLockError
        If another builder has taken over.
    ClusterError
        If those who make the shards elsewhere cannot go on.
    """
    store = plan.store(home)
    make_folders(home, plan)
    merge_ranges(home, lock, take_over)
    with Journal(home.folder, lock.check) as journal, EventLog(home.folder, lock.check) as events:
        kept = kept_shards(home, plan, journal.records)
        remove_leftovers(home.folder)
        tally.keep(list(kept.values()))
        todo = [shard for shard in range(plan.n_shards) if shard not in kept]
        sealer = Sealer(home.folder, store, lock, journal, events)
        events.write("started", n_shards=plan.n_shards, kept=spans(kept))
        job = Job(plan, home, store, lock, origin.rows, todo, sealer, tally, events)
        executor.run(job)
        events.write("complete")
        sealed = {record.shard: record for record in sealer.sealed}
    files = write_metadata(home, plan, lock.check)
    manifest = make_manifest(plan, {**kept, **sealed}, files, origin, lock.check)
    publish(home, manifest, lock.check)
    tidy_up(home, lock)
    return manifest


def tidy_up(home: Home, lock: BuilderLock) -> None:
    """Remove what is there only while a dataset is built; call it with the lock held.

    Temporary files are those of workers that were believed dead; if one wakes up it finds its file
    gone, and then that there is no builder any more.
    """
    lock.check()
    remove_unfinished(home.folder)
    remove_leftovers(home.folder)
    with suppress(OSError):
        (home.folder / EVENTS).unlink(missing_ok=True)
    if (home.folder / RANGES).is_dir() and not (home.folder / RANGES).is_symlink():
        shutil.rmtree(home.folder / RANGES, ignore_errors=True)


def run(
    plan: Plan,
    out: Path,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
    origin: Origin = BUILT,
    take_over: bool = False,
    executor: Executor | None = None,
) -> Built:
    """Build a dataset, or go on with it, and return its manifest and the time taken.

    ``executor`` makes the shards; by default as many threads of this process as asked for.

    Raises
    ------
    OutputError
        If another dataset is there, or the output cannot be written; what is sealed stays.
    BusyError
        If another builder is writing it.
    DatasetError
        If what is there is damaged.
    ClusterError
        If those who make the shards elsewhere cannot go on; what is sealed stays.
    """
    start = time.perf_counter()
    home = new_home(out, plan.format)
    check_output(home, overwrite)
    refuse_live_ranges(home.folder, take_over)
    tally = Tally(plan.n_samples, report, plan.n_shards)
    again = "the same command" + (" without --overwrite" if overwrite else "")
    with (
        new_folder(home.folder),
        BuilderLock(home.folder, take_over) as lock,
        explained(home, lock, tally, again),
    ):
        if overwrite:
            remove_dataset(home)
        manifest = check_same(home, plan)
        if manifest is not None:
            if not os.path.lexists(home.folder / MANIFEST):
                publish(home, manifest, lock.check)
            tidy_up(home, lock)
            return Built(manifest, time.perf_counter() - start, manifest.n_samples)
        if not (home.folder / LOCK).exists():
            write_beginning(home, plan, lock.check)
        executor = executor or Threads(threads or available_cpus())
        manifest = complete(plan, home, lock, origin, executor, tally, take_over)
    return Built(manifest, time.perf_counter() - start, tally.progress.n_kept)
