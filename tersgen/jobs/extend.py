"""Growing a dataset: new rows after the old ones, which stay as they are."""

import time
from pathlib import Path
from threading import Event
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.documents import (
    check_generator,
    load_lock,
    load_stored_basis,
)
from ..dataset.splits import grow_splits
from ..dataset.versions import find_version, locate_newest, locate_version
from ..errors import ConfigError, DamagedDataError, OutputError
from ..schema.manifest import LARGEST_N, Manifest
from ..schema.split import Split
from ..store.files import Check
from ..store.journal import read_journal
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock
from ..text import command, counted
from .executors.interface import Executor
from .executors.threads import Threads
from .finish import Origin
from .plan import Plan
from .progress import ProgressCounter, Report
from .run import Built, complete, explained, tidy_up
from .start import plan_of, write_lock


def _prove_last_shard(location: DatasetLocation, plan: Plan, manifest: Manifest) -> None:
    """Make sure that this generator still makes the rows that are there."""
    old = plan._replace(n_samples=manifest.n_samples)
    shard = old.n_shards - 1
    known = old.recorded(read_journal(location.folder).records).get(shard)
    if known is None:
        raise DamagedDataError(
            f"{location}: the journal has no record of shard {shard}; run tersgen repair first"
        )
    made = old.maker(old.store()).make_shard(shard, known.rows).digests()
    if known.digests != made:
        name = next(name for name in made if made[name] != known.digests.get(name))
        raise DamagedDataError(
            f"{location}: this version of tersgen makes other rows than those that are there "
            f"({name} of shard {shard} differs); extend it with tersgen "
            f"{manifest.environment.tersgen} and the packages in its lock file"
        )


class Extension(NamedTuple):
    """A dataset with more rows, ready to be made."""

    location: DatasetLocation
    plan: Plan
    n_there: int


def plan_extension(path: Path, n_more: int | None, n_total: int | None) -> Extension:
    """Return the plan of a dataset with more rows."""
    location = locate_newest(path, "extend")
    manifest = find_version(location, None)
    document = load_stored_basis(location, manifest.recipe_digest)
    check_generator(location.path, manifest.contents, document)
    total = n_total if n_total is not None else manifest.n_samples + (n_more or 0)
    under_way = load_lock(location).n_samples
    if under_way > manifest.n_samples and under_way != total:
        raise OutputError(
            f"{path}: an extension to {under_way} samples is under way, got one to {total}; "
            f"finish it: {command('tersgen', 'extend', path, '--to', under_way)}"
        )
    if total < manifest.n_samples or (n_total is None and total == manifest.n_samples):
        raise ConfigError(
            f"n: expected more than the {manifest.n_samples} samples that are there, got {total}"
        )
    if total > LARGEST_N:
        raise ConfigError(f"n: expected at most 2^53 samples in all, got {total:.6g}")
    plan = plan_of(location, manifest, document)._replace(n_samples=total)
    return Extension(location, plan, manifest.n_samples)


def extended_before(path: Path, n_more: int) -> Manifest | None:
    """Return the newest version if it came about by adding just so many samples; else None.

    Then the same command was run before, and is not to add them twice. None, too, while an
    extension is under way, which the same command finishes.
    """
    location, reference = locate_version(path)
    if reference is not None:
        return None
    manifest = find_version(location, None)
    was_done = manifest.parent is not None and manifest.change == _change(n_more)
    return manifest if was_done and load_lock(location).n_samples == manifest.n_samples else None


def _change(n_more: int) -> str:
    """Return the entry in the history for an extension."""
    return f"extend by {counted(n_more, 'sample')}"


def extend(
    location: DatasetLocation,
    plan: Plan,
    threads: int | None = None,
    report: Report | None = None,
    take_over: bool = False,
    executor: Executor | None = None,
    cancel: Event | None = None,
) -> Built:
    """Grow a dataset, or resume growing it; its splits grow with it, and no old row moves.

    ``executor`` makes the shards; by default as many threads of this process as asked for. Once
    ``cancel`` is set, it stops.

    Raises
    ------
    OutputError
        If it cannot be written; the version that was there stays the newest.
    BusyError
        If another builder is writing it.
    DamagedDataError
        If the generator makes other rows than those that are there.
    ClusterError
        If scheduler or workers are lost; finished shards stay.
    CancelledError
        If it was cancelled; finished shards stay.
    """
    start = time.perf_counter()
    counter = ProgressCounter(plan.n_samples, report, plan.n_shards, cancel)
    with BuilderLock(location.folder, take_over) as lock, explained(location, plan, lock, counter):
        manifest = find_version(location, None)
        if manifest.n_samples >= plan.n_samples:
            tidy_up(location, lock)
            return Built(manifest, time.perf_counter() - start, manifest.n_samples)
        _prove_last_shard(location, plan, manifest)
        write_lock(location, plan, lock.check)
        change = _change(plan.n_samples - manifest.n_samples)

        def splits(check: Check) -> tuple[Split, ...]:
            grown = plan.stored_rows(location, plan.n_samples)
            return grow_splits(location, manifest, grown, check)

        origin = Origin(change, parent=manifest, splits=splits)
        executor = executor or Threads(threads or available_cpus())
        grown = complete(plan, location, lock, origin, executor, counter, take_over)
    return Built(grown, time.perf_counter() - start, counter.progress.n_kept)
