"""Fields that COMSOL exports as text ("spreadsheet"): columns x, y, z, Ex, Ey, Ez.

Comments begin with %; the last one names the columns, and "Length unit" the unit of positions.
Complex numbers are 1.5+2i. Of a sweep, columns say "@ lambda0=633 nm".
"""

import re
from pathlib import Path

import numpy as np

from ...errors import ConfigError, LibraryError
from ...library.sourcefile import open_source
from ...plugins import register
from ..points import from_points, regular
from ..sources import FieldImporter, Fields, Placement

_UNITS = {"m": 1e10, "mm": 1e7, "um": 1e4, "\u00b5m": 1e4, "\u03bcm": 1e4, "nm": 10.0}
_UNITS |= {"pm": 0.01, "\u00e5": 1.0, "a": 1.0, "angstrom": 1.0}
_COLUMN = re.compile(r"(?:\w+\.)?E([xyz])\b[^@]*(?:@\s*(.*))?")
_HEADING = re.compile(rb"\n%\s*x\s+y\s+z\s")
_WAVELENGTH = re.compile(r"\b(?:lam\w*|lda\w*|wl\w*)\s*=\s*([0-9.eE+-]+)\s*(nm|um|m)?")


def _wavelength_nm(suffix: str | None) -> float | None:
    found = _WAVELENGTH.search(suffix or "")
    if not found:
        return None
    unit = found[2] or "m"
    return float(found[1]) * {"nm": 1.0, "um": 1e3, "m": 1e9}[unit]


def _names(heading: str) -> list[str]:
    """Return the columns of a heading, which are one blank apart at least.

    >>> _names("x y  z emw.Ex (V/m) @ lambda0=633 nm emw.Ey (V/m) @ lambda0=633 nm")
    ['x', 'y', 'z', 'emw.Ex (V/m) @ lambda0=633 nm', 'emw.Ey (V/m) @ lambda0=633 nm']
    """
    spaced = re.sub(r"^x\s+y\s+z\s+", "x\ty\tz\t", heading)
    return re.split(r"\t\s*|\s{2,}|\s+(?=(?:\w+\.)?E[xyz]\b)", spaced)


@register("tersgen.field_importers", "comsol")
class Comsol(FieldImporter):
    """Texts that begin with comments as COMSOL writes them."""

    format = "COMSOL, text"

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - its content decides
        """Return whether a text begins with comments as COMSOL writes them."""
        return bool(head.startswith(b"%") and _HEADING.search(head) and b"Ex" in head)

    def read(self, path: Path, placement: Placement) -> Fields:
        """Return the fields in a file, one for each wavelength of a sweep."""
        try:
            lines = open_source(path).text.split("\n")
        except LibraryError as error:
            raise ConfigError(str(error)) from None
        comments = [line[1:].strip() for line in lines if line.startswith("%")]
        names = _names(comments[-1]) if comments else []
        stated = [
            line.partition(":")[2].strip() for line in comments if line.startswith("Length unit")
        ]
        unit = placement.unit_angstrom or _UNITS.get(stated[-1].lower() if stated else "")
        if unit is None:
            got = repr(stated[-1]) if stated else "none"
            raise ConfigError(
                f"{path}: expected a comment as 'Length unit: nm', or --unit, got {got:.40}"
            )
        columns: dict[str, dict[int, int]] = {}
        for number, name in enumerate(names):
            found = _COLUMN.fullmatch(name)
            if found:
                columns.setdefault(found[2] or "", {})["xyz".index(found[1])] = number
        whole = [one for one in columns.values() if len(one) == 3]
        if names[:3] != ["x", "y", "z"] or not whole:
            raise ConfigError(
                f"{path}: expected columns x, y, z, Ex, Ey and Ez, got {', '.join(names)[:80]!r}"
            )
        rows = [line.split() for line in lines if line.strip() and not line.startswith("%")]
        try:
            table = np.array(
                [[complex(one.replace("i", "j")) for one in row] for row in rows], np.complex128
            )
        except ValueError as error:
            raise ConfigError(f"{path}: expected rows of numbers, got {str(error)[:80]}") from None
        if table.ndim != 2 or table.shape[1] != len(names):
            raise ConfigError(
                f"{path}: expected rows of {len(names)} numbers, as the columns say, got others"
            )
        places = table[:, :3].real * unit
        made = [regular(from_points(places, table[:, [one[k] for k in range(3)]])) for one in whole]
        nm = [_wavelength_nm(suffix) for suffix, one in columns.items() if len(one) == 3]
        known = tuple(value for value in nm if value is not None)
        return Fields(
            made[0].axes, [one.field for one in made], known if len(known) == len(nm) else ()
        )
