"""Fletcher's checksum of 32 bits as HDF5 stores it after a chunk.

The data are 16-bit big-endian words ``w_0, w_1, ...``; a last odd byte is the high byte of a word.
With running sums ``a_i = a_{i-1} + w_i`` and ``b_i = b_{i-1} + a_i`` in ones' complement, which is
modulo 65535, the checksum is ``b * 65536 + a`` (J. G. Fletcher, IEEE Trans. Commun. 30 (1982) 247;
``H5_checksum_fletcher32``). It cannot distinguish a word of zeros from one of ones, and that of
zeros alone is zero.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel

_MODULUS = np.uint64(65535)
_BLOCK = 256  # words; the sum of 256 * 257 / 2 times 65535 fits 32 bits
_BYTE = np.uint64(256)
_HALF = np.uint64(16)


@inlined
def _reduced(total: np.uint64) -> np.uint64:
    """Return a sum modulo 65535 as ones' complement leaves it: 0 only if nothing was added."""
    return total if total == np.uint64(0) else (total - np.uint64(1)) % _MODULUS + np.uint64(1)


@kernel
def fletcher32(data: NDArray[np.uint8]) -> np.uint32:
    """Return the checksum of some bytes, uint8, shape (n,), contiguous.

    Words are summed as the little-endian numbers that they are in memory: swapping the bytes of
    all words multiplies both sums by 256 modulo 65535, so it is done once, at the end.
    """
    n_words = data.size // 2
    words = data[: 2 * n_words].view(np.uint16)
    a, b = np.uint64(0), np.uint64(0)
    for first in range(0, n_words, _BLOCK):
        block = words[first : first + _BLOCK]
        n_block = np.uint32(block.size)
        plain, weighted = np.uint32(0), np.uint32(0)
        for i in range(block.size):
            word = np.uint32(block[i])
            plain = np.uint32(plain + word)
            weighted = np.uint32(weighted + np.uint32((n_block - np.uint32(i)) * word))
        b = _reduced(b + a * np.uint64(n_block) + np.uint64(weighted))
        a = _reduced(a + np.uint64(plain))
    if data.size % 2:
        a = _reduced(a + np.uint64(data[data.size - 1]))
        b = _reduced(b + a)
    a, b = _reduced(_BYTE * a), _reduced(_BYTE * b)
    return np.uint32((b << _HALF) | a)
