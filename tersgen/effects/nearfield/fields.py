"""The field of a tip at one point, for responses that need all three components."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined
from ...numeric.elementary import exp
from .kernels import DIPOLE, GAUSSIAN_Z, PLANE

F64 = NDArray[np.float64]

_EIGHT_LN2 = 5.545177444479562


@inlined
def field_at(
    dx: np.float32, dy: np.float32, dz: np.float32, field: int, width: F64, moment: F64
) -> tuple[float, float, float]:
    """Return the field at a point, of the kinds of ``kernels.fill_features`` and of a dipole.

    Parameters
    ----------
    dx, dy, dz
        The point from the tip, Angstrom.
    field
        PLANE, GAUSSIAN_Z, RADIAL or DIPOLE.
    width
        FWHM along x, y, z, shape (3,), Angstrom; not for PLANE and DIPOLE.
    moment
        Of the dipole, shape (3,), Angstrom^3: E = [3 n (n.p) - p] / d^3.
    """
    if field == PLANE:
        return 0.0, 0.0, 1.0
    x, y, z = np.float64(dx), np.float64(dy), np.float64(dz)
    xx, yy, zz = x * x, y * y, z * z
    squared = (xx + yy) + zz
    if field == DIPOLE:
        along = 3.0 * ((x * moment[0] + y * moment[1]) + z * moment[2]) / squared
        cubed = squared * np.sqrt(squared)
        return (
            (along * x - moment[0]) / cubed,
            (along * y - moment[1]) / cubed,
            (along * z - moment[2]) / cubed,
        )
    exponent = xx / (width[0] * width[0]) + yy / (width[1] * width[1])
    if field == GAUSSIAN_Z:
        return 0.0, 0.0, np.float64(exp(np.float32(-0.5 * _EIGHT_LN2 * exponent)))
    exponent += zz / (width[2] * width[2])
    size = np.float64(exp(np.float32(-0.5 * _EIGHT_LN2 * exponent))) / np.sqrt(squared)
    return size * x, size * y, size * z
