"""Datasets built and planned from Python: ``tersgen.build`` and ``tersgen.plan``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from ..dataset.dataset import Dataset
from ..dataset.opening import open as open_dataset
from ..dataset.recipes import RecipeLike, as_recipe
from ..errors import ConfigError, TersError
from ..jobs.executors.interface import Executor, check_options, open_executor
from ..jobs.executors.options import ClusterOptions
from ..jobs.output import check_output
from ..jobs.plan import Estimate, Plan, check_space, estimate, make_plan
from ..jobs.progress import Report
from ..jobs.range_job import BuiltRange, build_range, check_range
from ..jobs.replace import building_location
from ..jobs.run import Built, run
from ..jobs.start import rows_kept
from ..library.intensities import NOTHING_SAID, Statement
from ..resolution import resolve
from ..schema.manifest import Compression, Format
from ..schema.presets import DEFAULT_PRESET
from ..store.location import DatasetLocation, guess_format, new_location
from ..urls import RemotePath, as_path
from .counts import whole
from .planning import Compiling, Workload, workload
from .progress import ProgressLike, compiling_to, reporting
from .sources import Note


def cluster_options(
    threads: int | None,
    workers: int | None,
    scheduler: str | None,
    cluster: str | Mapping[str, Any] | None,
) -> ClusterOptions:
    """Return which workers are asked for."""
    given: dict[str, Any] = {"system": cluster} if isinstance(cluster, str) else dict(cluster or {})
    jobs = [name for name in ClusterOptions._fields if name not in ("threads", "scheduler")]
    for name in given:
        if name not in jobs:
            raise ConfigError(f"cluster: expected some of {', '.join(jobs)}, got {name!r}")
    if workers is not None:
        given["workers"] = workers
    counts = {"threads": threads, "workers": given.get("workers"), "cores": given.get("cores")}
    for name, count in counts.items():
        if count is not None:
            counts[name] = whole(count, name)
    asked = ClusterOptions(scheduler=scheduler, **{**given, **counts})
    check_options(asked)
    return asked


@contextmanager
def open_workers(
    asked: ClusterOptions, plan: Plan, needed: bool, note: Note
) -> Iterator[Executor | None]:
    """Yield what makes the shards, and say what a user may want to watch; None if nothing is to."""
    if not needed:
        yield None
        return
    if asked.executor == "dask":
        note(f"looking for the scheduler at {asked.scheduler} (at most 30 s)")
    with open_executor(asked, plan) as (executor, watching):
        if watching:
            note(watching)
        yield executor


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class PreparedBuild:
    """A build that is ready to run."""

    plan: Plan
    location: DatasetLocation
    workers: ClusterOptions
    overwrite: bool
    take_over: bool
    shards: range
    """Those that this process is to make."""
    is_part: bool
    """Whether others make the rest: a job with a range of shards."""
    url: RemotePath | None = None
    """Where shards are sent, in place of the location, which is then for those not sent yet."""

    @property
    def n_wanted(self) -> int:
        """Samples of the shards."""
        last = self.shards[-1]
        return (len(self.shards) - 1) * self.plan.layout.shard_rows + self.plan.rows_of(last)

    def n_kept(self) -> int:
        """Return how many of the samples are there already; unknown, and 0, of a URL."""
        if self.url is not None:
            return 0
        place = building_location(self.location, self.plan, self.overwrite)
        try:
            return rows_kept(place, self.plan, self.shards)
        except TersError:
            if not self.overwrite:
                raise
            return 0  # of another plan: it is removed first

    def estimate(self, compiling: Compiling) -> Estimate:
        """Return what the build will take; see ``jobs.plan.estimate``."""
        return estimate(self.plan, self.location, self.workers.threads, compiling)

    def run(
        self, report: Report | None, note: Note, n_kept: int, cancel: Event | None = None
    ) -> Built:
        """Build, or resume, the whole dataset."""
        if self.url is not None:
            from ..jobs.remote_build import build_remote  # needs an extra

            threads = self.workers.threads
            return build_remote(self.plan, self.url, self.location.path, threads, report)
        needed = n_kept < self.n_wanted
        with open_workers(self.workers, self.plan, needed, note) as executor:
            return run(
                self.plan, self.location, self.overwrite, self.workers.threads, report,
                take_over=self.take_over, executor=executor, cancel=cancel,
            )  # fmt: skip

    def run_part(self, report: Report | None) -> BuiltRange:
        """Build, or resume, the shards of one job of many."""
        first, last = self.shards.start, self.shards.stop
        threads = self.workers.threads
        return build_range(self.plan, self.location, first, last, threads, report, self.take_over)


def prepare_build(
    recipe: RecipeLike,
    n: int,
    out: str | Path,
    *,
    format: Format | None = None,
    overwrite: bool = False,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
    workers: ClusterOptions | None = None,
    take_over: bool = False,
    shard_range: tuple[int, int | None] | None = None,
    scratch: str | Path | None = None,
    said: Statement = NOTHING_SAID,
    is_trial: bool = False,
) -> PreparedBuild:
    """Return a build that is ready to run; nothing is written, and of a trial nothing will be."""
    out = as_path(out)
    asked = workers or ClusterOptions()
    url = out if isinstance(out, RemotePath) else None
    if url is None and scratch is not None:
        raise ConfigError(f"scratch: expected a URL as out, s3://bucket/data.zarr, got {out}")
    if url is not None and (overwrite or shard_range or asked.executor != "threads"):
        raise ConfigError(
            f"{url}: expected a build by threads of this process, without overwrite or a range of "
            "shards, got other options; leave them out, or build on a disk and run tersgen push"
        )
    place = out if url is None else Path(scratch or url.name)
    location = new_location(place, format or guess_format(out))
    if not (is_trial or url):
        check_output(location, overwrite)
    resolved = resolve(as_recipe(recipe), said)
    plan = make_plan(resolved, n, location.format, chunk_rows, shard_rows, compression)
    shards = range(*check_range(plan, *shard_range)) if shard_range else range(plan.n_shards)
    return PreparedBuild(
        plan, location, asked, overwrite, take_over, shards, bool(shard_range), url
    )


def build(
    recipe: RecipeLike = DEFAULT_PRESET,
    n: int = 100_000,
    out: str | Path = "data.zarr",
    *,
    format: Format | None = None,
    overwrite: bool = False,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
    threads: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    cluster: str | Mapping[str, Any] | None = None,
    take_over: bool = False,
    scratch: str | Path | None = None,
    progress: ProgressLike = None,
    cancel: Event | None = None,
) -> Dataset:
    """Build a dataset, or resume a build that was stopped, and return it opened.

    A build that is complete already is only opened.

    Parameters
    ----------
    recipe
        A :class:`tersgen.Recipe`; a mapping of its settings; the path of a recipe file; or the name
        of a preset. What a recipe does not set has its default, and maps are then test patterns.
    n
        Number of samples.
    out
        The dataset to write, ``data.zarr`` or ``data.h5``; or a URL, ``s3://bucket/data.zarr``.
    format
        ``"zarr"`` or ``"hdf5"``; by default HDF5 if the name ends in .h5.
    overwrite
        Whether to replace a dataset; it stays until the new one is complete.
    chunk_rows, shard_rows
        Rows of a chunk and of a shard; by default from the bytes of a row.
    compression
        Of Zarr: ``"lz4"`` or ``"none"``.
    threads
        Threads of each process; by default one for each processor.
    workers
        Worker processes on this machine; none by default.
    scheduler
        Address of a Dask scheduler, ``"tcp://host:8786"``, or name of an executor.
    cluster
        A batch system, ``"slurm"``, ``"pbs"`` or ``"lsf"``; or a mapping with ``system`` and
        options of its jobs: ``workers``, ``cores``, ``memory``, ``walltime``, ``queue``,
        ``account``, ``wait_s``.
    take_over
        Whether to take over from a builder on another machine that is known to be dead.
    scratch
        For a URL: folder for shards that are not sent yet; by default its name, here.
    progress
        Called with a :class:`tersgen.Progress` after each shard; True shows a bar. If it raises an
        exception, the build stops with it.
    cancel
        Once it is set, by another thread, the build stops.

    Raises
    ------
    ConfigError, LibraryError
        If the recipe, its library or an option is not what was expected.
    OutputError
        If something else is at ``out``, or it cannot be written; finished shards stay.
    BusyError
        If another builder is writing it.
    ClusterError
        If scheduler or workers are lost; finished shards stay.
    CancelledError
        If it was cancelled; finished shards stay, and the same call resumes.

    Examples
    --------
    >>> import tempfile, tersgen
    >>> folder = tempfile.mkdtemp()
    >>> ds = tersgen.build({"library": ["builtin:benzene"]}, 100, folder + "/data.zarr")
    >>> len(ds), ds.classes
    (100, ('benzene',))
    """
    prepared = prepare_build(
        recipe,
        whole(n, "n"),
        out,
        format=format,
        overwrite=overwrite,
        chunk_rows=chunk_rows,
        shard_rows=shard_rows,
        compression=compression,
        workers=cluster_options(threads, workers, scheduler, cluster),
        take_over=take_over,
        scratch=scratch,
    )
    kept = prepared.n_kept()
    with reporting(progress) as report:
        if kept < prepared.n_wanted and prepared.url is None:
            expected = prepared.estimate(compiling_to(report, kept, prepared.n_wanted))
            check_space(expected, prepared.location, kept)
        prepared.run(report, silent, kept, cancel)
    return open_dataset(out)


def plan(
    recipe: RecipeLike = DEFAULT_PRESET,
    n: int = 100_000,
    *,
    workers: int = 1,
    threads: int | None = None,
    out: str | Path = "data.zarr",
    format: Format | None = None,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
) -> Workload:
    """Return what a build would take: rows, bytes, files, memory, time; nothing is written.

    The rate is measured now, in memory; see :func:`build` for the other parameters.

    Parameters
    ----------
    workers, threads
        Worker processes, and threads of each; by default one process on this machine.
    out
        Where it would go: the free space there is part of the result.

    Raises
    ------
    ConfigError, LibraryError
        If the recipe, its library or an option is not what was expected.
    """
    prepared = prepare_build(
        recipe,
        whole(n, "n"),
        out,
        format=format,
        chunk_rows=chunk_rows,
        shard_rows=shard_rows,
        compression=compression,
        is_trial=True,
    )
    asked = None if threads is None else whole(threads, "threads")
    n_workers = whole(workers, "workers")
    return workload(prepared.plan, prepared.location, n_workers, asked, compiling_to(None, 0, 0))
