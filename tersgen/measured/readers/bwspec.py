"""B&W Tek BWSpec and BWRam .txt: settings, then a table of pixels with one column per quantity."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ..axis import Kind
from ..measurement import SHIFT, WAVELENGTH, Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, shown_name
from ..table import is_number, number, read_lines

_BEGINNING = re.compile(rb"(\xef\xbb\xbf)?File Version[;,\t]\s*BW")
_DARK_SUBTRACTED = re.compile(r"dark subtracted\b\s*#?(\d*)", re.IGNORECASE)
_RAW = re.compile(r"raw data\b\s*#?(\d*)", re.IGNORECASE)


@register("tersgen.readers", "bwspec")
class BWSpec(Reader):
    """Spectra of B&W Tek instruments: shifts, and intensities without the dark spectrum."""

    format = "BWSpec .txt"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the version of BWSpec or BWRam."""
        return _BEGINNING.match(head) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra; rows without a Raman shift lie outside the calibrated range."""
        lines = read_lines(path)
        separator = lines[0][len("File Version")]
        start = next((k for k, line in enumerate(lines) if line.startswith("Pixel")), None)
        if start is None:
            raise MeasurementError("expected a table that begins with 'Pixel' in BWSpec, got none")
        settings = dict(line.partition(separator)[::2] for line in lines[:start])
        names = [cell.strip() for cell in lines[start].rstrip(separator).split(separator)]
        rows = [
            (at, line.split(separator))
            for at, line in enumerate(lines[start + 1 :], start + 2)
            if line.strip()
        ]
        for at, cells in rows:
            if len(cells) < len(names):
                raise MeasurementError(
                    f"line {at}: expected {len(names)} columns, got {len(cells)}; is it whole?"
                )
        laser = _laser(settings)
        place, kind, unit = _axis(names, rows)
        inside = [(at, cells) for at, cells in rows if cells[place].strip()]
        axis = np.array([number(cells[place], at) for at, cells in inside])
        columns, dark = _intensities(names)
        spectra = []
        for column in columns:
            values = [number(cells[column], at) for at, cells in inside]
            if dark is not None:
                values = [
                    one - number(cells[dark], at)
                    for one, (at, cells) in zip(values, inside, strict=True)
                ]
            spectra.append(np.array(values))
        notes = ("dark spectrum subtracted",) if dark is not None else ()
        if dark is None and _RAW.match(names[columns[0]]):
            notes = ("raw data, without a dark spectrum to subtract",)
        n_outside = len(rows) - len(inside)
        left = [f"{n_outside} pixels without an axis"] if n_outside else []
        used = {place, dark, *columns}
        left.append(f"columns {', '.join(n for k, n in enumerate(names) if k not in used)}")
        return take(
            shown_name(path),
            StoredAxis.coded(kind, unit, axis),
            spectra,
            options,
            laser_nm=laser,
            names=[re.sub(r"\D", "", names[column]) or "1" for column in columns],
            notes=notes,
            left=left,
        )


def _laser(settings: dict[str, str]) -> float | None:
    text = settings.get("laser_wavelength", "").strip()
    value = number(text, 0) if is_number(text) else 0.0
    return value if value > 100 else None


_AXES: tuple[tuple[str, Kind, str], ...] = (
    ("Raman Shift", SHIFT, "cm-1"),
    ("Wavelength", WAVELENGTH, "nm"),
)


def _axis(names: list[str], rows: Sequence[tuple[int, list[str]]]) -> tuple[int, Kind, str]:
    """Return the place of the axis: Raman shifts, or wavelengths where there are none."""
    for name, kind, unit in _AXES:
        if name in names:
            place = names.index(name)
            if any(cells[place].strip() for _, cells in rows):
                return place, kind, unit
    raise MeasurementError(
        "expected a column 'Raman Shift' or 'Wavelength' with numbers, got none; calibrate the "
        "instrument in BWSpec and export again"
    )


def _intensities(names: list[str]) -> tuple[list[int], int | None]:
    """Return the columns of intensities, and that of the dark spectrum if they still have it."""
    for pattern in (_DARK_SUBTRACTED, _RAW):
        columns = [k for k, name in enumerate(names) if pattern.match(name)]
        if columns:
            is_raw = pattern is _RAW
            return columns, names.index("Dark") if is_raw and "Dark" in names else None
    raise MeasurementError(
        f"expected a column 'Dark Subtracted' or 'Raw data', got {', '.join(names)[:80]}"
    )
