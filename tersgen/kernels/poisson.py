"""Counts of electrons: Poisson deviates from one uniform word, or one normal, each.

Up to a mean of LARGEST_INVERTED the distribution function, to 1e-7, is inverted at the 32 bits of
the word; above it is the normal limit with its first correction for skewness, mu + sqrt(mu) z +
(z^2 - 1)/6 (E. A. Cornish and R. A. Fisher, Rev. Inst. Int. Stat. 5, 307 (1938)), whose mean and
variance are mu to 1/(18 mu).
"""

import numpy as np

from ._jit import inlined, kernel
from .elementary import exp

LARGEST_INVERTED = 32.0
_SCALE = 2.0**-32
_LEAST = 1e-12


@kernel
def poisson_inverted(mean: float, word: np.uint32) -> float:
    """Return a Poisson deviate of a mean up to LARGEST_INVERTED, by inversion of a uniform word."""
    u = (np.float64(word) + 0.5) * _SCALE
    term = np.float64(exp(np.float32(-mean)))
    total = term
    count = 0
    # where rounding leaves the sum of all terms below u, the last count that still adds to it holds
    while u > total and (count < mean or term > _LEAST):
        count += 1
        term *= mean / count
        total += term
    return np.float64(count)


@inlined
def poisson_normal(mean: float, normal: float) -> float:
    """Return a Poisson deviate of a mean above LARGEST_INVERTED, from a standard normal."""
    value = mean + np.sqrt(mean) * normal + (normal * normal - 1.0) * (1.0 / 6.0)
    return max(0.0, np.floor(value + 0.5))
