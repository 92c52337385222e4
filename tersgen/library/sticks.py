"""Stick spectra: tables of position, intensity and, optionally, width."""

import math
import re

from ..errors import LibraryError
from ..schema.library import Mode, Provenance, Species
from .sourcefile import SourceFile, one_line_errors, quote

_MAX_HEADING = 200
_COLUMNS = (
    ("position", ("position", "shift", "frequency", "wavenumber", "nu", "cm")),
    ("intensity", ("intensity", "activity", "height", "area")),
    ("width", ("width", "fwhm", "gamma")),
)


def is_sticks(text: str) -> bool:
    """Tell whether a text is a table whose first rows, after one heading, are numbers."""
    rows = _rows(text[:20_000])[:2]
    if not rows or len(rows[0]) > _MAX_HEADING:
        return False
    return any(_is_data(_fields(row)) for row in rows)


def read_sticks(source: SourceFile, name: str) -> Species:
    """Read a table of sticks as modes with isotropic tensors.

    Columns, parted by commas, semicolons, tabs or spaces: position in cm^-1, intensity in any
    unit, and optionally the full width at half maximum in cm^-1. Lines that begin with ``#`` are
    comments; the first other line may be a heading, which must name the columns in this order.
    The tensor is a * I with 45 a^2 = intensity, so that the activity is the intensity.

    Parameters
    ----------
    source
        The file.
    name
        Name of the species.

    Raises
    ------
    LibraryError
        If a row is no stick, an intensity is negative, or no stick is left.
    """
    with one_line_errors(source):
        rows = _rows(source.text)
        if rows and not any(_number(field) is not None for field in _fields(rows[0])):
            _check_heading(_fields(rows[0]))
            rows = rows[1:]
        modes: list[Mode] = []
        for row in rows:
            stick = _stick(row)
            if stick is not None:
                modes.append(stick)
        if not modes:
            raise LibraryError("expected at least one stick at a positive position, got none")
        left_out = len(rows) - len(modes)
        remarks = ["isotropic tensors a * I with 45 a^2 = intensity"]
        if left_out:
            remarks.append(f"{left_out} sticks at positions <= 0 left out")
        return Species(
            name=name,
            modes=tuple(sorted(modes, key=lambda mode: mode.frequency_cm1)),
            provenance=Provenance(
                kind="sticks", file=source.file, sha256=source.sha256, note="; ".join(remarks)
            ),
        )


def _check_heading(names: list[str]) -> None:
    """Refuse a heading that says that the columns stand in another order or mean other things.

    A heading without one word that is known, in another language perhaps, says nothing.
    """
    known = [word for _, words in _COLUMNS for word in words]
    if not any(word in name.lower() for name in names for word in known):
        return
    for name, (meaning, words) in zip(names, _COLUMNS, strict=False):
        if not any(word in name.lower() for word in words):
            raise LibraryError(
                f"expected the columns position, intensity and perhaps width, got {quote(name)} "
                f"where the {meaning} belongs; name it with one of {', '.join(words)}"
            )


def _rows(text: str) -> list[str]:
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _fields(row: str) -> list[str]:
    if ";" in row:
        # Where semicolons part the columns, a comma is a decimal point.
        return [field.strip().replace(",", ".") for field in row.split(";")]
    if "," in row:
        return [field.strip() for field in row.split(",")]
    return re.split(r"\s+", row)


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def _is_data(fields: list[str]) -> bool:
    return len(fields) in (2, 3) and all(_number(field) is not None for field in fields[:2])


def _stick(row: str) -> Mode | None:
    """Return one stick, None where its position is not positive."""
    fields = _fields(row)
    values = [_number(field) for field in fields]
    # An empty width means that it is not known.
    width_given = len(fields) == 3 and fields[2] != ""
    given = values if width_given or len(fields) != 3 else values[:2]
    numbers = [value for value in given if value is not None and math.isfinite(value)]
    if len(numbers) != len(given) or len(numbers) not in (2, 3):
        raise LibraryError(
            f"expected a position, an intensity and perhaps a width, got {quote(row)}"
        )
    position, intensity = numbers[0], numbers[1]
    if intensity < 0 or (len(numbers) == 3 and numbers[2] <= 0):
        raise LibraryError(
            f"expected an intensity >= 0 and a width > 0, or an empty one, got {quote(row)}"
        )
    if position <= 0:
        return None
    a = math.sqrt(intensity / 45.0)
    return Mode(
        frequency_cm1=position,
        tensor=((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
        fwhm_cm1=numbers[2] if len(numbers) == 3 else None,
    )
