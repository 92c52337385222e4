"""One sample's orientation: fixed, any, or that of a molecule on a surface."""

import numpy as np
from numpy.typing import NDArray

from ..kernels import streams
from ..kernels._jit import kernel
from ..kernels.elementary import cos_sin_turn
from ..kernels.normal import normal_pair
from ..kernels.philox import between, philox
from ..kernels.tensor import multiply_quaternions
from .tables import Settings

F64 = NDArray[np.float64]

RANDOM, FIXED, AVERAGED, FLAT, TILTED = 0, 1, 2, 3, 4
_TOP_BIT = np.uint32(0x80000000)
_WORDS = 4294967296.0


@kernel
def _draw_adsorbed(index: int, frame: F64, settings: Settings, quaternion: F64) -> None:
    """Lay the molecule flat, either face up, turn it in the plane; tilt it, and turn it again."""
    w0, w1, w2, w3 = philox(0, index, 0, settings.seed, streams.ADSORPTION)
    step, held = np.zeros(4, np.float64), np.zeros(4, np.float64)
    step[0 if w1 < _TOP_BIT else 1] = 1.0  # half a turn about x, or none
    multiply_quaternions(step, frame, held)
    # the half angle runs over a whole turn, and the angle with it
    cosine, sine = cos_sin_turn(w0)
    step[0], step[1], step[3] = np.float64(cosine), 0.0, np.float64(sine)
    multiply_quaternions(step, held, quaternion)
    if settings.orientation == TILTED:
        half_turn = between(0.0, settings.tilt_half_turns, w2)
        cosine, sine = cos_sin_turn(np.uint32(np.int64((half_turn + 0.125) * _WORDS)))
        step[0], step[1], step[3] = np.float64(cosine), np.float64(sine), 0.0
        multiply_quaternions(step, quaternion, held)
        cosine, sine = cos_sin_turn(w3)
        step[0], step[1], step[3] = np.float64(cosine), 0.0, np.float64(sine)
        multiply_quaternions(step, held, quaternion)


@kernel
def draw_orientation(
    index: int, component: int, frame: F64, settings: Settings, quaternion: F64
) -> None:
    """Write the unit quaternion (w, x, y, z) of one species of a sample; identity if averaged.

    ``frame`` is the quaternion that lays the species flat, shape (4,).
    """
    if settings.orientation == FLAT or settings.orientation == TILTED:
        _draw_adsorbed(index, frame, settings, quaternion)
    elif settings.orientation == RANDOM:
        w0, w1, w2, w3 = philox(0, index, component, settings.seed, streams.ORIENTATION)
        a, b = normal_pair(w0, w1)
        c, d = normal_pair(w2, w3)
        quaternion[0], quaternion[1], quaternion[2], quaternion[3] = a, b, c, d
    else:
        for k in range(4):
            quaternion[k] = settings.quaternion[k]
        return
    norm = np.sqrt(
        quaternion[0] * quaternion[0]
        + quaternion[1] * quaternion[1]
        + quaternion[2] * quaternion[2]
        + quaternion[3] * quaternion[3]
    )
    for k in range(4):
        quaternion[k] /= norm
