"""Which executor a user selects, and with which workers."""

from typing import NamedTuple

from ...cpus import available_cpus
from ...errors import ConfigError

WAIT_S = 600.0
"""How long to wait for a first worker, or for a sign of life, by default."""


class ClusterOptions(NamedTuple):
    """Which workers to use, as the user asked for them."""

    workers: int | None = None
    """Worker processes (on this machine) or jobs (of a batch system)."""
    scheduler: str | None = None
    """Address of a scheduler that is up, or name of an executor."""
    system: str | None = None
    """Batch system to start workers by."""
    cores: int | None = None
    """Processors of a job."""
    memory: str | None = None
    """Memory of a job, such as 8GB."""
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    threads: int | None = None
    """Threads of a worker process."""
    wait_s: float = WAIT_S

    @property
    def executor(self) -> str:
        """Name of the executor."""
        if self.scheduler:
            return "dask" if ":" in self.scheduler else self.scheduler
        return self.system or ("local" if self.workers else "threads")

    def refuse_jobs(self) -> None:
        """Refuse options of jobs, where there are none."""
        for name in ("cores", "memory", "walltime", "queue", "account"):
            if getattr(self, name) is not None:
                raise ConfigError(f"--{name}: expected --cluster too")


def local_threads(workers: int, threads: int | None) -> int:
    """Return the threads of each of so many worker processes of this machine."""
    cpus = available_cpus()
    if workers * (threads or 1) > cpus:
        raise ConfigError(
            f"--workers: expected workers x threads within the {cpus} processors that this process "
            f"may use, got {workers} x {threads or 1}"
        )
    return threads or cpus // workers
