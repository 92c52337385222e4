"""Logarithm, sine, cosine, exponential in float32, arctangent in float64: +, -, *, / and integers.

A maths library, or a fused multiply-add, would give other last bits on another machine; these give
the same everywhere. Polynomials: S. Moshier, Cephes (``logf``, ``sinf``, ``cosf``, ``expf``,
``atan``), with the arguments reduced on the bits. Those in float32 are written branch-free, so that
loops over them vectorise.
"""

import numpy as np

from ._jit import inlined

_F = np.float32
_MANTISSA_BITS = np.int32(23)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_MANTISSA_MASK = np.int32(0x007FFFFF)
_LN2_HIGH = _F(0.693359375)
_LN2_LOW = _F(-2.12194440e-4)
_INV_LN2 = _F(1.44269504088896341)
_L0, _L1, _L2 = _F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1)
_L3, _L4, _L5 = _F(-1.2420140846e-1), _F(1.4249322787e-1), _F(-1.6668057665e-1)
_L6, _L7, _L8 = _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)
_S0, _S1, _S2 = _F(-1.9515295891e-4), _F(8.3321608736e-3), _F(-1.6666654611e-1)
_C0, _C1, _C2 = _F(2.443315711809948e-5), _F(-1.388731625493765e-3), _F(4.166664568298827e-2)
_E0, _E1, _E2 = _F(1.9875691500e-4), _F(1.3981999507e-3), _F(8.3334519073e-3)
_E3, _E4, _E5 = _F(4.1665795894e-2), _F(1.6666665459e-1), _F(5.0000001201e-1)
_HALF, _ONE = _F(0.5), _F(1.0)
_EXP_LOWEST = _F(-40.0)
_ZERO = _F(0.0)
_EXP_HIGHEST = _F(88.0)
_ROUNDER = _F(12582912.0)  # 1.5 * 2^23: adding it leaves the nearest integer in the low bits
_ROUNDER_BITS = np.int32(0x4B400000)
_ONE_BITS = np.int32(0x3F800000)
_EIGHTH_TURN = _F(1.5707963267948966 * 2.0**-32)
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
def log(x: np.float32) -> np.float32:
    """Return ln(x) for a normal positive float32, to 1 ulp or so."""
    bits = np.int32(np.float32(x).view(np.int32) - _SQRT_HALF_BITS)
    exponent = np.float32(bits >> _MANTISSA_BITS)
    mantissa = np.int32((bits & _MANTISSA_MASK) + _SQRT_HALF_BITS)
    f = np.int32(mantissa).view(np.float32) - _ONE
    z = f * f
    p = _L0 * f + _L1
    p = p * f + _L2
    p = p * f + _L3
    p = p * f + _L4
    p = p * f + _L5
    p = p * f + _L6
    p = p * f + _L7
    p = p * f + _L8
    y = f * z * p + exponent * _LN2_LOW - _HALF * z
    return f + y + exponent * _LN2_HIGH


@inlined
def exp(x: np.float32) -> np.float32:
    """Return e^x for x <= 88, to 1 ulp or so; 0 below -40, where e^x is under 5e-18.

    The cut keeps products of two results clear of subnormal numbers, which many CPUs handle slowly.
    """
    low = x < _EXP_LOWEST
    x = max(min(x, _EXP_HIGHEST), _EXP_LOWEST)
    shifted = x * _INV_LN2 + _ROUNDER
    n = shifted - _ROUNDER
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = _E0 * r + _E1
    p = p * r + _E2
    p = p * r + _E3
    p = p * r + _E4
    p = p * r + _E5
    y = p * (r * r) + r + _ONE
    scale = np.int32(
        ((np.float32(shifted).view(np.int32) - _ROUNDER_BITS) << _MANTISSA_BITS) + _ONE_BITS
    )
    return _ZERO if low else y * np.int32(scale).view(np.float32)


@inlined
def cos_sin_turn(word: np.uint32) -> tuple[np.float32, np.float32]:
    """Return cosine and sine of the angle 2 pi (word / 2^32 - 1/8), uniform for a random word.

    The top two bits are the quadrant, the rest an angle in [-pi/4, pi/4): the reduction is exact.
    """
    x = np.float32(np.int32(np.uint32(np.uint32(word << _TWO) ^ _TOP_BIT))) * _EIGHTH_TURN
    z = x * x
    s = ((_S0 * z + _S1) * z + _S2) * z * x + x
    c = ((_C0 * z + _C1) * z + _C2) * z * z - _HALF * z + _ONE
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
