"""Gain and light of a metal, Eqs. (4.1) and (4.2): one shift at a time, float64.

Shifts in cm^-1, negative ones are anti-Stokes; wavelengths in nm.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.crosssection import REFERENCE_SHIFT_CM1, one_minus_exp_minus
from ...units import SECOND_RADIATION_CM_K

F64 = NDArray[np.float64]

_NM_CM = 1e7
_LEAST_CM1 = 1.0


@inlined
def resonance(wavelength: float, centre: float, fwhm: float) -> float:
    """Return the Lorentzian g of a wavelength, 1 at its centre."""
    x = 2.0 * (wavelength - centre) / fwhm
    return 1.0 / (1.0 + x * x)


@inlined
def scattered_nm(shift: float, laser: float) -> float:
    """Return the wavelength of light scattered with a shift; below 1 cm^-1 that of 1 cm^-1."""
    return _NM_CM / max(_NM_CM / laser - shift, _LEAST_CM1)


@kernel
def plasmon_gain(shift: float, laser: float, centre: float, fwhm: float) -> float:
    """Return G(nu) = g(lambda_laser) g(lambda_scattered), Eq. (4.1)."""
    scattered = scattered_nm(shift, laser)
    return resonance(laser, centre, fwhm) * resonance(scattered, centre, fwhm)


@kernel
def laser_ratio(shift: float, laser: float, usual: float, power: int) -> float:
    """Return the Stokes factor for one laser over that for the default one.

    Both are relative to those at 1000 cm^-1: [(nu_0 - nu)/(nu_0 - 1000)]^power.
    """
    one, other, reference = _NM_CM / laser, _NM_CM / usual, REFERENCE_SHIFT_CM1
    ratio = (one - shift) / (one - reference) * ((other - reference) / (other - shift))
    product = 1.0
    for _ in range(power):
        product *= ratio
    return product


@kernel
def mode_gain(shift: float, plasmon: F64, usual: float, power: int) -> float:
    """Return the gain at a shift, times the change of the Stokes factor by the laser drawn.

    ``plasmon`` begins with centre, FWHM and laser, nm; ``power`` is that of the Stokes factor.
    """
    factor = laser_ratio(shift, plasmon[2], usual, power)
    return plasmon_gain(shift, plasmon[2], plasmon[0], plasmon[1]) * factor


@kernel
def thermal_shift(shift: float, temperature: float) -> float:
    """Return nu [1 + n(nu, T)] in cm^-1, n Bose-Einstein; of -nu it is nu n(nu, T).

    It is kT/hc at 0, so a spectrum runs through the laser line.
    """
    size = -shift if shift < 0.0 else shift
    if temperature <= 0.0:
        return max(shift, 0.0)
    x = SECOND_RADIATION_CM_K * size / temperature
    if x < 1e-9:
        return temperature / SECOND_RADIATION_CM_K
    s = one_minus_exp_minus(x)
    return size / s if shift > 0.0 else size * (1.0 - s) / s


@kernel
def electronic_raman(shift: float, temperature: float, relaxation: float) -> float:
    """Return [1 + n(nu, T)] f(nu) with f(nu) = nu rate/(nu^2 + rate^2), Eq. (4.2).

    f is the response of electrons that scatter at a rate (A. Zawadowski and M. Cardona, Phys. Rev.
    B 42, 10732 (1990)).
    """
    width = shift * shift + relaxation * relaxation
    return thermal_shift(shift, temperature) * relaxation / width


@kernel
def fill_light(plasmon: F64, temperature: float, power: int, shifts: F64, curve: F64) -> None:
    """Fill the light of a metal at shifts (L,), Eq. (4.2): each part scaled to its height.

    Parameters
    ----------
    plasmon
        Centre, FWHM and laser, nm; height of the electronic Raman scattering; relaxation rate,
        cm^-1; height of the luminescence.
    temperature
        K.
    power
        That of the scattered wavenumber in the Stokes factor.
    shifts
        cm^-1.
    curve
        Filled, shape (L,).
    """
    centre, fwhm, laser, height, relaxation, luminescence = (
        plasmon[0], plasmon[1], plasmon[2], plasmon[3], plasmon[4], plasmon[5],
    )  # fmt: skip
    curve[:] = 0.0
    if height > 0.0:
        for k in range(shifts.shape[0]):
            factor = 1.0
            for _ in range(power):
                factor *= 1.0 - shifts[k] * laser / _NM_CM
            curve[k] = factor * electronic_raman(shifts[k], temperature, relaxation)
            curve[k] *= plasmon_gain(shifts[k], laser, centre, fwhm)
        peak = curve.max()
        scale = height / peak if peak > 0.0 else 0.0
        for k in range(shifts.shape[0]):
            curve[k] *= scale
    if luminescence > 0.0:
        peak = 0.0
        for k in range(shifts.shape[0]):
            peak = max(peak, resonance(scattered_nm(shifts[k], laser), centre, fwhm))
        for k in range(shifts.shape[0]):
            value = resonance(scattered_nm(shifts[k], laser), centre, fwhm)
            curve[k] += luminescence * value / peak
