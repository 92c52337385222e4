"""Logarithm, sine, cosine, exponential in float32, arctangent in float64: the same bits everywhere.

They consist of +, -, *, /, integers and ``fma``, where it is written; a maths library would give
other last bits on another machine. Polynomials of ``exp`` and ``arctan``: S. Moshier, Cephes
(``expf``, ``atan``); of the others minimax (C. L. Lawson's weights), with the arguments reduced on
the bits. Those in float32 are written branch-free, so that loops over them vectorise.
"""

import numpy as np

from ._jit import inlined
from .fma import fma

_F = np.float32
_MANTISSA_BITS = np.int32(23)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_MANTISSA_MASK = np.int32(0x007FFFFF)
_MINUS_LN2_HIGH = _F(-0.693359375)
_MINUS_LN2_LOW = _F(2.12194440e-4)
_INV_LN2 = _F(1.44269504088896341)
_MINUS_TWO_LN2 = _F(-1.38629436111989062)
_L0, _L1, _L2 = _F(-2.0), _F(0.9999996423721313), _F(-0.6666786670684814)
_L3, _L4, _L5 = _F(0.5000516772270203), _F(-0.39926955103874207), _F(0.3310357630252838)
_L6, _L7, _L8 = _F(-0.29767367243766785), _F(0.2885376513004303), _F(-0.17959067225456238)
_S0, _S1 = _F(1.5707963705062866), _F(-0.6459634900093079)
_S2, _S3 = _F(0.07968022674322128), _F(-0.004602177068591118)
_C1, _C2 = _F(-1.2337005138397217), _F(0.25366923213005066)
_C3, _C4 = _F(-0.02086028829216957), _F(0.0009040216682478786)
_E0, _E1, _E2 = _F(1.9875691500e-4), _F(1.3981999507e-3), _F(8.3334519073e-3)
_E3, _E4, _E5 = _F(4.1665795894e-2), _F(1.6666665459e-1), _F(5.0000001201e-1)
_ONE = _F(1.0)
_EXP_LOWEST = _F(-40.0)
_ZERO = _F(0.0)
_EXP_HIGHEST = _F(88.0)
_ROUNDER = _F(12582912.0)  # 1.5 * 2^23: adding it leaves the nearest integer in the low bits
_ROUNDER_BITS = np.int32(0x4B400000)
_ONE_BITS = np.int32(0x3F800000)
_QUARTER_TURN = _F(2.0**-32)
_TWO = np.uint32(2)
_ODD = np.uint32(0x40000000)
_TOP_BIT = np.uint32(0x80000000)
_ONE_U = np.uint32(1)
_TAN_3_PI_8 = 2.41421356237309504880
_PI_2, _PI_4, _PI_2_LOW = 1.5707963267948966, 0.7853981633974483, 6.123233995736766e-17
_P0, _P1, _P2 = -8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1
_P3, _P4 = -1.228866684490136173410e2, -6.485021904942025371773e1
_Q0, _Q1, _Q2 = 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2
_Q3, _Q4 = 4.853903996359136964868e2, 1.945506571482613964425e2


@inlined
def minus_two_log(x: np.float32) -> np.float32:
    """Return -2 ln(x) for a normal positive float32, to 2 ulp or so."""
    bits = np.int32(np.float32(x).view(np.int32) - _SQRT_HALF_BITS)
    exponent = np.float32(bits >> _MANTISSA_BITS)
    mantissa = np.int32((bits & _MANTISSA_MASK) + _SQRT_HALF_BITS)
    f = np.int32(mantissa).view(np.float32) - _ONE
    p = fma(_L8, f, _L7)
    p = fma(p, f, _L6)
    p = fma(p, f, _L5)
    p = fma(p, f, _L4)
    p = fma(p, f, _L3)
    p = fma(p, f, _L2)
    p = fma(p, f, _L1)
    p = fma(p, f, _L0)
    return fma(p, f, exponent * _MINUS_TWO_LN2)


@inlined
def exp(x: np.float32) -> np.float32:
    """Return e^x for x <= 88, to 1 ulp or so; 0 below -40, where e^x is under 5e-18.

    The cut keeps products of two results clear of subnormal numbers, which many CPUs handle slowly.
    """
    low = x < _EXP_LOWEST
    x = max(min(x, _EXP_HIGHEST), _EXP_LOWEST)
    shifted = fma(x, _INV_LN2, _ROUNDER)
    n = shifted - _ROUNDER
    r = fma(n, _MINUS_LN2_LOW, fma(n, _MINUS_LN2_HIGH, x))
    p = fma(_E0, r, _E1)
    p = fma(p, r, _E2)
    p = fma(p, r, _E3)
    p = fma(p, r, _E4)
    p = fma(p, r, _E5)
    y = fma(p, r * r, r) + _ONE
    scale = np.int32(
        ((np.float32(shifted).view(np.int32) - _ROUNDER_BITS) << _MANTISSA_BITS) + _ONE_BITS
    )
    return _ZERO if low else y * np.int32(scale).view(np.float32)


@inlined
def cos_sin_turn(word: np.uint32) -> tuple[np.float32, np.float32]:
    """Return cosine and sine of the angle 2 pi (word / 2^32 - 1/8), uniform for a random word.

    The top two bits are the quadrant, the rest an angle in [-pi/4, pi/4): the reduction is exact.
    """
    x = np.float32(np.int32(np.uint32(np.uint32(word << _TWO) ^ _TOP_BIT))) * _QUARTER_TURN
    z = x * x
    s = x * fma(fma(fma(_S3, z, _S2), z, _S1), z, _S0)
    c = fma(fma(fma(fma(_C4, z, _C3), z, _C2), z, _C1), z, _ONE)
    odd = (word & _ODD) != 0
    cosine = s if odd else c
    sine = c if odd else s
    # signs on the bits: the cosine's of quadrants 1 and 2, the sine's of 2 and 3
    cosine_sign = np.uint32(np.uint32(word ^ np.uint32(word << _ONE_U)) & _TOP_BIT)
    sine_sign = np.uint32(word & _TOP_BIT)
    cosine_bits = np.uint32(np.float32(cosine).view(np.uint32) ^ cosine_sign)
    sine_bits = np.uint32(np.float32(sine).view(np.uint32) ^ sine_sign)
    return np.uint32(cosine_bits).view(np.float32), np.uint32(sine_bits).view(np.float32)


@inlined
def arctan(x: float) -> float:
    """Return the angle in (-pi/2, pi/2) whose tangent is ``x``, float64, to 1 ulp or so."""
    size = -x if x < 0.0 else x
    high, low, t = 0.0, 0.0, size
    if size > _TAN_3_PI_8:
        high, low, t = _PI_2, _PI_2_LOW, -1.0 / size
    elif size > 0.66:
        high, low, t = _PI_4, 0.5 * _PI_2_LOW, (size - 1.0) / (size + 1.0)
    z = t * t
    top = (((_P0 * z + _P1) * z + _P2) * z + _P3) * z + _P4
    bottom = ((((z + _Q0) * z + _Q1) * z + _Q2) * z + _Q3) * z + _Q4
    angle = high + (t * (z * top / bottom) + low + t)
    return -angle if x < 0.0 else angle
