"""Headings of tables of sticks: what the columns are, and in which units, in several languages."""

import re
from typing import NamedTuple

from ..errors import LibraryError
from ..units import WAVENUMBERS, stated_unit
from .sourcefile import quote

COMMENT = re.compile(r"(?:^\s*#|(?<=\s)#(?!\s*(?:[\t;,]|$)))(.*)")
"""A comment: # at the beginning of a line, or after a space; 1.#INF and the heading Peak # are
none."""
_AXIS = re.compile(
    r"\b(?:x|axis|axes|position|shift|frequency|wavenumber|wavelength|energy|unit|units|column)\b",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"(?<![A-Za-z])([TG]?Hz|m?eV|nm|[uµμ]m|nanomet\w*|micromet\w*|[Aa]ngstr[oö]e?ms?|Å|m-1)"
    r"(?![A-Za-z])"
)
_OTHER_AXIS = re.compile(
    r"wavelength|wellenl|longueur|longitud|lunghezza|длина|波长|波長|pixel|channel|kanal|theta"
    r"|absolut",
    re.IGNORECASE,
)
_OTHER_STRENGTH = re.compile(
    r"\bir\b|infra|absor|transmi|reflect|epsilon|km\s*/\s*mol|depolar|ratio", re.IGNORECASE
)


_LONGEST = 200
"""Characters of a line that may be a heading."""


class _Role(NamedTuple):
    name: str
    words: str
    """Pattern of a heading; the first words of it are shown to who needs another."""
    shown: str


_POSITION = _Role(
    "position",
    r"position|shift|freq|frecuen|fréq|wavenumber|wave number|wellenzahl|verschiebung|lage"
    r"|nombre d.{1,2}onde|n[uú]mero d.{1,2}onda|desplazamiento|d[ée]placement|posici|posizione"
    r"|波数|位移|シフト|周波数|频率|частот|волнов|сдвиг|^(?:x|nu|\u03bd|\u03c9|omega)$|energ",
    "position, shift, frequency, wavenumber",
)
_INTENSITY = _Role(
    "intensity",
    r"intensi|activi|aktivi|activit|attivit|height|h[öo]e?he|hauteur|altura|altezza|area|aire"
    r"|fl[äa]e?che|área|strength|st[äa]e?rke|amplitud|counts|raman|强度|強度|活性|интенсивн"
    r"|активн|^(?:y|i|s|a)$",
    "intensity, activity, height, area",
)
_WIDTH = _Role(
    "width",
    r"width|fwhm|gamma|breite|largeur|ancho|anchura|larghezza|半高|半値|ширин|^(?:w|\u03b3|Γ)$",
    "width, fwhm",
)
_COUNTER = _Role(
    "number",
    r"^(?:mode|modes|vib\w*|no\.?|nr\.?|n|number|num|index|i?d|nummer|n[uú]m[eé]r?o|moda|mod[oe]s?"
    r"|schwingung|peak|band|line|номер|序号|番号)(?:\s*(?:no\.?|nr\.?|number|index|#))?$",
    "mode",
)
_ROLES = (_WIDTH, _COUNTER, _POSITION, _INTENSITY)
_ENGLISH = (
    ("activity", r"activi|aktivi|attivit|活性|активн"),
    ("height", r"height|h[öo]e?he|hauteur|altura|altezza"),
    ("area", r"\barea|aire|fl[äa]e?che|área"),
)
_WORDS = re.compile(
    r"(?:(?:raman|mode|peak|band)\s+)?[^\s(\[]+"
    r"(?:\s*[(\[][^)\]]*[)\]]|\s*/\s*\S+|\s+(?:[tg]hz|m?ev|c?m-1)(?!\S))?",
    re.IGNORECASE,
)
"""Headings of columns that are separated by spaces: Raman shift (cm-1) Intensity."""


class Line(NamedTuple):
    """A line of the table, comments left out."""

    number: int
    text: str


def read_heading(lines: list[Line], width: int) -> tuple[list[str] | None, list[str | None], str]:
    """Return roles of the columns, their units, and the heading of the strengths.

    A heading is one line of names, perhaps with units, and perhaps one of units. Without one there
    are no roles, units and heading.

    Parameters
    ----------
    lines
        The lines before the first row.
    width
        Number of columns of the rows.
    """
    if not lines:
        return None, [], ""
    if len(lines) > 2 and is_heading(lines[0]):
        row = next((one for one in lines[1:] if re.search(r"\d", one.text)), lines[1])
        raise LibraryError(
            f"line {row.number}: expected a row that begins with a position or mode number, got "
            f"{quote(row.text)}; leave out columns of text"
        )
    if len(lines) > 2:
        raise LibraryError(
            f"line {lines[0].number}: expected a row of numbers, a heading, or a comment that "
            f"begins with #, got {quote(lines[0].text)}"
        )
    names = _cells(lines[0].text, width)
    units = [stated_unit(name) for name in names]
    if len(lines) == 2:
        below = _cells(lines[1].text, width)
        own = [stated_unit(f"({cell.strip('()[]')})") if cell else None for cell in below]
        if len(below) != len(names):
            raise LibraryError(
                f"line {lines[1].number}: expected units of the columns, or a row of numbers, got "
                f"{quote(lines[1].text)}"
            )
        units = [one or other for one, other in zip(units, own, strict=True)]
    roles = [_role(name, lines[0]) for name in names]
    _check_roles(names, roles, lines[0])
    place = 1 if roles[0] == "number" else 0
    if len(names) < place + 2:
        raise LibraryError(
            f"line {lines[0].number}: expected the columns position, intensity and perhaps width, "
            f"got {quote(lines[0].text)}"
        )
    if "energ" in names[place].lower() and units[place] is None:
        raise LibraryError(
            f"line {lines[0].number}: expected the unit of {quote(names[place])}, got none; write "
            "energy [meV]"
        )
    return [role or "" for role in roles], units, _english(names[place + 1])


def is_heading(line: Line) -> bool:
    """Return whether a line names columns of positions and of strengths."""
    if len(line.text) > _LONGEST:
        return False
    try:
        roles = {_role(name, line) for name in _cells(line.text, 0)}
    except LibraryError:  # an axis of something else
        return False
    # words of a sentence are separated by spaces, too
    whole = re.search(r"[\t;,]", line.text) is not None or None not in roles
    return whole and {"position", "intensity"} <= roles


def _cells(text: str, width: int) -> list[str]:
    """Return the cells of a heading, which may be separated in another way than the rows are."""
    separated = [re.split(one, text) for one in (r"\t", ";", ",") if re.search(one, text)]
    spaced = [*(re.split(one, text) for one in (r"\s{2,}", r"\s+")), _WORDS.findall(text)]
    ways = separated or spaced
    cells = next((one for one in ways if len(one) == width), ways[0 if separated else -1])
    return [cell.strip() for cell in cells]


def _role(name: str, line: Line) -> str | None:
    """Return what a column is; None if its heading is not understood."""
    if _OTHER_AXIS.search(name):
        raise LibraryError(
            f"line {line.number}: expected Raman shifts in one of {', '.join(WAVENUMBERS)}, got "
            f"{quote(name)}; convert them"
        )
    bare = re.sub(r"[(\[].*", "", name).strip().lower()
    if not bare or (stated_unit(name) in WAVENUMBERS and stated_unit(f"({bare})") in WAVENUMBERS):
        return "position"
    if _OTHER_STRENGTH.search(name):
        return None
    bare = re.sub(r"\s*/.*", "", bare)
    for role in _ROLES:
        if re.search(role.words, bare):
            return role.name
    return None


def _check_roles(names: list[str], roles: list[str | None], line: Line) -> None:
    """Refuse columns in another order, or of other things."""
    expected = [_POSITION, _INTENSITY, _WIDTH]
    if roles[0] == "number":
        expected = [_COUNTER, *expected]
    for name, role, wanted in zip(names, roles, expected, strict=False):
        if role != wanted.name:
            raise LibraryError(
                f"line {line.number}: expected the columns position, intensity and perhaps width, "
                f"got {quote(name)} where the {wanted.name} belongs; name it with one of "
                f"{wanted.shown}"
            )
    if len(names) > len(expected):
        raise LibraryError(
            f"line {line.number}: expected the columns position, intensity and perhaps width, got "
            f"{quote(names[len(expected)])} as well; leave it out"
        )


def _english(heading: str) -> str:
    """Return the word for what strengths are, where a heading has it in another language."""
    return next((word for word, found in _ENGLISH if re.search(found, heading.lower())), heading)


def factors(units: list[str | None]) -> tuple[float, float]:
    """Return the units of positions and widths in cm^-1; that of a width is the position's."""
    position = (units[0] if units else None) or "cm-1"
    width = (units[2] if len(units) > 2 else None) or position
    for what, unit in (("positions", position), ("widths", width)):
        if unit not in WAVENUMBERS:
            raise LibraryError(
                f"expected {what} in one of {', '.join(WAVENUMBERS)}, got {quote(unit)}"
            )
    return WAVENUMBERS[position], WAVENUMBERS[width]


def refuse_commented_unit(text: str) -> None:
    """Refuse a table that states no unit, a comment of which states another than cm^-1."""
    for number, line in enumerate(text.split("\n"), 1):
        found = COMMENT.search(line)
        if found is None:
            continue
        words = found[1].lstrip("# ")
        if re.match(r"\s*(?:laser|excitation|temperature|response|intensity)", words, re.I):
            continue
        heading = len(re.split(r"[,;\t]", words)) > 1
        foreign = _FOREIGN.search(words) if heading or _AXIS.search(words) else None
        other = _OTHER_AXIS.match(words.strip()) if heading else None
        got = foreign or other
        if got:
            raise LibraryError(
                f"line {number}: expected positions in cm^-1, got {got[0]} in a comment; say it in "
                f"a heading: position [{got[0]}],intensity"
            )
