"""Physical constants and unit conversions.

Constants are CODATA 2018, written out rather than taken from a library: a newer CODATA release
must not change the bits of a dataset. A test compares them with SciPy.
"""

import re

BOHR_ANGSTROM = 0.529177210903
"""Bohr radius in Angstrom."""

AMU_ELECTRON_MASS = 1822.888486209
"""Atomic mass constant in electron masses."""

HARTREE_CM1 = 219474.63136320
"""Hartree energy over hc, in cm^-1."""

THZ_CM1 = 33.35640951981521
"""One terahertz over c, in cm^-1 (exact)."""

EV_CM1 = 8065.543937349212
"""One electron volt over hc, in cm^-1 (exact)."""

SECOND_RADIATION_CM_K = 1.438776877
"""Second radiation constant hc/k in cm K."""

FWHM_PER_SIGMA = 2.3548200450309493
"""FWHM of a Gaussian over its standard deviation, 2 sqrt(2 ln 2): Eq. (1.4)."""


def wavelength_nm_to_cm1(wavelength_nm: float) -> float:
    """Return the absolute wavenumber in cm^-1 of a vacuum wavelength in nm.

    >>> wavelength_nm_to_cm1(500.0)
    20000.0
    """
    return 1e7 / wavelength_nm


WAVENUMBERS = {
    "cm-1": 1.0,
    "m-1": 0.01,
    "um-1": 1e4,
    "nm-1": 1e7,
    "phz": THZ_CM1 * 1000,
    "thz": THZ_CM1,
    "ghz": THZ_CM1 / 1000,
    "mhz": THZ_CM1 / 1e6,
    "khz": THZ_CM1 / 1e9,
    "hz": THZ_CM1 / 1e12,
    "kev": EV_CM1 * 1000,
    "ev": EV_CM1,
    "mev": EV_CM1 / 1000,
}
"""Units of wavenumbers, frequencies and energies in cm^-1, by their names in lower case."""

_BRACKETS = re.compile(r"[(\[](.+)[)\]]")
_LAST_WORD = re.compile(r"(?:^|[\s_/])(1\s*/\s*c?m|[^\s_/]+)$")


def stated_unit(heading: str) -> str | None:
    """Return the unit that a heading of a column states, or None; if known, as in WAVENUMBERS.

    It is in brackets, after a slash, or the last word, if that is a known unit.

    >>> stated_unit("Raman shift (1/cm)"), stated_unit("frequency/THz"), stated_unit("position")
    ('cm-1', 'thz', None)
    """
    found = _BRACKETS.search(heading)
    if found:
        return _plain(found[1])
    last = _LAST_WORD.search(heading.strip())
    unit = _plain(last[1]) if last else ""
    return unit if unit in WAVENUMBERS else None


def _plain(unit: str) -> str:
    """Return a unit as ``WAVENUMBERS`` writes it: 1/cm, cm^{-1} and rel. cm**-1 are cm-1."""
    text = unit.lower().replace("\u207b\u00b9", "-1").replace("\u2212", "-").replace("rel.", "")
    text = re.sub(r"[\s^{}*]", "", text)
    return re.sub(r"^1/(.+)$", r"\1-1", text)
