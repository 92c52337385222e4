"""Stick spectra: tables of position, strength and, optionally, width."""

import math
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import LibraryError
from ...plugins import register
from ...schema.species import Mode, Provenance, Species
from ...units import WAVENUMBERS, stated_unit
from ..importer import ObservedImporter
from ..intensities import (
    Form,
    Observation,
    Statement,
    agreed,
    comment,
    decide,
    headed_intensity,
    read_comments,
    to_activities,
    warn_of_assumed,
)
from ..sourcefile import SourceFile, one_line_errors, quote

_MAX_HEADING = 200
_FEWEST_POINTS = 64
_FOREIGN = re.compile(r"\b([TG]Hz|m?eV)\b")
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


def read_sticks(source: SourceFile, name: str, options: Statement) -> Species:
    """Read a table of sticks as modes with isotropic tensors.

    Columns, separated by commas, semicolons, tabs or spaces: position in cm^-1 (or in the unit that
    the heading states: ``position [THz]``), strength in any unit, and optionally the full width
    at half maximum, in its own unit or that of the position. Lines that begin with ``#`` are
    comments; the first other line may be a heading, which must name the columns in this order.

    Strengths are what the heading calls them, ``activity``, ``area`` or ``height``, or what a
    comment says: ``# intensity: activity``, ``# intensity: observed area`` or ``# intensity:
    observed height``, the last two with ``# laser: 785 nm`` and perhaps ``# temperature: 298 K``
    and ``# response: corrected``. Observed ones become activities here, for their own laser. Those
    that do not say are taken as observed areas at 532 nm, with a warning. The tensor is
    a * I with 45 a^2 = activity.

    Parameters
    ----------
    source
        The file.
    name
        Name of the species.
    options
        What a user says of the strengths.

    Raises
    ------
    LibraryError
        If a row is no stick, an intensity is negative, no stick is left, or what is said of the
        strengths is misspelt, contradicts itself, or lacks the laser.
    """
    with one_line_errors(source.file):
        said = agreed(read_comments(source.text), options)
        rows, units, headed = _rows(source.text), (1.0, 1.0), None
        if rows and not any(_number(field) is not None for field in _fields(rows[0])):
            heading = _fields(rows[0])
            _check_heading(heading)
            units = _units(heading)
            headed = headed_intensity(heading[1]) if len(heading) > 1 else None
            rows = rows[1:]
        else:
            _refuse_commented_unit(source.text)
        values = np.array([_stick(row) for row in rows], np.float64).reshape(-1, 3)
        _refuse_spectrum(values[:, 0])
        values[:, [0, 2]] *= units
        seen = decide(said, headed, "observed area", comment)
        return sticks_species(source, name, values, "sticks", seen, comment)


def _refuse_spectrum(positions: NDArray[np.float64]) -> None:
    """Refuse so many evenly spaced positions that they are the axis of a spectrum.

    Raises
    ------
    LibraryError
        If they are.
    """
    steps = np.diff(positions)
    if len(steps) >= _FEWEST_POINTS and np.ptp(steps) <= 0.1 * abs(float(steps.mean())):
        raise LibraryError(
            f"expected sticks, got {len(positions)} evenly spaced points, which are a spectrum; "
            "make a dataset of it: tersgen ingest"
        )


def sticks_species(
    source: SourceFile, name: str, rows: NDArray[np.float64], kind: Literal["sticks", "peaks"],
    seen: Observation | None, form: Form,
) -> Species:  # fmt: skip
    """Return the species of sticks: modes with the tensor a * I, 45 a^2 = activity.

    Parameters
    ----------
    source
        The file.
    name
        Name of the species.
    rows
        Position (cm^-1), strength and width (cm^-1, NaN where not known), shape (n, 3).
    kind
        Kind of the source.
    seen
        How the strengths were observed; None if they are activities.
    form
        How a line of a statement is written, for a warning.

    Raises
    ------
    LibraryError
        If no stick lies above 0, or observed strengths cannot become activities.
    """
    kept = rows[rows[:, 0] > 0]
    if not len(kept):
        raise LibraryError("expected at least one stick at a positive position, got none")
    remarks = ["isotropic tensors a * I with 45 a^2 = intensity"]
    observed: dict[str, Any] = {}
    if seen is not None:
        kept = to_activities(kept, seen)
        remarks = ["isotropic tensors a * I with 45 a^2 = activity", *seen.remarks()]
        if seen.kind == "observed height" and np.isnan(kept[:, 2]).all():
            remarks.append("one width of all bands assumed, as none is known")
        observed = {
            "intensity": seen.kind,
            "laser_nm": seen.laser_nm,
            "observed_temperature_k": seen.temperature_k,
            "response": seen.response,
        }
    if len(kept) < len(rows):
        remarks.append(f"{len(rows) - len(kept)} sticks at positions <= 0 left out")
    modes = []
    for position, activity, width in kept[np.argsort(kept[:, 0], kind="stable")].tolist():
        a = math.sqrt(activity / 45.0)
        modes.append(
            Mode(
                frequency_cm1=position,
                tensor=((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
                fwhm_cm1=None if math.isnan(width) else width,
            )
        )
    if seen is not None:
        warn_of_assumed(seen, source.file, form)
    return Species(
        name=name,
        modes=tuple(modes),
        provenance=Provenance(
            kind=kind, file=source.file, sha256=source.sha256, note="; ".join(remarks), **observed
        ),
    )


def _check_heading(names: list[str]) -> None:
    """Refuse a heading that says that the columns are in another order or mean other things.

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


def _units(headings: list[str]) -> tuple[float, float]:
    """Return the units of positions and widths in cm^-1.

    Raises
    ------
    LibraryError
        If one is stated that is not known.
    """
    position = stated_unit(headings[0]) or "cm-1"
    width = (stated_unit(headings[2]) if len(headings) > 2 else None) or position
    for what, unit in (("positions", position), ("widths", width)):
        if unit not in WAVENUMBERS:
            raise LibraryError(
                f"expected {what} in one of {', '.join(WAVENUMBERS)}, got {quote(unit)}"
            )
    return WAVENUMBERS[position], WAVENUMBERS[width]


def _refuse_commented_unit(text: str) -> None:
    """Refuse a table without a heading, a comment of which names a unit other than cm^-1."""
    comments = (line.split("#", 1)[1] for line in text.splitlines() if "#" in line)
    unit = next((found[1] for found in map(_FOREIGN.search, comments) if found), None)
    if unit is not None:
        raise LibraryError(
            f"expected positions in cm^-1, got {unit} in a comment; say it in a heading: "
            f"position [{unit}],intensity"
        )


def _stick(row: str) -> tuple[float, float, float]:
    """Return position, intensity and width of one stick; NaN for a width that is not known."""
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
    if numbers[1] < 0 or (len(numbers) == 3 and numbers[2] <= 0):
        raise LibraryError(
            f"expected an intensity >= 0 and a width > 0, or an empty one, got {quote(row)}"
        )
    position, intensity, width = [*numbers, math.nan][:3]
    return position, intensity, width


@register("tersgen.importers", "sticks")
class Sticks(ObservedImporter):
    """Tables of sticks."""

    format = "table of sticks"
    rank = 2

    def recognises(self, text: str) -> bool:
        """Return whether a text is such a table."""
        return is_sticks(text)

    def read_table(self, source: SourceFile, said: Statement) -> Species:
        """Return the species of a text, see ``read_sticks``."""
        return read_sticks(source, source.species_name(), said)
