"""Random numbers in plain torch operations: the same bits as those of the kernels.

Words are below 2^32: int64 where there are few, int32 of the same bits where there are many. Sums
and products of integers wrap, and shifts to the right are masked, as torch's keep the sign.
"""

import torch
from torch import Tensor

from ..numeric.on_torch import cos_sin_turn, minus_two_log, root, word_bits

_LOW = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_M0, _M1, _M2 = (m - 2**32 if m >= 2**31 else m for m in (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB))


def philox(
    draw: int | Tensor, index: Tensor, block: int, seed: int, stream: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return four uniform words, int64 below 2^32, for each index: Philox4x32-10.

    ``index`` is int64; ``draw`` is a number or int64 of a shape that goes with it.
    """
    c1, c2 = index & _LOW, (index >> 32) & _LOW
    c0, c3 = torch.zeros_like(index) + draw, torch.full_like(index, block)
    k0, k1 = seed, stream
    for _ in range(10):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _LOW) ^ c1 ^ k0, p1 & _LOW, ((p0 >> 32) & _LOW) ^ c3 ^ k1, p0 & _LOW
        )  # fmt: skip
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def uniform(word: Tensor) -> Tensor:
    """Return the top 24 bits of words, int64, as float32 in [0, 1)."""
    return (word >> 8).float() * 2.0**-24


def between(low: float, high: float, word: Tensor) -> Tensor:
    """Return float64 uniform in [low, high), from the top 24 bits of words, int64."""
    return low + (high - low) * uniform(word).double()


def normal_pair(word_a: Tensor, word_b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two independent standard normals, float32, from two words as int32."""
    u = (((word_a >> 1) & 0x7FFFFFFF).float() + 0.5) * 2.0**-31
    radius = root(minus_two_log(u))
    cosine, sine = cos_sin_turn(word_b)
    return radius * cosine, radius * sine


def normals_of(word_a: Tensor, word_b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two independent standard normals from two words, int64 below 2^32."""
    return normal_pair(word_bits(word_a), word_bits(word_b))


class Words:
    """The words of an array of each index, under a key made by Philox.

    Parameters
    ----------
    index
        Samples, int64, shape (n,).
    block, seed, stream
        As of :func:`~tersgen.random.words.fill_words`.
    """

    def __init__(self, index: Tensor, block: int, seed: int, stream: int) -> None:
        keys = philox(0, index, block, seed, stream)
        self._k0, self._k1, self._k2 = (word_bits(key)[:, None] for key in keys[:3])

    def __getitem__(self, number: Tensor) -> Tensor:
        """Return the words of numbers, int32, shape (n, m) or (m,), as int32."""
        x = number + self._k0
        x = x ^ ((x >> 17) & 0x7FFF)
        x = x * _M0 + self._k1
        x = x ^ ((x >> 11) & 0x1FFFFF)
        x = x * _M1 ^ self._k2
        x = x ^ ((x >> 15) & 0x1FFFF)
        x = x * _M2
        return x ^ ((x >> 14) & 0x3FFFF)


def normals(n: int, index: Tensor, block: int, seed: int, stream: int) -> Tensor:
    """Return the first n of the normals of an array of each index, float32, shape (rows, n).

    The array is n rounded up to a multiple of four, as those of the kernels are.
    """
    half = (n + 3) // 4 * 2
    words = Words(index, block, seed, stream)
    number = torch.arange(half, dtype=torch.int32, device=index.device)
    first, second = normal_pair(words[number], words[number + half])
    return torch.cat([first, second], 1)[:, :n]


def normals_at(
    place: Tensor, length: Tensor, index: Tensor, block: int, seed: int, stream: int
) -> Tensor:
    """Return normals at some places of the array of each index, float32, shape (rows, m).

    Parameters
    ----------
    place
        Places in each array, int64, shape (rows, m).
    length
        Even length of each array, int64, shape (rows,).
    index, block, seed, stream
        Of the arrays.
    """
    half = (length >> 1)[:, None]
    is_first = place < half
    number = torch.where(is_first, place, place - half).to(torch.int32)
    words = Words(index, block, seed, stream)
    first, second = normal_pair(words[number], words[number + half.to(torch.int32)])
    return torch.where(is_first, first, second)
