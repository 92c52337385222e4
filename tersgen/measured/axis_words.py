"""Words and units by which files say what an axis is: a table of spellings in several languages.

English, German, French, Spanish, Italian, Japanese and Chinese, as instrument programs and
spreadsheets write them. ``axis.py`` decides from what is found here.
"""

import re
import unicodedata
from typing import NamedTuple

from ..units import WAVENUMBERS

WAVELENGTHS = {"nm": 1.0, "um": 1e3, "angstrom": 0.1, "pm": 1e-3}
"""Units of wavelengths in nm."""

_LONGEST = 200

# Kinds in the order in which they win: "chemical shift" is no Raman shift.
_KINDS: tuple[tuple[str, str], ...] = (
    (
        "other",
        r"chemical shift|\bppm\b|\bm/z\b|\bmass(es)?\b|(binding|kinetic|bindungs) ?energ"
        r"|energy loss|temperatur"
        r"|voltage|spannung|potential|magnet|retention|retardation|concentration"
        r"|scattering vector|d.?spacing|\bdistance|\bdepth\b|\babstand\b|\bt[ai]*me[n]?stamp"
        r"|\blaser power\b|\bpressure\b|化学シフト|化学位移|温度|電圧|电压",
    ),
    (
        "2theta",
        r"^q\b|2 ?-?\*?th(eta)?\b|2 ?-?θ|two ?-?theta|\btheta\b|\bangles?\b|winkel|\bangolo\b",
    ),
    (
        "pixel",
        r"\bpixels?\b|pixels #|\bpx\b|\bchannels?\b|kanal|\bcanal|\bindex\b|\bindice\b|\bindices\b"
        r"|\bpunkt\b|datenpunkt|messpunkt|\bpoints?\b|\bpunto\b|\bbins?\b|\bch\b|\bsample no"
        r"|\bno\b\.?|\bnr\b\.?|\bnumm?ero?\b(?! d)|^n$|^#$|ピクセル"
        r"|画素|像素|像元|チャンネル|通道|データ番号",
    ),
    (
        "time",
        r"\btimes?\b|zeit\b|\btemps\b|\btiempo\b|\btempo\b|\bdelay\b|時間|时间",
    ),
    (
        "absolute",
        r"\babs(\.|olute?r?s?|olut\w*)? ?-?(wave|wellen|nombre|numero|1/cm|cm-1)|絶対波数|绝对波数",
    ),
    (
        "shift",
        r"shift|verschiebung|decalage|deplacement|desplazamiento|spostamento|deslocamento|stokes"
        r"|\brel(ative|\.)? ?-?(wave|1/cm|cm-1|wellenzahl)|raman[ _-]*(wave|wellenzahl|freq)"
        r"|[δ∆] ?(nu|\u03bd|ω|wave|cm-1|1/cm)"
        r"|\bdelta ?(nu|wave)|ラマンシフト|シフト|位移|频移|頻移",
    ),
    (
        "wavelength",
        r"wave ?-?lengths?|wellenlaenge|wellenlange|longueurs? d.?ondes?|longitude?s? de onda"
        r"|lunghezz[ae] d.?onda|comprimento de onda|golflengte|\blambda\b|λ|波長|波长",
    ),
    (
        "wavenumber",
        r"wave ?-?numbers?|wellenzahl|nombres? d.?ondes?|numeros? de ondas?|numeri? d.?onda"
        r"|numero d.?onda|golfgetal|\bnu\b|\b\u03bd|波数|波數|\bkayser",
    ),
    ("energy", r"\benerg(y|ies|ie|ia|ien)\b|photonenergie|energieverlust|エネルギー|能量|光子"),
    (
        "frequency",
        r"\bfrequenc(y|ies|ia)\b|frequenz|\bfrequences?\b|\bfrecuencia|周波数|振動数|频率|頻率",
    ),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)


def _reciprocal(unit: str, word: str) -> str:
    """Return the pattern of 1/nm, nm^-1 and inverse nanometres, for any unit of length."""
    return (
        rf"\b1 ?/ ?{unit}\b|[(\[]/ ?{unit}\b"
        rf"|(?<![a-z]){unit} ?[({{\[^*]{{0,4}} ?- ?1\b"
        rf"|\b(inverse|reciprocal|per|1 ?/) ?({unit}\b|{word})"
    )


_NUMBER_BEFORE = r"(?<![\d.,])(?<!\d )"  # "5 meV" is a quantity, "(meV)" a unit
_UNITS: tuple[tuple[str, str], ...] = (
    (
        "cm-1",
        r"\b1 ?/ ?cm\b|(?<![a-z])cm ?[({\\^*-]{0,4} ?[-?\ufffd] ?[({]?1\b|(?<![a-z])cm\^?1\b"
        r"|(?:^|[(\[ ])/ ?cm\b|\bper cm\b|(inverse|reciprocal|1 ?/) ?cent[iy]met[er]+s?\b"
        r"|\bkaysers?\b|\bicm\b",
    ),
    ("nm-1", _reciprocal("nm", "nanomet")),
    ("um-1", _reciprocal("[uμ]m", "micr(on|omet)")),
    ("angstrom-1", _reciprocal("(a|ang|angstroe?ms?)", "angstr")),
    ("pm-1", _reciprocal("pm", "picomet")),
    ("m-1", r"\b1 ?/ ?m\b|(?<![a-z])m ?[({^*]{0,3} ?- ?1\b"),
    ("nm", r"(?<![a-z])nm\b(?! ?\^?-1)|\bwavelengthnm\b|nanomet|ナノメートル|纳米"),
    (
        "um",
        r"(?<![a-z])[uμ]m\b(?! ?\^?-1)|\bmicrons?\b|\bmi[ck]romet|\bmicras?\b"
        r"|マイクロメートル|微米",
    ),
    ("angstrom", r"\b(ang|angstroe?ms?|angstroms?)\b|[(\[/] ?a ?(?:[)\]]|$)"),
    ("pm", r"[(\[/] ?pm ?(?:[)\]]|$)|picomet"),
    ("mev", r"(?<![a-z])mev\b|milli ?-?electron ?-?volts?"),
    ("kev", r"(?<![a-z])kev\b"),
    ("ev", r"(?<![a-z])ev\b|(?<![a-z-])electron ?-?volts?|elektronenvolt"),
    ("phz", r"(?<![a-z])phz\b"),
    ("thz", r"(?<![a-z])thz\b|terahertz"),
    ("ghz", r"(?<![a-z])ghz\b|gigahertz"),
    ("mhz", r"(?<![a-z])mhz\b|megahertz"),
    ("khz", r"(?<![a-z])khz\b|kilohertz"),
    ("hz", r"(?<![a-z])hz\b|(?<![a-z])hertz"),
    ("mm", r"[(\[/] ?mm ?(?:[)\]]|$)|^mm$"),
    (
        "s",
        r"[(\[/] ?([mμun]?s|secs?|min|h) ?(?:[)\]]|$)|^(m?s|secs?|min)$"
        r"|\b(milli)?seconds?\b|sekunde|\bsecondes?\b",
    ),
    ("deg", r"\bdeg(rees?)?\b|°(?! ?c\b)|\bgrad\b"),
    ("px", r"[(\[/] ?(px|pixels?) ?(?:[)\]]|$)"),
    ("v", r"[(\[/] ?m?v(olts?)? ?(?:[)\]]|$)"),
    ("k", r"[(\[/] ?(k|°c) ?(?:[)\]]|$)"),
)
_UNIT_PATTERNS = tuple(
    (unit, re.compile(pattern if unit == "cm-1" else f"{_NUMBER_BEFORE}(?:{pattern})"))
    for unit, pattern in _UNITS
)
_KIND_OF_UNIT = {
    **dict.fromkeys(WAVENUMBERS, "wavenumber"),
    **dict.fromkeys(WAVELENGTHS, "wavelength"),
    **dict.fromkeys(("ev", "mev", "kev"), "energy"),
    **dict.fromkeys(("phz", "thz", "ghz", "mhz", "khz", "hz"), "frequency"),
    **dict.fromkeys(("angstrom-1", "pm-1"), "2theta"),
    "s": "time", "deg": "2theta", "px": "pixel", "v": "other", "k": "other", "mm": "other",
}  # fmt: skip

_INTENSITY = re.compile(r"intens|\bcounts?\b|\bcnts?\b|\bcps\b|zahl|impuls|強度|强度|計数|计数")
_NO_INTENSITY = re.compile(
    r"absorban|assorban|transmittan|transmissionsgrad|transmitan|trasmittan|reflectan"
    r"|reflektan|riflettan"
    r"|kubelka|log ?\(? ?1 ?/ ?[rt]\b|% ?[trea]\b|\b[tra] ?[(\[]? ?%|optical density"
    r"|optische dichte|\bo\.?d\.?(?:$| )|吸光|透過率|透过率|透射|反射率"
)
_NO_INTENSITY_ALONE = re.compile(
    r"absorb|absorpti|extin[ck]tion|transmi|trasmi|reflec|reflex|reflek|rifle|durchlass|^abs\b"
    r"|吸収|吸收|透過|反射"
)
NO_RAMAN = re.compile(
    r"infra ?-?red|\b(ft|n|m|f|at)?-?ir\b|infrarot|\bmass\b|\bmasse|\bnmr\b|\buv\b|\bvis\b"
    r"|ultraviolet|chromato|\be[ps]r\b|x-?ray|\bxr[df]\b|diffract|interfero|mobility|transmi|absor|reflec"
)
"""Kinds of measurement that are no Raman, in the words of ``plain``."""


class Meaning(NamedTuple):
    """What a text says about an axis."""

    kind: str | None
    """A kind of axis; None if only a unit is named, or nothing."""
    unit: str | None
    """A unit of ``WAVENUMBERS`` or ``WAVELENGTHS``, or one of another kind of axis."""


def plain(text: str) -> str:
    """Return a text in lower case, without accents, with one form of minus, mu and blanks.

    >>> plain("Wellenlänge [µm] / cm⁻¹")
    'wellenlange [μm] / cm-1'
    """
    text = re.sub(r"\u2103", "°c", text[:_LONGEST]).replace("\u0394", "δ")
    text = unicodedata.normalize("NFKC", text).casefold()
    parts = unicodedata.normalize("NFD", text)
    text = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts))
    text = re.sub("[\u2010-\u2015\u2212\ufe63\uff0d]", "-", text)
    text = re.sub(r"[_\s\u00a0]+", " ", text.replace("$", "").replace("\\", ""))
    return text.strip().strip("\"'").strip()


def meaning_of(text: str) -> Meaning:
    """Return what a heading, or the value of a key, says about an axis.

    >>> meaning_of("Raman-Verschiebung / cm⁻¹"), meaning_of("Longueur d'onde (nm)")
    (Meaning(kind='shift', unit='cm-1'), Meaning(kind='wavelength', unit='nm'))
    """
    words = plain(text)
    unit = next((name for name, pattern in _UNIT_PATTERNS if pattern.search(words)), None)
    kinds = [kind for kind, pattern in _PATTERNS if pattern.search(words)]
    if unit is None and not kinds:
        return Meaning(None, None)
    if "shift" in kinds and "wavelength" in kinds:
        return Meaning("conflict", unit)
    kind = kinds[0] if kinds else None
    if unit in ("um", "mm") and "position" in words:
        return Meaning("other", unit)
    if kind == "pixel" and unit in (*WAVENUMBERS, *WAVELENGTHS):
        # "Point (cm-1)", "Channel [nm]": the unit says that the axis is calibrated
        kind = kinds[1] if len(kinds) > 1 else None
    if kind == "time" and unit in (*WAVENUMBERS, *WAVELENGTHS):
        kind = None
    return Meaning(kind, unit)


def kind_of_unit(unit: str) -> str:
    """Return the kind of axis that has a unit, if nothing else says it."""
    return _KIND_OF_UNIT[unit]


def no_intensity(text: str) -> bool:
    """Return whether the heading of the second column names what is no scattered intensity."""
    words = plain(text)
    if _NO_INTENSITY.search(words):
        return True
    return bool(_NO_INTENSITY_ALONE.search(words)) and not _INTENSITY.search(words)


def is_intensity(text: str) -> bool:
    """Return whether the heading of a column names an intensity."""
    return _INTENSITY.search(plain(text)) is not None
