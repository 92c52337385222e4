"""Measured spectra: read from the text files that spectrometers export, put on a model's axis."""

import codecs
import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from tersgen.errors import ConfigError
from tersgen.schema.loading import printable

LARGEST_FILE = 1 << 24
"""Larger files are refused: a spectrum of 500,000 points is smaller."""

_COMMENTS = ("#", "%", ";", "//")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_MISSING = re.compile(r"[+-]?(nan|inf|infinity|n/?a|#n/?a|null|none|-+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,'\u2019 \u00a0\u202f]\d{3})+([.,]\d+)?")
_WAVELENGTH = re.compile(r"wavelength|\bnm\b|AxisUnit\[1\]=\s*nm", re.IGNORECASE)
_SHIFT = re.compile(r"shift|wavenumber|cm|\bwave\b", re.IGNORECASE)
_INTENSITY = re.compile(r"intensity|counts", re.IGNORECASE)
_EPS = 1e-12
_LONGEST_QUOTE = 40


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A measured spectrum.

    Attributes
    ----------
    name
        Name of its file, without folders; safe to print.
    shift_cm1
        Raman shifts, cm^-1, strictly ascending, float64, shape (N,), N >= 2.
    intensity
        Intensities in any unit, finite, float64, shape (N,).
    notes
        What was done to it that a user should know.
    """

    name: str
    shift_cm1: NDArray[np.float64]
    intensity: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return what is worth showing of it, as JSON takes it."""
        return {
            "name": self.name,
            "points": len(self.shift_cm1),
            "start_cm1": float(self.shift_cm1[0]),
            "stop_cm1": float(self.shift_cm1[-1]),
            "notes": list(self.notes),
        }


class _Row(NamedTuple):
    """A line of a table."""

    line: int
    fields: tuple[str, str]


class _TextError(ValueError):
    """What is wrong with a text, still without the name of its file."""


def read_spectrum(path: str | Path) -> Spectrum:
    """Read a text of two columns: Raman shift in cm^-1, and intensity.

    Columns are parted by tabs, semicolons, commas or blanks. Between semicolons, tabs or blanks a
    number may have a decimal comma. Lines that begin with ``#``, ``%``, ``;`` or ``//`` are
    comments; what stands before the first row of numbers is a heading, and text behind the last
    row is left out. The axis may rise or fall; where it repeats a value, intensities are averaged.

    Raises
    ------
    ConfigError
        If the file cannot be read, is too large, is no such text, or holds several spectra.
    """
    path = Path(path)
    shown = printable(str(path))
    try:
        text = _decoded(_content(path))
        rows = _table(text)
        _refuse_doubtful_commas(rows)
        shift, intensity, notes = _sorted(rows, _numbers(rows, 0), _numbers(rows, 1))
    except _TextError as error:
        raise ConfigError(f"{shown}: {error}") from None
    return Spectrum(printable(path.name), shift, intensity, notes)


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            state = "a folder" if path.is_dir() else "no such file"
            raise _TextError(f"expected a text of two columns, got {state}")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _TextError(f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE:
        raise _TextError(
            f"expected at most {LARGEST_FILE >> 20} MiB, got more; keep one spectrum to a file"
        )
    return content


def _decoded(content: bytes) -> str:
    """Return the text: UTF-16 with a mark, as spreadsheets write it, UTF-8, or else Latin-1."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise _TextError("expected text, got bytes that are no UTF-16") from None
    if b"\0" in content:
        raise _TextError("expected text, got a binary file; export the spectrum as text or CSV")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


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


def _table(text: str) -> list[_Row]:
    """Return the rows of the table in a text."""
    rows: list[_Row] = []
    heading: list[str] = []
    footer: tuple[int, str] | None = None
    lines = re.split(r"\r\n|\r|\n", text)
    if lines[0].upper().startswith("##") and "JCAMP" in text[:1000].upper():
        raise _TextError("expected two columns, got JCAMP-DX; export the spectrum as text or CSV")
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
            raise _TextError(
                f"line {footer[0]}: expected two numbers, got {_quoted(footer[1])} between two "
                "tables; keep one spectrum to a file"
            )
        else:
            if not rows:
                _check_heading(heading)
            rows.append(row)
    if len(rows) < 2:
        raise _TextError(
            f"expected at least two rows of two numbers, Raman shift and intensity, got "
            f"{len(rows)} in {len(lines)} lines"
        )
    return rows


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
    raise _TextError(f"line {line}: expected {expected}, got {got}")


def _check_heading(heading: list[str]) -> None:
    """Refuse a heading by which the columns are something else."""
    if not heading:
        return
    first, *others = [*_fields(heading[-1]), ""]
    in_nm = next((line for line in heading if "AxisUnit" in line and _WAVELENGTH.search(line)), "")
    if in_nm or (_WAVELENGTH.search(first) and not _SHIFT.search(first)):
        raise _TextError(
            f"expected Raman shifts in cm^-1, got {_quoted(in_nm or first)} in the heading; "
            "convert the axis with the wavelength of the laser"
        )
    if _INTENSITY.search(first) and _SHIFT.search(others[0]):
        raise _TextError(
            f"expected the Raman shift first, got the columns {_quoted(first)} and "
            f"{_quoted(others[0])}; swap them"
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


def _sorted(
    rows: list[_Row], shift: NDArray[np.float64], intensity: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """Return the spectrum with a strictly ascending axis, and notes on it."""
    steps = np.sign(np.diff(shift))
    direction = steps[np.flatnonzero(steps)[:1]].sum()
    turn = np.flatnonzero(steps == -direction) if direction else np.arange(0)
    if len(turn):
        word = "rises" if direction > 0 else "falls"
        row = rows[int(turn[0]) + 1]
        _refuse(
            row.line,
            f"{_quoted(row.fields[0])} after {_quoted(rows[int(turn[0])].fields[0])}",
            f"an axis that {word} throughout",
        )
    if direction < 0:
        shift, intensity = shift[::-1], intensity[::-1]
    ascending, place, counts = np.unique(shift, return_inverse=True, return_counts=True)
    if len(ascending) < 2:
        raise _TextError(f"expected at least two Raman shifts, got {ascending[0]:g} only")
    # Divided first: the sum of the largest numbers would be infinite.
    values = np.bincount(place, intensity / counts[place]).astype(np.float64)
    notes: tuple[str, ...] = ()
    if len(ascending) < len(shift):
        n_repeated = np.count_nonzero(counts > 1)
        notes = (f"{n_repeated} Raman shifts given more than once: intensities averaged",)
    return ascending, values, notes


def resample(
    spectrum: Spectrum,
    grid_shift_cm1: NDArray[np.floating[Any]],
    *,
    low: float = 0.0,
    allow_extrapolation: bool = False,
) -> NDArray[np.float32]:
    """Return a spectrum on a model's axis, min-max scaled by Eq. (1.5) as in training.

    Between measured points the spectrum is a straight line. Where they lie wider than the grid's it
    is taken at the grid's points; where they lie closer, its mean over each point's cell is taken,
    so that a narrow band between two points keeps its area.

    Parameters
    ----------
    spectrum
        Measured spectrum.
    grid_shift_cm1
        Raman shifts of the model, cm^-1, evenly spaced and ascending, Eq. (1.1), shape (L,), L > 1.
    low
        Lower end of the range that the model was trained on: 0, or -1 for symmetric data.
    allow_extrapolation
        Whether to repeat the outermost intensities where nothing was measured.

    Returns
    -------
    NDArray
        Intensities in [low, 1], float32, shape (L,).

    Raises
    ------
    ConfigError
        If more than half a step of the grid lies beyond the measured axis, unless extrapolation is
        allowed; if none of the grid was measured; or if the spectrum is constant there.
    """
    grid = np.asarray(grid_shift_cm1, np.float64)
    x, step = spectrum.shift_cm1, float(grid[-1] - grid[0]) / (len(grid) - 1)
    ranges = (
        f"{spectrum.name}: expected a spectrum over {grid[0]:g} to {grid[-1]:g} cm^-1, the axis "
        f"of the model, got {x[0]:g} to {x[-1]:g} cm^-1"
    )
    if x[-1] < grid[0] or x[0] > grid[-1]:
        raise ConfigError(f"{ranges}, which is none of it")
    covers = x[0] <= grid[0] + 0.5 * step and x[-1] >= grid[-1] - 0.5 * step
    if not covers and not allow_extrapolation:
        raise ConfigError(f"{ranges}; --allow-extrapolation repeats its edges")
    # Scaled before anything is subtracted, so that no measured number is too large.
    y = spectrum.intensity / (float(np.abs(spectrum.intensity).max()) or 1.0)
    y = y - y.min()
    edges = np.concatenate([grid - 0.5 * step, grid[-1:] + 0.5 * step])
    means = np.diff(_area(x, y, edges)) / step
    # not a hair less than the step: the same axis is taken point by point
    denser = _spacing(x, grid) < step * (1 - 1e-6)
    on_grid = np.where(denser, means, np.interp(grid, x, y))
    span = float(np.ptp(on_grid))
    if span <= _EPS * max(1.0, float(np.abs(on_grid).max())):
        raise ConfigError(
            f"{spectrum.name}: expected a spectrum with bands, got one that is constant over "
            f"{grid[0]:g} to {grid[-1]:g} cm^-1"
        )
    scaled = (on_grid - on_grid.min()) / (span + _EPS)
    return np.asarray(low + (1.0 - low) * scaled, np.float32)


def extrapolated(spectrum: Spectrum, grid_shift_cm1: NDArray[np.floating]) -> float:
    """Return the share of a grid, from its first point to its last, that was not measured."""
    low, high = float(grid_shift_cm1[0]), float(grid_shift_cm1[-1])
    beyond = max(0.0, spectrum.shift_cm1[0] - low) + max(0.0, high - spectrum.shift_cm1[-1])
    return float(min(1.0, beyond / (high - low)))


def _spacing(x: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of the two measured points around each point of the grid."""
    behind = np.clip(np.searchsorted(x, grid), 1, len(x) - 1)
    return x[behind] - x[behind - 1]


def _area(
    x: NDArray[np.float64], y: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the area under the lines between points, edges repeated, from x[0] up to places."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (y[1:] + y[:-1]) * np.diff(x))])
    inside = np.clip(places, x[0], x[-1])
    left = np.clip(np.searchsorted(x, inside, side="right") - 1, 0, len(x) - 2)
    height = np.interp(inside, x, y)
    area = total[left] + 0.5 * (y[left] + height) * (inside - x[left])
    beyond = (places - inside) * np.where(places < x[0], y[0], y[-1])
    return np.asarray(area + beyond)
