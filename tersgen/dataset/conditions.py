"""Conditions on rows, ``params/width > 1.1 and species == benzene``: parsed, never executed."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..text import not_among

if TYPE_CHECKING:
    from .dataset import Dataset

SPECIES = "species"
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([A-Za-z][\w/]*)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*", re.DOTALL)
_AND = re.compile(r"\s+and\s+(?=[A-Za-z][\w/]*\s*[=!<>])")
_EXAMPLE = "such as \"params/width > 1.1 and species == 'benzene'\""


class Condition(NamedTuple):
    """A comparison of a scalar field, or of the name of the species."""

    field: str
    operator: str
    value: float | str


def parse_where(text: str, fields: Mapping[str, Any], classes: tuple[str, ...]) -> list[Condition]:
    """Return the conditions that a text joins by ``and``.

    Parameters
    ----------
    text
        Such as ``params/width > 1.1 and species == 'benzene'``; a name may stand without quotes.
    fields
        The fields of the dataset, with ``ndim`` and ``dtype``.
    classes
        Names of the species.
    """
    if not isinstance(text, str):
        raise ConfigError(f"where: expected a text {_EXAMPLE}, got {type(text).__name__}")
    scalars = [name for name, field in fields.items() if field.ndim == 1]
    return [_condition(part, scalars, classes) for part in _AND.split(text)]


def _condition(text: str, scalars: list[str], classes: tuple[str, ...]) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(f"where: expected a comparison {_EXAMPLE}, got {text!r:.200}")
    name, symbol, value = found.groups()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    if name == SPECIES:
        if symbol not in ("==", "!="):
            raise ConfigError(f"where: species: expected == or !=, got {symbol}")
        if value not in classes:
            raise ConfigError(f"where: species: {not_among(value, classes)}")
        return Condition(name, symbol, value)
    if name not in scalars:
        raise ConfigError(f"where: {not_among(name, [SPECIES, *scalars])}")
    try:
        return Condition(name, symbol, float(value))
    except ValueError:
        raise ConfigError(f"where: {name}: expected a number, got {value!r:.200}") from None


def columns_of(conditions: list[Condition]) -> set[str]:
    """Return the names of the fields that conditions compare: of the species, ``label``."""
    return {"label" if one.field == SPECIES else one.field for one in conditions}


def fulfilled(
    conditions: list[Condition],
    columns: Mapping[str, NDArray[Any]],
    classes: tuple[str, ...],
) -> NDArray[np.bool_]:
    """Return which rows fulfil all conditions, shape (n,).

    ``columns`` has the values of each field that is compared; of the species, the ``label``.
    """
    kept = []
    for name, symbol, value in conditions:
        if name == SPECIES:
            kept.append(_OPERATORS[symbol](columns["label"], classes.index(str(value))))
            continue
        column = columns[name]
        if column.dtype.kind == "f":  # as stored: 1.1 is the float32 that is nearest to it
            with np.errstate(over="ignore"):
                value = column.dtype.type(value)
        kept.append(_OPERATORS[symbol](column, value))
    fulfils_all: NDArray[np.bool_] = np.logical_and.reduce(kept)
    return fulfils_all


def selected(
    dataset: "Dataset",
    split: str | None,
    part: str | None,
    species: str | Iterable[str] | None,
    rows: Any,
    where: str | None,
) -> "Dataset":
    """Return the rows that fulfil all conditions, as a view; see ``Dataset.select``."""
    view = dataset if rows is None else dataset.view(rows)
    if split is not None or part is not None:
        view = view.view(view.rows_in(*_part(dataset, split, part)))
    if species is not None:
        names = [species] if isinstance(species, str) else list(species)
        for name in names:
            if name not in dataset.classes:
                raise ConfigError(f"{dataset.path}: species: {not_among(name, dataset.classes)}")
        labels = [dataset.classes.index(name) for name in names]
        view = view.view(np.flatnonzero(np.isin(view["label"][:], labels)))
    if where is not None:
        conditions = parse_where(where, dataset.fields, dataset.classes)
        columns = {name: view[name][:] for name in columns_of(conditions)}
        view = view.view(np.flatnonzero(fulfilled(conditions, columns, dataset.classes)))
    return view


def _part(dataset: "Dataset", split: str | None, part: str | None) -> tuple[str, str]:
    """Return the names of part and split that are asked for."""
    if part is None and split is not None:
        name, colon, named = split.partition(":")
        if not colon and split in dataset.splits:
            raise ConfigError(
                f"{dataset.path}: split {split!r}: expected one of its parts too, "
                f"part={dataset.splits[split].rule.names[0]!r}, got none"
            )
        split, part = (name, named) if colon else ("default", split)
    return part or "", "default" if split is None else split
