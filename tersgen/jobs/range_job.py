"""A job that seals a range of shards, and the last step, which makes sure that none is missing."""

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.documents import (
    COPIES,
    load_lock,
)
from ..dataset.versions import command_to_finish, locate, split_reference
from ..errors import BusyError, ConfigError, LostLockError, OutputError
from ..schema.manifest import LOCK, RANGES, Manifest
from ..store.files import PARTIAL, publish, sync_folder, write_partial
from ..store.journal import Journal, read_journal
from ..store.location import DatasetLocation, new_home, own_folder
from ..store.lock import TAKE_OVER, BuilderLock, is_lock, lock_holder
from .events import EventLog, spans, spans_text
from .executors.interface import Job
from .executors.threads import Threads
from .output import check_output, in_one_line
from .plan import Plan
from .progress import ProgressCounter, Report
from .ranges import recorded_in_ranges
from .replace import refuse_interrupted
from .run import Built, explained, new_folder, run
from .seal import Sealer
from .start import beginning, begun_plan, check_same, kept_shards, make_folders


class _Right:
    """The right to seal a range: the lock of the range, and no builder of the whole."""

    def __init__(self, home: DatasetLocation, lock: BuilderLock) -> None:
        self._folder = home.folder
        self._lock = lock
        self.token = lock.token

    def check(self) -> None:
        """Make sure that it still holds.

        Raises
        ------
        LostLockError
            If it does not.
        """
        self._lock.check()
        holder = lock_holder(self._folder)
        if holder is not None:
            raise LostLockError(
                f"{self._folder}: process {holder.pid} on {holder.host} has begun to build the "
                "whole; this job stops, and what it had sealed stays"
            )


def _write_first(path: Path, parts: Sequence[bytes]) -> None:
    """Write a document unless another job was faster; neither ever replaces the other's."""
    if os.path.lexists(path):
        return
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        write_partial(partial, parts)
        publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def _begin_together(home: DatasetLocation, plan: Plan) -> Manifest | None:
    """Write what a build begins with; any number of jobs may do this at once.

    The lock file comes first, and decides; the recipe follows, by whichever job is the quickest.
    Return the manifest if the very dataset is complete already.

    Raises
    ------
    OutputError
        If another dataset was begun here.
    """
    if not (home.folder / LOCK).exists():
        _write_first(home.folder / LOCK, [plan.lock().text.encode()])
    manifest = check_same(home, plan)
    if manifest is None:
        own_folder(home, COPIES)
        for name, parts in beginning(plan).items():
            _write_first(home.folder / name, parts)
    return manifest


def _refuse_builder(home: DatasetLocation, take_over: bool) -> None:
    """Refuse to go on beside a builder of the whole; drop the lock of one that is said to be dead.

    Raises
    ------
    BusyError
        If there is one.
    """
    holder = lock_holder(home.folder)
    if holder is None:
        return
    if take_over and not holder.is_here:
        for path in home.folder.iterdir():
            if is_lock(path.name):
                path.unlink(missing_ok=True)
        return
    hint = "" if holder.is_here else TAKE_OVER
    raise BusyError(
        f"{home.folder}: process {holder.pid} on {holder.host} is building the whole; wait for it, "
        f"or stop it{hint}"
    )


class SealedRange(NamedTuple):
    """What a job has done."""

    first: int
    last: int
    """The shard after the last one."""
    n_rows: int
    n_kept: int
    """Rows that were there before."""
    seconds: float


def check_range(plan: Plan, first: int, last: int | None) -> tuple[int, int]:
    """Return a range of shards, cut at the end of the dataset.

    Raises
    ------
    ConfigError
        If it is empty, or none of these shards exist.
    """
    end = plan.n_shards if last is None else min(last, plan.n_shards)
    if not 0 <= first < end:
        raise ConfigError(
            f"--shard-range: expected shards from 0:{plan.n_shards}, got "
            f"{first}:{'' if last is None else last}"
        )
    return first, end


def seal_range(
    plan: Plan,
    out: Path,
    first: int,
    last: int | None,
    threads: int | None = None,
    report: Report | None = None,
    take_over: bool = False,
) -> SealedRange:
    """Seal the shards of a range that are not there; the dataset is not completed by it.

    Any number of such jobs may begin at once, in an empty place too, on any machines that share the
    folder.

    Raises
    ------
    ConfigError
        If there are no such shards.
    OutputError
        If another dataset is there, or it cannot be written; what is sealed stays.
    BusyError
        If this range, or the whole, is being written by another.
    """
    start = time.perf_counter()
    first, last = check_range(plan, first, last)
    wanted = range(first, last)
    n_rows = (last - first - 1) * plan.layout.shard_rows + plan.rows_of(last - 1)
    home = new_home(out, plan.format)
    check_output(home)
    refuse_interrupted(home)
    tally = ProgressCounter(n_rows, report, last - first)
    with new_folder(home.folder):
        with in_one_line(home, "cannot be begun"):
            manifest = _begin_together(home, plan)
        if manifest is not None:
            return SealedRange(first, last, n_rows, n_rows, time.perf_counter() - start)
        with in_one_line(home, "cannot be begun"):
            folder = own_folder(home, f"{RANGES}/{first}-{last}")
        with BuilderLock(folder, take_over) as lock, explained(home, plan, lock, tally):
            _refuse_builder(home, take_over)
            right = _Right(home, lock)
            make_folders(home, plan)
            with Journal(folder, right.check) as journal, EventLog(folder, right.check) as events:
                others = read_journal(home.folder).records + recorded_in_ranges(home.folder)
                records = [one for one in others if one.shard in wanted] + journal.records
                kept = kept_shards(home, plan, records)
                tally.keep(list(kept.values()))
                todo = [shard for shard in wanted if shard not in kept]
                store = plan.store(home)
                sealer = Sealer(home.folder, store, right, journal, events)
                events.write("started", n_shards=plan.n_shards, kept=spans(kept))
                executor = Threads(threads or available_cpus())
                executor.run(Job(plan, home, store, lock, None, todo, sealer, tally, events))
                events.write("complete")
    return SealedRange(first, last, n_rows, tally.progress.n_kept, time.perf_counter() - start)


class NothingLeft:
    """Makes no shard, but says which ones are missing."""

    def run(self, job: Job) -> None:
        """Refuse to go on if any shard is missing.

        Raises
        ------
        OutputError
            If one is.
        """
        if job.todo:
            raise OutputError(
                f"{job.home.path}: expected all {job.plan.n_shards} shards, "
                f"{len(job.todo)} missing: {spans_text(job.todo)}; make them with --shard-range, "
                f"or all with {command_to_finish(job.home, job.plan.lock())}"
            )


def _begun_plan(path: Path) -> tuple[DatasetLocation, Plan]:
    """Return the plan of a dataset that was begun, from its lock file and recipe.

    Raises
    ------
    DatasetError
        If there is none, or these are damaged.
    """
    path, reference = split_reference(path)
    if reference is not None:
        raise ConfigError(f"{path}@{reference}: expected a dataset, got a version of one")
    home = locate(path)
    lock = load_lock(home)
    return home, begun_plan(home, lock)


def finalize(path: Path, take_over: bool = False) -> Built:
    """Complete a dataset whose shards are all sealed, and publish it.

    Raises
    ------
    OutputError
        If shards are missing, with their numbers.
    BusyError
        If a job, or another builder, is still at work.
    DatasetError
        If nothing was begun here, or it is damaged.
    """
    home, plan = _begun_plan(path)
    return run(plan, home.path, take_over=take_over, executor=NothingLeft())
