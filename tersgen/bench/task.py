"""Tasks of the benchmark: what is predicted, from which data, and how it is scored."""

import tomllib
from collections.abc import Iterable, Mapping
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
PartName = Literal["train", "test", "foreign"]
Size = Literal["trial", "small", "full"]
SIZES: tuple[Size, ...] = ("trial", "small", "full")

METRICS: dict[Kind, tuple[str, ...]] = {
    "species": ("accuracy", "macro_f1"),
    "open_set": ("accuracy", "macro_f1", "auroc", "false_positives_at_95"),
    "mixture": ("composition_error", "exact"),
    "structure": ("atom_f1", "position_rms_angstrom"),
    "response": ("median_error", "cosine_above_0.9"),
}
"""Scores of each kind of task."""
TARGETS: dict[Kind, str] = {
    "species": "label",
    "open_set": "label",
    "mixture": "mixture/label",
    "structure": "structure/positions",
}
"""The array with the ground truth of each kind of task."""
_PARTS: dict[Kind, tuple[PartName, ...]] = {
    "species": ("train", "test"),
    "open_set": ("train", "test", "foreign"),
    "mixture": ("train", "test"),
    "structure": ("train", "test"),
    "response": (),
}
ENDING = ".toml"
_TRIAL = 100
"""The trial form has one row for so many of the small one, and scores that mean nothing."""
_FEWEST = 8
_FOLDER = resources.files(__package__) / "tasks"


class Part(Frozen):
    """A dataset of a task."""

    like: PartName | None = field("part whose recipe this one starts from", "1", None)
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
    parts: dict[PartName, Part] = field("its datasets by name", "1")

    @model_validator(mode="after")
    def _scored(self) -> Self:
        if self.metric not in METRICS[self.kind]:
            raise ValueError(f"metric: {not_among(self.metric, METRICS[self.kind])}")
        if self.measured and self.kind != "species":
            raise ValueError(f"measured: expected a task of the kind species, got {self.kind}")
        wanted = ("train",) if self.measured else _PARTS[self.kind]
        if set(self.parts) != set(wanted):
            raise ValueError(f"parts: expected {_listed(wanted)}, got {_listed(self.parts)}")
        for name, part in self.parts.items():
            others = [one for one in self.parts if self.parts[one].like is None and one != name]
            if part.like is not None and part.like not in others:
                raise ValueError(
                    f"parts.{name}.like: expected another part that is like none, got {part.like!r}"
                )
        return self

    def recipe(self, part: PartName) -> Table:
        """Return the settings of the recipe of a part."""
        one = self.parts[part]
        return merged({} if one.like is None else self.parts[one.like].recipe, one.recipe)

    def rows(self, part: PartName, size: Size) -> int:
        """Return the number of rows of a part."""
        one = self.parts[part]
        if size == "trial":
            return min(one.small, max(_FEWEST, one.small // _TRIAL))
        return one.small if size == "small" else one.full


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(sorted(parts, reverse=True)) or "none"  # train, test, foreign


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
        name = called or path.name.removesuffix(ENDING)
        task = _parsed(read_text(path), str(name), str(path))
        _check_own(task, str(path))
        return task
    if name in task_names():
        return _parsed((_FOLDER / f"{name}{ENDING}").read_text("utf-8"), str(name), f"task {name}")
    others = f"{not_among(str(name), task_names())}, or a file NAME{ENDING}"
    raise ConfigError(f"task: {others}")


def _parsed(text: str, name: str, source: str) -> Task:
    try:
        table: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: expected TOML: {error}") from None
    if "name" in table:
        raise ConfigError(f"{source}: name: expected none, as a task has the name of its file")
    return validate(Task, {**table, "name": name}, source)


def _check_own(task: Task, source: str) -> None:
    """Refuse what a task from somebody else must not do."""
    if task.name in task_names():
        raise ConfigError(
            f"{source}: expected a name that none of our tasks has, got {task.name}: its scores "
            "would be mistaken for those of ours"
        )
    if task.kind == "response":
        raise ConfigError(f"{source}: kind: expected one that has data of its own, got response")
    for name, part in task.parts.items():
        if "plugins" in part.recipe:
            raise ConfigError(
                f"{source}: parts.{name}.recipe.plugins: expected none, as a task runs no code"
            )
