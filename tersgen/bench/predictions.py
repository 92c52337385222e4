"""Files of predictions: tables as ``ters-train predict`` writes them, and arrays."""

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ..dataset.parquet import arrow_package
from ..errors import ConfigError
from ..files import why
from ..text import printable

_LONGEST = 60
"""Characters of a value that a message shows."""
_LARGEST = 1e100


class Found(NamedTuple):
    """What was predicted for a row."""

    species: tuple[tuple[str, float], ...]
    """Names with probabilities or fractions, best first."""
    novelty: float
    """Higher for a row that is like none of the known: 1 less the probability if none is given."""
    measure: str = "probability_1"
    """The column that novelty is from."""


def load_found(path: Path, n_rows: int) -> list[Found]:
    """Return predictions of species, by row.

    Columns: ``row``, ``species_1``, ``probability_1`` (or ``fraction_1``), ``species_2``, ...,
    and ``novelty`` or ``typical`` if known. JSON lines have a list ``species`` instead.

    Raises
    ------
    ConfigError
        If it is no such table, or has not each of the rows once.
    """
    found: dict[int, Found] = {}
    for number, record in enumerate(_records(path), 1):
        where = f"{path}: record {number}"
        try:
            row, found_here = _row(record), _found(record)
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"{where}: expected row, species_1 and probability_1 or fraction_1, as "
                f"ters-train predict --out writes them, got {_shown(error, record)}"
            ) from None
        if row in found or not 0 <= row < n_rows:
            raise ConfigError(
                f"{where}: expected each row from 0 to {n_rows - 1} once, got row {row}"
            )
        if found and found_here.measure != (first := next(iter(found.values()))).measure:
            raise ConfigError(
                f"{where}: expected {first.measure} as in the first record, got "
                f"{found_here.measure}; novelty must be measured in one way"
            )
        found[row] = found_here
    if len(found) < n_rows:
        missing = next(row for row in range(n_rows) if row not in found)
        raise ConfigError(
            f"{path}: expected {n_rows} rows, got {len(found)}; row {missing} is missing"
        )
    return [found[row] for row in range(n_rows)]


def _shown(error: Exception, record: Any) -> str:
    if not isinstance(error, KeyError):
        return printable(str(error))
    return f"no {error.args[0]} among {printable(', '.join(map(str, record)))[:_LONGEST]!r}"


def _row(record: Any) -> int:
    if not isinstance(record, dict):
        raise ValueError(f"{_short(record)}, which has no names")
    if None in record:  # where csv puts cells without a heading
        raise ValueError("more cells than columns")
    number = _number(record["row"])
    if number != int(number):
        raise ValueError(f"row {number}, which is no whole number")
    return int(number)


def _found(record: dict[str, Any]) -> Found:
    listed = record.get("species")
    if isinstance(listed, list):
        if not all(isinstance(one, dict) for one in listed):
            raise ValueError(f"species {_short(listed)}, which have no names")
        pairs = [(str(one["name"]), _share(one, "")) for one in listed]
    else:
        columns = [name for name in record if re.fullmatch("species_[0-9]+", name)]
        n_named = sum(record[name] not in (None, "") for name in columns)
        pairs = []
        for k in range(1, n_named + 1):
            if record.get(f"species_{k}") in (None, ""):
                raise ValueError(f"an empty species_{k} before others")
            pairs.append((str(record[f"species_{k}"]), _share(record, f"_{k}")))
    if not pairs:
        raise KeyError("species_1")
    pairs.sort(key=lambda one: -one[1])
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} twice")
    for name, sign in (("novelty", 1.0), ("typical", -1.0)):
        if record.get(name) not in (None, ""):
            return Found(tuple(pairs), sign * _number(record[name]), name)
    return Found(tuple(pairs), 1.0 - pairs[0][1])


def _share(record: dict[str, Any], ending: str) -> float:
    names = (f"probability{ending}", f"fraction{ending}")
    given = [name for name in names if record.get(name) not in (None, "")]
    if not given and (empty := [name for name in names if name in record]):
        raise ValueError(f"an empty {empty[0]}")
    share = _number(record[given[-1] if given else names[0]])
    if not -1e-6 <= share <= 1 + 1e-6:
        raise ValueError(f"{share}, which is not from 0 to 1")
    return share


def _number(value: Any) -> float:
    try:
        number = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{_short(value)}, which is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value}, which is not finite")
    return number


def _short(value: Any) -> str:
    return repr(value)[:_LONGEST]


def _records(path: Path) -> Iterator[Any]:
    """Yield the records of a table: dictionaries, but anything from JSON lines."""
    ending = path.suffix.lower()
    try:
        if ending == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                yield from csv.DictReader(file)
        elif ending == ".jsonl":
            with path.open(encoding="utf-8") as file:
                yield from (json.loads(line) for line in file if line.strip())
        elif ending == ".parquet":
            yield from _parquet(path)
        else:
            raise ConfigError(f"{path}: expected a .csv, .jsonl or .parquet file")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from None
    except ConfigError:
        raise
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text, got other bytes") from None
    except (ValueError, RecursionError, csv.Error) as error:
        raise ConfigError(f"{path}: not well formed: {error}") from None


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    arrow = arrow_package()
    from pyarrow import parquet

    try:
        yield from parquet.read_table(path).to_pylist()
    except arrow.ArrowInvalid as error:
        raise ConfigError(f"{path}: not well formed: {error}") from None


def load_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return arrays of an ``.npz``.

    Raises
    ------
    ConfigError
        If it is none, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise ConfigError(
                    f"{path}: expected the arrays {', '.join(names)}, got no {missing[0]}"
                )
            return {name: file[name] for name in names}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from None
    except ConfigError:
        raise
    except (ValueError, TypeError, AttributeError, EOFError, BadZipFile):
        raise ConfigError(
            f"{path}: expected an .npz file with the arrays {', '.join(names)}, of numbers or "
            "text, got something else or a damaged file"
        ) from None


def check_numbers(
    path: Path, name: str, array: NDArray[Any], shape: tuple[int, ...], meaning: str
) -> NDArray[np.float64]:
    """Return an array as float64.

    Raises
    ------
    ConfigError
        If it has another shape, or values that are not finite real numbers.
    """
    if array.shape != shape:
        raise ConfigError(f"{path}: {name}: expected {meaning} of shape {shape}, got {array.shape}")
    if array.dtype.kind not in "iuf":
        raise ConfigError(f"{path}: {name}: expected real numbers, got {array.dtype}")
    values: NDArray[np.float64] = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ConfigError(f"{path}: {name}: expected finite numbers, got NaN or infinity")
    if (np.abs(values) > _LARGEST).any():  # whose square is infinite
        raise ConfigError(
            f"{path}: {name}: expected numbers up to {_LARGEST:g}, got {np.abs(values).max():g}"
        )
    return values


def check_integers(
    path: Path, name: str, array: NDArray[Any], shape: tuple[int, ...], stop: int, meaning: str
) -> NDArray[np.int64]:
    """Return an array of integers from 0 to ``stop - 1``; raise ConfigError for another."""
    values = check_numbers(path, name, array, shape, meaning)
    outside = values[(values < 0) | (values >= stop) | (values != np.floor(values))]
    if outside.size:
        raise ConfigError(
            f"{path}: {name}: expected {meaning}, integers from 0 to {stop - 1}, got {outside[0]:g}"
        )
    return values.astype(np.int64)
