"""Measured spectra in texts that spectrometers export: two columns, shift and intensity."""

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...schema.loading import printable
from ...units import WAVENUMBERS, stated_unit
from ..reader import Reader, ReadOptions, read_text, shown_name
from ..spectrum import Spectrum, ascending, shift_from_nm, turning_point

_COMMENTS = ("#", "%", ";", "//")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_MISSING = re.compile(r"[+-]?(nan|inf|infinity|n/?a|#n/?a|null|none|-+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,'\u2019 \u00a0\u202f]\d{3})+([.,]\d+)?")
_WAVELENGTH = re.compile(r"wavelength|\bnm\b|AxisUnit\[1\]=\s*nm", re.IGNORECASE)
_OPTICAL = re.compile(r"\bnm\b|_nm\b|laser|wavelength", re.IGNORECASE)
_STATED = re.compile(
    r"shift|wavenumber|verschiebung|wellenzahl|cm-?1|\bcm\b(?!\^?2)|\bwave\b", re.IGNORECASE
)
_SHIFT = re.compile(r"shift|wavenumber|cm|\bwave\b", re.IGNORECASE)
_AXIS = re.compile(r"shift|wavenumber|frequency|energy|\bnu\b", re.IGNORECASE)
_INTENSITY = re.compile(r"intensity|counts", re.IGNORECASE)
_LONGEST_QUOTE = 40


class _Row(NamedTuple):
    """A line of a table."""

    line: int
    fields: tuple[str, str]


def parse_spectrum(text: str, name: str, laser_nm: float | None = None) -> Spectrum:
    """Return the spectrum in a text of two columns: Raman shift in cm^-1, and intensity.

    Where the heading states another unit of wavenumbers (THz, meV), the axis is converted.

    Columns are separated by tabs, semicolons, commas or blanks. Between semicolons, tabs or
    blanks a number may have a decimal comma. Lines that begin with ``#``, ``%``, ``;`` or ``//``
    are comments; what comes before the first row of numbers is a heading, and text after the last
    row is ignored. The axis may rise or fall; where it repeats a value, intensities are averaged.

    Parameters
    ----------
    text
        The text.
    name
        Name of its file, safe to print.
    laser_nm
        Wavelength of the laser, nm; with it a column of wavelengths, named so in the heading, is
        turned into shifts.

    Raises
    ------
    MeasurementError
        If it is no such text, or holds several spectra; without the name of the file.
    """
    rows, heading = _table(text)
    in_nm, unit = _check_heading(heading)
    _refuse_doubtful_commas(rows)
    shift, intensity = _numbers(rows, 0), _numbers(rows, 1)
    if in_nm:
        if laser_nm is None:
            raise MeasurementError(
                f"expected Raman shifts in cm^-1, got {_quoted(in_nm)} in the heading; say which "
                "laser (--laser-nm), or convert the axis"
            )
        shift = shift_from_nm(shift, laser_nm)
    elif unit == "cm-1":  # every other unit is one that the heading states
        _refuse_unknown_axis(heading)
    _check_axis(rows, shift)
    notes = () if unit == "cm-1" else (f"axis converted from {unit} to cm^-1",)
    return ascending(name, shift * WAVENUMBERS[unit], intensity, notes)


def _quoted(text: str) -> str:
    short = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
    return f"'{printable(short)}'"


def _fields(line: str) -> list[str]:
    """Return the fields of a line, by the strongest separator in it."""
    if "\t" in line:
        parts = re.split(r"\t+", line)
    elif ";" in line:
        parts = _split(line, ";")
    elif "," in line:
        parts = _split(line, ",")
        # "100,5 200,3" has decimal commas: between commas there are no two numbers.
        blanks = line.split()
        if len(blanks) == 2 and all(_is_number(part.replace(",", ".", 1)) for part in blanks):
            parts = parts if all(_is_number(part.strip()) for part in parts) else blanks
    else:
        parts = line.split()
    return [part.strip().strip('"').strip() for part in parts]


def _split(line: str, separator: str) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return line.split(separator)


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None


def _is_decimal(field: str) -> bool:
    """Return whether a field is a number, with a decimal point or a decimal comma."""
    return _is_number(field) or (
        field.count(",") == 1 and "." not in field and _is_number(field.replace(",", "."))
    )


def _table(text: str) -> tuple[list[_Row], list[str]]:
    """Return the rows of the table in a text, and the lines before it."""
    rows: list[_Row] = []
    heading: list[str] = []
    footer: tuple[int, str] | None = None
    lines = re.split(r"\r\n|\r|\n", text)
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line:
            continue
        if line.startswith(_COMMENTS):
            if not rows:
                heading.append(line.lstrip("#%;/ "))
            continue
        row = _row(number, _fields(line.split("#", 1)[0].strip()), line, has_begun=bool(rows))
        if row is None and rows:
            footer = footer or (number, line)
        elif row is None:
            heading.append(line)
        elif footer is not None:
            raise MeasurementError(
                f"line {footer[0]}: expected two numbers, got {_quoted(footer[1])} between two "
                "tables; keep one spectrum to a file"
            )
        else:
            rows.append(row)
    if len(rows) < 2:
        raise MeasurementError(
            f"expected at least two rows of two numbers, Raman shift and intensity, got "
            f"{len(rows)} in {len(lines)} lines"
        )
    return rows, heading


def _row(number: int, fields: list[str], line: str, *, has_begun: bool) -> _Row | None:
    """Return a row of the table, or None for a line of text."""
    while len(fields) > 2 and fields[-1] == "":
        fields = fields[:-1]
    first, second, *others = [*fields, ""] if len(fields) == 1 else fields
    if not _is_decimal(first):
        if _GROUPED.fullmatch(first):
            _refuse(number, f"{_quoted(line)}; write 1000 and more without separators")
        if not others and _is_missing(first) and _is_decimal(second):
            _refuse(number, f"no Raman shift in {_quoted(line)}; leave such rows out")
        if has_begun and first and _is_missing(first) and _is_missing(second):
            _refuse(number, f"{_quoted(line)}; leave such rows out")
        if others and all(map(_is_decimal, others)) and first == "":
            _refuse_columns(number, fields, line)
        return None
    if others and (_is_decimal(second) or second == ""):
        _refuse_columns(number, fields, line)
    if _is_decimal(second):
        return _Row(number, (first, second))
    if len(fields) == 2 and _is_missing(second):
        _refuse(number, f"no intensity in {_quoted(line)}; leave such rows out")
    if has_begun or (len(fields) == 2 and second[:1].isdigit()):
        mend = "write 1000 and more without separators" if _GROUPED.fullmatch(second) else "mend it"
        _refuse(number, f"{_quoted(line)}; {mend}")
    return None


def _is_missing(field: str) -> bool:
    return _MISSING.fullmatch(field) is not None


def _refuse_columns(number: int, fields: list[str], line: str) -> NoReturn:
    hint = "; decimal commas need semicolons or tabs between columns" if "," in line else ""
    _refuse(
        number,
        f"{len(fields)} in {_quoted(line)}; keep the axis and one spectrum{hint}",
        "two columns, Raman shift and intensity",
    )


def _refuse(line: int, got: str, expected: str = "two numbers") -> NoReturn:
    raise MeasurementError(f"line {line}: expected {expected}, got {got}")


def _check_heading(heading: list[str]) -> tuple[str, str]:
    """Refuse a heading by which the columns are something else.

    Return what says that the axis is in nm, or nothing, and the unit of its wavenumbers.
    """
    if not heading:
        return "", "cm-1"
    first, *others = [*_fields(heading[-1]), ""]
    if _INTENSITY.search(first) and _SHIFT.search(others[0]):
        raise MeasurementError(
            f"expected the Raman shift first, got the columns {_quoted(first)} and "
            f"{_quoted(others[0])}; swap them"
        )
    in_nm = next((line for line in heading if "AxisUnit" in line and _WAVELENGTH.search(line)), "")
    of_laser = "laser" in first.lower()  # its wavelength, not that of the axis
    if not in_nm and _WAVELENGTH.search(first) and not _SHIFT.search(first) and not of_laser:
        in_nm = first
    unit = stated_unit(first) if _AXIS.search(first) else None
    return in_nm, "cm-1" if in_nm or unit not in WAVENUMBERS else unit


def _refuse_unknown_axis(heading: list[str]) -> None:
    """Refuse a heading that names a laser or a wavelength, and no line of which states an axis."""
    named = next((line for line in heading if _OPTICAL.search(line)), None)
    if named is None or any(map(_STATED.search, heading)):
        return
    raise MeasurementError(
        f"expected an axis whose unit is known, got {_quoted(named)} in the heading, which may "
        "mean wavelengths; name the columns above the numbers, 'Raman shift (cm-1)' or "
        "'Wavelength (nm)' (with --laser-nm), or read the file with a plug-in (--plugin)"
    )


def _numbers(rows: list[_Row], column: int) -> NDArray[np.float64]:
    values = np.empty(len(rows))
    for place, row in enumerate(rows):
        field = row.fields[column].replace(",", ".").lower().replace("d", "e")
        values[place] = float(field)
        if not math.isfinite(values[place]):
            _refuse(row.line, f"{_quoted(row.fields[column])}, which is too large")
    return values


def _refuse_doubtful_commas(rows: list[_Row]) -> None:
    """Refuse commas that may part thousands instead of decimals."""
    with_comma = [row for row in rows if any("," in field for field in row.fields)]
    if not with_comma:
        return
    with_point = next((row for row in rows if any("." in field for field in row.fields)), None)
    if with_point is not None:
        _refuse(
            max(with_comma[0].line, with_point.line),
            "commas in some and points in others; write all decimals alike, thousands unparted",
            "numbers with either decimal commas or decimal points",
        )
    for column in (0, 1):
        fields = [row.fields[column] for row in rows]
        commas = [field for field in fields if "," in field]
        if commas and len(commas) < len(fields) and all(map(_THOUSANDS.fullmatch, commas)):
            _refuse(
                next(row.line for row in rows if "," in row.fields[column]),
                f"{_quoted(commas[0])}, whose comma may part thousands; write them unparted",
                "decimal commas",
            )


def _check_axis(rows: list[_Row], shift: NDArray[np.float64]) -> None:
    """Refuse an axis that turns, with the line where it does."""
    turn = turning_point(shift)
    if turn is not None:
        word = "rises" if shift[turn - 1] > shift[0] else "falls"
        before = rows[turn - 1].fields[0]
        _refuse(
            rows[turn].line,
            f"{_quoted(rows[turn].fields[0])} after {_quoted(before)}",
            f"an axis that {word} throughout",
        )


@register("tersgen.readers", "text")
class Text(Reader):
    """Texts of two columns: what no other reader is for, so that errors say what was expected."""

    format = "text of two columns"
    rank = 2

    def matches(self, path: Path, head: bytes) -> bool:
        """Return True: whatever is no such text is refused when it is read."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Spectrum:
        """Return the spectrum in a text, see ``parse_spectrum``."""
        return parse_spectrum(read_text(path), shown_name(path), options.laser_nm)
