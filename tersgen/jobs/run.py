"""Running a build: the one who holds the lock, has shards made, records them, and publishes.

Threads of this process make the shards, or workers elsewhere (``executors``). A build that is
stopped, by whatever, goes on when it is called again.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.versions import publish
from ..errors import ClusterError, OutputError, TersError
from ..files import why
from ..schema.manifest import EVENTS, JOURNAL, LOCK, MANIFEST, Manifest
from ..store.files import make_folder, remove_unfinished
from ..store.journal import Journal
from ..store.location import DatasetLocation, new_home
from ..store.lock import BuilderLock
from .events import EventLog, spans, spans_text
from .executors.interface import Executor, Job
from .executors.threads import Threads
from .finish import BUILT, Origin, make_manifest
from .output import check_output
from .plan import Plan
from .progress import ProgressCounter, Report
from .ranges import merge_ranges, refuse_live_ranges, remove_ranges
from .replace import Finish, building_home, refuse_interrupted, replacing
from .seal import Sealer, remove_leftovers
from .start import (
    check_same,
    kept_shards,
    make_folders,
    remove_begun,
    write_beginning,
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
    home: DatasetLocation,
    plan: Plan,
    lock: BuilderLock,
    tally: ProgressCounter,
    shown: Path | None = None,
) -> Iterator[None]:
    """Say what is kept when a build stops; of a new dataset nothing is, if nothing was sealed.

    Call it with the lock held. ``shown`` is the dataset that the user knows, where this one is to
    take its place.

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
            remove_begun(home, plan, lock.check)
            left = "nothing was sealed yet, and nothing is left behind"
        else:
            left = f"{done} of {wanted} samples are on disk and kept; the same command resumes"
        if shown is not None:
            left += "; the dataset that was there stays until then"
        path = shown or home.path
        if isinstance(error, ClusterError):
            raise ClusterError(f"{path}: {error}; {left}") from error
        if isinstance(error, OSError) and not isinstance(error, TersError):
            raise OutputError(f"{path}: writing failed: {why(error)}; {left}") from error
        if not isinstance(error, TersError):
            error.add_note(f"{path}: stopped; {left}")
        raise


def complete(
    plan: Plan,
    home: DatasetLocation,
    lock: BuilderLock,
    origin: Origin,
    executor: Executor,
    tally: ProgressCounter,
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
        missing = sorted({*todo} - {*sealed})
        if missing:
            raise ClusterError(
                f"expected the executor to make {len(todo)} shards, got none of "
                f"{spans_text(missing)}"
            )
    files = write_metadata(home, plan, lock.check)
    manifest = make_manifest(plan, {**kept, **sealed}, files, origin, lock.check)
    publish(home, manifest, lock.check)
    tidy_up(home, lock)
    return manifest


def tidy_up(home: DatasetLocation, lock: BuilderLock) -> None:
    """Remove what is there only while a dataset is built; call it with the lock held.

    Temporary files are those of workers that were believed dead; if one wakes up it finds its file
    gone, and then that there is no builder any more.
    """
    lock.check()
    remove_unfinished(home.folder)
    remove_leftovers(home.folder)
    log = home.folder / EVENTS
    if log.is_file() and not log.is_symlink():
        with suppress(OSError):
            log.unlink(missing_ok=True)
    remove_ranges(home.folder)


def _no_more(_: Path) -> None:
    """Do nothing more with a complete dataset."""


def run(
    plan: Plan,
    out: Path,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
    origin: Origin | Callable[[DatasetLocation], Origin] = BUILT,
    take_over: bool = False,
    executor: Executor | None = None,
    finish: Finish = _no_more,
) -> Built:
    """Build a dataset, or go on with it, and return its manifest and the time taken.

    One that takes the place of another (``overwrite``) is built beside it, and is put there when it
    is complete. ``origin`` may depend on where it is built. ``executor`` makes the shards; by
    default as many threads of this process as asked for. ``finish`` is called with the path of the
    complete dataset, before it takes another's place.

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
    home = new_home(out, plan.format)
    check_output(home, overwrite)
    tally = ProgressCounter(plan.n_samples, report, plan.n_shards)
    executor = executor or Threads(threads or available_cpus())
    build = _Build(plan, tally, origin, executor, take_over)
    if building_home(home, plan, overwrite) != home:
        with replacing(home, plan, take_over) as replacement:
            if replacement.done is not None:
                return Built(replacement.done, build.seconds, replacement.done.n_samples)
            replacement.check()
            built = build.at(replacement.staged, home.path)
            finish(replacement.staged.path)
            replacement.finish()
        return built
    refuse_interrupted(home)
    built = build.at(home)
    finish(home.path)
    return built


class _Build:
    """A build, wherever it is."""

    def __init__(
        self,
        plan: Plan,
        tally: ProgressCounter,
        origin: Origin | Callable[[DatasetLocation], Origin],
        executor: Executor,
        take_over: bool,
    ) -> None:
        self._plan, self._tally, self._origin = plan, tally, origin
        self._executor, self._take_over = executor, take_over
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time that has passed."""
        return time.perf_counter() - self._start

    def at(self, home: DatasetLocation, shown: Path | None = None) -> Built:
        """Build at a place, or go on there; ``shown`` is what it is to replace, if anything."""
        plan, tally = self._plan, self._tally
        refuse_live_ranges(home.folder, self._take_over)
        with (
            new_folder(home.folder),
            BuilderLock(home.folder, self._take_over) as lock,
            explained(home, plan, lock, tally, shown),
        ):
            manifest = check_same(home, plan)
            if manifest is not None:
                if not os.path.lexists(home.folder / MANIFEST):
                    publish(home, manifest, lock.check)
                tidy_up(home, lock)
                return Built(manifest, self.seconds, manifest.n_samples)
            write_beginning(home, plan, lock.check)
            origin = self._origin(home) if callable(self._origin) else self._origin
            manifest = complete(plan, home, lock, origin, self._executor, tally, self._take_over)
        return Built(manifest, self.seconds, tally.progress.n_kept)
