"""The interface of executors, and how they are found by name."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple, Protocol

from ...errors import ClusterError, ConfigError
from ...plugins import is_built_in, load, named_errors
from ...store.interface import Store
from ...store.location import DatasetLocation
from ...store.lock import BuilderLock
from ..commit import ShardCommitter
from ..events import EventLog
from ..plan import Plan
from ..progress import ProgressCounter
from ..rows import RowMaker
from .options import ClusterOptions

_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[^\s/]+:[0-9]{1,5}")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[kMGT]i?B")
_WALLTIME = re.compile(r"([0-9]+-)?[0-9]{1,3}(:[0-9]{2}){1,2}")


class Job(NamedTuple):
    """The shards that a build is to make, and what takes them."""

    plan: Plan
    location: DatasetLocation
    store: Store
    lock: BuilderLock
    """Held by the one who calls the executor, and by nobody else."""
    rows: RowMaker | None
    """What makes rows; they are generated if there is nothing else."""
    todo: Sequence[int]
    """Shards to make, in any order."""
    committer: ShardCommitter
    """Takes each shard, or its record: ``commit``, ``record``."""
    counter: ProgressCounter
    """The main thread counts finished shards with it, and asks it whether to stop: ``check``."""
    events: EventLog


class Executor(Protocol):
    """Makes shards.

    It takes shards in any order, and hands each to the job's committer as soon as it is made. (It
    does not return or yield shards: threads commit several at once, and what is finished when the
    build is stopped is on record.)
    """

    def run(self, job: Job) -> None:
        """Make and commit every shard of a job.

        On any error, Ctrl-C included, those that are being written are finished, and the others
        dropped.
        """


class Launcher(ABC):
    """What starts or finds the executor of a build, and ends it.

    Register a subclass, which is made without arguments, in the group ``tersgen.executors``; a user
    chooses it with ``--scheduler NAME``.
    """

    @abstractmethod
    def open(
        self, options: ClusterOptions, plan: Plan
    ) -> AbstractContextManager[tuple[Executor, str]]:
        """Return a context manager of the executor, and of a line for the user, perhaps empty.

        Raises
        ------
        ClusterError
            If it cannot be started.
        """

    def check(self, options: ClusterOptions) -> None:
        """Refuse options that do not go together here; by default all options of jobs.

        Raises
        ------
        ConfigError
            If there are such.
        """
        options.refuse_jobs()


class _Named:
    """An executor whose errors name what launched it."""

    def __init__(self, executor: Executor, name: str, launcher: type[Launcher]) -> None:
        self._executor = executor
        self._name = name
        self._launcher = launcher

    def run(self, job: Job) -> None:
        """Make and commit every shard of a job."""
        with named_errors("executor", self._name, self._launcher, ClusterError):
            self._executor.run(job)


def find_launcher(name: str) -> Launcher:
    """Return the launcher of a name."""
    part = load("tersgen.executors", name)
    if not (isinstance(part, type) and issubclass(part, Launcher)):
        raise ConfigError(
            f"executor {name!r}: expected a class that extends {Launcher.__module__}.Launcher, got "
            f"{part!r:.80}"
        )
    with named_errors("executor", name, part, ConfigError):
        return part()


def check_options(options: ClusterOptions) -> None:
    """Refuse options that do not go together."""
    scheduler = options.scheduler
    if scheduler and (options.system or (options.workers and ":" in scheduler)):
        raise ConfigError(
            "--scheduler: expected neither --workers nor --cluster: the scheduler has its own"
        )
    if options.executor == "dask" and not _ADDRESS.fullmatch(scheduler or ""):
        raise ConfigError(
            f"--scheduler: expected an address such as tcp://host:8786, got {scheduler!r:.100}"
        )
    for name, wanted, example in (
        ("memory", _MEMORY, "8GB"),
        ("walltime", _WALLTIME, "4:00:00"),
    ):
        given = getattr(options, name)
        if given is not None and not wanted.fullmatch(given):
            raise ConfigError(f"--{name}: expected one such as {example}, got {given!r:.100}")
    try:
        launcher = find_launcher(options.executor)
    except ConfigError as error:
        option = "--cluster: expected a batch system"
        if scheduler:
            option = "--scheduler: expected an address such as tcp://host:8786, or a name"
        raise ConfigError(f"{option}; {error}") from None
    launcher.check(options)


@contextmanager
def open_executor(options: ClusterOptions, plan: Plan) -> Iterator[tuple[Executor, str]]:
    """Start the executor that a user asked for; yield it and a line for the user, maybe empty."""
    name = options.executor
    launcher = find_launcher(name)
    with ExitStack() as stack:
        with named_errors("executor", name, type(launcher), ClusterError):
            executor, line = stack.enter_context(launcher.open(options, plan))
        if not is_built_in(type(launcher)):
            executor = _Named(executor, name, type(launcher))
        yield executor, line
