"""Tasks of the benchmark: what is predicted, from which data, and how it is scored."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from ..errors import ConfigError
from ..schema.base import DIGEST, Frozen, Text, field
from ..schema.loading import read_text, validate
from ..schema.presets import Table, merged
from ..text import not_among

Kind = Literal["species", "open_set", "mixture", "structure", "response"]
Size = Literal["small", "full"]
SIZES: tuple[Size, ...] = ("small", "full")

METRICS: dict[Kind, tuple[str, ...]] = {
    "species": ("accuracy", "macro_f1"),
    "open_set": ("accuracy", "macro_f1", "auroc", "false_positives_at_95"),
    "mixture": ("composition_error", "exact"),
    "structure": ("atom_f1", "position_rms_angstrom"),
    "response": ("median_error", "cosine_above_0.9"),
}
"""Scores of each kind of task."""
ENDING = ".toml"
_FOLDER = resources.files(__package__) / "tasks"


class Part(Frozen):
    """A dataset of a task."""

    like: str | None = field("part whose recipe this one starts from", "1", None)
    recipe: dict[str, Any] = field("settings of the recipe, or what differs from `like`", "1")
    digest: str | None = field(
        "digest of the resolved recipe, which freezes its rows; none while a task is being written",
        "1",
        None,
        pattern=DIGEST,
    )
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

    @model_validator(mode="after")
    def _scored(self) -> Self:
        if self.metric not in METRICS[self.kind]:
            raise ValueError(f"metric: {not_among(self.metric, METRICS[self.kind])}")
        needed = {"species": ("train", "test"), "open_set": ("train", "test", "foreign")}
        wanted = () if self.measured else needed.get(self.kind, ())
        for name in wanted:
            if name not in self.parts:
                raise ValueError(f"parts: expected {', '.join(wanted)}, got no {name}")
        for name, part in self.parts.items():
            if part.like is not None and (part.like not in self.parts or part.like == name):
                raise ValueError(f"parts.{name}.like: expected another part, got {part.like!r}")
        return self

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
    return sorted(file.name.removesuffix(ENDING) for file in _FOLDER.iterdir())


def load_task(name: str | Path, called: str | None = None) -> Task:
    """Return a task: one of ours by its name, or anybody's by the path of its file.

    Parameters
    ----------
    name
        The name, or a path that ends in ``.toml``.
    called
        Name of a task from a file; by default that of the file.

    Raises
    ------
    ConfigError
        If there is none of that name, or the file is no task.
    """
    if str(name).endswith(ENDING):
        path = Path(name)
        text, source = read_text(path), str(path)
        name = called or path.name.removesuffix(ENDING)
    elif name in task_names():
        text, source = (_FOLDER / f"{name}{ENDING}").read_text("utf-8"), f"task {name}"
    else:
        others = f"{not_among(str(name), task_names())}, or a file NAME{ENDING}"
        raise ConfigError(f"task: {others}")
    try:
        table: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: expected TOML: {error}") from None
    return validate(Task, {"name": name, **table}, source)
