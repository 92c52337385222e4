"""Growing a dataset: new rows after the old ones, which stay as they are."""

import time
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.dataset import Dataset
from ..dataset.documents import (
    check_generator,
    checked_layout,
    load_lock,
    load_stored_basis,
)
from ..dataset.splits import grow_splits
from ..dataset.versions import find_version, locate, split_reference
from ..errors import ConfigError, DamagedDataError, OutputError
from ..schema.manifest import LARGEST_N, Manifest
from ..schema.split import Split
from ..store.files import Check
from ..store.journal import find_record, read_journal
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock
from ..store.reader import Reader
from .executors.interface import Executor
from .executors.threads import Threads
from .finish import Origin
from .plan import Plan
from .progress import ProgressCounter, Report
from .run import Built, complete, explained, tidy_up
from .start import write_lock


def _prove_last_shard(home: DatasetLocation, plan: Plan, manifest: Manifest) -> None:
    """Make sure that this generator still makes the rows that are there.

    Raises
    ------
    DamagedDataError
        If it makes others, so that the rows of two generators would be mixed.
    """
    old = plan._replace(n_samples=manifest.n_samples)
    shard = old.n_shards - 1
    known = find_record(read_journal(home.folder).records, shard, old.rows_of(shard))
    if known is None:
        raise DamagedDataError(
            f"{home.path}: the journal has no record of shard {shard}; run tersgen repair first"
        )
    made = old.maker(old.store(home)).make_shard(shard, known.rows).digests()
    if known.digests != made:
        name = next(name for name in made if made[name] != known.digests.get(name))
        raise DamagedDataError(
            f"{home.path}: this version of tersgen makes other rows than those that are there "
            f"({name} of shard {shard} differs); extend it with tersgen "
            f"{manifest.environment.tersgen} and the packages in its lock file"
        )


class Extension(NamedTuple):
    """A dataset with more rows, ready to be made."""

    home: DatasetLocation
    plan: Plan
    n_there: int


def plan_extension(path: Path, n_more: int | None, n_total: int | None) -> Extension:
    """Return the plan of a dataset with more rows.

    Raises
    ------
    ConfigError
        If the number of rows is not larger.
    OutputError
        If another extension is under way.
    DatasetError
        If there is no complete dataset.
    """
    path, reference = split_reference(path)
    home = locate(path)
    if reference is not None:
        raise ConfigError(
            f"{path}@{reference}: versions do not change; extend {path}, the newest one"
        )
    manifest = find_version(home, None)
    document = load_stored_basis(home, manifest.recipe_digest)
    check_generator(home.path, manifest.contents, document)
    layout = checked_layout(home.path, manifest)
    total = n_total if n_total is not None else manifest.n_samples + (n_more or 0)
    begun = load_lock(home).n_samples
    if begun > manifest.n_samples and begun != total:
        raise OutputError(
            f"{path}: an extension to {begun} samples is under way, got one to {total}; finish it: "
            f"tersgen extend {path} --to {begun}"
        )
    if total < manifest.n_samples or (n_total is None and total == manifest.n_samples):
        raise ConfigError(
            f"n: expected more than the {manifest.n_samples} samples that are there, got {total}"
        )
    if total > LARGEST_N:
        raise ConfigError(f"n: expected at most 2^53 samples in all, got {total:.6g}")
    plan = Plan(document, manifest.contents, total, layout, manifest.format)
    return Extension(home, plan, manifest.n_samples)


def extended_before(path: Path, n_more: int) -> Manifest | None:
    """Return the newest version if it came about by adding just so many samples; else None.

    Then the same command was run before, and is not to add them twice. None, too, while an
    extension is under way, which the same command finishes.

    Raises
    ------
    DatasetError
        If there is no complete dataset.
    """
    path, reference = split_reference(path)
    if reference is not None:
        return None
    home = locate(path)
    manifest = find_version(home, None)
    was_done = manifest.parent is not None and manifest.change == _change(n_more)
    return manifest if was_done and load_lock(home).n_samples == manifest.n_samples else None


def _change(n_more: int) -> str:
    """Return what the history says of an extension."""
    return f"extend by {n_more} samples"


def extend(
    home: DatasetLocation,
    plan: Plan,
    threads: int | None = None,
    report: Report | None = None,
    take_over: bool = False,
    executor: Executor | None = None,
) -> Built:
    """Grow a dataset, or go on growing it; its splits grow with it, and no old row moves.

    ``executor`` makes the shards; by default as many threads of this process as asked for.

    Raises
    ------
    OutputError
        If it cannot be written; the version that was there stays the newest.
    BusyError
        If another builder is writing it.
    DamagedDataError
        If the generator makes other rows than those that are there.
    ClusterError
        If those who make the shards elsewhere cannot go on; what is sealed stays.
    """
    start = time.perf_counter()
    tally = ProgressCounter(plan.n_samples, report, plan.n_shards)
    with BuilderLock(home.folder, take_over) as lock, explained(home, plan, lock, tally):
        manifest = find_version(home, None)
        if manifest.n_samples >= plan.n_samples:
            tidy_up(home, lock)
            return Built(manifest, time.perf_counter() - start, manifest.n_samples)
        _prove_last_shard(home, plan, manifest)
        write_lock(home, plan, lock.check)
        change = _change(plan.n_samples - manifest.n_samples)

        def splits(check: Check) -> tuple[Split, ...]:
            reader = Reader(home.folder, plan.store(home), plan.table, plan.layout, plan.n_samples)
            grown = Dataset(home.path, plan.document, plan.contents, plan.n_samples, reader)
            return grow_splits(home, manifest, grown, check)

        origin = Origin(change, parent=manifest, splits=splits)
        executor = executor or Threads(threads or available_cpus())
        grown = complete(plan, home, lock, origin, executor, tally, take_over)
    return Built(grown, time.perf_counter() - start, tally.progress.n_kept)
