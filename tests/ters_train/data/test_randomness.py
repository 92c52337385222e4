"""Random numbers of rows: known answers, statistics, and no trace of the batch they come in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ters_train.data.randomness import (
    Key,
    integers,
    mix,
    normal,
    sequences,
    squared_radius,
    starts_of,
    uniform,
)

KEY = Key(seed=2024, epoch=3)
N_ROWS, N_DRAWS = 1024, 128
N = N_ROWS * N_DRAWS
MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15

PINNED_UNIFORM = [[1340557, 13516590], [8000460, 9994006]]
PINNED_NORMAL = [[-1124589414, -1081308525, 1065428843], [1074419783, -1097430845, -1080717384]]

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def rows(n=N_ROWS, first=0):
    return torch.arange(first, first + n, dtype=torch.int64)


def splitmix(state, n):
    """SplitMix64 in Python's own integers, as S. Vigna's splitmix64.c writes it."""
    out = []
    for _ in range(n):
        state = (state + GOLDEN) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out.append(z ^ (z >> 31))
    return out


def words_of(key, row, stream, n):
    """The words of a row, by the rule that the module states."""
    base = 0
    for part in (key.seed, key.epoch, stream):
        base = splitmix(base + GOLDEN * part, 1)[0]
    (start,) = splitmix(base + GOLDEN * (row - 1), 1)
    return splitmix(start, n)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # S. Vigna's splitmix64.c
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]),
    ],
)
def test_known_answers(start, expected):
    got = sequences(torch.tensor([start]), 3)[0].tolist()
    assert [word & MASK for word in got] == expected


def test_rows_start_where_the_rule_says():
    key = Key(seed=2**32 - 1, epoch=7)
    numbers = torch.tensor([0, 1, 5, 2**40, 2**62])
    got = uniform(key, numbers, 3, 6)
    for row, line in zip(numbers.tolist(), got, strict=True):
        expected = [(word >> 40) / 2**24 for word in words_of(key, row, 3, 6)]
        assert line.tolist() == expected


def test_integers_scale_31_bits():
    numbers = rows(50)
    got = integers(KEY, numbers, 2, 3, 1000)
    for row, line in zip(numbers.tolist(), got.tolist(), strict=True):
        assert line == [((word >> 33) * 1000) >> 31 for word in words_of(KEY, row, 2, 3)]
    counts = np.bincount(integers(KEY, rows(100_000), 2, 1, 7)[:, 0].numpy(), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3
    assert int(integers(KEY, rows(1000), 2, 1, 2**31).max()) < 2**31


def flaws(draw):
    """Names of the statistics that a source of uniform numbers fails.

    ``draw(key, rows, stream, n)`` returns numbers in [0, 1), shape (B, n).
    """
    failed = set()

    def require(name, is_met):
        if not is_met:
            failed.add(name)

    sample = draw(KEY, rows(), 1, N_DRAWS).numpy().astype(np.float64)
    require("range", sample.min() >= 0 and sample.max() < 1)
    require("distribution", stats.kstest(sample.ravel(), "uniform").pvalue > 1e-3)
    bytes_of = (sample * 2**24).astype(np.int64)
    for shift in (0, 8, 16):
        counts = np.bincount((bytes_of >> shift & 255).ravel(), minlength=256)
        require(f"byte {shift}", stats.chisquare(counts).pvalue > 1e-4)
    # A row is as even as chance allows, no more: their p-values are uniform themselves.
    by_row = [stats.kstest(row, "uniform").pvalue for row in sample[:60]]
    require("rows", stats.kstest(by_row, "uniform").pvalue > 1e-3)
    others = {
        "next row": draw(KEY, rows(first=1), 1, N_DRAWS),
        "row 256 on": draw(KEY, rows(first=256), 1, N_DRAWS),
        "row 2^32 on": draw(KEY, rows(first=2**32), 1, N_DRAWS),
        "next stream": draw(KEY, rows(), 2, N_DRAWS),
        "next epoch": draw(KEY._replace(epoch=4), rows(), 1, N_DRAWS),
        "next seed": draw(KEY._replace(seed=2025), rows(), 1, N_DRAWS),
    }
    arrays = {name: other.numpy().astype(np.float64) for name, other in others.items()}
    arrays["next draw"] = np.roll(sample, 1, axis=1)
    arrays["next row, next draw"] = np.roll(arrays["next row"], 1, axis=1)
    for name, other in arrays.items():
        for power in (1, 2):
            a, b = (
                np.abs(x - 0.5).ravel() ** power if power == 2 else x.ravel()
                for x in (sample, other)
            )
            require(f"{name}, power {power}", abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(N))
    return failed


def test_uniform_statistics():
    assert flaws(uniform) == set()


def weak_counter(key, numbers, stream, n):
    """Words without a finaliser: the counter itself."""
    counter = torch.arange(1, n + 1) * (GOLDEN - 2**64)
    return ((starts_of(key, numbers, stream)[:, None] + counter >> 40) & 0xFFFFFF) / 2.0**24


def weak_rows(key, numbers, stream, n):
    """Rows that start next to each other in one sequence."""
    shifted = numbers * (GOLDEN - 2**64) + key.seed + key.epoch + stream
    return ((sequences(shifted, n) >> 40) & 0xFFFFFF) / 2.0**24


def weak_stream(key, numbers, stream, n):
    """The stream does not enter."""
    return uniform(key, numbers, 0 * stream, n)


@pytest.mark.parametrize(
    ("draw", "flaw"),
    [
        (weak_counter, "rows"),
        (weak_rows, "next row, next draw, power 1"),
        (weak_stream, "next stream, power 1"),
    ],
)
def test_the_statistics_find_weak_generators(draw, flaw):
    assert flaw in flaws(draw)


def test_every_bit_of_a_row_number_changes_half_of_the_bits():
    numbers = torch.from_numpy(np.random.default_rng(1).integers(0, 2**53, 400))
    start = starts_of(KEY, numbers, 1)
    for bit in range(53):
        changed = (start ^ starts_of(KEY, numbers ^ (1 << bit), 1)).numpy().view(np.uint64)
        share = np.unpackbits(changed.view(np.uint8)).mean()
        assert abs(share - 0.5) < 4.5 * 0.5 / np.sqrt(64 * 400), bit


def test_the_finaliser_loses_nothing():
    words = torch.arange(-(2**15), 2**15) << 40
    assert len(torch.unique(mix(words.clone()))) == len(words)


def test_normals_are_box_muller():
    n, row = 10, 77
    got = normal(KEY, torch.tensor([row]), 4, n)[0].numpy()
    words = np.array(words_of(KEY, row, 4, n // 2), np.uint64).view(np.int32).astype(np.float64)
    magnitude, angle = words[: n // 2] + 0.5, words[n // 2 :] / 2**31
    radius = np.copysign(np.sqrt(-2 * np.log(np.abs(magnitude) / 2**31)), magnitude)
    first = radius * np.sin(np.pi / 2 * angle)
    # the cosine of the same angle, as it lies within a quarter turn of 0
    second = radius * np.cos(np.pi / 2 * angle)
    np.testing.assert_allclose(got, np.concatenate([first, second]), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def normals():
    return normal(KEY, rows(), 1, 256).numpy().astype(np.float64)


def test_normal_distribution(normals):
    x = normals.ravel()
    assert stats.kstest(x, "norm").pvalue > 1e-3
    for power, mean, error in [(1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)]:
        assert np.mean(x**power) == pytest.approx(mean, abs=4 * error / np.sqrt(x.size)), power
    for edge in (3.0, 4.0):
        expected = x.size * stats.norm.sf(edge)
        for count in (np.sum(x > edge), np.sum(x < -edge)):
            assert abs(count - expected) < 4 * np.sqrt(expected) + 1


@pytest.mark.parametrize("power", [1, 2])
def test_normals_are_independent(normals, power):
    x = normals**power
    half = x.shape[1] // 2
    pairs = [
        (x[:, :half], x[:, half:]),  # the two of a pair
        (x[:, 1:], x[:, :-1]),
        (x[1:], x[:-1]),
        (x, normal(KEY, rows(), 2, 256).numpy().astype(np.float64) ** power),
    ]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / np.sqrt(a.size)


def test_squared_radius():
    rng = np.random.default_rng(3)
    one = np.float32(2**31)
    below = np.nextafter(one, np.float32(0)) - np.arange(2000, dtype=np.float32) * 128
    x = np.concatenate(
        [2 ** rng.uniform(-1, 31, 50_000), below, [0.5, 2**31, 2**30.5, 2**0.5]]
    ).astype(np.float32)
    x *= rng.choice([-1, 1], x.shape).astype(np.float32)
    got = squared_radius(torch.from_numpy(x)).numpy()
    assert got.min() >= 0
    expected = -2 * (np.log(np.abs(x).astype(np.float64)) - np.log(2**31))
    np.testing.assert_allclose(got, expected, rtol=3e-6, atol=0)


@pytest.mark.parametrize("device", DEVICES)
@given(
    row=st.integers(0, 2**53),
    others=st.lists(st.integers(0, 2**53), max_size=6),
    place=st.integers(0, 6),
    n=st.integers(1, 70),
)
@settings(max_examples=40, deadline=None)
def test_a_row_draws_the_same_alone_and_in_company(device, row, others, place, n):
    place = min(place, len(others))
    company = torch.tensor([*others[:place], row, *others[place:]], device=device)
    for draw in (uniform, normal):
        alone = draw(KEY, torch.tensor([row]), 5, n)
        assert torch.equal(draw(KEY, company, 5, n)[place].cpu(), alone[0])


def test_normals_do_not_depend_on_how_rows_are_cut(monkeypatch):
    whole = normal(KEY, rows(40), 1, 101)
    monkeypatch.setattr("ters_train.data.randomness._PAIRS_AT_ONCE", 128)
    assert torch.equal(normal(KEY, rows(40), 1, 101), whole)
    assert normal(KEY, rows(0), 1, 101).shape == (0, 101)


@pytest.mark.parametrize("device", DEVICES)
def test_bits_that_must_never_change(device):
    numbers = torch.tensor([0, 41], device=device)
    assert (uniform(Key(0, 0), numbers, 1, 2) * 2**24).to(torch.int64).tolist() == PINNED_UNIFORM
    bits = normal(Key(0, 0), numbers, 1, 3).contiguous().view(torch.int32)
    assert bits.tolist() == PINNED_NORMAL
