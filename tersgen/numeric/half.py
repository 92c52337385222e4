"""Rounding of float32 to IEEE binary16, to nearest even, on the bits.

Kernels write float16 arrays through their ``uint16`` view, so that no separate conversion pass
over the data is needed and no CPU instruction decides how to round.
"""

import numpy as np

from ._jit import inlined

_SIGN = np.uint32(0x8000)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_SIXTEEN, _THIRTEEN, _ONE = np.uint32(16), np.uint32(13), np.uint32(1)
_REBIAS = np.uint32(0xC8000FFF)  # (15 - 127) << 23, plus rounding half down; ties add one more
_SMALLEST_NORMAL = np.float32(2.0**-14)
_HALF = np.float32(0.5)
_HALF_BITS = np.uint32(0x3F000000)


@inlined
def to_half(value: np.float32) -> np.uint16:
    """Return the binary16 bits of a float32 below 65504 in size, rounded to nearest even."""
    word = np.float32(value).view(np.uint32)
    magnitude = np.uint32(word & _MAGNITUDE)
    size = np.uint32(magnitude).view(np.float32)
    tie = np.uint32((magnitude >> _THIRTEEN) & _ONE)
    normal = np.uint32(
        np.uint32(
            (np.uint64(magnitude) + np.uint64(_REBIAS) + np.uint64(tie)) & np.uint64(0xFFFFFFFF)
        )
        >> _THIRTEEN
    )
    # adding 1/2 aligns the last bit of a float32 with that of a binary16 subnormal
    tiny = np.float32(size + _HALF)
    subnormal = np.uint32(np.float32(tiny).view(np.uint32) - _HALF_BITS)
    bits = subnormal if size < _SMALLEST_NORMAL else normal
    return np.uint16(((word >> _SIXTEEN) & _SIGN) | bits)
