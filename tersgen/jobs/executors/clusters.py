"""Where the workers of a build come from: this machine, a running scheduler, a batch system.

Only this file starts anything of Dask. Workers are started afresh (spawned), never forked: compiled
kernels and threads do not survive a fork. A worker process takes ``SLOTS`` shards at a time and has
one pool of threads for all of them, as many as its processors: while one shard is flushed to disk
the next is made, and processors are never oversubscribed.
"""

import logging
import platform
import shutil
import signal
import sys
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.util import find_spec
from multiprocessing import resource_tracker
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ...errors import ClusterError, ConfigError, MissingExtraError
from ...plugins import register
from ..plan import Plan
from .dask_executor import DaskExecutor
from .interface import Launcher, find_launcher
from .memory import SLOTS, worker_memory
from .options import ClusterOptions, local_threads
from .security import check_keys, own_security

_CONNECT_S = 30
_MOLECULE_BYTES = 4_000_000_000
"""Memory of a job that computes molecules, by default."""


class _Dask(Launcher):
    """Workers of a Dask cluster."""

    @contextmanager
    def open(self, options: ClusterOptions, plan: Plan) -> Iterator[tuple[DaskExecutor, str]]:
        """Start workers, or find them; yield what uses them, and where to watch them."""
        with self.connect(options, plan) as (client, threads):
            yield DaskExecutor(client, threads, options.wait_s), _watching(client.dashboard_link)

    @contextmanager
    def connect(
        self, options: ClusterOptions, plan: Plan | None
    ) -> Iterator[tuple[Any, int | None]]:
        """Start workers, or find them; yield a client, and the threads of each worker process."""
        from distributed import Client

        _quiet()
        with self.scheduler(options, plan) as (where, threads):
            try:
                client = Client(
                    where, timeout=_CONNECT_S, set_as_default=False, name="tersgen-build"
                )
            except (OSError, ValueError) as error:
                raise ClusterError(
                    f"{options.scheduler or options.executor}: no Dask scheduler answers there: "
                    f"{error}"
                ) from error
            try:
                yield client, threads
            finally:
                client.close(timeout=2)

    @abstractmethod
    def scheduler(
        self, options: ClusterOptions, plan: Plan | None
    ) -> AbstractContextManager[tuple[Any, int | None]]:
        """Return what a client connects to, and the threads of each worker process."""


@register("tersgen.executors", "dask")
class Address(_Dask):
    """A scheduler that is up, by its address."""

    @contextmanager
    def scheduler(
        self, options: ClusterOptions, plan: Plan | None
    ) -> Iterator[tuple[Any, int | None]]:
        """Yield its address."""
        check_keys(options.scheduler or "")
        yield options.scheduler, options.threads


@register("tersgen.executors", "local")
class ThisMachine(_Dask):
    """Worker processes on this machine."""

    def check(self, options: ClusterOptions) -> None:
        """Refuse options of jobs, and more threads than there are processors."""
        options.refuse_jobs()
        local_threads(options.workers or 1, options.threads)

    @contextmanager
    def scheduler(
        self, options: ClusterOptions, plan: Plan | None
    ) -> Iterator[tuple[Any, int | None]]:
        """Start and end scheduler and workers."""
        from distributed import LocalCluster

        n_workers = options.workers or 1
        threads = local_threads(n_workers, options.threads)
        _set_defaults(threads)
        security = own_security()
        with _signals_blocked():
            cluster = LocalCluster(
                n_workers=n_workers,
                threads_per_worker=SLOTS,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                security=security,
            )
        with _closing(cluster):
            yield cluster, threads


class BatchSystem(_Dask):
    """Jobs of a batch system, through dask-jobqueue."""

    dask_class: ClassVar[str]
    """Class of dask-jobqueue."""
    account_option = "account"
    """What dask-jobqueue calls ``--account``."""

    def check(self, options: ClusterOptions) -> None:
        """Refuse to submit no jobs."""
        if not options.workers:
            raise ConfigError("--cluster: expected --workers too, the number of jobs")

    @contextmanager
    def scheduler(
        self, options: ClusterOptions, plan: Plan | None
    ) -> Iterator[tuple[Any, int | None]]:
        """Submit jobs, and end them."""
        threads = options.threads or options.cores or 1
        _set_defaults(threads)
        cluster = _start_jobs(self, options, plan)
        with _closing(cluster):
            yield cluster, threads

    def cluster_class(self) -> Any:
        """Return the cluster class of the batch system."""
        try:
            import dask_jobqueue
        except ImportError:
            raise MissingExtraError(
                f"--cluster: expected dask-jobqueue for {self.dask_class}; pip install "
                "'tersgen[cluster]'"
            ) from None
        return getattr(dask_jobqueue, self.dask_class)


@register("tersgen.executors", "slurm")
class Slurm(BatchSystem):
    """Jobs of SLURM."""

    dask_class = "SLURMCluster"


@register("tersgen.executors", "pbs")
class Pbs(BatchSystem):
    """Jobs of PBS."""

    dask_class = "PBSCluster"


@register("tersgen.executors", "lsf")
class Lsf(BatchSystem):
    """Jobs of LSF."""

    dask_class = "LSFCluster"
    account_option = "project"


def job_script(options: ClusterOptions, plan: Plan) -> str:
    """Return the script of one job as it would be submitted, without the scheduler's address."""
    launcher = find_launcher(options.executor)
    if not isinstance(launcher, BatchSystem):
        raise ConfigError("--script-only: expected --cluster too")
    job = launcher.cluster_class().job_cls(
        scheduler="tcp://SCHEDULER:8786", name="tersgen", **_job_options(launcher, options, plan)
    )
    text: str = job.job_script()
    return text


def _quiet() -> None:
    """Silence Dask's log: what matters is reported in one line."""
    loggers = ("distributed", "tornado", "asyncio", "bokeh")
    known = [name for name in logging.root.manager.loggerDict if name.startswith(loggers)]
    for name in {*loggers, *known}:  # Dask gives some of its loggers levels of their own
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _set_defaults(threads: int) -> None:
    """Set Dask's defaults to ours; what the user has set in files or the environment stays.

    A worker holds nothing that could be spilled, and would never come back from a pause.
    """
    import dask

    dask.config.update_defaults(
        {
            "distributed": {
                "scheduler": {"worker-ttl": "60s"},
                "worker": {
                    "multiprocessing-method": "spawn",
                    "memory": {"target": False, "spill": False, "pause": False, "terminate": 0.95},
                },
                "nanny": {"pre-spawn-environ": thread_limits(threads)},
            }
        }
    )


def thread_limits(threads: int) -> dict[str, int]:
    """Return the environment that keeps libraries from starting threads of their own."""
    blas = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLOSC_NTHREADS")
    return {**dict.fromkeys(blas, 1), "NUMBA_NUM_THREADS": threads}


@contextmanager
def _closing(cluster: Any) -> Iterator[None]:
    """End workers and scheduler afterwards; what is finished does not depend on it."""
    try:
        yield
    finally:
        _close(cluster)


def _close(cluster: Any) -> None:
    with suppress(AssertionError, OSError, RuntimeError, TimeoutError):  # of jobs never taken
        cluster.close(timeout=10)


def _start_jobs(system: BatchSystem, options: ClusterOptions, plan: Plan | None) -> Any:
    """Return a scheduler whose workers are jobs of a batch system, which are submitted."""
    kind = system.cluster_class()
    command = kind.job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise ClusterError(
            f"--cluster {options.executor}: expected its command {command} on this machine; run "
            "this on a node that jobs are submitted from"
        )
    cluster = kind(
        **_job_options(system, options, plan),
        silence_logs=logging.CRITICAL,
        scheduler_options={"dashboard_address": ":0"},
    )

    async def submitted() -> None:
        await cluster
        for job in cluster.workers.values():
            if job.job_id is None:  # Dask keeps the reason to itself: ask for it again
                await job.start()

    try:
        cluster.scale(jobs=options.workers)
        cluster.sync(submitted)
    except (OSError, RuntimeError, ValueError) as error:
        _close(cluster)
        raise ClusterError(
            f"--cluster {options.executor}: the jobs were rejected: {_stderr_of(error)}"
        ) from error
    # jobs that end, by their walltime or with their node, are submitted again
    cluster.adapt(minimum_jobs=options.workers, maximum_jobs=options.workers)
    return cluster


def _stderr_of(error: Exception) -> str:
    """Return what a batch system's command said, without the script that it was given."""
    text = str(error)
    return " ".join((text.rpartition("stderr:")[2].strip() or text).split())


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let threads that start meanwhile, and all processes that these start, get no Ctrl-C.

    A terminal sends it to the workers, too, and a batch system SIGTERM; but this process ends them,
    once they have finished what they were about to.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # or it unblocks them again, when the first process starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _job_options(system: BatchSystem, options: ClusterOptions, plan: Plan | None) -> dict[str, Any]:
    """Return the options of a job for dask-jobqueue; without a plan it computes molecules."""
    cores = options.cores or 1
    threads = options.threads or cores
    estimated = worker_memory(plan, threads) if plan else _MOLECULE_BYTES
    memory = options.memory or f"{-(-estimated // 10**9)}GB"
    given = {
        "walltime": options.walltime,
        "queue": options.queue,
        system.account_option: options.account,
    }
    note = f"# a worker takes {SLOTS} tasks at a time and works on them with {threads} threads"
    exports = [f"export {name}={value}" for name, value in thread_limits(threads).items()]
    return {
        "cores": cores,
        "processes": 1,
        "memory": memory,
        "job_name": "tersgen",
        "python": sys.executable,
        "worker_extra_args": ["--nthreads", str(SLOTS)],
        "job_script_prologue": [note, *exports],
        **{name: value for name, value in given.items() if value is not None},
    }


def _watching(link: str) -> str:
    """Return where to watch the workers, and how to get there from elsewhere."""
    if not link:
        return ""
    if find_spec("bokeh") is None:
        return f"dashboard at {link} once its scheduler has bokeh: pip install bokeh"
    parts = urlsplit(link)
    return (
        f"dashboard: {link}; from elsewhere: ssh -L {parts.port}:{parts.hostname}:{parts.port} "
        f"{platform.node()}"
    )
