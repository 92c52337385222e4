"""Uniform words for arrays: a hash of their number under a key made by Philox.

Philox4x32-10 takes 0.25 ns a word, most of it in its wide products. For an array of words one call
gives a key of 96 bits; word d is a bijective hash of d under it: xor-shifts and products as in C.
Wellons' ``triple32``, with a part of the key before each product. Words of one array are drawn
without replacement, which counts of up to 2^16 cannot show.
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from .philox import philox

U32 = NDArray[np.uint32]

_M0, _M1, _M2 = np.uint64(0xED5AD4BB), np.uint64(0xAC4C1B51), np.uint64(0x31848BAB)
_S11, _S14, _S15, _S17 = np.uint32(11), np.uint32(14), np.uint32(15), np.uint32(17)
_LOW = np.uint64(0xFFFFFFFF)


@inlined
def keyed_word(number: int, k0: np.uint32, k1: np.uint32, k2: np.uint32) -> np.uint32:
    """Return the word of a number below 2^32 under a key."""
    x = np.uint32((np.uint64(number) + np.uint64(k0)) & _LOW)
    x = np.uint32(x ^ (x >> _S17))
    x = np.uint32((np.uint64(x) * _M0 + np.uint64(k1)) & _LOW)
    x = np.uint32(x ^ (x >> _S11))
    x = np.uint32(np.uint32((np.uint64(x) * _M1) & _LOW) ^ k2)
    x = np.uint32(x ^ (x >> _S15))
    x = np.uint32((np.uint64(x) * _M2) & _LOW)
    return np.uint32(x ^ (x >> _S14))


@kernel
def fill_words(words: U32, first: int, index: int, block: int, seed: int, stream: int) -> None:
    """Fill ``words``, shape (n,), by those of the numbers ``first``, ``first`` + 1, ..."""
    k0, k1, k2, _ = philox(0, index, block, seed, stream)
    for k in range(words.shape[0]):
        words[k] = keyed_word(first + k, k0, k1, k2)
