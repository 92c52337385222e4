"""One decision about an axis: what a column of numbers is, and in which unit.

Readers of texts, JCAMP-DX and instrument files collect what a file says about its axis as
``Evidence`` and ask ``decide_axis``; ``conversion.py`` turns the numbers into Raman shifts.
Cases that evidence and numbers do not settle are refused: the message quotes what was found and
names the option that states the axis. Tables of sticks have words of their own
(``library/stick_headings.py``).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError, NotRamanError
from ..text import printable
from ..units import WAVENUMBERS
from .axis_numbers import FEW, LEAST_OPTICAL, MOST_OPTICAL, MOST_SHIFT, may_be
from .axis_words import WAVELENGTHS, Meaning, kind_of_unit, meaning_of

Values = NDArray[np.float64]
Kind = Literal["shift", "wavelength", "absolute", "energy"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNITS = (*WAVENUMBERS, *WAVELENGTHS)
OPTIONS = "state what it is: --axis shift --unit cm-1, or --axis wavelength|absolute|energy"

TITLES: dict[Kind, str] = {
    "shift": "Raman shifts",
    "wavelength": "wavelengths",
    "absolute": "absolute wavenumbers",
    "energy": "photon energies",
}

_DEFAULT_UNITS = {"shift": "cm-1", "wavelength": "nm", "absolute": "cm-1", "energy": "ev"}
_OTHERS = {
    "2theta": "a scattering angle or vector",
    "pixel": "a number of pixels, channels or points",
    "time": "a time",
    "other": "another quantity",
}
_SHOWN = {
    "cm-1": "cm^-1", "m-1": "m^-1", "um-1": "um^-1", "nm-1": "nm^-1",
    "angstrom": "Angstrom", "ev": "eV", "mev": "meV", "kev": "keV",
    "phz": "PHz", "thz": "THz", "ghz": "GHz", "mhz": "MHz", "khz": "kHz", "hz": "Hz",
}  # fmt: skip
_LONGEST_QUOTE = 40
_UNNAMED = "axis without a unit: taken as Raman shifts in cm^-1"
_GENERAL = ("wavenumber", "frequency", "energy")
"""Kinds that are Raman shifts or absolute, by the numbers."""
_LEAST_SHIFT, _LEAST_REACH = 0.01, 10.0
_SHORTEST_NM, _LONGEST_NM = 190.0, 1800.0
_UV_NM, _IR_NM = 320.0, 1200.0
"""No detector of Raman spectra reaches from below the first to above the second."""


class Evidence(NamedTuple):
    """Something in a file that says what its axis is."""

    text: str
    """As the file has it, for messages."""
    meaning: Meaning

    @property
    def quoted(self) -> str:
        """The text, shortened and safe to print."""
        return quoted(self.text)


class AxisMeaning(NamedTuple):
    """What an axis was taken for."""

    kind: Kind
    unit: str
    """A unit of ``UNITS``."""
    evidence: tuple[str, ...]
    """What says so, as the file has it; empty if only the numbers do."""
    notes: tuple[str, ...] = ()
    """What a user should know: that nothing says so, or that the file says otherwise."""

    @property
    def title(self) -> str:
        """Kind and unit, for people."""
        return f"{TITLES[self.kind]}, {shown(self.unit)}"

    def summary(self) -> dict[str, Any]:
        """Return it as JSON takes it, safe to print."""
        seen = [printable(" ".join(text.split()))[:_LONGEST_QUOTE] for text in self.evidence]
        return {"kind": self.kind, "unit": shown(self.unit), "evidence": seen}


class Stated(NamedTuple):
    """What the user states about an axis, as its file may not say it."""

    kind: Kind | None = None
    unit: str | None = None
    """A unit of ``UNITS``."""


NOTHING_STATED = Stated()


def shown(unit: str) -> str:
    """Return a unit as people write it: cm^-1, meV, THz."""
    return _SHOWN.get(unit, unit)


def kind_named(text: str | None) -> Kind | None:
    """Return the kind of axis that a text names, if it is one of ``KINDS``."""
    return next((kind for kind in KINDS if kind == text), None)


def unit_named(text: str | None) -> str | None:
    """Return the unit of ``UNITS`` that a user names in any spelling, or None for none."""
    if text is None:
        return None
    unit = meaning_of(f"({text})").unit
    if unit not in UNITS:
        raise MeasurementError(
            f"--unit: expected one of {', '.join(map(shown, UNITS))}, got {quoted(text)}"
        )
    return unit


def quoted(text: str) -> str:
    """Return a text as messages quote it: at most 40 characters, safe to print."""
    text = " ".join(text.split())
    short = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
    return f"'{printable(short)}'"


def range_of(values: Values, unit: str | None = None) -> str:
    """Return the ends of an axis, and for a unit of wavenumbers in that unit and in cm^-1."""
    low, high = float(values.min()), float(values.max())
    if unit is None:
        return f"{low:g} to {high:g}"
    factor = WAVENUMBERS[unit]
    in_cm1 = "" if unit == "cm-1" else f" ({low * factor:.5g} to {high * factor:.5g} cm^-1)"
    return f"{low:g} to {high:g} {shown(unit)}{in_cm1}"


def evidence_of(*texts: str) -> list[Evidence]:
    """Return what headings, lines of units or values of keys say about an axis, if anything."""
    found = [Evidence(text.strip(), meaning_of(text)) for text in texts]
    return [one for one in found if one.meaning != Meaning(None, None)]


def decide_axis(
    evidence: Sequence[Evidence], values: Values, stated: Stated = NOTHING_STATED
) -> AxisMeaning:
    """Return what an axis is, from all that says so.

    Parameters
    ----------
    evidence
        What the file says; see ``evidence_of``.
    values
        The numbers of the axis, in the order and unit of the file, shape (N,).
    stated
        What the user says; it wins over the file, but a kind alone does not win over a unit.
    """
    if not len(values):
        raise MeasurementError("expected an axis, got one without a number")
    if stated.kind is not None:
        found = _stated_axis(stated.kind, evidence, stated)
    else:
        found = _named_axis(evidence, values, stated)
    return found if stated == NOTHING_STATED else _without_overruled(found, evidence, stated)


def _stated_axis(kind: Kind, evidence: Sequence[Evidence], stated: Stated) -> AxisMeaning:
    """Return an axis of a stated kind, in the unit stated or named for that kind."""
    units = _units_of(kind)
    if stated.unit is not None and stated.unit not in units:
        raise MeasurementError(
            f"--axis {kind}: expected a unit of {', '.join(map(shown, units))}, got "
            f"{shown(stated.unit)}"
        )
    unit = stated.unit or _unit(evidence, stated)
    other = next((one for one in evidence if one.meaning.unit is not None), None)
    if unit is None and other is not None:
        raise MeasurementError(
            f"--axis {kind}: expected {TITLES[kind]}, got {other.quoted} in the file, which has "
            "another unit; if the file is wrong, state the unit as well: --axis "
            f"{kind} --unit {_DEFAULT_UNITS[kind]}"
        )
    return AxisMeaning(kind, unit or _DEFAULT_UNITS[kind], ())


def _without_overruled(
    found: AxisMeaning, evidence: Sequence[Evidence], stated: Stated
) -> AxisMeaning:
    """Return an axis with a note on everything in the file that the user overruled."""
    kinds = {
        "wavelength": ("wavelength",),
        "shift": ("shift", *_GENERAL),
    }.get(found.kind, ("absolute", *_GENERAL))
    overruled = [
        one
        for one in evidence
        if one.meaning.unit not in (None, found.unit) or one.meaning.kind not in (None, *kinds)
    ]
    options = f"--axis {stated.kind} " if stated.kind else ""
    options += f"--unit {stated.unit}" if stated.unit else ""
    return found._replace(
        evidence=tuple(one.text for one in evidence if one not in overruled),
        notes=tuple(
            f"the file says {seen}, overruled by {options.strip()}"
            for seen in dict.fromkeys(one.quoted for one in overruled)
        ),
    )


def _named_axis(evidence: Sequence[Evidence], values: Values, stated: Stated) -> AxisMeaning:
    """Return an axis by what the file says, its numbers, and at most a stated unit."""
    texts = tuple(one.text for one in evidence)
    unit = stated.unit or _unit(evidence, stated)
    kind = _kind(evidence, stated)
    if kind is None and unit is not None:  # stated by the user alone
        kind = kind_of_unit(unit)
    _refuse_other(kind, unit, evidence)
    if kind is None:
        may = may_be(values)
        if may is not None:
            raise MeasurementError(
                f"expected an axis that the file names, got {range_of(values)} without a heading "
                f"that says what they are: they may be {may}; {OPTIONS}"
            )
        return AxisMeaning("shift", "cm-1", (), (_UNNAMED,))
    if kind == "wavelength":
        return AxisMeaning("wavelength", _wavelength_unit(unit, evidence, values), texts)
    return _wavenumber_axis(kind, unit, evidence, values)


def _units_of(kind: str) -> tuple[str, ...]:
    return tuple(WAVELENGTHS) if kind == "wavelength" else tuple(WAVENUMBERS)


def _unit(evidence: Sequence[Evidence], stated: Stated) -> str | None:
    """Return the unit that the evidence names, or None; of a stated kind only its units count."""
    named: dict[str, Evidence] = {}
    for one in evidence:
        unit = one.meaning.unit
        if unit is not None and (stated.kind is None or unit in _units_of(stated.kind)):
            named.setdefault(unit, one)
    if len(named) > 1:
        _refuse_conflict(named.values())
    return next(iter(named), None)


def _kind(evidence: Sequence[Evidence], stated: Stated) -> str | None:
    """Return the kind that the evidence names, or None: words of several kinds must agree."""
    named: dict[str, Evidence] = {}
    for one in evidence:
        kind, unit = one.meaning
        kind = kind_of_unit(unit) if kind is None and unit is not None else kind
        if kind is not None:
            named.setdefault(kind, one)
    if stated.unit is not None:
        family = kind_of_unit(stated.unit)
        agreeing = (family,) if family == "wavelength" else (*_GENERAL, "shift", "absolute")
        named = {kind: one for kind, one in named.items() if kind in agreeing}
    special = [kind for kind in named if kind not in _GENERAL]
    if not special:
        return next(iter(named), None) if len(named) < 2 else "wavenumber"
    if len(special) > 1 or special[0] == "conflict":
        _refuse_conflict(named.values())
    if special[0] not in ("shift", "absolute") and len(named) > 1:
        _refuse_conflict(named.values())
    return special[0]


def _seen(evidence: Iterable[Evidence]) -> str:
    return " and ".join(dict.fromkeys(one.quoted for one in evidence))


def _refuse_conflict(evidence: Iterable[Evidence]) -> NoReturn:
    raise MeasurementError(
        f"expected one meaning of the axis, got {_seen(evidence)}, which contradict; {OPTIONS}"
    )


def _refuse_other(kind: str | None, unit: str | None, evidence: Sequence[Evidence]) -> None:
    """Refuse an axis that is none of a Raman spectrum, and a unit that the kind does not have."""
    seen = _seen(evidence)
    if kind in _OTHERS:
        raise NotRamanError(
            f"expected Raman shifts, got {seen}, which is {_OTHERS[str(kind)]}; if the axis is "
            "Raman shifts after all, state --axis shift --unit cm-1"
        )
    if kind is not None and unit is not None and unit not in _units_of(kind):
        raise MeasurementError(
            f"expected one meaning of the axis, got {seen}, which contradicts itself; {OPTIONS}"
        )


def _wavelength_unit(unit: str | None, evidence: Sequence[Evidence], values: Values) -> str:
    """Return the unit of wavelengths: the one named, or the only one that fits the numbers."""
    low, high = float(values.min()), float(values.max())
    fitting = [
        one
        for one in ((unit,) if unit else ("nm", "um", "angstrom"))
        if low * WAVELENGTHS[one] >= _SHORTEST_NM
        and high * WAVELENGTHS[one] <= _LONGEST_NM
        and not (low * WAVELENGTHS[one] < _UV_NM and high * WAVELENGTHS[one] > _IR_NM)
    ]
    if len(fitting) != 1:
        seen = _seen(evidence) or f"--unit {unit}"
        raise NotRamanError(
            f"expected wavelengths of a Raman spectrum, got {seen} over {range_of(values)}; "
            f"{OPTIONS}"
        )
    return fitting[0]


def _wavenumber_axis(
    kind: str, unit: str | None, evidence: Sequence[Evidence], values: Values
) -> AxisMeaning:
    """Return what wavenumbers, energies or frequencies are: Raman shifts or absolute."""
    texts = tuple(one.text for one in evidence)
    seen = _seen(evidence)
    over = f"got {seen} over " if seen else "got "
    got = f"{over}{range_of(values)}"
    if unit is None and (kind == "energy" or _is_tiny(values)):
        raise MeasurementError(
            f"expected Raman shifts in cm^-1, or another unit that is named, {got}; {OPTIONS}"
        )
    unit = unit or "cm-1"
    got = f"{over}{range_of(values, unit)}"
    low, high = (float(one) * WAVENUMBERS[unit] for one in (values.min(), values.max()))
    if len(values) >= FEW and max(abs(low), abs(high)) < _LEAST_SHIFT:
        raise NotRamanError(
            f"expected Raman shifts of a spectrum, {got}, all below {_LEAST_SHIFT:g} cm^-1; "
            f"{OPTIONS}"
        )
    is_optical = low >= LEAST_OPTICAL and high <= MOST_OPTICAL
    if kind == "shift" and (low >= LEAST_OPTICAL or high > MOST_SHIFT):
        raise NotRamanError(
            f"expected Raman shifts up to {MOST_SHIFT:g} cm^-1, {got}: is the axis absolute, or "
            f"in another unit? {OPTIONS}"
        )
    if kind == "absolute" and not is_optical:
        raise MeasurementError(
            f"expected absolute wavenumbers of {LEAST_OPTICAL:g} to {MOST_OPTICAL:g} cm^-1, "
            f"{got}: are they Raman shifts? {OPTIONS}"
        )
    if is_optical:
        return AxisMeaning("energy" if unit.endswith("ev") else "absolute", unit, texts)
    if high > MOST_SHIFT:
        raise NotRamanError(
            f"expected Raman shifts up to {MOST_SHIFT:g} cm^-1, or absolute wavenumbers of "
            f"{LEAST_OPTICAL:g} to {MOST_OPTICAL:g}, {got}; {OPTIONS}"
        )
    return AxisMeaning("shift", unit, texts)


def _is_tiny(values: Values) -> bool:
    """Return whether numbers, read as cm^-1, would all lie within the laser line."""
    return len(values) >= FEW and float(np.abs(values).max()) < _LEAST_REACH
