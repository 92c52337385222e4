"""Groups of rows, such as those of one instrument, which are scored separately."""

import csv
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tersgen.dataset.columns import column_number
from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.text import did_you_mean, not_among

_COMPONENT = re.compile(r"(.+)\[(\w+)\]")
_FILE, _SPECIES = "source/file", "species"
_FILE_COLUMN = "file"
_MOST_GROUPS = 64
_N_RANGES = 5
_LARGEST_TABLE = 1 << 26


class Groups(NamedTuple):
    """Names of groups, and the group of each row."""

    names: tuple[str, ...]
    of_row: NDArray[np.intp]
    """Shape (n,)."""


def groups_of(dataset: Dataset, by: str, rows: NDArray[np.intp]) -> Groups:
    """Return the groups of some rows of a dataset.

    Parameters
    ----------
    dataset
        The dataset.
    by
        ``species``; a field with a number for each row; a column of a field, as
        ``params/optics[laser]`` or ``params/optics[0]``; or ``TABLE.csv:COLUMN``, a table that has
        the names of measured files in its column ``file``. Fractional numbers of many values become
        five ranges with as many rows each.
    rows
        Numbers of the rows.

    Raises
    ------
    ConfigError
        If there is no such field or column, or it has too many values.
    """
    table, colon, column = by.rpartition(":")
    if colon and table.lower().endswith(".csv"):
        return _of_table(dataset, Path(table), column, rows)
    if by == _SPECIES:
        return Groups(dataset.classes, np.asarray(dataset["label"][rows], np.intp))
    found = _COMPONENT.fullmatch(by)
    name, component = (found[1], found[2]) if found else (by, None)
    fields = dataset.fields
    wanted = 1 if component is None else 2
    if name not in fields or fields[name].ndim != wanted:
        scalars = [_SPECIES, *(one for one, field in fields.items() if field.ndim == 1)]
        more = f"; {name} has several numbers: {name}[0]" if name in fields and not found else ""
        raise ConfigError(f"--by: {not_among(by, scalars)}{more}")
    values = np.asarray(dataset[name][rows])
    if component is not None:
        try:
            values = values[:, column_number(name, component, values.shape[1])]
        except ConfigError as error:
            raise ConfigError(f"--by: {error}") from None
    if name == _FILE:
        return _of_names([_files(dataset)[k] for k in values.tolist()], by)
    return _of_numbers(values, by)


def _of_numbers(values: NDArray[np.generic], by: str) -> Groups:
    distinct, place = np.unique(values, return_inverse=True)
    if values.dtype.kind == "f" and len(distinct) > _N_RANGES:
        edges = np.quantile(values.astype(np.float64), np.linspace(0, 1, _N_RANGES + 1))
        of_row = np.clip(np.searchsorted(edges[1:-1], values, side="right"), 0, _N_RANGES - 1)
        names = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
        return Groups(tuple(names), of_row)
    _check_number(len(distinct), by)
    return Groups(tuple(f"{one:g}" for one in distinct.tolist()), place)


def _of_names(names: Sequence[str], by: str) -> Groups:
    distinct = sorted(set(names))
    _check_number(len(distinct), by)
    place = {name: k for k, name in enumerate(distinct)}
    return Groups(tuple(distinct), np.array([place[name] for name in names], np.intp))


def _check_number(n: int, by: str) -> None:
    if n > _MOST_GROUPS:
        raise ConfigError(f"--by {by}: expected at most {_MOST_GROUPS} different values, got {n}")


def _files(dataset: Dataset) -> list[str]:
    files = getattr(dataset.basis, "files", None)
    if files is None or _FILE not in dataset:
        raise ConfigError(
            f"{dataset.path}: expected a dataset of measured files, got one that is "
            f"{dataset.kind}; group it by a field"
        )
    return [one.name for one in files]


def _of_table(dataset: Dataset, table: Path, column: str, rows: NDArray[np.intp]) -> Groups:
    """Return the groups that a table gives to measured files."""
    files = _files(dataset)
    try:
        if table.stat().st_size > _LARGEST_TABLE:
            raise ConfigError(f"{table}: expected a table of at most 64 MiB, got a larger one")
        with table.open(encoding="utf-8-sig", newline="") as file:
            entries = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table}: cannot be read as a table: {error}") from None
    columns = [str(name) for name in entries[0]] if entries else []
    for wanted in (_FILE_COLUMN, column):
        if wanted not in columns:
            got = ", ".join(columns) or "none"
            raise ConfigError(
                f"{table}: expected a column {wanted!r}, got {got}{did_you_mean(wanted, columns)}"
            )
    known = {PurePosixPath(str(one[_FILE_COLUMN])).name: str(one[column]) for one in entries}
    of_file = []
    for name in files:
        base = PurePosixPath(name).name
        if base not in known:
            raise ConfigError(f"{table}: expected a line for the file {base}, got none")
        of_file.append(known[base])
    return _of_names([of_file[k] for k in dataset[_FILE][rows].tolist()], f"{table}:{column}")
