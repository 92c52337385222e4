"""Wasatch Photonics ENLIGHTEN .csv: settings, then columns, of one spectrum or of several."""

import re
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..axis import Kind
from ..measurement import SHIFT, WAVELENGTH, Measurement, StoredAxis, take
from ..reader import Reader, ReadOptions, shown_name
from ..table import is_number, number, read_lines

_BEGINNING = re.compile(rb"(\xef\xbb\xbf)?\s*ENLIGHTEN Version\s*,")
_INTENSITIES = ("Processed", "Spectrum")
_AXES: tuple[tuple[str, Kind, str], ...] = (
    ("Wavenumber", SHIFT, "cm-1"),
    ("Wavelength", WAVELENGTH, "nm"),
)


@register("tersgen.readers", "wasatch")
class Wasatch(Reader):
    """Spectra of ENLIGHTEN, saved by column; its wavenumbers are Raman shifts."""

    format = "Wasatch ENLIGHTEN .csv"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins with the version of ENLIGHTEN."""
        return _BEGINNING.match(head) is not None

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the processed spectra over shifts, or over wavelengths where there are none."""
        lines = read_lines(path)
        start = next((k for k, line in enumerate(lines) if line.startswith("Pixel,")), None)
        if start is None:
            raise MeasurementError(
                "expected a table that begins with 'Pixel,' in ENLIGHTEN, got none; save by column"
            )
        names = [cell.strip() for cell in lines[start].split(",")]
        rows = [
            (at, line.split(","))
            for at, line in enumerate(lines[start + 1 :], start + 2)
            if line.strip()
        ]
        for at, cells in rows:
            if len(cells) < len(names):
                raise MeasurementError(
                    f"line {at}: expected {len(names)} columns, got {len(cells)}; is it whole?"
                )
        place, kind, unit = _axis(names, rows)
        wanted = next((one for one in _INTENSITIES if one in names), "")
        columns = [k for k, name in enumerate(names) if wanted and name == wanted]
        if not columns:
            raise MeasurementError(
                f"expected a column 'Processed', got {printable(', '.join(names)[:80])}"
            )
        axis = np.array([number(cells[place], at) for at, cells in rows])
        spectra = [np.array([number(cells[k], at) for at, cells in rows]) for k in columns]
        others = {name for name in names if name} - {names[place], names[columns[0]], "Pixel"}
        left = [f"columns {', '.join(sorted(map(printable, others)))}"] if others else []
        return take(
            shown_name(path),
            StoredAxis.coded(kind, unit, axis),
            spectra,
            options,
            laser_nm=_laser(lines[:start]),
            left=left,
        )


def _axis(names: list[str], rows: list[tuple[int, list[str]]]) -> tuple[int, Kind, str]:
    for name, kind, unit in _AXES:
        if name in names and rows and rows[0][1][names.index(name)].strip():
            return names.index(name), kind, unit
    raise MeasurementError(
        "expected a column 'Wavenumber' or 'Wavelength' with numbers, got none: an axis of pixels"
    )


def _laser(settings: list[str]) -> float | None:
    """Return the laser that the settings state, nm."""
    for line in settings:
        name, *cells = line.split(",")
        if name.strip().lower() in ("laser wavelength", "excitation"):
            values = [number(cell, 0) for cell in cells if is_number(cell)]
            return next((value for value in values if value > 100), None)
    return None
