"""WITec .txt: a header of `Name = value`, then [Data] with an axis and one column per spectrum."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...text import printable
from ..axis import Evidence, evidence_of
from ..measurement import Measurement, StoredAxis, take
from ..positions import in_um
from ..reader import Reader, ReadOptions, decoded, shown_name
from ..table import is_number, number, numbers, read_lines, states_axis

_HEADER = "[Header]"
_MAGIC = "//Exported ASCII-File"
_UNIT_KEYS = ("XAxisUnit", "XDataUnit", "XDataKind", "XUnit")
_LASER_KEYS = ("ExcitationWavelength", "Excitation Wavelength [nm]", "LaserWavelength")


@register("tersgen.readers", "witec")
class Witec(Reader):
    """Spectra and maps of WITec Project exported as text."""

    format = "WITec .txt"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins as exported text of WITec."""
        text = decoded(head[:4096], whole=False).lstrip()
        return text.startswith(_MAGIC) or (text.startswith(_HEADER) and "GraphName" in text)

    def read(self, path: Path, options: ReadOptions) -> Measurement:
        """Return the spectra; positions are those of the scan's size, width and origin."""
        lines = read_lines(path)
        start = next((k for k, line in enumerate(lines) if line.strip() == "[Data]"), None)
        if start is None:
            raise MeasurementError(
                "expected [Data] in a text of WITec, got a header only; export spectra as one "
                "table ('Table'), not as separate files"
            )
        header = {
            name.strip(): value.strip()
            for name, _, value in (line.partition("=") for line in lines[:start])
        }
        start += 1
        while start < len(lines) and not is_number(re.split(r"[\t;,]", lines[start].strip())[0]):
            start += 1
        if start == len(lines):
            raise MeasurementError("expected numbers after [Data] in a text of WITec, got none")
        separator = _separator(lines[start])
        body = [line.strip() for line in lines[start:]]
        columns = len(body[0].split(separator))
        if columns < 2:
            raise MeasurementError(
                f"line {start + 1}: expected an axis and intensities, got one column"
            )
        table = numbers(body, start + 1, separator, columns)
        laser = next((number(header[key], 0) for key in _LASER_KEYS
                      if is_number(header.get(key, ""))), None)  # fmt: skip
        rows = table[:, 1:].T
        return take(
            shown_name(path),
            StoredAxis(_evidence(header), table[:, 0]),
            np.ascontiguousarray(rows),
            options,
            laser_nm=laser,
            positions_um=_positions(header, len(rows)),
        )


def _separator(line: str) -> str | None:
    """Return what separates the cells of a line; a comma only where nothing else does."""
    if "\t" in line:
        return "\t"
    if ";" in line:
        return ";"
    cells = line.split()
    return "," if "," in line and all(cell.endswith(",") for cell in cells[:-1]) else None


def _evidence(header: dict[str, str]) -> list[Evidence]:
    stated = " ".join(header[key] for key in _UNIT_KEYS if key in header)
    if not states_axis(stated):
        raise MeasurementError(
            f"expected 'XAxisUnit = rel. 1/cm' or nm in a text of WITec, got "
            f"{printable(stated)[:40]!r}"
        )
    return evidence_of(stated)


def _positions(header: dict[str, str], n_spectra: int) -> NDArray[np.float64] | None:
    """Return the centres of the pixels of a scan, row by row from its origin, or None."""

    def value(key: str) -> float:
        text = header.get(key, "")
        return number(text, 0) if is_number(text) else 0.0

    columns, rows = value("SizeX"), value("SizeY")
    width, height = value("ScanWidth"), value("ScanHeight")
    scale = in_um(header.get("ScanUnit", ""))
    is_map = n_spectra > 1 and columns >= 1 and rows >= 1 and columns * rows == n_spectra
    if not is_map or not width or not height or scale is None:
        return None
    place = np.arange(n_spectra)
    x = value("ScanOriginX") + (place % columns + 0.5) * width / columns
    y = value("ScanOriginY") + (place // columns + 0.5) * height / rows
    return np.stack([x, y], axis=1) * scale
