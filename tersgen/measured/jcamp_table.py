"""Tables of JCAMP-DX: numbers in all compressed forms, and the checks that the format offers.

R. S. McDonald and P. A. Wilks, Appl. Spectrosc. 42, 151 (1988). If the abscissa or checkpoint of a
line, an end of the axis, the first ordinate or the number of points differs from what is stated,
this is an error. Each is compared to its printed resolution, and abscissas to half a point where
that is coarser.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable

MOST_POINTS = 1 << 22
_SHOWN = 40
_AFFN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d+)?"
_TOKEN = re.compile(
    rf"\s*[,;]?\s*(?:({_AFFN})|([@A-Ia-i])(\d*\.?\d*)|([%J-Rj-r])(\d*)|([S-Zs])(\d*)|(\?))"
)
_NUMBER = re.compile(rf"{_AFFN}|(?<![\d.])[+-]?(?:\d+\.?\d*|\.\d+)[Ee]\d+")
_PRINTED = re.compile(r"\s*[+-]?\d*\.?(\d*)(?:[Ee]([+-]?\d+))?")
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_PART_OF_A_STEP = 0.5
"""Part of a point by which programs are off that add up steps in single precision."""
_ENDS = ("FIRSTX", "LASTX")
_ROUNDING = 1e-6
"""Relative error of numbers that were in single precision."""

Labels = Mapping[str, str]
"""Labelled records of a block by their names, in capitals without blanks."""


class Line(NamedTuple):
    """A line of a table of evenly spaced points."""

    place: float
    """Its abscissa, not yet scaled."""
    values: list[float]
    ends_in_difference: bool


def label_number(labels: Labels, name: str, default: float | None = None) -> float:
    """Return the number of a labelled record, with a decimal point or comma."""
    text = labels.get(name, "").replace(",", ".").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise MeasurementError(f"expected a number ##{name}=, got {printable(text[:_SHOWN])!r}")
    return value


def resolution(text: str) -> float:
    """Return one unit of the last digit of a printed number.

    >>> resolution("200"), resolution("1.25E+01"), resolution("4400.")
    (1.0, 0.1, 1.0)
    """
    found = _PRINTED.match(text.replace(",", "."))
    decimals, exponent = found.groups() if found else ("", None)
    return float(f"1e{int(exponent or 0) - len(decimals)}")


def with_points(labels: Labels, lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a table with decimal points, where its block writes decimal commas.

    The commas of a table may separate numbers; the numbers of the labels say which they are.
    """
    names = ("FIRSTX", "LASTX", "DELTAX", "FIRSTY", "MAXX", "MINX", "MAXY", "MINY", "YFACTOR")
    has_commas = any(_COMMA.search(labels.get(name, "")) for name in names)
    if not has_commas or any("." in line for line in lines):
        return lines
    return [_COMMA.sub(".", line) for line in lines]


def check_announced(labels: Labels, n_points: int) -> None:
    """Refuse a table of no points, or of other than the announced number."""
    if n_points < 1:
        raise MeasurementError("expected points in the table of JCAMP-DX, got none")
    wanted = labels.get("NPOINTS")
    if wanted is not None and label_number(labels, "NPOINTS") != n_points:
        raise MeasurementError(
            f"expected {printable(wanted)[:_SHOWN]} points, as ##NPOINTS= says, got {n_points}"
        )


def read_pairs(labels: Labels, lines: Sequence[str], columns: int) -> NDArray[np.float64]:
    """Return the rows of a table of points, shape (n, columns), scaled."""
    values: list[float] = []
    for line in with_points(labels, lines):
        rest = _NUMBER.sub("", line)
        if re.search(r"[^\s,;]", rest):
            raise MeasurementError(f"expected numbers, got {printable(line.strip()[:_SHOWN])!r}")
        values += [float(one) for one in _NUMBER.findall(line)]
    if len(values) % columns:
        raise MeasurementError(
            f"expected {columns} numbers for each point, got {len(values)} numbers in all"
        )
    table = np.array(values, np.float64).reshape(-1, columns)
    factors = [label_number(labels, name, 1.0) for name in ("XFACTOR", "YFACTOR")]
    return np.asarray(table * [*factors, factors[0]][:columns])


def check_ends(labels: Labels, x: NDArray[np.float64]) -> None:
    """Refuse a table of points, in either order, whose ends are not those announced."""
    for ends in (x[[0, -1]], x[[-1, 0]]):
        wanted = [label_number(labels, name, end) for name, end in zip(_ENDS, ends, strict=True)]
        slack = [_slack(labels.get(name, ""), end) for name, end in zip(_ENDS, ends, strict=True)]
        if (np.abs(ends - wanted) <= slack).all():
            return
    raise MeasurementError(
        f"expected points from {wanted[0]:g} to {wanted[1]:g}, as ##FIRSTX= and ##LASTX= say, got "
        f"{x[0]:g} to {x[-1]:g}: lines are missing or the labels are wrong"
    )


def read_stepped(
    labels: Labels, lines: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return abscissa and ordinate of a table of evenly spaced points, scaled."""
    first, last, count = _ends(labels)
    step = (last - first) / (count - 1)
    factor, y_factor = label_number(labels, "XFACTOR", 1.0), label_number(labels, "YFACTOR", 1.0)
    y: list[float] = []
    differs = False  # whether the last value of the line before was a difference
    lines = with_points(labels, lines)
    for line in lines:
        place, values, ends_so = decode(line)
        if differs and y:
            if values[0] != y[-1]:
                raise MeasurementError(
                    f"expected the checkpoint {y[-1]:g}, got {values[0]:g} in "
                    f"{printable(line.strip()[:_SHOWN])!r}: the table is damaged"
                )
            values = values[1:]
            expected = [first + step * (len(y) - 1), first + step * len(y)]
        else:
            expected = [first + step * len(y)]
        slack = max(resolution(line) * abs(factor), _PART_OF_A_STEP * abs(step))
        # programs write the place of the checkpoint or of the point after it
        if min(abs(place * factor - one) for one in expected) > slack:
            raise MeasurementError(
                f"expected a line that begins at {expected[0]:.10g}, got {place * factor:.10g} in "
                f"{printable(line.strip()[:_SHOWN])!r}: lines are missing, the table is "
                "damaged, or ##FIRSTX=, ##LASTX= and ##NPOINTS= are not those of the table"
            )
        y += values
        differs = ends_so
        if len(y) > count:
            break
    if differs and len(y) == count + 1 and y[-1] == y[-2]:
        y.pop()  # a last checkpoint that closes the table
    check_announced(labels, len(y))
    _check_first_ordinate(labels, y[0], lines[0], y_factor)
    x = np.asarray(first + step * np.arange(int(count)), np.float64)
    return x, np.array(y, np.float64) * y_factor


def _ends(labels: Labels) -> tuple[float, float, float]:
    """Return first and last abscissa and the number of points; DELTAX must agree with them."""
    first, count = label_number(labels, "FIRSTX"), label_number(labels, "NPOINTS")
    step = label_number(labels, "DELTAX", np.nan)
    steps = count - 1
    last = label_number(labels, "LASTX", first + step * steps if np.isfinite(step) else None)
    if not (count.is_integer() and 2 <= count <= MOST_POINTS) or first == last:
        raise MeasurementError(
            f"expected 2 to {MOST_POINTS} points between two ends, got {count:g} from {first:g} "
            f"to {last:g}"
        )
    slack = 0.5 * steps * resolution(labels.get("DELTAX", "")) + sum(
        _slack(labels.get(name, ""), one) for name, one in (("FIRSTX", first), ("LASTX", last))
    )
    if np.isfinite(step) and step and abs(abs(step) * steps - abs(last - first)) > slack:
        raise MeasurementError(
            f"expected steps of {(last - first) / steps:g}, by ##FIRSTX=, ##LASTX= and ##NPOINTS=, "
            f"got ##DELTAX={step:g}: one of the labels is wrong"
        )
    return first, last, count


def _slack(text: str, value: float) -> float:
    """Return by how much a printed number may be off."""
    return (resolution(text) if text else 0.0) + _ROUNDING * abs(value)


def _check_first_ordinate(labels: Labels, first: float, line: str, factor: float) -> None:
    """Refuse a table whose first ordinate is not the announced one, scaled or as it is printed."""
    wanted = label_number(labels, "FIRSTY", np.nan)
    numbers = line.split()
    printed = resolution(numbers[1]) if len(numbers) > 1 and _NUMBER.fullmatch(numbers[1]) else 1.0
    slack = max(0.5 * resolution(labels.get("FIRSTY", "")), _ROUNDING * abs(wanted))
    is_scaled = abs(first * factor - wanted) < max(slack, printed * abs(factor))
    if np.isfinite(wanted) and not is_scaled and abs(first - wanted) > slack:
        raise MeasurementError(
            f"expected a first ordinate of {wanted:g}, as ##FIRSTY= says, got {first * factor:g}: "
            "the first line is missing, or a factor is wrong"
        )


def decode(line: str) -> Line:
    """Return the numbers of a line in any form: AFFN, PAC, SQZ, DIF, DUP."""
    values: list[float] = []
    difference: float | None = None
    at = 0
    text = line.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            raise MeasurementError(f"expected numbers, got {printable(text[:_SHOWN])!r}")
        at = found.end()
        number, squeezed, tail, stepped, behind, again, more, missing = found.groups()
        if missing:
            raise MeasurementError(f"expected numbers, got a missing one in {text[:_SHOWN]!r}")
        if number is not None:
            values.append(float(number))
            difference = None
        elif squeezed:
            values.append(float(_digit(squeezed, "@ABCDEFGHI", "abcdefghi") + tail))
            difference = None
        elif not values or (again and len(values) < 2):
            raise MeasurementError(f"expected an abscissa first, got {printable(text[:_SHOWN])!r}")
        elif stepped:
            difference = float(_digit(stepped, "%JKLMNOPQR", "jklmnopqr") + behind)
            values.append(values[-1] + difference)
        else:
            count = int(str("STUVWXYZs".index(again) + 1) + more)
            if count > MOST_POINTS:
                raise MeasurementError(f"expected a table of points, got one of {count} repeats")
            for _ in range(count - 1):
                values.append(values[-1] + (difference or 0.0))
    if len(values) < 2:
        raise MeasurementError(f"expected a line of points, got {printable(text[:_SHOWN])!r}")
    return Line(values[0], values[1:], difference is not None)


def _digit(letter: str, positive: str, negative: str) -> str:
    """Return the digit, perhaps with a sign, that a letter stands for."""
    if letter in positive:
        return str(positive.index(letter))
    return f"-{negative.index(letter) + 1}"
