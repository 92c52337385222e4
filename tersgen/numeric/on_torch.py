"""The arithmetic of kernels in plain torch operations: the same bits on a CPU and on a GPU.

torch rounds each of +, -, *, / and every conversion as IEEE 754 says, so kernels written with
nothing else give the same bits. What is not so is avoided here: quotients with a Python number,
which torch makes products with a reciprocal; roots in float32, and on a CPU in float64. Fused
multiply-adds are ``addcmul`` on devices where that is seen to be one, and else emulated in float64.
Matrix products, sums along a dimension and ``torch.compile``, which fuses others, are not used.
"""

from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from . import elementary as e

Number = Tensor | float


def emulated_fma(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return a b + c of float32 numbers, rounded once, as :func:`tersgen.numeric.fma.fma` does."""
    product, addend = a.double() * b.double(), c.double()
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(torch.int64)
    step = torch.where((error > 0.0) == (total > 0.0), 1, -1)
    to_odd = (error != 0.0) & (bits & 1 == 0)
    return torch.where(to_odd, bits + step, bits).view(torch.float64).float()


@cache
def has_fma(device: torch.device) -> bool:
    """Return whether ``addcmul`` rounds once on a device, which torch does not promise.

    It is tried, in each way in which it is used here, on sums that cancel all but the error of the
    product, at lengths that no vector divides.
    """
    a = (torch.arange(3 * 4099, device=device).float().reshape(3, -1) * 1.7183 + 0.3).contiguous()
    others = (a.flip(0).contiguous(), a[1], a[:, 7:8].contiguous(), a[2, 5])
    for b in others:
        for c in (-(a * b), *(-(one * one) for one in others)):
            if not torch.equal(torch.addcmul(c, a, b), emulated_fma(a, b, c)):
                return False
    return True


@lru_cache(256)
def _constant(value: float, device: torch.device) -> Tensor:
    return torch.full((), value, device=device)


def fma(a: Tensor, b: Number, c: Number) -> Tensor:
    """Return a b + c of float32 numbers, rounded once: by ``addcmul`` where it does that."""
    b, c = (one if isinstance(one, Tensor) else _constant(one, a.device) for one in (b, c))
    return torch.addcmul(c, a, b) if has_fma(a.device) else emulated_fma(a, b, c)


def quotient(a: Number, b: Tensor | float, like: Tensor) -> Tensor:
    """Return a/b, rounded as it should be: both are made tensors of the type of ``like``."""
    over, under = (
        one
        if isinstance(one, Tensor)
        else torch.full((1,), one, dtype=like.dtype, device=like.device)
        for one in (a, b)
    )
    return over / under


def root(x: Tensor) -> Tensor:
    """Return the square root, rounded to nearest.

    torch's on a CPU is not; of float32 it is rounded from float64, where it is near enough.
    """
    if x.dtype == torch.float32:
        return torch.sqrt(x.double()).float()
    if x.device.type == "cpu":
        return torch.from_numpy(np.sqrt(x.numpy()))
    return torch.sqrt(x)


def word_bits(word: Tensor) -> Tensor:
    """Return words below 2^32, int64, as int32 of the same bits."""
    return (word - ((word >> 31) << 32)).to(torch.int32)


def minus_two_log(x: Tensor) -> Tensor:
    """Return -2 ln(x) for normal positive float32."""
    bits = x.view(torch.int32) - int(e._SQRT_HALF_BITS)
    exponent = (bits >> 23).float()
    mantissa = (bits & int(e._MANTISSA_MASK)) + int(e._SQRT_HALF_BITS)
    f = mantissa.view(torch.float32) - 1.0
    p = fma(torch.full_like(f, float(e._L8)), f, float(e._L7))
    for coefficient in (e._L6, e._L5, e._L4, e._L3, e._L2, e._L1, e._L0):
        p = fma(p, f, float(coefficient))
    return fma(p, f, exponent * float(e._MINUS_TWO_LN2))


def exp(x: Tensor) -> Tensor:
    """Return e^x of float32 up to 88; 0 below -40."""
    low = x < float(e._EXP_LOWEST)
    x = x.clamp(float(e._EXP_LOWEST), float(e._EXP_HIGHEST))
    shifted = fma(x, float(e._INV_LN2), float(e._ROUNDER))
    n = shifted - float(e._ROUNDER)
    r = fma(n, float(e._MINUS_LN2_LOW), fma(n, float(e._MINUS_LN2_HIGH), x))
    p = fma(r, float(e._E0), float(e._E1))
    for coefficient in (e._E2, e._E3, e._E4, e._E5):
        p = fma(p, r, float(coefficient))
    y = fma(p, r * r, r) + 1.0
    scale = ((shifted.view(torch.int32) - int(e._ROUNDER_BITS)) << 23) + int(e._ONE_BITS)
    return torch.where(low, 0.0, y * scale.view(torch.float32))


def cos_sin_turn(word: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the angle 2 pi (word / 2^32 - 1/8) of words as int32."""
    top = -(2**31)
    x = ((word << 2) ^ top).float() * float(e._QUARTER_TURN)
    z = x * x
    s = fma(fma(z, float(e._S3), float(e._S2)), z, float(e._S1))
    s = x * fma(s, z, float(e._S0))
    c = fma(z, float(e._C4), float(e._C3))
    for coefficient in (e._C2, e._C1, e._ONE):
        c = fma(c, z, float(coefficient))
    odd = (word & int(e._ODD)) != 0
    cosine, sine = torch.where(odd, s, c), torch.where(odd, c, s)
    cosine_bits = cosine.view(torch.int32) ^ ((word ^ (word << 1)) & top)
    sine_bits = sine.view(torch.int32) ^ (word & top)
    return cosine_bits.view(torch.float32), sine_bits.view(torch.float32)


def extent(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return smallest and largest along the last dimension, kept; -0 is below 0."""
    bits = values.view(torch.int32)
    ranks = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    low, high = ranks.amin(-1, keepdim=True), ranks.amax(-1, keepdim=True)
    low, high = (one ^ ((one >> 31) & 0x7FFFFFFF) for one in (low, high))
    return low.view(torch.float32), high.view(torch.float32)
