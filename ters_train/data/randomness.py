"""Random numbers of a sample: a pure function of (seed, epoch, stream, row, draw), on any device.

Nothing is remembered between calls, so a row draws the same whatever batch it comes in, on whatever
rank and device, and after a resume. The generator is SplitMix64: a counter in steps of the golden
ratio through a finaliser that mixes all 64 bits. G. L. Steele, D. Lea and C. H. Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014; the constants are D. Stafford's "Mix13".

PyTorch has no unsigned 64-bit arithmetic: products and sums of int64 wrap around to the same bits,
and a right shift, which repeats the sign, is masked.

Rows start at random places of one sequence of 2^64 words. Among 10^8 rows of 10^3 words, about two
may share a stretch, which does not affect training.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_WRAP = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
_PAIRS_AT_ONCE = 1 << 17

LARGEST_BELOW = 1 << 31
"""Largest bound of :func:`integers`."""


class Key(NamedTuple):
    """What all rows of an epoch have in common."""

    seed: int
    epoch: int


def _signed(word: int) -> int:
    """Return the int64 that has the bits of a word."""
    word %= _WRAP
    return word - _WRAP if word >> 63 else word


def _mixed_number(word: int) -> int:
    """Return the finaliser's value of one word."""
    word %= _WRAP
    for shift, factor in _ROUNDS:
        word = (word ^ (word >> shift)) * factor % _WRAP
    return word ^ (word >> _LAST_SHIFT)


def _shifted(words: Tensor, shift: int, out: Tensor | None = None) -> Tensor:
    """Return an unsigned right shift."""
    shifted = torch.bitwise_right_shift(words, shift, out=out)
    return shifted.bitwise_and_((1 << (64 - shift)) - 1)


def mix(words: Tensor) -> Tensor:
    """Return the finaliser's values of int64 words, in place."""
    scratch = torch.empty_like(words)
    for shift, factor in _ROUNDS:
        words.bitwise_xor_(_shifted(words, shift, scratch)).mul_(_signed(factor))
    return words.bitwise_xor_(_shifted(words, _LAST_SHIFT, scratch))


def sequences(starts: Tensor, n: int) -> Tensor:
    """Return the first ``n`` words of SplitMix64 from each start.

    Parameters
    ----------
    starts
        States of the generator, int64, shape (B,).
    n
        Words of each.

    Returns
    -------
    Tensor
        Words, int64, shape (B, n).
    """
    counter = torch.arange(1, n + 1, dtype=torch.int64, device=starts.device).mul_(_signed(_GOLDEN))
    return mix(starts[:, None] + counter)


def starts_of(key: Key, rows: Tensor, stream: int) -> Tensor:
    """Return the state of the generator, int64, shape (B,), in which each row starts a stream."""
    base = 0
    for part in (key.seed, key.epoch, stream):
        base = _mixed_number(base + _GOLDEN * (part + 1))
    return mix(rows * _signed(_GOLDEN) + _signed(base))


def uniform(key: Key, rows: Tensor, stream: int, n: int) -> Tensor:
    """Return uniform numbers in [0, 1), multiples of 2^-24, the same bits on every device.

    Parameters
    ----------
    key
        Seed and epoch.
    rows
        Row numbers, int64, shape (B,).
    stream
        Which numbers of the row; two streams have nothing to do with each other.
    n
        Numbers for each row.

    Returns
    -------
    Tensor
        float32, shape (B, n), on the device of ``rows``.
    """
    words = sequences(starts_of(key, rows, stream), n)
    return _shifted(words, 40).to(torch.float32).mul_(2.0**-24)


def integers(key: Key, rows: Tensor, stream: int, n: int, below: int) -> Tensor:
    """Return uniform integers in 0..below-1, int64, shape (B, n); as :func:`uniform` otherwise.

    ``below`` is at most ``LARGEST_BELOW``; 31 bits are scaled to it, which favours no integer by
    more than below / 2^31.
    """
    words = sequences(starts_of(key, rows, stream), n)
    return _shifted(words, 33).mul_(below).bitwise_right_shift_(31)


def normal(key: Key, rows: Tensor, stream: int, n: int) -> Tensor:
    """Return standard normals by Box-Muller, at most 6.66 in size; as :func:`uniform` otherwise.

    One word makes two. Logarithm and sine are polynomials of single multiplications and additions,
    each rounded on its own: a maths library would give other last bits on another device, or at
    another place of a batch. G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29, 610 (1958).

    Returns
    -------
    Tensor
        float32, shape (B, n), on the device of ``rows``.
    """
    starts = starts_of(key, rows, stream)
    n_pairs = (n + 1) // 2
    out = torch.empty((len(rows), 2, n_pairs), dtype=torch.float32, device=rows.device)
    # On a CPU the scratch of a few rows stays in cache; a GPU wants all of them at once.
    step = max(1, _PAIRS_AT_ONCE // max(1, n_pairs)) if rows.device.type == "cpu" else len(rows)
    for first in range(0, len(rows), max(1, step)):
        _fill_normals(starts[first : first + step], out[first : first + step])
    return out.flatten(1)[:, :n]


def _fill_normals(starts: Tensor, out: Tensor) -> None:
    """Fill ``out``, shape (B, 2, n), with n pairs of normals for each start."""
    n_pairs = out.shape[2]
    halves = sequences(starts, n_pairs).view(torch.int32).to(torch.float32)
    signed = halves[:, :n_pairs].add_(0.5)
    # In float64, as MKL rounds its float32 root differently by CPU; then to float32 it is exact.
    radius = squared_radius(signed).double().sqrt_().float().copysign_(signed)
    # The angle runs over half a turn, and the sign of the radius takes it to the other half.
    angle, complement = out[:, 0], out[:, 1]
    torch.mul(halves[:, n_pairs:], 2.0**-31, out=angle)
    torch.abs(angle, out=complement)
    complement.neg_().add_(1.0)
    out.mul_(_polynomial(out * out, _SINE)).mul_(radius[:, None])


_LOG = (-0.244219676, 0.375654638, -0.409095109, 0.497935861, -0.666320562, 1.00002801, -2.00000167)
"""-2 ln(1 + f)/f for 1 + f in [sqrt(1/2), sqrt(2)]: minimax, to 2.3e-6."""
_SINE = (-0.00433317712, 0.0794344991, -0.645892918, 1.57079101)
"""sin(pi/2 x)/x as a polynomial of x^2, for x in [-1, 1]: minimax, to 6e-7."""
_MINUS_TWO_LN2 = -1.3862943611198906
_MAGNITUDE = 0x7FFFFFFF
_MANTISSA = 0x007FFFFF
_MANTISSA_BITS = 23
_SQRT_HALF = 0x3F3504F3
_SCALE = 31 << _MANTISSA_BITS


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Return a polynomial by Horner's rule; the coefficient of the highest power comes first."""
    total = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        total.add_(coefficient).mul_(x)
    return total.add_(coefficients[-1])


def squared_radius(x: Tensor) -> Tensor:
    """Return -2 ln(|x| / 2^31) of float32 with 0.5 <= |x| <= 2^31, to a relative 3e-6."""
    bits = x.view(torch.int32).bitwise_and(_MAGNITUDE).sub_(_SQRT_HALF + _SCALE)
    exponent = (bits >> _MANTISSA_BITS).to(torch.float32)
    f = bits.bitwise_and_(_MANTISSA).add_(_SQRT_HALF).view(torch.float32).sub_(1.0)
    return f.mul_(_polynomial(f, _LOG)).add_(exponent.mul_(_MINUS_TWO_LN2))
