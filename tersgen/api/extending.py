"""Datasets extended from Python: ``tersgen.extend``."""

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from ..dataset.dataset import Dataset
from ..dataset.opening import open as open_dataset
from ..errors import ConfigError
from ..jobs.executors.options import ClusterOptions
from ..jobs.extend import extend as extend_location
from ..jobs.extend import extended_before, plan_extension
from ..jobs.plan import Plan, check_space, estimate
from ..jobs.progress import Report
from ..jobs.run import Built
from ..schema.manifest import Manifest
from ..store.location import DatasetLocation
from ..urls import as_path
from .building import cluster_options, open_workers, silent
from .counts import whole
from .planning import Compiling
from .progress import ProgressLike, compiling_to, reporting
from .sources import Note


class ExtendedBefore(NamedTuple):
    """The same samples were added by the same call before."""

    manifest: Manifest


class PreparedExtension(NamedTuple):
    """More rows of a dataset, ready to be made."""

    location: DatasetLocation
    plan: Plan
    n_there: int
    workers: ClusterOptions

    def run(
        self,
        report: Report | None,
        note: Note,
        take_over: bool = False,
        cancel: Event | None = None,
    ) -> Built:
        """Add the rows, or resume that."""
        needed = self.n_there < self.plan.n_samples
        with open_workers(self.workers, self.plan, needed, note) as executor:
            return extend_location(
                self.location, self.plan, self.workers.threads, report, take_over, executor, cancel
            )


def prepare_extension(
    path: Path, n: int | None, to: int | None, workers: ClusterOptions, compiling: Compiling
) -> PreparedExtension | ExtendedBefore:
    """Return an extension that is ready to run, or that it was made before."""
    if (n is None) == (to is None):
        got = "none" if n is None else "both"
        raise ConfigError(f"expected n (samples to add) or to (samples to have), got {got}")
    before = extended_before(path, n) if n is not None else None
    if before is not None:
        return ExtendedBefore(before)
    location, grown, n_there = plan_extension(path, n, to)
    check_space(estimate(grown, location, workers.threads, compiling), location, n_there)
    return PreparedExtension(location, grown, n_there, workers)


def extend(
    path: str | Path,
    n: int | None = None,
    *,
    to: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    cluster: str | Mapping[str, Any] | None = None,
    take_over: bool = False,
    progress: ProgressLike = None,
    cancel: Event | None = None,
) -> Dataset:
    """Add samples to a dataset, or resume that, and return its newest version opened.

    Old rows stay as they are, and splits grow. Once complete, the same call adds nothing. The other
    parameters are those of :func:`tersgen.build`.

    Parameters
    ----------
    path
        The dataset.
    n, to
        Samples to add, or to have in all; one of the two.

    Raises
    ------
    ConfigError
        If the number of rows is not larger.
    DatasetError
        If there is no complete dataset, or this version of tersgen makes other rows.
    OutputError, BusyError, ClusterError, CancelledError
        As :func:`tersgen.build`.
    """
    asked = cluster_options(threads, workers, scheduler, cluster)
    path = as_path(path)
    added = None if n is None else whole(n, "n")
    total = None if to is None else whole(to, "to")
    with reporting(progress) as report:
        prepared = prepare_extension(path, added, total, asked, compiling_to(report, 0, total or 0))
        if isinstance(prepared, PreparedExtension):
            prepared.run(report, silent, take_over, cancel)
    return open_dataset(path)
