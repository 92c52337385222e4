"""What the numbers of an axis say if nothing else does: they may well not be Raman shifts."""

import numpy as np
from numpy.typing import NDArray

FEW = 8
"""With fewer numbers, only words say what an axis is."""
LEAST_OPTICAL, MOST_SHIFT, MOST_OPTICAL = 4500.0, 10_000.0, 60_000.0
"""Absolute wavenumbers of Raman spectra begin, Raman shifts end, and light ends here, cm^-1."""

_LEAST_REACH = 100.0
_LASERS_NM = (
    325.0, 355.0, 364.0, 405.0, 442.0, 458.0, 473.0, 488.0, 514.5, 532.0, 561.0, 568.0,
    594.0, 633.0, 638.0, 647.0, 660.0, 671.0, 676.0, 752.0, 785.0, 808.0, 830.0,
)  # fmt: skip
_FIRST, _SPAN, _LAST, _STEP = -300.0, 300.0, 4500.0, 30.0


def may_be(values: NDArray[np.float64]) -> str | None:
    """Return what numbers without a heading may be instead of Raman shifts in cm^-1, or None.

    Parameters
    ----------
    values
        The axis, shape (N,).
    """
    if len(values) < FEW:
        return None
    steps = np.diff(values)
    low, high = float(values.min()), float(values.max())
    if low >= LEAST_OPTICAL or high > MOST_SHIFT:
        return "absolute wavenumbers, or in another unit"
    if max(abs(low), abs(high)) < _LEAST_REACH:
        return "photon energies, angles, times, or in another unit"
    if low in (0.0, 0.5, 1.0) and any((np.abs(steps) == step).all() for step in (1.0, 2.0)):
        return "numbers of pixels"
    for laser in _LASERS_NM:
        first, last = _shifts(low, high, laser)
        is_fine = last - first <= _STEP * len(steps)
        if first > _FIRST and last - first >= _SPAN and last <= _LAST and is_fine:
            return "wavelengths"
    return None


def could_be_wavelengths(values: NDArray[np.float64], laser_nm: float | None = None) -> bool:
    """Return whether numbers might be wavelengths in nm of a laser, or of any, shape (N,)."""
    ends = float(values.min()), float(values.max())
    lasers = (laser_nm,) if laser_nm else _LASERS_NM
    shifts = (_shifts(*ends, laser) for laser in lasers)
    return any(first > -LEAST_OPTICAL and last < MOST_SHIFT for first, last in shifts)


def _shifts(low_nm: float, high_nm: float, laser_nm: float) -> tuple[float, float]:
    """Return the Raman shifts of two wavelengths, cm^-1; far below the laser for none."""
    if low_nm <= 0:
        return -np.inf, -np.inf
    return 1e7 / laser_nm - 1e7 / low_nm, 1e7 / laser_nm - 1e7 / high_nm
