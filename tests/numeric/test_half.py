"""Rounding to binary16 against NumPy's own conversion."""

import numba
import numpy as np
import pytest

from tersgen.numeric.half import to_half

LARGEST = 65504.0


@numba.njit
def all_half(values, bits):
    for k in range(len(values)):
        bits[k] = to_half(values[k])


def assert_rounds_as_numpy(values):
    values = np.asarray(values, np.float32)
    bits = np.empty(len(values), np.uint16)
    all_half(values, bits)
    expected = values.astype(np.float16).view(np.uint16)
    wrong = np.flatnonzero(bits != expected)
    assert wrong.size == 0, f"{wrong.size} differ, first {values[wrong[0]]!r}"


@pytest.fixture(scope="module")
def every_half():
    bits = np.arange(2**16, dtype=np.uint16).view(np.float16)
    return bits[np.isfinite(bits)]


def test_every_half_is_kept(every_half):
    values = every_half.astype(np.float32)
    bits = np.empty(len(values), np.uint16)
    all_half(values, bits)
    assert np.array_equal(bits, every_half.view(np.uint16))


def test_ties_go_to_even_and_their_neighbours_to_the_nearest(every_half):
    positive = np.sort(every_half[every_half >= 0].astype(np.float32))
    ties = (positive[1:] + positive[:-1]) * np.float32(0.5)
    below = np.nextafter(ties, np.float32(0))
    above = np.nextafter(ties, np.float32(np.inf))
    for values in (ties, below, above):
        assert_rounds_as_numpy(values)
        assert_rounds_as_numpy(-values)


def test_random_bits():
    bits = np.random.default_rng(4).integers(0, 2**32, 2_000_000, dtype=np.uint32)
    values = bits.view(np.float32)
    assert_rounds_as_numpy(values[np.abs(values) <= LARGEST])


def test_the_range_of_signals():
    values = np.random.default_rng(5).uniform(-1, 1, 1_000_000)
    assert_rounds_as_numpy(values)


def test_subnormals():
    values = np.random.default_rng(6).uniform(-(2.0**-13), 2.0**-13, 500_000)
    assert_rounds_as_numpy(values)


def test_special_values():
    assert_rounds_as_numpy([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 2.0**-25, 2.0**-24, LARGEST])
