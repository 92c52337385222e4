"""Stokes and anti-Stokes cross-sections: how frequency and temperature weigh a Raman activity.

D. A. Long, "The Raman Effect" (2002), ch. 5. All wavenumbers in cm^-1.
"""

import numpy as np
from numpy.typing import NDArray

from ..units import SECOND_RADIATION_CM_K
from ._jit import kernel

F64 = NDArray[np.float64]

NO_FACTOR, FOURTH_POWER, PHOTON_COUNT = 0, 1, 2
REFERENCE_SHIFT_CM1 = 1000.0
"""Stokes factors are relative to the one at this shift."""
_TERMS = 26


@kernel
def one_minus_exp_minus(x: float) -> float:
    """Return 1 - exp(-x) for x >= 0 without a maths library, to about 1e-15 relative.

    1 - exp(-x) = 1 - (1 - s)^(2^k) with s = 1 - exp(-x/2^k) summed as a series, then doubled back
    by s -> s (2 - s), which loses nothing near zero.
    """
    if x > 40.0:
        return 1.0
    doublings = 0
    while x > 0.125:
        x *= 0.5
        doublings += 1
    term = x
    s = 0.0
    for n in range(2, _TERMS):
        s += term
        term *= -x / n
    for _ in range(doublings):
        s *= 2.0 - s
    return s


@kernel
def stokes_factor(shift: float, laser: float, temperature: float, form: int) -> float:
    """Return the factor that turns a Raman activity at ``shift`` into a Stokes intensity.

    FOURTH_POWER: (nu_0 - nu)^4 / (nu (1 - exp(-hc nu/kT))), for detectors of power, in cm^-3;
    PHOTON_COUNT: nu_0 (nu_0 - nu)^3 / (nu (1 - exp(..))), for detectors of photons; NO_FACTOR: 1.
    ``laser`` is nu_0 in cm^-1, ``temperature`` in K; the population term is 1 at 0 K.
    """
    if form == NO_FACTOR:
        return 1.0
    population = 1.0
    if temperature > 0.0:
        population = one_minus_exp_minus(SECOND_RADIATION_CM_K * shift / temperature)
    scattered = laser - shift
    first = laser if form == PHOTON_COUNT else scattered
    return first * scattered * scattered * scattered / (shift * population)


@kernel
def anti_stokes_ratio(shift: float, laser: float, temperature: float, form: int) -> float:
    """Return the intensity of the anti-Stokes band over that of the Stokes band at ``shift``.

    ((nu_0 + nu)/(nu_0 - nu))^n exp(-hc nu/kT): n = 4 with FOURTH_POWER, 3 with PHOTON_COUNT.
    ``shift`` is nu >= 0 and ``laser`` nu_0, cm^-1; ``temperature`` in K.
    """
    if temperature <= 0.0:
        return 0.0
    ratio = (laser + shift) / (laser - shift)
    power = ratio * ratio * ratio
    if form == FOURTH_POWER:
        power *= ratio
    return power * (1.0 - one_minus_exp_minus(SECOND_RADIATION_CM_K * shift / temperature))


@kernel
def relative_stokes_factors(
    shifts: F64, reference: float, laser: float, temperature: float, form: int, out: F64
) -> None:
    """Fill ``out`` with Stokes factors at ``shifts`` over that at ``reference``; shapes (n,)."""
    unit = stokes_factor(reference, laser, temperature, form)
    for k in range(shifts.shape[0]):
        out[k] = stokes_factor(shifts[k], laser, temperature, form) / unit
