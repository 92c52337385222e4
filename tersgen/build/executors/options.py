"""Which workers a user asks for."""

import re
from typing import Literal, NamedTuple

from ...errors import ConfigError
from ...sampling.cpus import available_cpus

WAIT_S = 600.0
"""How long to wait for a first worker, or for a sign of life, unless told otherwise."""
System = Literal["slurm", "pbs", "lsf"]
_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[^\s/]+:[0-9]{1,5}")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[kMGT]i?B")
_WALLTIME = re.compile(r"([0-9]+-)?[0-9]{1,3}(:[0-9]{2}){1,2}")


class ClusterOptions(NamedTuple):
    """Which workers to use, as the user asked for them."""

    workers: int | None = None
    """Worker processes (on this machine) or jobs (of a batch system)."""
    scheduler: str | None = None
    """Address of a scheduler that is up."""
    system: System | None = None
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
    def is_asked(self) -> bool:
        """Whether the build is to be done by workers at all."""
        return bool(self.workers or self.scheduler or self.system)

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises
        ------
        ConfigError
            If there are such.
        """
        if self.scheduler and (self.system or self.workers):
            raise ConfigError(
                "--scheduler: expected neither --workers nor --cluster: the scheduler has its own"
            )
        if self.system and not self.workers:
            raise ConfigError("--cluster: expected --workers too, the number of jobs")
        if self.scheduler and not _ADDRESS.fullmatch(self.scheduler):
            raise ConfigError(
                "--scheduler: expected an address such as tcp://host:8786, got "
                f"{self.scheduler!r:.100}"
            )
        for name, wanted, example in (
            ("memory", _MEMORY, "8GB"),
            ("walltime", _WALLTIME, "4:00:00"),
        ):
            given = getattr(self, name)
            if given is not None and not wanted.fullmatch(given):
                raise ConfigError(f"--{name}: expected one such as {example}, got {given!r:.100}")
        for name in ("cores", "memory", "walltime", "queue", "account"):
            if getattr(self, name) is not None and not self.system:
                raise ConfigError(f"--{name}: expected --cluster too")
        if self.workers and not self.system:
            local_threads(self.workers, self.threads)


def local_threads(workers: int, threads: int | None) -> int:
    """Return the threads of each of so many worker processes of this machine.

    Raises
    ------
    ConfigError
        If they would be more than this process may use processors.
    """
    cpus = available_cpus()
    if workers * (threads or 1) > cpus:
        raise ConfigError(
            f"--workers: expected workers x threads within the {cpus} processors that this process "
            f"may use, got {workers} x {threads or 1}"
        )
    return threads or cpus // workers
