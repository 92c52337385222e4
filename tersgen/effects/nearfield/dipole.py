"""The field of a dipole in the tip: E = [3 n (n.p) - p]/d^3, which satisfies Maxwell's equations.

It is the field outside a polarized sphere in the quasi-static limit: curl and divergence vanish. d
is the vector from the dipole to an atom, n = d/|d|, Angstrom; p is in Angstrom^3, and the field has
no unit. A tile of pixels is laid out as in ``kernels.py``.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import cos_sin_turn
from .kernels import TILE

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ONE, _THREE = np.float32(1.0), np.float32(3.0)
_WORDS = 4294967296.0


@inlined
def _cos_sin(turn: float) -> tuple[float, float]:
    """Return cosine and sine of an angle in turns, at least 0."""
    cosine, sine = cos_sin_turn(np.uint32(np.int64((turn + 0.125) * _WORDS)))
    return np.float64(cosine), np.float64(sine)


@kernel
def fill_direction(tilt_deg: float, azimuth_deg: float, out: F64) -> None:
    """Write the unit vector tilted by an angle from z, towards an azimuth from x; shape (3,)."""
    cosine, sine = _cos_sin(tilt_deg / 360.0)
    along, across = _cos_sin((azimuth_deg + 360.0) / 360.0)
    out[0], out[1], out[2] = sine * along, sine * across, cosine


@kernel
def fill_dipole_features(
    features: F32, atoms: F32, tip_x: F32, tip_y: F32, tip_z: float, moment: F64
) -> None:
    """Fill a tile with products of field components at the atoms: xx, yy, zz, xy, xz, yz.

    Parameters
    ----------
    features
        Flat, 6 N rows of ``TILE`` pixels, or more: further rows are unchanged.
    atoms
        Positions, shape (N, 3), Angstrom.
    tip_x, tip_y
        Position of the dipole at each pixel, shape (TILE,), Angstrom.
    tip_z
        Its height, Angstrom, above all atoms.
    moment
        p, shape (3,), Angstrom^3.
    """
    px, py, pz = np.float32(moment[0]), np.float32(moment[1]), np.float32(moment[2])
    for atom in range(atoms.shape[0]):
        x, y = atoms[atom, 0], atoms[atom, 1]
        dz = np.float32(np.float64(atoms[atom, 2]) - tip_z)
        one = features[6 * atom * TILE : (6 * atom + 6) * TILE]
        for p in range(TILE):
            dx, dy = x - tip_x[p], y - tip_y[p]
            inverse = _ONE / ((dx * dx + dy * dy) + dz * dz)
            cubed = inverse * np.sqrt(inverse)
            along = _THREE * ((dx * px + dy * py) + dz * pz) * inverse
            ex = (along * dx - px) * cubed
            ey = (along * dy - py) * cubed
            ez = (along * dz - pz) * cubed
            one[p] = ex * ex
            one[TILE + p] = ey * ey
            one[2 * TILE + p] = ez * ez
            one[3 * TILE + p] = ex * ey
            one[4 * TILE + p] = ex * ez
            one[5 * TILE + p] = ey * ez
