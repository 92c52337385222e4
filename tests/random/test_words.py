"""Words under a key: their definition in Python's integers, and no trace of their numbers."""

import numpy as np
import pytest
from scipy import stats

from tersgen.random.philox import philox
from tersgen.random.words import fill_words

ONES = 0xFFFFFFFF


def words(n, first=0, index=0, block=0, seed=2024, stream=8):
    out = np.empty(n, np.uint32)
    fill_words(out, first, index, block, seed, stream)
    return out


def python_word(number, k0, k1, k2):
    """Return a word in Python's unbounded integers."""
    x = (number + k0) & ONES
    x = ((x ^ x >> 17) * 0xED5AD4BB + k1) & ONES
    x = (x ^ x >> 11) * 0xAC4C1B51 & ONES ^ k2
    x = (x ^ x >> 15) * 0x31848BAB & ONES
    return x ^ x >> 14


@pytest.mark.parametrize("place", [(0, 0, 0, 0, 1), (7, 2**40 + 3, 5, 2**32 - 1, 33)])
def test_they_are_their_definition(place):
    first, index, block, seed, stream = place
    key = [int(word) for word in philox(0, index, block, seed, stream)][:3]
    wanted = [python_word(first + k, *key) for k in range(100)]
    assert words(100, *place).tolist() == wanted


def test_bits_of_neighbours_are_independent():
    """Of words whose numbers differ in one bit, each bit differs in half of all cases."""
    flips = np.zeros((12, 32), np.int64)
    n = 0
    for index in range(400):
        drawn = words(4096, index=index)
        n += len(drawn)
        for bit in range(12):
            changed = drawn ^ drawn[np.arange(4096) ^ (1 << bit)]
            flips[bit] += [np.count_nonzero(changed >> b & 1) for b in range(32)]
    # pairs are counted twice
    z = (flips / n - 0.5) / (0.5 / np.sqrt(n / 2))
    assert np.abs(z).max() < 5
    assert stats.chi2.sf(np.sum(z**2), z.size) > 1e-6


def test_places_are_uniform_over_many_keys():
    table = np.stack([words(8, index=k) for k in range(50_000)])
    for place in table.T:
        counts = np.bincount(place >> 24, minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-6


def test_any_part_is_that_of_the_whole():
    whole = words(1000, index=3)
    assert words(100, first=700, index=3).tolist() == whole[700:800].tolist()
    assert len(set(whole.tolist())) == 1000
