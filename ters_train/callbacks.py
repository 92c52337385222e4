"""Callbacks, notified of the progress of a run: a logger, a notifier, or one of a plug-in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tersgen.errors import ConfigError
from tersgen.plugins import named_errors
from tersgen.text import not_among

from .config import RunConfig
from .errors import PluginError
from .parts import make

GROUP: Final = "ters_train.callbacks"


class RunInfo(NamedTuple):
    """What a callback learns of a run."""

    folder: Path
    config: RunConfig
    classes: tuple[str, ...]
    n_steps: int
    """Steps of the whole run."""
    step: int
    """Steps done before it started or resumed."""


class Callback:
    """Base of callbacks, which the first process alone calls; nothing they do changes a run.

    A subclass is registered, ``@register("ters_train.callbacks", "mine")``, or named as
    ``--callback my_module:Mine``. With a pydantic model ``Options`` in the class it is given an
    instance of that; without, the options by keyword.
    """

    def on_start(self, run: RunInfo) -> None:
        """Learn of a run that starts or resumes."""

    def on_step(self, step: int, values: Mapping[str, float]) -> None:
        """Learn of a step that is logged: loss, its terms, learning rate, rate, waiting."""

    def on_epoch(self, epoch: int, scores: Mapping[str, float | None]) -> None:
        """Learn of an epoch, from 0, that was scored on the part that chooses."""

    def on_end(self, step: int, finished: bool) -> None:
        """Learn of the end: at which step, and whether it is the last. Errors end without it."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def check_hooks(name: str, callback: Any) -> None:
    """Refuse a callback, class or object, that would never be called, or not where it expects."""
    own = [one for one in dir(callback) if one.startswith("on_")]
    for one in own:
        if one not in HOOKS and callable(getattr(callback, one)):
            raise ConfigError(f"callback {name!r}: hooks: {not_among(one, HOOKS)}")
    if not own:
        raise ConfigError(
            f"callback {name!r}: expected a class with hooks, of {', '.join(HOOKS)}, got none"
        )


class Callbacks:
    """The callbacks of a run; an error in one ends the run with a line that names it.

    Parameters
    ----------
    config
        The run.
    """

    def __init__(self, config: RunConfig) -> None:
        self._named: Sequence[tuple[str, Any]] = [
            (one.name, make(GROUP, one)) for one in config.callbacks
        ]
        for name, callback in self._named:
            check_hooks(name, callback)

    def notify(self, hook: str, *values: Any) -> None:
        """Call a hook of each.

        Raises
        ------
        PluginError
            If one fails; the last checkpoint stays.
        """
        for name, callback in self._named:
            with named_errors(f"{hook} of callback", name, callback, PluginError):
                getattr(callback, hook, lambda *_: None)(*values)
