"""Tables of many spectra over one axis: .csv or .txt whose first cell states the axis.

Each spectrum is a column, named in the heading, or a row, named in its first cell.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..axis import evidence_of
from ..axis_words import no_intensity
from ..measurement import Measurement, StoredAxis, take
from ..positions import are_coordinates
from ..reader import Reader, ReadOptions, decoded, shown_name
from ..table import is_number, number, numbers, read_lines, states_axis

_FEWEST = 8
"""Points of the shortest spectrum that is recognised."""
_MOST_LINES = 200
"""Lines in which the heading must be."""
_LONGEST_NAME = 60
_NO_SPECTRUM = re.compile(
    r"\b(dark|blank|back ?ground|bk?gd?|baseline|fit(ted)?|resid\w*|err(or)?s?|std|stdev|sd|sem|"
    r"d[iy]|sigma|reference|raw|processed|corrected|smooth\w*|pixel|wave ?length|wave ?number|"
    r"raman ?shift|nm|label|class|weight|fwhm)\b",
    re.IGNORECASE,
)


class _Found(NamedTuple):
    """Where a table begins."""

    line: int
    """Number of its first row of numbers, counted from 0."""
    heading: list[str]
    separator: str
    by_row: bool
    """Whether each row is a spectrum; else each column is."""


@register("tersgen.readers", "wide")
class Wide(Reader):
    """An axis and two or more spectra, with their names."""

    format = "table of spectra .csv"
    rank = 1

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether the first cell of a heading states the axis of a table of numbers."""
        return _find(_lines(decoded(head, whole=False))) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return all spectra; a column that is no spectrum is refused, not skipped."""
        lines = read_lines(path)
        found = _find(lines[:_MOST_LINES])
        if found is None:
            raise MeasurementError(
                "expected a heading 'Raman shift (cm-1)' or 'Wavelength (nm)', the names of "
                "spectra, and rows of numbers, got none"
            )
        width = len(found.heading)
        body = [line.strip().rstrip(found.separator) for line in lines[found.line :]]
        if found.by_row:
            axis = np.array([number(cell, found.line) for cell in found.heading[1:]])
            parts = [line.partition(found.separator) for line in body]
            for at, (name, _, rest) in enumerate(parts, found.line + 1):
                if name and not rest:
                    raise MeasurementError(f"line {at}: expected {width - 1} numbers, got none")
            names = [name.strip('" ') for name, _, rest in parts if rest]
            cells = [rest for _, _, rest in parts]
            rows = numbers(cells, found.line + 1, found.separator, width - 1)
        else:
            table = numbers(body, found.line + 1, found.separator, width)
            axis, names = table[:, 0], found.heading[1:]
            rows = np.ascontiguousarray(table[:, 1:].T)
        shown = [printable(name)[:_LONGEST_NAME] for name in names]
        doubtful = next((name for name in shown if _is_none(name)), None)
        if doubtful is None:
            doubtful = next(
                (name for name, row in zip(shown, rows, strict=False) if _is_axis(row)), None
            )
        if doubtful:
            what = "row" if found.by_row else "column"
            raise MeasurementError(
                f"expected an axis and spectra, got a {what} {doubtful!r}; keep the axis and the "
                "spectra"
            )
        return take(
            shown_name(path),
            StoredAxis(evidence_of(found.heading[0]), axis),
            rows,
            options,
            names=shown,
        )


def _is_none(name: str) -> bool:
    """Return whether a name is that of something else than a spectrum."""
    return _NO_SPECTRUM.search(name.replace("_", " ")) is not None or no_intensity(name)


def _is_axis(values: NDArray[np.float64]) -> bool:
    """Return whether values rise, or fall, throughout: another axis."""
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)[:_MOST_LINES]


def _find(lines: list[str]) -> _Found | None:
    """Return the table whose heading states its axis in the first cell, or None."""
    for k in range(1, len(lines)):
        heading = lines[k - 1].lstrip("\ufeff#").strip()
        separator = next((one for one in "\t;," if one in heading), None)
        if separator is None or heading.count(separator) < 2:
            continue
        names = _cells(heading, separator)
        if len(names) < 3 or is_number(names[0]) or not states_axis(names[0]):
            continue
        if are_coordinates(names[:2]):
            return None
        rows = [
            line.strip().rstrip(separator).split(separator)
            for line in lines[k : k + _FEWEST]
            if line.strip()
        ]
        fits = [row for row in rows if len(row) == len(names) and all(map(is_number, row[1:]))]
        if len(names) > _FEWEST and all(map(is_number, names[1:])):
            if len(fits) > 1 and fits[0] == rows[0]:
                return _Found(k, names, separator, by_row=True)
        elif len(fits) == _FEWEST and all(is_number(row[0]) for row in fits):
            return _Found(k, names, separator, by_row=False)
    return None


def _cells(line: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader([line.rstrip(separator)], delimiter=separator), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]
