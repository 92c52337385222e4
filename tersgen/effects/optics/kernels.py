"""Curves over the axis of one spectrum: edge filter, silicon, fringes, Eqs. (11.3) to (11.6).

Shifts and widths are in cm^-1, wavelengths in nm, thicknesses in um. Nothing but products, sums and
``exp`` of ``numeric.elementary``: results do not depend on a maths library.
"""

from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import cos_sin_turn, exp
from ..instrument.kernels import interpolate

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_WORDS = 4294967296.0
_NM_CM, _UM_CM = 1e7, 1e-4
_LEAST_NM, _STEP_NM = 400.0, 50.0
_ABSORPTION_CM1 = (
    *("9.52e4", "2.55e4", "1.11e4", "6.39e3", "4.14e3", "2.81e3", "1.90e3", "1.30e3", "8.50e2"),
    *("5.35e2", "3.06e2", "1.57e2", "6.40e1", "1.63e1", "3.5", "6.8e-1", "2.2e-2"),
)
"""Absorption of silicon at 300 K every 50 nm from 400 nm on, cm^-1: M. A. Green and M. J. Keevers,
Prog. Photovolt. 3, 189 (1995)."""
GROUP_INDEX = 4.1
"""Of silicon around 900 nm, n - lambda dn/dlambda, by which fringes are spaced (same source)."""
INGAAS_FROM_NM = 900.0
"""Lasers from here on are used with sensors of InGaAs."""
_INGAAS_EDGE_NM, _INGAAS_WIDTH_NM = 1650.0, 15.0
"""Cut-off of a cooled InGaAs sensor (half of the plateau), and width of its logistic decrease."""
_TO_LOGISTIC = 1.0 / 4.394449154672439
"""From the width 0.1 to 0.9 of a logistic curve to its parameter: 1/(2 ln 9)."""
_REACH = 16.0
"""A logistic curve is 0 or 1 further away than so many times its parameter (1e-7)."""


def _logarithms() -> F64:
    with localcontext() as context:
        context.prec = 40
        return np.array([float(Decimal(value).ln()) for value in _ABSORPTION_CM1])


_LOG_ABSORPTION = _logarithms()


@kernel
def silicon_absorption(wavelength: float) -> float:
    """Return the absorption coefficient of silicon at 300 K in cm^-1, log-linear in a table."""
    last = _LOG_ABSORPTION.shape[0] - 1
    place = min(max((wavelength - _LEAST_NM) / _STEP_NM, 0.0), 1.0 * last)
    low = min(int(place), last - 1)
    t = place - low
    value = _LOG_ABSORPTION[low] * (1.0 - t) + _LOG_ABSORPTION[low + 1] * t
    return np.float64(exp(np.float32(value)))


@inlined
def turned(turns: float) -> tuple[np.float32, np.float32]:
    """Return cosine and sine of the angle 2 pi ``turns``, which is at least 0."""
    part = turns + 0.125
    part -= np.floor(part)
    return cos_sin_turn(np.uint32(np.int64(part * _WORDS)))


@kernel
def fill_wave(wave: F32, first: float, step: float) -> None:
    """Fill cos(2 pi (first + k step)), from numbers of turns of at least 0."""
    cosine, sine = turned(first)
    c, s = turned(step)
    for k in range(wave.shape[0]):
        wave[k] = cosine
        cosine, sine = cosine * c - sine * s, sine * c + cosine * s


@kernel
def fill_edge(edge: F32, start: float, step: float, middle: float, width: float) -> None:
    """Fill the transmission of an edge filter, 1/(1 + exp(-(nu - middle)/w)): Eq. (11.3).

    ``width`` is the distance of the transmissions 0.1 and 0.9, 2 ln(9) w.
    """
    parameter = width * _TO_LOGISTIC
    low, high = middle - _REACH * parameter, middle + _REACH * parameter
    for k in range(edge.shape[0]):
        shift = start + k * step
        if shift <= low:
            edge[k] = _ZERO
        elif shift >= high:
            edge[k:] = _ONE
            return
        else:
            edge[k] = _ONE / (_ONE + exp(np.float32((middle - shift) / parameter)))


@kernel
def add_elastic(
    line: F32, edge: F32, start: float, step: float, height: float, width: float, curve: F32
) -> None:
    """Add elastically scattered light behind an edge filter, its maximum ``height``: Eq. (11.4).

    In front of the filter it is exp(-|nu|/width); ``curve`` is working memory.
    """
    highest = _ZERO
    for k in range(curve.shape[0]):
        shift = abs(start + k * step)
        curve[k] = edge[k] * exp(np.float32(-shift / width))
        highest = max(highest, curve[k])
    if highest <= _ZERO:
        return
    factor = np.float32(height) / highest
    for k in range(curve.shape[0]):
        line[k] += factor * curve[k]


@kernel
def fill_passing(
    passing: F32, start: float, step: float, laser: float, um: float, weights: F32
) -> None:
    """Fill exp(-alpha(lambda) d): the fraction of the light that a layer of silicon lets pass.

    lambda is the wavelength of light with the shift of each point; ``weights`` are those of
    ``curve_weights``. It is worked out at nodes.
    """
    stride = weights.shape[1]
    nodes = np.empty((passing.shape[0] - 1) // stride + 4, np.float32)
    for j in range(nodes.shape[0]):
        wavenumber = _NM_CM / laser - (start + (j - 1) * stride * step)
        absorption = silicon_absorption(_NM_CM / max(wavenumber, 1.0))
        nodes[j] = exp(np.float32(-absorption * um * _UM_CM))
    interpolate(nodes, weights, passing)
    for k in range(passing.shape[0]):
        passing[k] = min(max(passing[k], _ZERO), _ONE)


@kernel
def fill_ingaas(efficiency: F32, start: float, step: float, laser: float) -> None:
    """Fill the relative quantum efficiency of InGaAs: constant up to its cut-off wavelength."""
    for k in range(efficiency.shape[0]):
        wavelength = _NM_CM / max(_NM_CM / laser - (start + k * step), 1.0)
        x = (wavelength - _INGAAS_EDGE_NM) / _INGAAS_WIDTH_NM
        efficiency[k] = _ONE / (_ONE + exp(np.float32(min(x, 40.0))))


@kernel
def fill_silicon(
    efficiency: F32, passing: F32, start: float, step: float, um: float, amplitude: float,
    phase: float,
) -> None:  # fmt: skip
    """Fill the quantum efficiency (1 - p) (1 + V p cos phi) of a layer of silicon: Eq. (11.5).

    ``passing`` is p. The phase phi grows by a turn in 1/(2 n d), n the group index, and is
    ``phase`` turns at the laser.
    """
    if amplitude > 0.0:
        per_cm1 = 2.0 * GROUP_INDEX * um * _UM_CM
        first = phase + per_cm1 * start
        fill_wave(efficiency, first - np.floor(first), per_cm1 * step)
        size = np.float32(amplitude)
        for k in range(passing.shape[0]):
            p = passing[k]
            efficiency[k] = (_ONE - p) * (_ONE + size * p * efficiency[k])
    else:
        for k in range(passing.shape[0]):
            efficiency[k] = _ONE - passing[k]
