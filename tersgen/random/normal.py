"""Normal deviates by Box-Muller on float32.

Every deviate is a function of (seed, stream, index, block, draw): word pairs of one Philox call
become two pairs of independent normals. G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29, 610
(1958).
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from ..numeric.elementary import cos_sin_turn, log
from .philox import philox

U32 = NDArray[np.uint32]

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
def fill_words(words: U32, first: int, index: int, block: int, seed: int, stream: int) -> None:
    """Fill ``words`` by draws ``first``, ``first`` + 1, ...; their number is a multiple of four.

    Word w of the d-th of them lands at w * len(words) / 4 + d, so that the loop vectorises.
    """
    quarter = words.shape[0] // 4
    for d in range(quarter):
        w0, w1, w2, w3 = philox(first + d, index, block, seed, stream)
        words[d] = w0
        words[quarter + d] = w1
        words[2 * quarter + d] = w2
        words[3 * quarter + d] = w3


@kernel
def _pair_up(first: U32, second: U32) -> None:
    """Replace pairs of words by the bits of pairs of normals."""
    for k in range(first.shape[0]):
        a, b = normal_pair(first[k], second[k])
        first[k] = np.float32(a).view(np.uint32)
        second[k] = np.float32(b).view(np.uint32)


@kernel
def fill_normals(out: NDArray[np.float32], index: int, block: int, seed: int, stream: int) -> None:
    """Fill ``out`` with standard normals; its length is a multiple of four.

    Words and normals take turns in the same memory: in one loop they need more registers than
    there are.
    """
    words = out.view(np.uint32)
    fill_words(words, 0, index, block, seed, stream)
    quarter = words.shape[0] // 4
    _pair_up(words[:quarter], words[quarter : 2 * quarter])
    _pair_up(words[2 * quarter : 3 * quarter], words[3 * quarter : 4 * quarter])
