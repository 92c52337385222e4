"""What the text above a table says about its columns: the axis, the intensity, the laser."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import MeasurementError
from ..units import WAVENUMBERS
from .axis import Evidence, evidence_of, quoted
from .axis_words import NO_RAMAN, Meaning, is_intensity, meaning_of, no_intensity, plain

_LAST = 4
"""Lines above a table that may name its columns: names, units, comments, as Origin writes them."""
_SHORT = 5
_SPECTRAL = ("shift", "wavelength", "wavenumber", "absolute", "energy", "frequency")

_KEYED = re.compile(r"\s*[\"']?([^:=\t;,]{1,60}?)[\"']?\s*[:=\t;,]\s*(\S.*)")
_LABSPEC = re.compile(r"axis(type|unit) ?\[(\d)\] ?=\s*(.*)", re.IGNORECASE)
_SUFFIX = (
    r"[ -]?(ax[ie]s|achse|axe|column|spalte|values?|data|scale|label|title|name)?"
    r"[ -]?(mode|units?|einheit|label|type|title|name|data ?kind|kind|quantity)?( ?\[\d\])?$"
)
_X_KEY = re.compile(
    rf"^((x|abs[zc]iss[ea]|abscisa|ascissa|(spectral|horizontal) axis|(first|1st|1\.?) column"
    rf"|col(umn)? ?1|spalte 1|axis){_SUFFIX}|(axe|eje|asse) x|(x ?|横)[軸轴]"
    r"|((spectral|spectrum) )?(units?|einheit(en)?|scale|unites?|unidad(es)?|unita)"
    r"( (of |der )?(the )?(x|axis|x[ -]achse))?$)"
)
_Y_KEY = re.compile(
    rf"^(y|ordinate|ordonnee|ordinata|(second|2nd|2\.?) column|col(umn)? ?2|spalte 2){_SUFFIX}"
)
_COLUMNS_KEY = re.compile(
    r"^(columns?|cols|spalten|colonnes|colonne|columnas|fields?|header|data)$"
)
_TYPE_KEY = re.compile(
    r"^(data|spectrum|measurement|acquisition|mess|signal)?[ -]?(type|mode|art|technique|method"
    r"|datentyp|modus)$|^technique$|^method$"
)
_LASER = re.compile(r"laser|excit|anreg|lambda ?ex|\bλ ?ex|\bpump\b|eccitaz|激发|激發|励起|レーザ")
_LASER_NM = re.compile(r"(?<![\d.])(\d{3,4}(?:[.,]\d+)?)(?![\d.])")
_SHORTEST_LASER, _LONGEST_LASER = 200.0, 1100.0
_VALUE = re.compile(r"(?<![\w.^({-])\d+([.,]\d+)?(?!\w| ?-?(?:\u03b8|th)| ?/)")
"""A number in a line, but not that of 2 theta, cm-1 or 1/cm."""
_BESIDE = re.compile(
    r"grating|gitter|reseau|cent(er|re|ral)|slit|spalt|filter|calibrat|kalibr|file|datei|path|resol"
    r"|auflos|objecti|objekti|width|lamp|lines? per|l/mm|gr/mm|detector|power|leistung"
)
"""Words of lines that speak of the instrument: their wavelengths are not those of the axis."""


class Heading(NamedTuple):
    """What the text around a table says."""

    axis: list[Evidence]
    """What names the axis: cells above the column, lines of units, keys of programs."""
    mentions: list[Evidence]
    """What mentions an axis elsewhere: it counts only where nothing names it."""
    optical: str | None
    """A line that mentions a laser or wavelengths."""
    laser_nm: float | None
    """The laser, if one is stated."""


def read_heading(
    lines: Sequence[str], footer: Sequence[str], cells: Callable[[str], list[str]]
) -> Heading:
    """Return what the text around a table of two columns says about them.

    Parameters
    ----------
    lines
        Lines above the table, without marks of comments.
    footer
        Lines below; of these only keys of programs count.
    cells
        Splits a line as those of the table are split.
    """
    found = Heading([], [], _optical(lines), laser_of(lines))
    axes: dict[str, dict[str, str]] = {}
    for place, line in enumerate([*lines, *footer]):
        labspec = _LABSPEC.match(line)
        if labspec:
            axes.setdefault(labspec[2], {})[labspec[1].lower()] = labspec[3].strip()
            continue
        if _read_keyed(line, found) or place >= len(lines):
            continue
        if place >= len(lines) - _LAST and _read_cells(line, cells, place == len(lines) - 1, found):
            continue
        _read_mention(line, found)
    found.axis.extend(_labspec_axis(axes))
    return found


def _labspec_axis(axes: dict[str, dict[str, str]]) -> list[Evidence]:
    """Return what ``AxisType[1]=`` and ``AxisUnit[1]=`` of LabSpec say about the spectral axis."""
    spectral = [k for k, one in axes.items() if one.get("type", "").lower().startswith("spectr")]
    number = spectral[0] if spectral else "1"
    named = axes.get(number, {})
    for intensity in (one for k, one in axes.items() if k != number):
        _refuse_no_intensity(" ".join(intensity.values()))
    return [
        Evidence(f"Axis{key.title()}[{number}]={value}", meaning_of(value))
        for key, value in named.items()
        if meaning_of(value) != Meaning(None, None)
    ]


def _read_keyed(line: str, found: Heading) -> bool:
    """Take a line ``key: value`` whose key speaks of a column; return whether it is one."""
    keyed = _KEYED.match(line)
    if keyed is None:
        return False
    key, value = plain(keyed[1]).replace(".", ""), keyed[2]
    if _X_KEY.match(key):
        meaning = meaning_of(value)
        if meaning != Meaning(None, None):
            found.axis.append(Evidence(line, meaning))
        return meaning != Meaning(None, None)
    if _Y_KEY.match(key):
        _refuse_no_intensity(value)
        return True
    if _COLUMNS_KEY.match(key):
        first, *others = re.split(r"[,;\t|]| and | vs\.? ", value)
        named = evidence_of(first)
        found.axis.extend(named)
        _refuse_no_intensity(*others[:1] if named else ())
        return True
    if _TYPE_KEY.match(key):
        words = plain(value)
        if NO_RAMAN.search(words) and "raman" not in words:
            raise MeasurementError(
                f"expected a Raman spectrum, got {quoted(line)} in the heading; if it is one, "
                "correct that line"
            )
        return True
    return False


def _read_cells(
    line: str, cells: Callable[[str], list[str]], is_last: bool, found: Heading
) -> bool:
    """Take a line that names the columns; return whether it is one."""
    if _LASER.search(plain(line)):
        return False
    words = line.split()
    if re.search(r"[\t;,]", line):
        first, *others = cells(line)
    elif len(words) == 2 and (is_intensity(words[1]) or no_intensity(words[1])):
        first, *others = words
    else:
        first, others = line, []
    second = others[0] if others else line
    # a value beside its name, as "Exposure time (s)\t10"
    if re.search(r"[:=]", first) or (others and re.match(r"[+-]?\d", second)):
        return False
    meaning = meaning_of(first)
    names_intensity = is_intensity(second) or no_intensity(second)
    if others and is_intensity(first) and meaning_of(second).kind in _SPECTRAL:
        raise MeasurementError(
            f"expected the Raman shift first, got the columns {quoted(first)} and "
            f"{quoted(second)}; swap them"
        )
    if _BESIDE.search(plain(first)) and not names_intensity:
        return False
    is_short = len(words) <= _SHORT
    if not (others or names_intensity) and _VALUE.search(plain(line)):
        return False
    is_axis = meaning != Meaning(None, None) or plain(first) in ("", "x")
    if names_intensity and not (is_axis or is_last):
        return False
    if names_intensity or (is_last and is_short) or (others and meaning.kind in _SPECTRAL):
        _refuse_no_intensity(second, second.split()[-1] if second else "")
    elif not (others and meaning.kind is None and meaning.unit is not None):
        return False
    if meaning != Meaning(None, None):
        found.axis.append(Evidence(first, meaning))
    return True


def _read_mention(line: str, found: Heading) -> None:
    """Take a line elsewhere that mentions a spectral axis."""
    words = plain(line)
    meaning = meaning_of(line)
    kind, unit = meaning
    if _LASER.search(words) or _BESIDE.search(words):
        return
    if kind in ("shift", "wavelength", "wavenumber", "absolute") or unit in WAVENUMBERS:
        found.mentions.append(Evidence(line, meaning))


def _refuse_no_intensity(*texts: str) -> None:
    """Refuse a second column that is absorbance, transmittance or the like."""
    for text in texts:
        if no_intensity(text):
            raise MeasurementError(
                f"expected intensities of a Raman spectrum, got {quoted(text)}, which is not a "
                "Raman spectrum; if it is one, correct the heading"
            )


def _optical(lines: Sequence[str]) -> str | None:
    """Return a line that mentions a laser, a wavelength or nm, if there is one."""
    for line in lines:
        words = plain(line)
        if _LASER.search(words) or re.search(r"wave ?length|wellenlange|\d ?nm\b|\bnm\b", words):
            return line
    return None


def laser_of(lines: Sequence[str]) -> float | None:
    """Return the wavelength of the laser in nm, if the lines state exactly one."""
    found: set[float] = set()
    for line in lines:
        words = plain(line)
        at = _LASER.search(words)
        if at is None or not re.search(r"\bnm\b|\dnm\b|wave ?length|wellenlange", words):
            continue
        numbers = [float(one.replace(",", ".")) for one in _LASER_NM.findall(words)]
        found.update(one for one in numbers if _SHORTEST_LASER <= one <= _LONGEST_LASER)
    return found.pop() if len(found) == 1 else None
