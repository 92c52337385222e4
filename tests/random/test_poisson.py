"""Poisson deviates against SciPy, at small and large means."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from tersgen.random.poisson import LARGEST_INVERTED, draw_counts, poisson_inverted
from tersgen.random.words import fill_words

N = 40_000


def draw(mean, n):
    counts = np.full(n, mean, np.float32)
    draw_counts(counts, np.empty((n + 3) // 4 * 4, np.float32), 3, 0, 7, 33)
    return counts.astype(np.float64)


@pytest.mark.parametrize("mean", [0.0, 0.05, 1.0, 5.99, 6.0, 7.3, 11.0, 31.9, 60.0, 400.0, 1e5])
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


@pytest.mark.parametrize("n", [1, 6, 255, 256, 257, 700])
def test_small_means_among_large_ones_are_inverted_one_by_one(n):
    means = np.random.default_rng(n).choice([0.0, 0.2, 3.0, 5.9, 6.0, 500.0], n)
    counts, normals = means.astype(np.float32), np.empty((n + 3) // 4 * 4, np.float32)
    draw_counts(counts, normals, 2**33 + 1, 5, 6, 7)
    words = np.empty(256, np.uint32)
    for k in np.flatnonzero(means < 6.0):
        fill_words(words, k // 256 * 256, 2**33 + 1, 11, 6, 7)
        mean = np.float64(np.float32(means[k]))
        assert counts[k] == poisson_inverted(mean, words[k % 256])
    alone = np.full(n, 500.0, np.float32)
    draw_counts(alone, normals, 2**33 + 1, 5, 6, 7)
    assert np.array_equal(alone[means == 500.0], counts[means == 500.0])
