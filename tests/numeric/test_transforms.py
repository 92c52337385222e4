"""Transforms of finished samples against NumPy and SciPy: Eqs. (2.2)-(2.4), (10.1)-(10.3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tersgen.numeric.transforms import (
    add_noise_clipped,
    blur,
    blur_radius,
    blur_weights,
    flip_columns,
    flip_rows,
    quarter_turns,
    roll,
    standardise,
)

SHAPES = pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 5), (6, 9), (16, 3)])


def picture(shape, seed=9):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


@SHAPES
def test_flips(shape):
    image, out = picture(shape), np.empty(shape, np.float32)
    flip_rows(image, out)
    assert np.array_equal(out, np.flip(image, axis=0))
    flip_columns(image, out)
    assert np.array_equal(out, np.flip(image, axis=1))


@SHAPES
@pytest.mark.parametrize("k", [0, 1, 2, 3, 5, -1])
def test_quarter_turns(shape, k):
    image = picture(shape)
    expected = np.rot90(image, k)
    out = np.empty(expected.shape, np.float32)
    quarter_turns(image, k, out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(("sigma", "radius"), [(0.2, 1), (0.25, 1), (0.26, 2), (1.0, 4), (1.3, 6)])
def test_blur_reaches_four_sigma(sigma, radius):
    assert blur_radius(sigma) == radius


@SHAPES
@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.25, 2.7])
def test_blur(shape, sigma):
    image = picture(shape)
    radius = blur_radius(sigma)
    expected = ndimage.gaussian_filter(
        image.astype(np.float64), sigma, mode="nearest", radius=radius
    )
    weights = np.empty(2 * radius + 1, np.float32)
    blur_weights(sigma, weights)
    assert weights.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    blur(image, weights, np.empty(shape, np.float32))
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-6)


def test_standardise():
    half = np.float32(0.5)
    values = [standardise(np.float32(x), half, half) for x in (0.0, 0.25, 0.5, 1.0)]
    assert values == [-1.0, -0.5, 0.0, 1.0]
    assert standardise(np.float32(7.0), np.float32(3.0), np.float32(2.0)) == 2.0


@given(st.integers(1, 40), st.integers(-200, 200))
@settings(max_examples=30, deadline=None)
def test_roll(length, bins):
    values = picture(length)
    out = np.empty(length, np.float32)
    roll(values, bins, out)
    assert np.array_equal(out, np.roll(values, bins))


def test_noise_is_clipped():
    random = np.random.default_rng(10)
    values = random.uniform(0, 1, 500).astype(np.float32)
    noise = random.normal(0, 0.5, 500).astype(np.float32)
    out = [add_noise_clipped(x, e) for x, e in zip(values, noise, strict=True)]
    assert np.array_equal(out, np.clip(values + noise, 0, 1))
    assert {0.0, 1.0} < set(out)
