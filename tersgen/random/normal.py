"""Normal deviates by Box-Muller on float32.

Every deviate is a function of (seed, stream, index, block, place): two words become a pair of
independent normals. G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29, 610 (1958).
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from ..numeric.elementary import cos_sin_turn, minus_two_log
from .words import fill_words

_ONE = np.uint32(1)
_HALF = np.float32(0.5)
_SCALE = np.float32(2.0**-31)


@inlined
def normal_pair(word_a: np.uint32, word_b: np.uint32) -> tuple[np.float32, np.float32]:
    """Return two independent standard normals from two uniform words; at most 6.66 in size."""
    u = (np.float32(np.int32(word_a >> _ONE)) + _HALF) * _SCALE
    radius = np.float32(np.sqrt(minus_two_log(u)))
    cosine, sine = cos_sin_turn(word_b)
    return radius * cosine, radius * sine


@kernel
def fill_normals(out: NDArray[np.float32], index: int, block: int, seed: int, stream: int) -> None:
    """Fill ``out``, of even length n, with standard normals: places k and n/2 + k are a pair.

    Words and normals take turns in the same memory: in one loop they need more registers than
    there are.
    """
    words = out.view(np.uint32)
    fill_words(words, 0, index, block, seed, stream)
    half = words.shape[0] // 2
    first, second = words[:half], words[half:]
    for k in range(half):
        a, b = normal_pair(first[k], second[k])
        first[k] = np.float32(a).view(np.uint32)
        second[k] = np.float32(b).view(np.uint32)
