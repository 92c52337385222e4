"""The workers that options select, for commands that build."""

from collections.abc import Callable
from typing import Any

from ..jobs.executors.interface import check_options
from ..jobs.executors.options import ClusterOptions
from .common.messages import say

_NAMES = {*ClusterOptions._fields} - {"threads"}


def take_workers(threads: int | None, options: dict[str, Any]) -> ClusterOptions:
    """Take the options of ``worker_options`` out of a command's, and return what they ask for."""
    asked = ClusterOptions(threads=threads, **{name: options.pop(name) for name in _NAMES})
    check_options(asked)
    return asked


def say_unless(quiet: bool) -> Callable[[str], None]:
    """Return what prints a line to standard error, or nothing."""

    def note(text: str) -> None:
        if not quiet:
            say(text, err=True)

    return note
