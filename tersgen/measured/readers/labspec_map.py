"""Horiba LabSpec maps exported as .txt: the axis in the first row, one spectrum in each other row.

Rows begin with x and y of a map, or with one position of a line or time of a series.
"""

import re
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..axis import Evidence, evidence_of
from ..measurement import Measurement, StoredAxis, take
from ..positions import in_um
from ..reader import Reader, ReadOptions, decoded, shown_name
from ..table import is_number, numbers, read_lines, states_axis

_FEWEST = 8
"""Points of the shortest axis that is recognised."""
_UNIT = re.compile(r"#AxisUnit\[(\d)\]=\s*(.*)")
_LASER = re.compile(r"#Laser(?: \(nm\))?=\s*(\d{3,4}(?:[.,]\d+)?)")


@register("tersgen.readers", "labspec_map")
class LabSpecMap(Reader):
    """Maps, lines and series of LabSpec as text."""

    format = "LabSpec map .txt"
    rank = 1

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether the first row after comments is an axis with one or two empty cells."""
        text = decoded(head, whole=False)
        rows = (line for line in re.split(r"\r\n|\r|\n", text) if line and line[0] != "#")
        return _leading_blanks(next(rows, "")) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra with their positions; without units, shifts and micrometres."""
        lines = read_lines(path)
        comments = [line for line in lines if line.startswith("#")]
        start = next((k for k, line in enumerate(lines) if line and line[0] != "#"), 0)
        n_places = _leading_blanks(lines[start])
        if n_places is None:
            raise MeasurementError("expected an axis in the first row of a LabSpec map, got none")
        cells = lines[start].rstrip("\t").split("\t")
        axis = numbers(["\t".join(cells[n_places:])], start + 1, "\t", len(cells) - n_places)[0]
        body = [line.rstrip("\t") for line in lines[start + 1 :]]
        table = numbers(body, start + 2, "\t", len(cells))
        units = {int(k): unit.strip() for k, unit in _UNIT.findall("\n".join(comments))}
        evidence = _evidence(units.get(1))
        laser = _LASER.search("\n".join(comments))
        scales = [in_um(units.get(k, "um")) for k in (2, 3)]
        positions, left = None, []
        if n_places == 2 and None not in scales:
            positions = table[:, :2] * np.array(scales, np.float64)
        elif len(table) > 1:
            what = "two columns" if n_places == 2 else "a column"
            left.append(f"{what} of positions or times before each spectrum")
        return take(
            shown_name(path),
            StoredAxis(evidence, axis),
            table[:, n_places:],
            options,
            laser_nm=float(laser[1].replace(",", ".")) if laser else None,
            positions_um=positions,
            left=left,
        )


def _leading_blanks(line: str) -> int | None:
    """Return how many empty cells stand before the numbers of an axis; None if it is none."""
    cells = line.rstrip("\t").split("\t")
    blanks = 2 if cells[:2] == ["", ""] else 1 if cells[:1] == [""] else 0
    axis = cells[blanks:]
    return blanks if blanks and len(axis) >= _FEWEST and all(map(is_number, axis)) else None


def _evidence(unit: str | None) -> list[Evidence]:
    """Return what the file says about the axis, if it says anything."""
    if unit is None:
        return []
    if not states_axis(unit):
        raise MeasurementError(
            f"expected an axis in cm^-1 or nm, got #AxisUnit[1]={printable(unit)[:40]!r}"
        )
    return evidence_of(unit)
