"""Raman tensors of which only invariants are known: activity, and perhaps depolarization ratio.

The tensor is a I + t diag(-1, -1, 2), with the right activity and ratio. Its orientation is
arbitrary: averages over orientations are right, polarized spectra of a fixed molecule are not.
"""

import math

from ..errors import LibraryError
from ..schema.species import Matrix3

LARGEST_RATIO = 0.75
"""Depolarization ratio, plane-polarised, of a tensor without trace."""

REMARK = "tensors a I + t diag(-1, -1, 2) of the printed invariants: their orientation is arbitrary"


def tensor_of(activity: float, ratio: float | None) -> Matrix3:
    """Return a tensor of an activity S and a depolarization ratio rho for plane-polarised light.

    With S = 45 a^2 + 7 gamma^2 and rho = 3 gamma^2/(45 a^2 + 4 gamma^2): gamma^2 =
    S rho/(3 (1 + rho)). Without a ratio it is isotropic. D. A. Long, "The Raman Effect" (2002).

    Parameters
    ----------
    activity
        S, Angstrom^4/amu.
    ratio
        rho, 0 to 0.75; rounding of a print above that is taken as 0.75.
    """
    rho = 0.0 if ratio is None else ratio
    if not (0 <= activity < math.inf) or not 0 <= rho <= LARGEST_RATIO + 1e-3:
        raise LibraryError(
            f"expected an activity >= 0 and a depolarization ratio from 0 to {LARGEST_RATIO}, got "
            f"{activity:g} and {rho:g}"
        )
    rho = min(rho, LARGEST_RATIO)
    squared = activity * rho / (3.0 * (1.0 + rho))
    return tensor_of_invariants(math.sqrt(max(0.0, activity - 7.0 * squared) / 45.0), squared)


def tensor_of_invariants(mean: float, anisotropy_squared: float) -> Matrix3:
    """Return the tensor of mean derivative a and anisotropy gamma^2: diag(-t, -t, 2t) + a I."""
    if not math.isfinite(mean) or not 0 <= anisotropy_squared < math.inf:
        raise LibraryError(
            f"expected finite invariants, gamma^2 >= 0, got {mean:g} and {anisotropy_squared:g}"
        )
    t = math.sqrt(anisotropy_squared) / 3.0
    return ((mean - t, 0.0, 0.0), (0.0, mean - t, 0.0), (0.0, 0.0, mean + 2.0 * t))
