"""The workers that options select, for commands that build."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import ConfigError
from ..jobs.executors.interface import Executor, check_options, open_executor
from ..jobs.executors.options import ClusterOptions
from ..jobs.plan import Plan
from .common.messages import say

_NAMES = {*ClusterOptions._fields} - {"threads"}


def take_workers(threads: int | None, options: dict[str, Any]) -> ClusterOptions:
    """Take the options of ``worker_options`` out of a command's, and return what they ask for.

    Raises
    ------
    click.UsageError
        If they do not go together.
    """
    asked = ClusterOptions(threads=threads, **{name: options.pop(name) for name in _NAMES})
    try:
        check_options(asked)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    return asked


@contextmanager
def open_workers(
    asked: ClusterOptions, plan: Plan, needed: bool, quiet: bool
) -> Iterator[Executor | None]:
    """Yield who makes the shards; None if nobody has to."""
    if not needed:
        yield None
        return
    if asked.executor == "dask" and not quiet:
        say(f"looking for the scheduler at {asked.scheduler} (at most 30 s)", err=True)
    with open_executor(asked, plan) as (executor, watching):
        if watching and not quiet:
            say(watching, err=True)
        yield executor
