"""Independent tasks of a computation, here or on the workers that builds use."""

import platform
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ..errors import ClusterError, ConfigError
from ..library.displacing import Mapper, run_here
from .environment import Versions, program_versions, version_differences
from .executors.interface import find_launcher
from .executors.options import ClusterOptions

T = TypeVar("T")
R = TypeVar("R")

_LEAST_AHEAD = 32
"""Tasks submitted at least, so that a cluster that scales with its load sees some."""
_TICK_S = 0.25


@contextmanager
def open_mapper(options: ClusterOptions) -> Iterator[Mapper]:
    """Start or find workers and yield a function that runs tasks on them, or here if none."""
    if options.executor == "threads":
        yield run_here
        return
    with open_client(options) as client:
        yield partial(_results, client, options.wait_s)


@contextmanager
def open_client(options: ClusterOptions) -> Iterator[Any]:
    """Start or find workers and yield their Dask client; raises what ``open_mapper`` does."""
    launcher = find_launcher(options.executor)
    if not hasattr(launcher, "connect"):
        raise ConfigError(
            f"--scheduler: expected workers of a Dask cluster, got {options.executor!r}, which "
            "takes only builds"
        )
    with launcher.connect(options, None) as (client, _):
        yield client


def _results(
    client: Any, wait_s: float, function: Callable[[T], R], tasks: Sequence[T]
) -> Iterator[tuple[T, R]]:
    """Yield tasks and their results."""
    checked = partial(_run_checked, program_versions(), function)
    for task, future in ended(client, checked, tasks, wait_s):
        if workers_died(future):
            raise ClusterError("workers died of a task, most likely out of memory")
        yield task, future.result()


def _run_checked(wanted: Versions, function: Callable[[T], R], task: T) -> R:
    """Run a task if versions here are those of the process that asks for it."""
    check_versions(wanted)
    return function(task)


def check_versions(wanted: Versions) -> None:
    """Refuse to work for a process with other versions of the programs."""
    different = version_differences(program_versions(), wanted)
    if different:
        raise ClusterError(f"{platform.node()}: versions differ: {different} (here: the builder)")


def ended(
    client: Any,
    function: Callable[[T], Any],
    tasks: Sequence[T],
    wait_s: float,
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[T, Any]]:
    """Submit as many tasks as keep every worker busy; yield each with its future once it ended.

    A task in whose company workers died is tried once more, by itself, at the end. ``waiting`` is
    called now and then with what is waited for.
    """
    from .executors.cluster_watch import Watch

    watch = Watch(client, wait_s)
    todo = list(reversed(range(len(tasks))))
    flying: dict[str, tuple[Any, int]] = {}
    suspects: list[int] = []
    alone: set[int] = set()
    inbox: SimpleQueue[str] = SimpleQueue()
    prefix, n_submitted = f"task-{secrets.token_hex(8)}", 0
    try:
        while todo or flying or suspects:
            if not todo and not flying:
                todo.append(suspects.pop())
                alone.add(todo[0])
            slots = sum(watch.workers.values()) + len(watch.workers)
            while todo and len(flying) < max(_LEAST_AHEAD, slots) and client.status == "running":
                number = todo.pop()
                n_submitted += 1
                key = f"{prefix}-{n_submitted}"
                future = client.submit(function, tasks[number], key=key, pure=False)
                flying[key] = (future, number)
                future.add_done_callback(lambda done: inbox.put(done.key))
            with suppress(Empty):
                key = inbox.get(timeout=_TICK_S)
                future, number = flying.pop(key)
                if workers_died(future) and number not in alone:
                    suspects.append(number)
                elif future.status in ("finished", "error"):
                    yield tasks[number], future
                else:  # it was taken away
                    todo.append(number)
            watch.done(0.0)  # a task may take hours: only lost workers are a fault
            if watch.look():
                waiting(watch.note)
    finally:
        for future, _ in flying.values():
            future.release()


def workers_died(future: Any) -> bool:
    """Return whether workers died of a task, or of another that they had at the same time."""
    return future.status == "error" and type(future.exception()).__name__ == "KilledWorker"
