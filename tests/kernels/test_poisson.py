"""Poisson deviates against SciPy, at small and large means."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from tersgen.kernels._jit import kernel
from tersgen.kernels.instrument import count_electrons
from tersgen.kernels.normal import normal_pair
from tersgen.kernels.philox import philox
from tersgen.kernels.poisson import LARGEST_INVERTED, poisson_inverted

N = 40_000


@kernel
def draw(mean, n):
    out = np.empty(n, np.float64)
    for k in range(n):
        w0, w1, w2, _ = philox(0, k, 0, 7, 33)
        normal, _ = normal_pair(w1, w2)
        out[k] = count_electrons(mean, w0, normal)
    return out


@pytest.mark.parametrize("mean", [0.0, 0.05, 1.0, 7.3, 31.9, 32.1, 60.0, 400.0, 1e5])
def test_the_distribution(mean):
    counts = draw(mean, N)
    assert (counts == np.floor(counts)).all()
    assert counts.min() >= 0
    if mean == 0:
        assert counts.max() == 0
        return
    deviation = np.sqrt(mean / N)
    assert counts.mean() == pytest.approx(mean, abs=5 * deviation)
    assert counts.var() == pytest.approx(mean, rel=6 / np.sqrt(N) + 1 / np.sqrt(N * mean) * 6)
    # chi-square over about twenty cells of equal share
    edges = np.unique(stats.poisson.ppf(np.linspace(0.02, 0.98, 20), mean))
    cells = np.concatenate([[-np.inf], edges, [np.inf]])
    shares = np.diff(stats.poisson.cdf(cells, mean))
    inside = [(counts > low) & (counts <= high) for low, high in pairwise(cells)]
    found = np.array([one.sum() for one in inside])
    used = shares * N > 5
    chi = ((found - shares * N) ** 2 / (shares * N))[used].sum()
    assert chi < stats.chi2.ppf(1 - 1e-6, max(1, used.sum() - 1))


@pytest.mark.parametrize("mean", [0.5, 10.0, LARGEST_INVERTED])
def test_inversion_is_that_of_the_distribution_function(mean):
    words = np.linspace(0, 2**32 - 2**12, 5000).astype(np.uint32)
    got = np.array([poisson_inverted(mean, word) for word in words])
    wanted = stats.poisson.ppf((words + 0.5) / 2.0**32, mean)
    assert (got != wanted).mean() < 1e-3  # the last digit of a step may fall either way
    assert np.abs(got - wanted).max() <= 1


def test_the_largest_words_give_no_wild_counts():
    """Where the sum of all terms is rounded below 1, the last words must still end somewhere."""
    for mean in np.linspace(0.01, LARGEST_INVERTED, 800):
        for word in (2**32 - 1, 2**32 - 100):
            count = poisson_inverted(mean, np.uint32(word))
            assert count < mean + 9 * np.sqrt(mean) + 12
