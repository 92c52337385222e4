"""Which executor a user asks for, and with which workers."""

import re
from typing import NamedTuple

from ...cpus import available_cpus
from ...errors import ConfigError

WAIT_S = 600.0
"""How long to wait for a first worker, or for a sign of life, unless told otherwise."""
_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[^\s/]+:[0-9]{1,5}")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[kMGT]i?B")
_WALLTIME = re.compile(r"([0-9]+-)?[0-9]{1,3}(:[0-9]{2}){1,2}")


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

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises
        ------
        ConfigError
            If there are such, or no executor of that name.
        """
        if self.scheduler and (self.system or (self.workers and ":" in self.scheduler)):
            raise ConfigError(
                "--scheduler: expected neither --workers nor --cluster: the scheduler has its own"
            )
        if self.executor == "dask" and not _ADDRESS.fullmatch(self.scheduler or ""):
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
        from .interface import find_launcher  # which needs these options

        try:
            launcher = find_launcher(self.executor)
        except ConfigError as error:
            option = "--cluster: expected a batch system"
            if self.scheduler:
                option = "--scheduler: expected an address such as tcp://host:8786, or a name"
            raise ConfigError(f"{option}; {error}") from None
        launcher.check(self)

    def refuse_jobs(self) -> None:
        """Refuse options of jobs, where there are none.

        Raises
        ------
        ConfigError
            If there is one.
        """
        for name in ("cores", "memory", "walltime", "queue", "account"):
            if getattr(self, name) is not None:
                raise ConfigError(f"--{name}: expected --cluster too")


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
