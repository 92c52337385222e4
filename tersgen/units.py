"""Physical constants and unit conversions.

Constants are CODATA 2018, written out rather than taken from a library: a newer CODATA release
must not change the bits of a dataset. A test compares them with SciPy.
"""

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
