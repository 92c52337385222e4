"""Counts of electrons: Poisson deviates of given means.

Below a mean of LEAST_NORMAL the distribution function, to 2.4e-7, is inverted at the 32 bits of a
word; from there on it is the normal limit with the corrections of its first four moments: E. A.
Cornish and R. A. Fisher, Rev. Inst. Int. Stat. 5, 307 (1938); to the order 1/mu in M. B. Giles,
ACM Trans. Math. Softw. 42, 7 (2016). Half the sum of all errors of probabilities is 4e-4 at a
mean of 6, 1e-5 at 32.
"""

import numpy as np
from numpy.typing import NDArray

from ..numeric._jit import inlined, kernel
from ..numeric.elementary import exp
from .normal import fill_normals
from .words import fill_words

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U32 = NDArray[np.uint32]

LARGEST_INVERTED = 32.0
"""Largest mean that ``poisson_inverted`` takes."""
LEAST_NORMAL = np.float32(6.0)
_SCALE = 2.0**-32
_HIGHEST = 1.0 - 2.0**-22
_TILE = 256
_ZERO, _ONE, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
_1_3, _1_6 = np.float32(1.0 / 3.0), np.float32(1.0 / 6.0)
_1_36, _1_72 = np.float32(1.0 / 36.0), np.float32(1.0 / 72.0)
_8_405, _7_810, _1_270 = np.float32(8.0 / 405.0), np.float32(7.0 / 810.0), np.float32(1.0 / 270.0)


@inlined
def _uniform(word: np.uint32) -> float:
    """Return a uniform number, at most one that the sum of all terms, as rounded, surely passes.

    exp is too small by 8.1e-8 at most, of all float32 from -32 to 0.
    """
    return min((np.float64(word) + 0.5) * _SCALE, _HIGHEST)


@kernel
def poisson_inverted(mean: float, word: np.uint32) -> float:
    """Return a Poisson deviate of a mean up to LARGEST_INVERTED, by inversion of a uniform word."""
    u = _uniform(word)
    rounded = np.float32(mean)  # one mean for all terms, or their sum may end short of u
    mean = np.float64(rounded)
    term = np.float64(exp(-rounded))
    total = term
    count = 0.0
    while u > total:
        count += 1.0
        term *= mean * (1.0 / count)
        total += term
    return count


@inlined
def poisson_normal(mean: np.float32, normal: np.float32) -> np.float32:
    """Return a Poisson deviate of a mean from LEAST_NORMAL on, from a standard normal."""
    root = np.float32(np.sqrt(mean))
    inverse = _ONE / root
    square = normal * normal
    second = (square * _1_270 + _7_810) * square - _8_405
    first = inverse * second - normal * (square * _1_72 + _1_36)
    value = mean + root * normal + (square * _1_6 + _1_3) + inverse * first
    return np.float32(max(_ZERO, np.float32(np.floor(value))))


@kernel
def _invert(means: F32, words: U32, counts: F32, terms: F64, totals: F64) -> None:
    """Fill ``counts`` by ``poisson_inverted`` where the mean is below LEAST_NORMAL, else by 0.

    All of them continue together, four counts per pass, until the last has stopped.
    """
    n = means.shape[0]
    for k in range(n):
        mean = np.float64(means[k] if means[k] < LEAST_NORMAL else _ZERO)
        terms[k] = np.float64(exp(np.float32(-mean)))
        totals[k] = terms[k]
        counts[k] = _ZERO
    done, going = 0.0, n
    while going > 0:
        i0, i1 = 1.0 / (done + 1.0), 1.0 / (done + 2.0)
        i2, i3 = 1.0 / (done + 3.0), 1.0 / (done + 4.0)
        going = 0
        for k in range(n):
            mean = np.float64(means[k] if means[k] < LEAST_NORMAL else _ZERO)
            u, term, total, count = _uniform(words[k]), terms[k], totals[k], counts[k]
            count += _ONE if u > total else _ZERO
            term *= mean * i0
            total += term
            count += _ONE if u > total else _ZERO
            term *= mean * i1
            total += term
            count += _ONE if u > total else _ZERO
            term *= mean * i2
            total += term
            count += _ONE if u > total else _ZERO
            term *= mean * i3
            total += term
            terms[k], totals[k], counts[k] = term, total, count
            going += int(u > total)
        done += 4.0


@kernel
def draw_counts(values: F32, normals: F32, index: int, block: int, seed: int, stream: int) -> None:
    """Replace means by Poisson deviates, float32, shape (L,).

    Normals are of block 2 ``block``, words of block 2 ``block`` + 1. ``normals`` is working
    memory, L rounded up to a multiple of four.
    """
    fill_normals(normals, index, 2 * block, seed, stream)
    n = values.shape[0]
    words = np.empty(_TILE, np.uint32)
    small = np.empty(_TILE, np.float32)
    terms, totals = np.empty(_TILE, np.float64), np.empty(_TILE, np.float64)
    for first in range(0, n, _TILE):
        means, z = values[first : first + _TILE], normals[first : first + _TILE]
        few = 0
        for k in range(means.shape[0]):
            few += int(means[k] < LEAST_NORMAL)
        if few > 0:
            fill_words(words, first, index, 2 * block + 1, seed, stream)
            _invert(means, words, small, terms, totals)
            for k in range(means.shape[0]):
                large = poisson_normal(max(means[k], LEAST_NORMAL), z[k])
                means[k] = small[k] if means[k] < LEAST_NORMAL else large
        else:
            for k in range(means.shape[0]):
                means[k] = poisson_normal(means[k], z[k])
