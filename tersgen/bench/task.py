"""Tasks of the benchmark: what is predicted, from which data, and how it is scored."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from ..errors import ConfigError
from ..schema.base import DIGEST, Frozen, Text, field
from ..schema.loading import validate
from ..schema.presets import Table, merged
from ..text import not_among

Kind = Literal["species", "open_set", "mixture", "structure", "response"]
Size = Literal["small", "full"]
SIZES: tuple[Size, ...] = ("small", "full")

_FOLDER = resources.files(__package__) / "tasks"


class Part(Frozen):
    """A dataset of a task."""

    like: str | None = field("part whose recipe this one starts from", "1", None)
    recipe: dict[str, Any] = field("settings of the recipe, or what differs from `like`", "1")
    digest: str = field("digest of the resolved recipe: its rows are frozen", "1", pattern=DIGEST)
    small: int = field("rows in the small form", "row", ge=1)
    full: int = field("rows in the full form", "row", ge=1)


class Task(Frozen):
    """A task: data for training, data for scoring, and a metric."""

    name: str = field("name", "1")
    version: int = field("raised whenever data or metric change", "1", ge=1)
    title: Text = field("what is predicted from what", "1")
    kind: Kind = field("what is predicted", "1")
    metric: str = field("the score that ranks models", "1")
    higher_is_better: bool = field("whether more of it is better", "1")
    why: str = field("what the task tests", "1")
    measured: bool = field("whether the spectra to score are the user's own", "1", False)
    parts: dict[str, Part] = field("its datasets by name: train, test, foreign", "1")

    def recipe(self, part: str) -> Table:
        """Return the settings of the recipe of a part."""
        one = self.parts[part]
        return dict(one.recipe) if one.like is None else merged(self.recipe(one.like), one.recipe)

    def rows(self, part: str, size: Size) -> int:
        """Return the number of rows of a part."""
        one = self.parts[part]
        return one.small if size == "small" else one.full


def task_names() -> list[str]:
    """Return the names of all tasks.

    Examples
    --------
    >>> "mixtures" in task_names()
    True
    """
    return sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir())


def load_task(name: str) -> Task:
    """Return a task by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in task_names():
        raise ConfigError(f"task: {not_among(name, task_names())}")
    table: Mapping[str, Any] = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    return validate(Task, {"name": name, **table}, f"task {name}")
