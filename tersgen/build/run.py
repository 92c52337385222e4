"""Running a build on this machine.

Threads make runs of rows, each generated, hashed and encoded in one go; others put them together
into shards and seal these. What is in flight is bounded, whatever the number of rows. A build that
is stopped, by whatever, goes on when it is called again.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..dataset.versions import publish
from ..errors import OutputError, TersError
from ..sampling.block import available_cpus
from ..schema.manifest import JOURNAL, LOCK, MANIFEST, Manifest, ShardRecord
from ..store.files import make_folder
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
from .chunks import ChunkMaker, Encoded, Shard
from .finish import BUILT, Origin, make_manifest
from .output import check_output
from .plan import SHARDS_IN_FLIGHT, Plan
from .seal import Sealer, remove_leftovers


class Progress(NamedTuple):
    """How far a build is."""

    n_done: int
    n_samples: int
    bytes_stored: int
    n_kept: int = 0
    """Rows that were there before."""


Report = Callable[[Progress], None]


class Built(NamedTuple):
    """A finished build."""

    manifest: Manifest
    seconds: float
    n_kept: int
    """Rows that were there before."""


class Tally:
    """Counts what is sealed, and reports it."""

    def __init__(self, n_samples: int, report: Report | None) -> None:
        self.progress = Progress(0, n_samples, 0)
        self._report = report
        self._n_added = 0

    def keep(self, records: Sequence[ShardRecord]) -> None:
        """Count shards that were there before."""
        for record in records:
            self._count(record)
        self.progress = self.progress._replace(n_kept=self.progress.n_done)

    def add(self, sealed: Sequence[ShardRecord]) -> None:
        """Count those of all shards sealed now that are not counted yet, and report."""
        for record in sealed[self._n_added :]:
            self._n_added += 1
            self._count(record)
            if self._report is not None:
                self._report(self.progress)

    def _count(self, record: ShardRecord) -> None:
        self.progress = self.progress._replace(
            n_done=self.progress.n_done + record.rows,
            bytes_stored=self.progress.bytes_stored + record.bytes_stored,
        )


def make_shards(
    plan: Plan, todo: Sequence[int], maker: ChunkMaker, sealer: Sealer, threads: int, tally: Tally
) -> None:
    """Make and seal shards; on any error those being sealed are finished, the others dropped."""
    upcoming = (unit for shard in todo for unit in maker.units(shard, plan.rows_of(shard)))
    ahead = plan.layout.shard_rows // maker.unit_rows + 2 * threads
    making: deque[Future[Encoded]] = deque()
    sealing: deque[Future[ShardRecord]] = deque()
    try:
        with (
            ThreadPoolExecutor(threads, "tersgen-make") as makers,
            ThreadPoolExecutor(SHARDS_IN_FLIGHT - 1, "tersgen-seal") as sealers,
        ):
            try:
                for shard in todo:
                    runs: list[Encoded] = []
                    for _ in maker.units(shard, plan.rows_of(shard)):
                        for start, n_rows in islice(upcoming, ahead - len(making) - len(runs)):
                            making.append(makers.submit(maker.make, start, n_rows))
                        runs.append(making.popleft().result())
                    while len(sealing) >= SHARDS_IN_FLIGHT - 1:
                        sealing.popleft().result()
                        tally.add(sealer.sealed)
                    sealing.append(sealers.submit(sealer.seal, Shard(shard, runs)))
                for future in sealing:
                    future.result()
                    tally.add(sealer.sealed)
            except BaseException:
                for run in making:
                    run.cancel()
                raise
    finally:
        tally.add(sealer.sealed)


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
    threads: int | None,
    tally: Tally,
) -> Manifest:
    """Seal every shard of a plan that is not there, and publish the version.

    Call it with the lock held and the lock file of the plan written.

    Raises
    ------
    OSError
        If the file system refuses.
    LostLockError
        If another builder has taken over.
    """
    store = plan.store(home)
    make_folders(home, plan)
    with Journal(home.folder, lock.check) as journal:
        kept = kept_shards(home, plan, journal)
        remove_leftovers(home.folder)
        tally.keep(list(kept.values()))
        todo = [shard for shard in range(plan.n_shards) if shard not in kept]
        sealer = Sealer(home.folder, store, lock, journal)
        maker = plan.maker(store, origin.rows)
        make_shards(plan, todo, maker, sealer, threads or available_cpus(), tally)
        sealed = {record.shard: record for record in sealer.sealed}
    files = write_metadata(home, plan, lock.check)
    manifest = make_manifest(plan, {**kept, **sealed}, files, origin, lock.check)
    publish(home, manifest, lock.check)
    return manifest


def run(
    plan: Plan,
    out: Path,
    overwrite: bool = False,
    threads: int | None = None,
    report: Report | None = None,
    origin: Origin = BUILT,
    take_over: bool = False,
) -> Built:
    """Build a dataset, or go on with it, and return its manifest and the time taken.

    Raises
    ------
    OutputError
        If another dataset is there, or the output cannot be written; what is sealed stays.
    BusyError
        If another builder is writing it.
    DatasetError
        If what is there is damaged.
    """
    start = time.perf_counter()
    home = new_home(out, plan.format)
    check_output(home, overwrite)
    tally = Tally(plan.n_samples, report)
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
            return Built(manifest, time.perf_counter() - start, manifest.n_samples)
        if not (home.folder / LOCK).exists():
            write_beginning(home, plan, lock.check)
        manifest = complete(plan, home, lock, origin, threads, tally)
    return Built(manifest, time.perf_counter() - start, tally.progress.n_kept)
