"""Normal deviates by Box-Muller on float32.

Every deviate is a function of (seed, stream, index, block, draw): word pairs of one Philox call
become two pairs of independent normals. G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29, 610
(1958).
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from .elementary import cos_sin_turn, log
from .philox import philox

_ONE = np.uint32(1)
_HALF = np.float32(0.5)
_SCALE = np.float32(2.0**-31)
_MINUS_TWO = np.float32(-2.0)


@inlined
def normal_pair(word_a: np.uint32, word_b: np.uint32) -> tuple[np.float32, np.float32]:
    """Return two independent standard normals from two uniform words; at most 6.66 in size."""
    u = (np.float32(np.int32(word_a >> _ONE)) + _HALF) * _SCALE
    radius = np.float32(np.sqrt(_MINUS_TWO * log(u)))
    cosine, sine = cos_sin_turn(word_b)
    return radius * cosine, radius * sine


@kernel
def fill_normals(out: NDArray[np.float32], index: int, block: int, seed: int, stream: int) -> None:
    """Fill ``out`` with standard normals; its length is a multiple of four.

    Word w of draw d lands at w * len(out) / 4 + d, so that the loop vectorises.
    """
    quarter = out.shape[0] // 4
    for draw in range(quarter):
        w0, w1, w2, w3 = philox(draw, index, block, seed, stream)
        a, b = normal_pair(w0, w1)
        c, d = normal_pair(w2, w3)
        out[draw] = a
        out[quarter + draw] = b
        out[2 * quarter + draw] = c
        out[3 * quarter + draw] = d
