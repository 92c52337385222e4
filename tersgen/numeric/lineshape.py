"""From sticks to a spectrum: Eqs. (1.2)-(1.4).

All profiles are area-normalised: the integral of a band over the shift axis equals the area given.
Gaussian bands are cut at 6 standard deviations or beyond, below 2e-8 of their peak; Lorentzian
bands are not cut. Shifts, positions and widths are in cm^-1; spectra are float32, shape (L,).
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..units import FWHM_PER_SIGMA
from ._jit import inlined, kernel
from .elementary import exp

_SQRT_TWO_PI = 2.5066282746310002
_REACH_SIGMA = 6.0
_STRIDE = 32
_SIGN_SHIFT = np.int32(31)
_MAGNITUDE = np.int32(0x7FFFFFFF)

GAUSSIAN, LORENTZIAN, PSEUDO_VOIGT = 0, 1, 2


@inlined
def fwhm_to_sigma(fwhm: float) -> float:
    """Return the standard deviation of a Gaussian from its FWHM: Eq. (1.4)."""
    return fwhm / FWHM_PER_SIGMA


@kernel
def add_gaussian(
    spectrum: NDArray[np.float32],
    start: float,
    step: float,
    position: float,
    fwhm: float,
    area: float,
) -> None:
    """Add one area-normalised Gaussian band to a spectrum on a regular grid: Eq. (1.2)."""
    sigma = fwhm_to_sigma(fwhm) / step
    centre = (position - start) / step
    n_points = spectrum.shape[0]
    first = max(0.0, np.ceil(centre - _REACH_SIGMA * sigma))
    last = min(n_points - 1.0, np.floor(centre + _REACH_SIGMA * sigma))
    if first > last:
        return
    low = int(first)
    count = int(last) - low + 1
    # whole vectors are much cheaper than a scalar remainder: reach further than 6 sigma
    count = min(n_points, (count + _STRIDE - 1) // _STRIDE * _STRIDE)
    low = max(0, min(low, n_points - count))
    height = np.float32(area / (sigma * step * _SQRT_TWO_PI))
    slope = np.float32(-0.5 / (sigma * sigma))
    offset = np.float32(low - centre)
    for j in range(count):
        x = offset + np.float32(np.int32(j))
        spectrum[low + j] += height * exp(slope * (x * x))


@kernel
def add_lorentzian(
    spectrum: NDArray[np.float32],
    start: float,
    step: float,
    position: float,
    fwhm: float,
    area: float,
) -> None:
    """Add one area-normalised Lorentzian band, (1/pi) g/(x^2 + g^2) with g = FWHM/2, uncut."""
    half = 0.5 * fwhm / step
    centre = (position - start) / step
    numerator = np.float32(area * half / (step * math.pi))
    squared = np.float32(half * half)
    whole = np.floor(centre)
    fraction = np.float32(centre - whole)
    nearest = np.int32(max(-1e9, min(1e9, whole)))
    for j in range(spectrum.shape[0]):
        x = np.float32(np.int32(np.int32(j) - nearest)) - fraction
        spectrum[j] += numerator / (x * x + squared)


@kernel
def add_sticks(
    spectrum: NDArray[np.float32],
    start: float,
    step: float,
    positions: NDArray[np.float64],
    areas: NDArray[np.float64],
    fwhms: NDArray[np.float64],
    profile: int,
    mixing: float,
) -> None:
    """Broaden sticks into a spectrum: Eqs. (1.2) and (1.3).

    ``positions``, ``areas`` and ``fwhms`` are float64, shape (M,). ``profile`` is GAUSSIAN,
    LORENTZIAN or PSEUDO_VOIGT: mixing x Lorentzian + (1 - mixing) x Gaussian of the same FWHM.
    """
    for m in range(positions.shape[0]):
        area = areas[m]
        if area <= 0.0:
            continue
        if profile == LORENTZIAN:
            add_lorentzian(spectrum, start, step, positions[m], fwhms[m], area)
        elif profile == GAUSSIAN:
            add_gaussian(spectrum, start, step, positions[m], fwhms[m], area)
        else:
            add_gaussian(spectrum, start, step, positions[m], fwhms[m], area * (1.0 - mixing))
            add_lorentzian(spectrum, start, step, positions[m], fwhms[m], area * mixing)


@inlined
def _rank(value: np.float32) -> np.int32:
    """Return an integer that orders as the float does; integer reductions vectorise."""
    bits = np.float32(value).view(np.int32)
    return np.int32(bits ^ np.int32((bits >> _SIGN_SHIFT) & _MAGNITUDE))


@kernel
def extent(values: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Return the smallest and the largest of a one-dimensional float32 array without NaN."""
    low = _rank(values[0])
    high = low
    for k in range(values.shape[0]):
        rank = _rank(values[k])
        low = min(low, rank)
        high = max(high, rank)
    low = np.int32(low ^ np.int32((low >> _SIGN_SHIFT) & _MAGNITUDE))
    high = np.int32(high ^ np.int32((high >> _SIGN_SHIFT) & _MAGNITUDE))
    return np.int32(low).view(np.float32), np.int32(high).view(np.float32)
