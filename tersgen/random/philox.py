"""Philox4x32-10, the counter-based random generator under every drawn number.

Key = (seed, stream), counter = (draw, index low, index high, block): any draw of any sample is
computed on its own, in any order, on any machine. J. K. Salmon et al., "Parallel random numbers:
as easy as 1, 2, 3", SC'11 (2011).
"""

import numpy as np

from ..numeric._jit import inlined

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DROP = np.uint32(8)
_UNIT = np.float32(2.0**-24)


@inlined
def philox(
    draw: int, index: int, block: int, seed: int, stream: int
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Return four uniform 32-bit words for one counter and key.

    ``draw``, ``block``, ``seed`` and ``stream`` count below 2^32, ``index`` below 2^64.
    """
    wide = np.uint64(index)
    c0 = np.uint32(draw)
    c1 = np.uint32(wide & _LOW)
    c2 = np.uint32(wide >> _HALF)
    c3 = np.uint32(block)
    k0 = np.uint32(seed)
    k1 = np.uint32(stream)
    for _ in range(10):
        p0 = np.uint64(c0) * _MULTIPLIER_0
        p1 = np.uint64(c2) * _MULTIPLIER_1
        c0 = np.uint32(np.uint32(p1 >> _HALF) ^ c1 ^ k0)
        c1 = np.uint32(p1 & _LOW)
        c2 = np.uint32(np.uint32(p0 >> _HALF) ^ c3 ^ k1)
        c3 = np.uint32(p0 & _LOW)
        k0 = np.uint32((np.uint64(k0) + _WEYL_0) & _LOW)
        k1 = np.uint32((np.uint64(k1) + _WEYL_1) & _LOW)
    return c0, c1, c2, c3


@inlined
def uniform(word: np.uint32) -> np.float32:
    """Return the top 24 bits of a word as a float32 in [0, 1)."""
    return np.float32(np.int32(word >> _DROP)) * _UNIT


@inlined
def between(low: float, high: float, word: np.uint32) -> float:
    """Return a float64 uniform in [low, high), from the top 24 bits of a word."""
    return low + (high - low) * np.float64(uniform(word))
