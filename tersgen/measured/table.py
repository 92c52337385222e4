"""Tables in text files of instruments: lines, cells and numbers; errors name the line."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .axis import KINDS, UNITS, quoted
from .axis_words import meaning_of
from .measurement import check_count
from .reader import decoded, read_beginning

LARGEST_TABLE = 1 << 26
"""Larger texts are refused; a map of 10,000 spectra is as large."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_SHOWN = 40
_SPECTRAL = (*KINDS, "wavenumber")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text of at most 64 MiB."""
    return re.split(r"\r\n|\r|\n", decoded(read_beginning(path, LARGEST_TABLE, LARGEST_TABLE)))


def states_axis(heading: str) -> bool:
    """Return whether a heading states an axis that can become Raman shifts.

    >>> states_axis("Raman shift (cm-1)"), states_axis("Wavelength [nm]"), states_axis("time / s")
    (True, True, False)
    """
    kind, unit = meaning_of(heading)
    return kind in _SPECTRAL or (kind is None and unit in UNITS)


def number(cell: str, line: int) -> float:
    """Return the number in a cell, with a decimal point or comma.

    Raises
    ------
    MeasurementError
        If it holds none; the message names the line.
    """
    text = cell.replace(",", ".", 1) if "." not in cell else cell
    if not _NUMBER.fullmatch(text):
        shown = printable(cell.strip()[:_SHOWN])
        raise MeasurementError(f"line {line}: expected a number, got {shown!r}")
    return float(text)


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(cell.replace(",", ".", 1) if "." not in cell else cell) is not None


def numbers(
    lines: Sequence[str], first_line: int, separator: str | None, columns: int
) -> NDArray[np.float64]:
    """Return a table of numbers, shape (n, columns); blank lines are skipped.

    Parameters
    ----------
    lines
        Lines of cells, each of which holds a number.
    first_line
        Number of the first of them in the file, for messages.
    separator
        What separates cells; None for any run of blanks and tabs.
    columns
        How many cells each line has.

    Raises
    ------
    MeasurementError
        If a line has other cells, or one is no number; the message names the line.
    """
    check_count(len(lines) * columns)
    kept = [line for line in lines if line.strip()]
    if not kept:
        return np.empty((0, columns))
    if separator != "," and any("," in line for line in kept):
        refuse_doubtful_commas(
            [(n, line.split(separator)) for n, line in enumerate(lines, first_line) if line.strip()]
        )
        kept = [line.replace(",", ".") for line in kept]
    try:
        table = np.loadtxt(kept, np.float64, comments=None, delimiter=separator, ndmin=2)
    except ValueError:
        table = np.empty((0, 0))
    if table.shape != (len(kept), columns) or not np.isfinite(table).all():
        raise _error(lines, first_line, separator, columns)
    return table


def refuse_doubtful_commas(rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Refuse commas that may part thousands instead of decimals.

    Parameters
    ----------
    rows
        Number and cells of each line.
    """
    with_comma = next((line for line, cells in rows if any("," in one for one in cells)), None)
    if with_comma is None:
        return
    with_point = next((line for line, cells in rows if any("." in one for one in cells)), None)
    if with_point is not None:
        raise MeasurementError(
            f"line {max(with_comma, with_point)}: expected numbers with either decimal commas or "
            "decimal points, got commas in some and points in others; write all decimals alike, "
            "thousands unparted"
        )
    for column in zip(*(cells for _, cells in rows), strict=False):
        commas = [(place, one.strip()) for place, one in enumerate(column) if "," in one]
        if 0 < len(commas) < len(column) and all(_THOUSANDS.fullmatch(one) for _, one in commas):
            place, first = commas[0]
            raise MeasurementError(
                f"line {rows[place][0]}: expected decimal commas, got {quoted(first)}, whose comma "
                "may part thousands; write them unparted"
            )


def _error(
    lines: Sequence[str], first_line: int, separator: str | None, columns: int
) -> MeasurementError:
    """Return what is wrong with the first line of a table that is not as the others."""
    for place, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        cells = line.split(separator)
        if len(cells) != columns:
            shown = printable(line.strip()[:_SHOWN])
            return MeasurementError(
                f"line {place}: expected {columns} columns, got {len(cells)} in {shown!r}"
            )
        try:
            values = [number(cell, place) for cell in cells]
        except MeasurementError as error:
            return error
        if not np.isfinite(values).all():
            return MeasurementError(f"line {place}: expected finite numbers, got infinity")
    return MeasurementError(f"expected a table of {columns} columns of numbers, got other cells")
