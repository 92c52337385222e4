"""Two columns of numbers in a text, as spectrometers and spreadsheets export them.

A line is a row, a comment, or text above or below the table. A line that seems to be a row but
cannot be read is an error with its number: no row is lost.
"""

import csv
import re
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from .axis import quoted
from .spectrum import turning_point
from .table import refuse_doubtful_commas

_COMMENTS = ("#", "%", ";", "//")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_DIGITS = _NUMBER.pattern.replace("(", "(?:")
_PLAIN = re.compile(rf" *({_DIGITS})(?:\t+| +|[;,])({_DIGITS})", re.ASCII)
"""A row as nearly all are: two numbers and what separates them."""
_ERROR = r"#(n/?a|value|div/0|ref|name|num|null|inf|ind|[qs]?nan)[!?]?\d*"
"""What spreadsheets, and programs built by old compilers, write for a number that is none."""
_MISSING = re.compile(
    r"[+-]?(nan(\(.*\)|q|s)?|inf|infinity|\u221e|n/?a|null|none|missing|-+|\*+|\?+|\.+"
    rf"|\d*[.,]?\d*\s?{_ERROR})?",
    re.IGNORECASE,
)
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2}([.,'\u2019 \u00a0\u2009\u202f]\d{3})+([.,]\d+)?", re.ASCII
)
_WITH_UNIT = re.compile(r"[+-]?\d[\d.,]*([eE][+-]?\d+)?\s?[^\s\d.,;:/-]\S{0,11}")
_INLINE_COMMENT = re.compile(rf"\s(?!{_ERROR})#", re.IGNORECASE)
_BEGINNING = re.compile(r"[+-]?\d+([.,]\d+)?(?=\s|$)", re.ASCII)
_MINUS = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE63, 0xFF0D], "-")


class Row(NamedTuple):
    """A line of a table."""

    line: int
    fields: tuple[str, str]


class Table(NamedTuple):
    """Two columns of numbers, and the text around them."""

    rows: list[Row]
    heading: list[str]
    """Lines above, without marks of comments."""
    footer: list[str]
    """Lines below."""

    def column(self, column: int) -> NDArray[np.float64]:
        """Return the numbers of a column, shape (N,)."""
        fields = [row.fields[column] for row in self.rows]
        try:
            values = np.array([float(field) for field in fields])
        except ValueError:  # a decimal comma, or the exponent of Fortran
            values = np.array([float(_english(field)) for field in fields])
        infinite = np.flatnonzero(~np.isfinite(values))
        if len(infinite):
            row = self.rows[infinite[0]]
            _refuse(row.line, f"{quoted(row.fields[column])}, which is too large")
        return values

    def check_direction(self, axis: NDArray[np.float64]) -> None:
        """Refuse an axis that turns, with the line where it does."""
        turn = turning_point(axis)
        if turn is not None:
            word = "rises" if axis[turn - 1] > axis[0] else "falls"
            before, here = self.rows[turn - 1], self.rows[turn]
            _refuse(
                here.line,
                f"{quoted(here.fields[0])} after {quoted(before.fields[0])}",
                f"an axis that {word} throughout",
            )


def read_table(text: str) -> Table:
    """Return the table in a text.

    Columns are separated by tabs, semicolons, commas or blanks. Between semicolons, tabs or blanks
    a number may have a decimal comma. Lines that begin with ``#``, ``%``, ``;`` or ``//`` are
    comments.

    Raises
    ------
    MeasurementError
        If there is no such table, several, more columns, or a row that cannot be read; with the
        number of the line, without the name of the file.
    """
    rows: list[Row] = []
    heading: list[str] = []
    footer: list[tuple[int, str]] = []
    above = (0, "")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, raw in enumerate(lines, 1):
        plain = _PLAIN.fullmatch(raw)
        if plain is not None and not footer:
            rows.append(Row(number, (plain[1], plain[2])))
            continue
        line = raw.strip()
        if not line:
            continue
        if line.startswith(_COMMENTS) and not _lacks_its_axis(line):
            (footer.append((0, line)) if rows else heading.append(line.lstrip("#%;/ ")))
            continue
        content = _INLINE_COMMENT.split(raw.strip(" "), maxsplit=1)[0].translate(_MINUS)
        if content.startswith("\t") and _is_decimal(content.strip()):
            _refuse(number, f"no Raman shift in {quoted(line)}; leave such rows out")
        fields = fields_of(content.lstrip())
        row = _row(number, fields, line, has_begun=bool(rows))
        if row is None and rows and number == rows[-1].line + 1 and _ends_in_number(fields):
            _refuse(number, f"{quoted(line)} next to the table; correct it, or leave a blank line")
        if row is None:
            footer.append((number, line)) if rows else heading.append(line)
            above = above if rows else (number, line)
            continue
        between = next((one for one in footer if one[0]), None)
        if between is not None:
            raise MeasurementError(
                f"line {between[0]}: expected two numbers, got {quoted(between[1])} between two "
                "tables; keep one spectrum to a file"
            )
        rows.append(row)
    if len(rows) < 2:
        raise MeasurementError(
            f"expected at least two rows of two numbers, Raman shift and intensity, got "
            f"{len(rows)} in {len(lines)} lines"
        )
    if "," in text:
        refuse_doubtful_commas(rows)
    _refuse_lost_row(*above, rows)
    return Table(rows, heading, [line.lstrip("#%;/ ") for _, line in footer])


def _lacks_its_axis(line: str) -> bool:
    """Return whether a line is no comment but a row whose first field is empty, or ``#N/A``."""
    first, *others = fields_of(line)
    is_missing = first == "" or re.fullmatch(_ERROR, first, re.IGNORECASE) is not None
    return is_missing and _ends_in_number([first, *others])


def _ends_in_number(fields: list[str]) -> bool:
    return len(fields) == 2 and _is_decimal(fields[1])


def fields_of(line: str) -> list[str]:
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


def _english(number: str) -> str:
    """Return a number with a decimal point, and ``e`` before its exponent."""
    return number.replace(",", ".").lower().replace("d", "e")


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None


def _is_decimal(field: str) -> bool:
    """Return whether a field is a number, with a decimal point or a decimal comma."""
    return _is_number(field) or (
        field.count(",") == 1 and "." not in field and _is_number(field.replace(",", "."))
    )


def _row(number: int, fields: list[str], line: str, *, has_begun: bool) -> Row | None:
    """Return a row of the table, or None for a line of text."""
    while len(fields) > 2 and fields[-1] == "":
        fields = fields[:-1]
    first, second, *others = [*fields, ""] if len(fields) == 1 else fields
    is_row = _is_decimal(first) and _is_decimal(second)
    is_grouped = any(map(_GROUPED.fullmatch, (first, second)))
    has_unit = _WITH_UNIT.fullmatch(first) is not None and _begins_as_number(second)
    if not others and has_unit and not is_row and not is_grouped:
        _refuse(number, f"{quoted(line)}; write units in the heading, not beside numbers")
    if not _is_decimal(first):
        if _GROUPED.fullmatch(first):
            _refuse(number, f"{quoted(line)}; write 1000 and more without separators")
        if not others and _is_missing(first) and _is_decimal(second):
            _refuse(number, f"no Raman shift in {quoted(line)}; leave such rows out")
        if has_begun and first and _is_missing(first) and _is_missing(second):
            _refuse(number, f"{quoted(line)}; leave such rows out")
        if others and all(map(_is_decimal, others)) and first == "":
            _refuse_columns(number, fields, line)
        return None
    if others and (_is_decimal(second) or second == ""):
        _refuse_columns(number, fields, line)
    if _is_decimal(second):
        return Row(number, (first, second))
    if len(fields) == 2 and _is_missing(second):
        _refuse(number, f"no intensity in {quoted(line)}; leave such rows out")
    is_cell = len(fields) == 2 and re.search(r"[\t;,]", line) and ":" not in second
    if has_begun or is_cell or (len(fields) == 2 and _begins_as_number(second)):
        is_grouped = _GROUPED.fullmatch(second) is not None
        advice = "write 1000 and more without separators" if is_grouped else "correct it"
        _refuse(number, f"{quoted(line)}; {advice}")
    return None


def _begins_as_number(field: str) -> bool:
    """Return whether a field is a number, or one with a unit or separators, but no time or date."""
    return _is_decimal(field) or any(one.fullmatch(field) for one in (_WITH_UNIT, _GROUPED))


def _is_missing(field: str) -> bool:
    return _MISSING.fullmatch(field) is not None


def _refuse_columns(number: int, fields: list[str], line: str) -> NoReturn:
    hint = "; decimal commas need semicolons or tabs between columns" if "," in line else ""
    _refuse(
        number,
        f"{len(fields)} in {quoted(line)}; keep the axis and one spectrum{hint}",
        "two columns, Raman shift and intensity",
    )


def _refuse(line: int, got: str, expected: str = "two numbers") -> NoReturn:
    raise MeasurementError(f"line {line}: expected {expected}, got {got}")


def _refuse_lost_row(number: int, line: str, rows: list[Row]) -> None:
    """Refuse a line above the table that begins with the number before the first of the axis."""
    begins = _BEGINNING.match(line.translate(_MINUS))
    if begins is None or number != rows[0].line - 1:
        return
    if _is_decimal(line) and not line.isdecimal():  # an integer alone may count the points
        _refuse(number, quoted(line))
    before, first, second = (
        float(_english(one)) for one in (begins[0], rows[0].fields[0], rows[1].fields[0])
    )
    if abs(before - (2 * first - second)) < 0.5 * abs(second - first):
        _refuse(number, quoted(line))
