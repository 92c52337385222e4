"""Tables of sticks as text: separators, decimal commas, headings and units, mode numbers.

Anything that is not understood is refused with its line: no row is mistaken for a comment or a
heading.
"""

import contextlib
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryError
from .sourcefile import NUMBER, quote
from .stick_headings import (
    COMMENT,
    Line,
    factors,
    is_heading,
    read_heading,
    refuse_commented_unit,
)
from .sticks import refuse_spectrum

Floats = NDArray[np.float64]

_MAX_HEADING = 200
_MOST_HEADINGS = 60
"""Lines before the first row that a text may have and still be recognised, to be refused."""
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[EeDd][+-]?\d+)?|[+-]?\d+(?:[EeDd][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_MODE = re.compile(r"(\d{1,6})[:.)]", re.ASCII)
_LARGEST_NUMBER = 7
"""Mode numbers begin at 0 or 1, or after the six rigid motions."""
_RATIOS = 0.7505
"""Depolarization ratios are at most 0.75, but for rounding."""


@dataclass(frozen=True)
class StickTable:
    """What a table says.

    Attributes
    ----------
    rows
        Position (cm^-1), strength and width (cm^-1, NaN where not known), shape (n, 3).
    strengths
        Heading of the strengths, in English where it says what they are; empty without one.
    notes
        What was left out.
    """

    rows: Floats
    strengths: str
    notes: tuple[str, ...]


def is_stick_table(text: str) -> bool:
    """Tell whether a text has rows of two or three numbers, after a heading or comments."""
    lines = _lines(text[:20_000])[: _MOST_HEADINGS + 10]
    style = _style(lines)
    data = [_looks_like_row(_split(line.text, style), style) for line in lines]
    first = next((number for number, one in enumerate(data) if one), None)
    if first is None or first > _MOST_HEADINGS:
        return False
    if any(len(line.text) > _MAX_HEADING for line in lines[:first]):
        return False
    # the last line may be cut off
    rows = data[first : len(data) - 1] or data[first:]
    return sum(rows) >= 0.8 * len(rows)


def resembles_stick_table(text: str) -> bool:
    """Tell whether a text that is no table of sticks may be meant as one, to say what is wrong.

    It is if most of its lines are columns that begin with a number, or if the first line is a
    heading with positions and strengths.
    """
    lines = _lines(text[:20_000])[: _MOST_HEADINGS + 10]
    if not lines:
        return False
    style = _style(lines)
    cells = [_split(line.text, style) for line in lines]
    rows = sum(len(one) > 1 and _begins_row(one[0]) for one in cells)
    return 2 * rows > len(lines) or is_heading(lines[0])


def _looks_like_row(fields: list[str], style: str) -> bool:
    if len(fields) in (3, 4) and _MODE.fullmatch(fields[0]):
        fields = fields[1:]
    numbers = [_number(field, style) for field in fields]
    return len(numbers) in (2, 3) and None not in numbers[:2]


def read_stick_table(text: str) -> StickTable:
    """Return what a table of sticks says."""
    lines = _lines(text)
    style = _style(lines)
    cells = [_split(line.text, style) for line in lines]
    first = next((number for number, one in enumerate(cells) if _begins_row(one[0])), len(lines))
    values = _values(lines[first:], cells[first:], style)
    width = max(map(len, values), default=0)
    try:
        roles, units, strengths = read_heading(lines[:first], width)
        if not any(units):
            refuse_commented_unit(text)
    except LibraryError:
        # that it is a spectrum says more than what is wrong with its heading
        _refuse_spectrum(lines[first:], values)
        raise
    notes: tuple[str, ...] = ()
    if roles is None:
        values, numbered = _without_numbers(lines[first:], values)
        notes = ("column of mode numbers skipped",) if numbered else ()
        _refuse_ambiguous(lines[first:], values)
    elif roles[:1] == ["number"]:
        values, units = [row[1:] for row in values], units[1:]
        notes = ("column of mode numbers skipped",)
    rows = np.array(
        [_stick(line, row) for line, row in zip(lines[first:], values, strict=True)], np.float64
    ).reshape(-1, 3)
    if len(style) == 2:
        _refuse_thousands(lines[first:], cells[first:], len(values[0]) if values else 0)
    rows[:, [0, 2]] *= factors(units)
    return StickTable(rows, strengths, notes)


# ---- lines and fields


def _lines(text: str) -> list[Line]:
    """Return the lines that are not empty, without comments: # and what follows, after a space."""
    lines = (
        Line(number, COMMENT.sub("", line).strip())
        for number, line in enumerate(text.split("\n"), 1)
    )
    return [line for line in lines if line.text]


def _style(lines: list[Line]) -> str:
    """Return what separates the columns, followed by a comma where that is the decimal point.

    Where tabs, semicolons or spaces separate them, a comma is a decimal one.
    """
    rows = [line.text for line in lines if re.match(r"[-+\u2212\d.]", line.text)] or [
        line.text for line in lines
    ]
    comma = "," if any("," in row for row in rows) else ""
    if any(";" in row for row in rows):
        return f";{comma}"
    # a table aligned by hand has tabs in some rows and spaces in others
    if all("\t" in row for row in rows) or any("\t\t" in row for row in rows):
        return f"\t{comma}"
    if not comma:
        return " "
    words = [row.replace("\u2212", "-").split() for row in rows]
    if all(len(one) > 1 and all(_COMMA.fullmatch(word) for word in one) for one in words):
        return " ,"
    return ","


def _split(row: str, style: str) -> list[str]:
    if style[0] == " ":
        return row.split()
    return [field.strip() for field in row.split(style[0])]


def _number(field: str, style: str) -> float | None:
    text = field.replace("\u2212", "-")
    if len(style) == 2 and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not NUMBER.fullmatch(text):
        return None
    value = float(re.sub("[Dd]", "E", text))
    return value if np.isfinite(value) else None


def _begins_row(field: str) -> bool:
    """Return whether a field is meant as a number, though it may be none: 1.001,5."""
    return re.fullmatch(r"[-+\u2212]?[.,]?\d[\d.,EeDd+-]*[:.)]?", field) is not None


def _values(lines: list[Line], cells: list[list[str]], style: str) -> list[list[float | None]]:
    """Return the numbers of all rows, None for a last field that is empty."""
    rows: list[list[float | None]] = []
    for line, fields in zip(lines, cells, strict=True):
        mode = _MODE.fullmatch(fields[0]) if len(fields) > 2 else None
        numbers = [_number(field, style) for field in fields]
        if mode:
            numbers[0] = float(mode[1])
        given = numbers[:-1] if len(fields) > 2 and fields[-1] == "" else numbers
        if None in given:
            hint = ""
            if "," in line.text and style == ",":
                hint = "; with decimal commas, separate the columns by semicolons or tabs"
            raise _no_stick(line, hint)
        rows.append(numbers)
    return rows


def _no_stick(line: Line, hint: str = "") -> LibraryError:
    return LibraryError(
        f"line {line.number}: expected a position, an intensity and perhaps a width, got "
        f"{quote(line.text)}{hint}"
    )


def _stick(line: Line, values: list[float | None]) -> tuple[float, float, float]:
    """Return position, intensity and width of one stick; NaN for a width that is not known."""
    if len(values) not in (2, 3) or values[0] is None or values[1] is None:
        named = "; name the columns in a heading" if len(values) > 3 else ""
        if named and "," in line.text:
            named += ", or, with decimal commas, separate them by semicolons or tabs"
        raise _no_stick(line, named)
    width = values[2] if len(values) == 3 else None
    if values[1] < 0 or (width is not None and width <= 0):
        raise LibraryError(
            f"line {line.number}: expected an intensity >= 0 and a width > 0, or an empty one, got "
            f"{quote(line.text)}"
        )
    return values[0], values[1], np.nan if width is None else width


# ---- mode numbers, and numbers that may be two things


def _without_numbers(
    lines: list[Line], values: list[list[float | None]]
) -> tuple[list[list[float | None]], bool]:
    """Return rows without a first column that numbers them, and whether there was one."""
    first = [row[0] for row in values]
    whole = all(value is not None and value == int(value) >= 0 for value in first)
    if not values or not whole:
        return values, False
    numbers = [int(value or 0) for value in first]
    steps = {b - a for a, b in pairwise(numbers)}
    counted = steps in ({1}, {-1}) and min(numbers) <= _LARGEST_NUMBER
    full = all(len(row) == 3 and row[2] is not None for row in values)
    if counted and full:
        return [row[1:] for row in values], True
    seconds = [row[1] or 0.0 if len(row) > 1 else 0.0 for row in values]
    alone = len(values) == 1 and full and numbers[0] <= _LARGEST_NUMBER and seconds[0] > 50
    listed = (
        len(values) > 1
        and full
        and all(step > 0 for step in steps)
        and seconds == sorted(seconds)
        and max(numbers) < min(seconds)
        and max(numbers) <= 10 * len(numbers) + 20
    )
    bare = counted and len(numbers) > 2 and all(len(row) == 2 for row in values)
    if alone or listed or bare:
        raise LibraryError(
            f"line {lines[0].number}: expected positions in the first column, got what may be mode "
            "numbers; name the columns in a heading, such as mode,position,intensity"
        )
    return values, False


def _refuse_spectrum(lines: list[Line], values: list[list[float | None]]) -> None:
    with contextlib.suppress(LibraryError):
        values = _without_numbers(lines, values)[0]
    points = [(row[0], row[1]) for row in values if len(row) > 1]
    refuse_spectrum(np.array(points, np.float64).reshape(-1, 2))


def _refuse_ambiguous(lines: list[Line], values: list[list[float | None]]) -> None:
    """Refuse a third column without a heading that may be depolarization ratios."""
    third = [row[2] for row in values if len(row) == 3 and row[2] is not None]
    if len(third) > 2 and len(third) == len(values) and max(third) <= _RATIOS:
        raise LibraryError(
            f"line {lines[0].number}: expected widths in the third column, got values up to "
            f"{max(third):g}, which may be depolarization ratios; name the columns in a heading"
        )


def _refuse_thousands(lines: list[Line], cells: list[list[str]], n_columns: int) -> None:
    """Refuse positions such as 1,086 whose comma may separate thousands."""
    positions = [fields[-n_columns] for fields in cells if len(fields) >= n_columns]
    commas = [one for one in positions if "," in one]
    if any(re.fullmatch(r"[1-9],\d{3}", one) for one in commas) and all(
        _THOUSANDS.fullmatch(one) for one in commas
    ):
        raise LibraryError(
            f"line {lines[0].number}: expected positions without separators of thousands, got "
            f"{quote(commas[0])}, which may be a decimal comma; write points"
        )
