"""Voigt profiles: Lorentzian bands seen with a Gaussian resolution.

With z = x + iy in units of sqrt(2) sigma, a band of unit area is Re w(z)/(sigma sqrt(2 pi)), w
the Faddeeva function. Near the centre w is the rational series of J. A. C. Weideman, SIAM J. Numer.
Anal. 31, 1497 (1994), Eq. (38), with 14 terms; from |z| = 9 on its asymptotic series, i/(sqrt(pi)
z) (1 + 1/(2 z^2) + 3/(4 z^4)). Both are within 3e-6 of the peak in float32, whatever the widths.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from .lineshape import LORENTZIAN, add_gaussian, add_lorentzian, fwhm_to_sigma

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_F = np.float32
_REACH = 9.0
_STRIDE = 16
_LARGEST_RATIO = 1000.0
"""Of the widths; beyond it a Voigt profile is a Lorentzian, to 5e-7."""
_ONE, _TWO = _F(1.0), _F(2.0)
_INV_SQRT_PI = _F(0.5641895835477563)
_L = _F(3.1463462836457885)  # sqrt(14/sqrt(2))
_A0, _A1, _A2 = _F(1.6178304062), _F(1.2181791632), _F(0.744014294)
_A3, _A4, _A5 = _F(0.35364719323), _F(0.11823724867), _F(0.01859320947)
_A6, _A7, _A8 = _F(-0.005068976617), _F(-0.0034771677431), _F(-0.00021156727186)
_A9, _A10, _A11 = _F(0.00040784158468), _F(8.6364798757e-05), _F(-5.1023518979e-05)
_A12, _A13 = _F(-1.6378133466e-05), _F(7.8441857193e-06)


@inlined
def faddeeva(x: np.float32, y: np.float32) -> np.float32:
    """Return Re w(x + iy), y >= 0, by Weideman's series; for |x + iy| up to 20 or so."""
    up = _L + y
    inverse = _ONE / (up * up + x * x)
    real = (_L * _L - y * y - x * x) * inverse
    imaginary = _TWO * _L * x * inverse
    # a polynomial of real coefficients at a complex place: D. E. Knuth, TAOCP 2, 4.6.4, Eq. (3)
    r, s = real + real, real * real + imaginary * imaginary
    b, c = _A13, _A12
    b, c = c + r * b, _A11 - s * b
    b, c = c + r * b, _A10 - s * b
    b, c = c + r * b, _A9 - s * b
    b, c = c + r * b, _A8 - s * b
    b, c = c + r * b, _A7 - s * b
    b, c = c + r * b, _A6 - s * b
    b, c = c + r * b, _A5 - s * b
    b, c = c + r * b, _A4 - s * b
    b, c = c + r * b, _A3 - s * b
    b, c = c + r * b, _A2 - s * b
    b, c = c + r * b, _A1 - s * b
    b, c = c + r * b, _A0 - s * b
    sum_real, sum_imaginary = b * real + c, b * imaginary
    q_real, q_imaginary = up * inverse, x * inverse
    square = q_real * q_real - q_imaginary * q_imaginary
    cross = _TWO * q_real * q_imaginary
    return _TWO * (sum_real * square - sum_imaginary * cross) + _INV_SQRT_PI * q_real


@kernel
def add_voigt(
    spectrum: F32, start: float, step: float, position: float, lorentzian: float, gaussian: float,
    area: float, scratch: F32,
) -> None:  # fmt: skip
    """Add one area-normalised Voigt profile, of a Lorentzian and a Gaussian of these FWHM, uncut.

    ``scratch`` has the shape of ``spectrum``.
    """
    if lorentzian <= 0.0:
        add_gaussian(spectrum, start, step, position, gaussian, area)
        return
    half = 0.5 * lorentzian / step
    unit = math.sqrt(2.0) * fwhm_to_sigma(gaussian) / step  # of x, in points
    if half > _LARGEST_RATIO * unit:
        add_lorentzian(spectrum, start, step, position, lorentzian, area)
        return
    n_points = spectrum.shape[0]
    centre = (position - start) / step
    low, count = 0, 0
    reach = np.sqrt(max(0.0, _REACH * _REACH * unit * unit - half * half))
    first = max(0.0, np.ceil(centre - reach))
    last = min(n_points - 1.0, np.floor(centre + reach))
    if first <= last and reach > 0.0:
        count = min(n_points, (int(last) - int(first) + _STRIDE) // _STRIDE * _STRIDE)
        low = max(0, min(int(first), n_points - count))
        peak = np.float32(area / (unit * step * math.sqrt(math.pi)))
        y, scale, offset = np.float32(half / unit), np.float32(1.0 / unit), np.float32(low - centre)
        for j in range(count):
            x = (offset + np.float32(np.int32(j))) * scale
            scratch[j] = spectrum[low + j] + peak * faddeeva(x, y)

    # Re i/z^(2m + 1) = y r^(m + 1) U_2m, with r = 1/|z|^2 and Chebyshev's polynomial U of
    # sqrt(1 - y^2 r): the asymptotic series is a Lorentzian times a polynomial of r
    q, g = unit * unit, half * half
    c1, c2 = np.float32(1.5 * q), np.float32(3.75 * q * q - 2.0 * g * q)
    c3, c4 = np.float32(-15.0 * g * q * q), np.float32(12.0 * g * g * q * q)
    numerator = np.float32(area * half / (step * math.pi))
    squared = np.float32(g)
    whole = np.floor(centre)
    fraction = np.float32(centre - whole)
    nearest = np.int32(max(-1e9, min(1e9, whole)))
    for j in range(n_points):
        x = np.float32(np.int32(np.int32(j) - nearest)) - fraction
        r = _ONE / (x * x + squared)
        wing = (((c4 * r + c3) * r + c2) * r + c1) * r + _ONE
        spectrum[j] += numerator * r * wing
    for j in range(count):
        spectrum[low + j] = scratch[j]


@kernel
def add_resolved_sticks(
    spectrum: F32, start: float, step: float, positions: F64, areas: F64, fwhms: F64, profile: int,
    resolution: float, scratch: F32,
) -> None:  # fmt: skip
    """Broaden sticks as ``add_sticks``, seen with a Gaussian resolution of that FWHM.

    Of a LORENTZIAN profile a Voigt profile is made, of a GAUSSIAN one a wider Gaussian.
    """
    for m in range(positions.shape[0]):
        area = areas[m]
        if area <= 0.0:
            continue
        if profile == LORENTZIAN:
            add_voigt(
                spectrum, start, step, positions[m], fwhms[m], resolution, area, scratch
            )  # fmt: skip
        else:
            width = np.sqrt(fwhms[m] * fwhms[m] + resolution * resolution)
            add_gaussian(spectrum, start, step, positions[m], width, area)
