"""A job that builds a range of shards, and the last step, which makes sure that none is missing."""

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.documents import COPIES, load_lock
from ..dataset.versions import command_to_finish, locate_newest
from ..errors import BusyError, ConfigError, LostLockError, OutputError
from ..schema.manifest import LOCK, RANGES, Manifest
from ..store.files import PARTIAL, publish, sync_folder, write_partial
from ..store.location import DatasetLocation, in_one_line, new_location, own_folder
from ..store.lock import TAKE_OVER, BuilderLock, is_lock, lock_holder
from .events import spans_text
from .executors.interface import Job
from .executors.threads import Threads
from .output import check_output
from .plan import Plan
from .progress import ProgressCounter, Report
from .replace import refuse_interrupted
from .run import Built, build_shards, explained, new_folder, run
from .start import check_same, make_folders, stored_documents, stored_plan


class _Right:
    """The right to build a range: the lock of the range, and no builder of the whole."""

    def __init__(self, location: DatasetLocation, lock: BuilderLock) -> None:
        self._folder = location.folder
        self._lock = lock
        self.token = lock.token

    def check(self) -> None:
        """Make sure that it still holds."""
        self._lock.check()
        holder = lock_holder(self._folder)
        if holder is not None:
            raise LostLockError(
                f"{self._folder}: process {holder.pid} on {holder.host} is building the "
                "whole; this job stops, and the shards that it has finished stay"
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


def _write_documents_together(location: DatasetLocation, plan: Plan) -> Manifest | None:
    """Write what a build begins with; any number of jobs may do this at once.

    The lock file comes first, and decides; the recipe follows, by whichever job is the quickest.
    Return the manifest if the very dataset is complete already.
    """
    if not (location.folder / LOCK).exists():
        _write_first(location.folder / LOCK, [plan.lock().text.encode()])
    manifest = check_same(location, plan)
    if manifest is None:
        own_folder(location, COPIES)
        for name, parts in stored_documents(plan).items():
            _write_first(location.folder / name, parts)
    return manifest


def _refuse_builder(location: DatasetLocation, take_over: bool) -> None:
    """Refuse to run beside a builder of the whole; remove the lock of one that is taken over."""
    holder = lock_holder(location.folder)
    if holder is None:
        return
    if take_over and not holder.is_here:
        for path in location.folder.iterdir():
            if is_lock(path.name):
                path.unlink(missing_ok=True)
        return
    hint = "" if holder.is_here else TAKE_OVER
    raise BusyError(
        f"{location.folder}: process {holder.pid} on {holder.host} is building the whole; wait "
        f"for it, or stop it{hint}"
    )


class BuiltRange(NamedTuple):
    """What a job has done."""

    first: int
    last: int
    """The shard after the last one."""
    n_rows: int
    n_kept: int
    """Rows that were there before."""
    seconds: float


def check_range(plan: Plan, first: int, last: int | None) -> tuple[int, int]:
    """Return a range of shards, cut at the end of the dataset."""
    end = plan.n_shards if last is None else min(last, plan.n_shards)
    if not 0 <= first < end:
        raise ConfigError(
            f"--shard-range: expected shards from 0:{plan.n_shards}, got "
            f"{first}:{'' if last is None else last}"
        )
    return first, end


def build_range(
    plan: Plan,
    out: Path | DatasetLocation,
    first: int,
    last: int | None,
    threads: int | None = None,
    report: Report | None = None,
    take_over: bool = False,
) -> BuiltRange:
    """Build the shards of a range that are not there; the dataset is not completed by it.

    Any number of such jobs may start at once, in an empty place too, on any machines that share the
    folder.

    Raises
    ------
    ConfigError
        If there are no such shards.
    OutputError
        If another dataset is there, or it cannot be written; finished shards stay.
    BusyError
        If this range, or the whole, is being written by another.
    """
    start = time.perf_counter()
    first, last = check_range(plan, first, last)
    wanted = range(first, last)
    n_rows = (last - first - 1) * plan.layout.shard_rows + plan.rows_of(last - 1)
    location = new_location(out, plan.format)
    check_output(location)
    refuse_interrupted(location)
    counter = ProgressCounter(n_rows, report, last - first)
    with new_folder(location.folder):
        with in_one_line(location, "cannot be started"):
            manifest = _write_documents_together(location, plan)
        if manifest is not None:
            return BuiltRange(first, last, n_rows, n_rows, time.perf_counter() - start)
        with in_one_line(location, "cannot be started"):
            folder = own_folder(location, f"{RANGES}/{first}-{last}")
        with BuilderLock(folder, take_over) as lock, explained(location, plan, lock, counter):
            _refuse_builder(location, take_over)
            right = _Right(location, lock)
            make_folders(location, plan)
            executor = Threads(threads or available_cpus())
            build_shards(plan, location, lock, executor, None, counter, wanted, right, folder)
    return BuiltRange(first, last, n_rows, counter.progress.n_kept, time.perf_counter() - start)


class NothingLeft:
    """Makes no shard, but says which ones are missing."""

    def run(self, job: Job) -> None:
        """Refuse to finish if any shard is missing."""
        if job.todo:
            raise OutputError(
                f"{job.location}: expected all {job.plan.n_shards} shards, "
                f"{len(job.todo)} missing: {spans_text(job.todo)}; make them with --shard-range, "
                f"or all with {command_to_finish(job.location, job.plan.lock())}"
            )


def finalize(path: Path, take_over: bool = False) -> Built:
    """Complete a dataset whose shards are all finished, and publish it."""
    location = locate_newest(path, "finalize")
    plan = stored_plan(location, load_lock(location))
    return run(plan, location, take_over=take_over, executor=NothingLeft())
