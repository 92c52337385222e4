"""Bit-shuffled values put back in order, directly in the rows they belong to.

Bitshuffle (Masui et al., Astronomy and Computing 12, 181, 2015) stores, of n values of 16 bits,
first bit 0 of all, then bit 1 of all, and so on: n/8 bytes for each bit, a plane. Compression works
on this form; here it is undone, and rows are written once, to their destination.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import inlined, kernel
from ._stores import fence, store_past_cache

_TILE = 128
"""Bytes of each plane that are worked on at once: 1024 values."""
_WORDS = _TILE // 8
TILE_BYTES = 16 * _TILE
"""Rows must have a multiple of so many bytes."""


_EVERY_FOURTH = np.uint64(0x0F0F0F0F0F0F0F0F)
_EVERY_SECOND = np.uint64(0x3333333333333333)
_EVERY = np.uint64(0x5555555555555555)


@inlined
def _moved(a: np.uint64, b: np.uint64, shift: np.uint64, mask: np.uint64) -> np.uint64:
    """Return the bits in which two planes change places."""
    return ((a >> shift) ^ b) & mask


@inlined
def _transpose(planes: NDArray[np.uint64], first: int) -> None:
    """Transpose the 8 x 8 bits of each byte of eight planes (Hacker's Delight, section 7-3)."""
    four, two, one = np.uint64(4), np.uint64(2), np.uint64(1)
    for k in range(first * _WORDS, (first + 1) * _WORDS):
        a, b, c, d = planes[k], planes[k + _WORDS], planes[k + 2 * _WORDS], planes[k + 3 * _WORDS]
        e, f = planes[k + 4 * _WORDS], planes[k + 5 * _WORDS]
        g, h = planes[k + 6 * _WORDS], planes[k + 7 * _WORDS]
        t, u = _moved(a, e, four, _EVERY_FOURTH), _moved(b, f, four, _EVERY_FOURTH)
        v, w = _moved(c, g, four, _EVERY_FOURTH), _moved(d, h, four, _EVERY_FOURTH)
        a, b, c, d = a ^ (t << four), b ^ (u << four), c ^ (v << four), d ^ (w << four)
        e, f, g, h = e ^ t, f ^ u, g ^ v, h ^ w
        t, u = _moved(a, c, two, _EVERY_SECOND), _moved(b, d, two, _EVERY_SECOND)
        v, w = _moved(e, g, two, _EVERY_SECOND), _moved(f, h, two, _EVERY_SECOND)
        a, b, e, f = a ^ (t << two), b ^ (u << two), e ^ (v << two), f ^ (w << two)
        c, d, g, h = c ^ t, d ^ u, g ^ v, h ^ w
        t, u = _moved(a, b, one, _EVERY), _moved(c, d, one, _EVERY)
        v, w = _moved(e, f, one, _EVERY), _moved(g, h, one, _EVERY)
        planes[k], planes[k + _WORDS] = a ^ (t << one), b ^ t
        planes[k + 2 * _WORDS], planes[k + 3 * _WORDS] = c ^ (u << one), d ^ u
        planes[k + 4 * _WORDS], planes[k + 5 * _WORDS] = e ^ (v << one), f ^ v
        planes[k + 6 * _WORDS], planes[k + 7 * _WORDS] = g ^ (w << one), h ^ w


@kernel
def copy_bit_shuffled(
    source: NDArray[np.uint64],
    block_words: int,
    take: NDArray[np.intp],
    target: NDArray[np.uint64],
    put: NDArray[np.intp],
) -> None:
    """Copy row ``take[k]`` of bit-shuffled 16-bit values to row ``put[k]`` of ``target``.

    All in little-endian words of 64 bits. ``source`` is blocks of ``block_words`` words, the last
    maybe shorter, of whole rows, each block shuffled for itself. ``target`` has the shape (rows,
    words of a row), a multiple of 256 words. Numbers are not checked.
    """
    planes = np.empty(16 * _WORDS, np.uint64)
    octets = planes.view(np.uint8)
    pairs = np.empty(8 * _TILE, np.uint16)
    words = np.empty(16 * _WORDS, np.uint64)
    row_words = target.shape[1]
    for k in range(take.shape[0]):
        number, inside = divmod(take[k] * row_words, block_words)
        start = number * block_words
        plane_words = min(block_words, source.shape[0] - start) // 16
        room = target[put[k]]
        for tile in range(row_words // (16 * _WORDS)):
            column = start + inside // 16 + tile * _WORDS
            for plane in range(16):
                line = source[column + plane * plane_words : column + plane * plane_words + _WORDS]
                for word in range(_WORDS):
                    planes[plane * _WORDS + word] = line[word]
            _transpose(planes, 0)
            _transpose(planes, 8)
            for value in range(8):
                for group in range(_TILE):
                    pairs[value * _TILE + group] = np.uint16(
                        octets[value * _TILE + group]
                    ) | np.uint16(np.uint16(octets[(8 + value) * _TILE + group]) << np.uint16(8))
            for group in range(_TILE):
                for half in range(2):
                    words[2 * group + half] = (
                        np.uint64(pairs[(4 * half) * _TILE + group])
                        | np.uint64(pairs[(4 * half + 1) * _TILE + group]) << np.uint64(16)
                        | np.uint64(pairs[(4 * half + 2) * _TILE + group]) << np.uint64(32)
                        | np.uint64(pairs[(4 * half + 3) * _TILE + group]) << np.uint64(48)
                    )
            for word in range(16 * _WORDS):
                store_past_cache(room, tile * 16 * _WORDS + word, words[word])
    fence()
