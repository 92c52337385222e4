"""Normal deviates against the normal distribution: shape, moments, tails, independence."""

import numpy as np
import pytest
from scipy import stats

from tersgen.random.normal import fill_normals, normal_pair
from tersgen.random.words import fill_words

N = 2**20
LARGEST = float(np.sqrt(2 * 32 * np.log(2.0)))


def normals(n=N, index=0, block=0, seed=2024, stream=8):
    out = np.empty(n, np.float32)
    fill_normals(out, index, block, seed, stream)
    return out


def correlation(a, b):
    return np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1]


@pytest.fixture(scope="module")
def sample():
    return normals()


def test_kolmogorov_smirnov(sample):
    assert stats.kstest(sample.astype(np.float64), "norm").pvalue > 1e-3


def test_moments(sample):
    x = sample.astype(np.float64)
    for power, mean, error in [
        (1, 0, 1),
        (2, 1, np.sqrt(2)),
        (3, 0, np.sqrt(15)),
        (4, 3, np.sqrt(96)),
    ]:
        assert np.mean(x**power) == pytest.approx(mean, abs=4 * error / np.sqrt(N)), power


def test_tails():
    chunks, length = 16, 2**22
    edges = np.array([3.0, 4.0, 5.0])
    above, below = np.zeros(3), np.zeros(3)
    for chunk in range(chunks):
        x = normals(length, index=chunk)
        far = x[np.abs(x) > edges[0]]
        above += [np.count_nonzero(far > edge) for edge in edges]
        below += [np.count_nonzero(far < -edge) for edge in edges]
    expected = chunks * length * stats.norm.sf(edges)
    assert expected[-1] > 15
    for counted in (above, below):
        assert np.all(np.abs(counted - expected) < 4 * np.sqrt(expected))


def test_largest_size():
    a, b = normal_pair(np.uint32(0), np.uint32(0))
    assert np.hypot(a, b) == pytest.approx(LARGEST, rel=1e-6)
    assert pytest.approx(6.66, abs=0.005) == LARGEST
    a, b = normal_pair(np.uint32(2**32 - 1), np.uint32(0))
    assert a == b == 0


@pytest.mark.parametrize(
    "other",
    [{"stream": 9}, {"index": 1}, {"index": 2**32}, {"block": 1}, {"seed": 2025}],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("power", [1, 2], ids=["values", "squares"])
def test_arrays_are_independent(sample, other, power):
    assert abs(correlation(sample**power, normals(**other) ** power)) < 4.5 / np.sqrt(N)


@pytest.mark.parametrize("power", [1, 2], ids=["values", "squares"])
def test_words_of_one_draw_are_independent(sample, power):
    quarters = sample.reshape(4, -1).astype(np.float64) ** power
    off_diagonal = np.corrcoef(quarters)[np.triu_indices(4, 1)]
    assert np.all(np.abs(off_diagonal) < 4.5 / np.sqrt(N / 4))


@pytest.mark.parametrize("lag", [1, 2, 3, 16])
@pytest.mark.parametrize("power", [1, 2], ids=["values", "squares"])
def test_neighbouring_draws_are_independent(sample, lag, power):
    x = sample**power
    assert abs(correlation(x[:-lag], x[lag:])) < 4.5 / np.sqrt(N)


def test_neighbouring_indices_are_independent():
    first = np.concatenate([normals(4, index=k) for k in range(10_001)]).reshape(-1, 4)
    for column in range(4):
        assert abs(correlation(first[1:, column], first[:-1, column])) < 4.5 / np.sqrt(10_000)
        squares = first[:, column] ** 2
        assert abs(correlation(squares[1:], squares[:-1])) < 4.5 / np.sqrt(10_000)


def test_place_of_every_draw():
    whole = normals(64, index=5)
    words = np.empty(64, np.uint32)
    fill_words(words, 0, 5, 0, 2024, 8)
    for k in range(32):
        assert (whole[k], whole[32 + k]) == normal_pair(words[k], words[32 + k])


def test_pair_is_box_muller():
    for word_a, word_b in [(1, 2), (2**31, 2**30), (123456789, 987654321), (3_000_000_000, 2**29)]:
        radius = np.sqrt(-2 * np.log((word_a // 2 + 0.5) / 2**31))
        angle = 2 * np.pi * (word_b / 2**32 - 0.125)
        expected = radius * np.cos(angle), radius * np.sin(angle)
        pair = normal_pair(np.uint32(word_a), np.uint32(word_b))
        assert pair == pytest.approx(expected, rel=1e-6, abs=1e-6)
