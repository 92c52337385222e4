"""Tables of a map: columns x and y, and a spectrum or a point of one in each row.

Either the heading goes on with the Raman shifts, and each row is a spectrum; or it goes on with the
names of the axis and of the intensity, and each row is one point of a spectrum.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..axis import evidence_of
from ..axis_words import is_intensity
from ..measurement import Measurement, StoredAxis, take
from ..positions import COORDINATE, are_coordinates, in_um, starts_of_spectra
from ..reader import Reader, ReadOptions, decoded, shown_name
from ..table import is_number, number, numbers, read_lines, states_axis

_FEWEST = 8
"""Points of the shortest axis that is recognised."""
_MOST_LINES = 50
"""Lines in which the heading must be."""


class _Found(NamedTuple):
    """Where a table begins."""

    line: int
    """Number of its heading, counted from 0."""
    heading: list[str]
    separator: str


@register("tersgen.readers", "map_table")
class MapTable(Reader):
    """Maps as a table with the columns x and y, in micrometres unless they say otherwise."""

    format = "table of a map .csv"
    rank = 1

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a heading begins with x and y and goes on with an axis."""
        lines = re.split(r"\r\n|\r|\n", decoded(head, whole=False))
        return _find(lines[:_MOST_LINES]) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra with their positions."""
        lines = read_lines(path)
        found = _find(lines[:_MOST_LINES])
        if found is None:
            raise MeasurementError(
                "expected a heading of x, y and Raman shifts, or of x, y, 'Raman shift (cm-1)' and "
                "'Intensity', got none"
            )
        heading = found.heading
        body = [line.strip().rstrip(found.separator) for line in lines[found.line + 1 :]]
        table = numbers(body, found.line + 2, found.separator, len(heading))
        if not len(table):
            raise MeasurementError("expected rows of numbers below the heading, got none")
        xy = [heading[k] for k in range(2)]
        positions = np.stack([table[:, k] * _scale(xy[k]) for k in _order(xy)], axis=1)
        if not is_number(heading[2]):
            starts = starts_of_spectra(table[:, :2], table[:, 2])
            axis = StoredAxis(evidence_of(heading[2]), np.split(table[:, 2], starts[1:]))
            points = np.split(table[:, 3], starts[1:])
            return take(shown_name(path), axis, points, options, positions_um=positions[starts])
        values = np.array([number(cell, found.line + 1) for cell in heading[2:]])
        rows = np.ascontiguousarray(table[:, 2:])
        axis = StoredAxis([], values)
        return take(shown_name(path), axis, rows, options, positions_um=positions)


def _order(names: list[str]) -> tuple[int, int]:
    """Return which columns x and y are."""
    return (0, 1) if "x" in names[0].lower() else (1, 0)


def _scale(name: str) -> float:
    """Return the unit of a coordinate in micrometres."""
    found = COORDINATE.fullmatch(name)
    unit = found[2] if found else None
    scale = 1.0 if unit is None else in_um(unit)
    if scale is None:
        raise MeasurementError(f"expected positions in um, nm or mm, got {printable(name)[:40]!r}")
    return scale


def _find(lines: list[str]) -> _Found | None:
    """Return the heading of a map, or None."""
    for k, line in enumerate(lines):
        heading = line.lstrip("\ufeff#").strip()
        separator = next((one for one in "\t;," if one in heading), None)
        if separator is None:
            continue
        cells = [cell.strip(' "') for cell in heading.rstrip(separator).split(separator)]
        if not are_coordinates(cells[:2]):
            continue
        rest = cells[2:]
        by_row = len(rest) >= _FEWEST and all(map(is_number, rest))
        by_point = len(rest) == 2 and states_axis(rest[0]) and is_intensity(rest[1])
        if by_row or by_point:
            return _Found(k, cells, separator)
    return None
