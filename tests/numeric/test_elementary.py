"""Logarithm, exponential, sine and cosine in float32 against NumPy in float64."""

import numba
import numpy as np
import pytest

from tersgen.numeric.elementary import cos_sin_turn, exp, minus_two_log


@numba.njit
def all_log(x, out):
    for k in range(len(x)):
        out[k] = minus_two_log(x[k])


@numba.njit
def all_exp(x, out):
    for k in range(len(x)):
        out[k] = exp(x[k])


@numba.njit
def all_cos_sin(words, cosine, sine):
    for k in range(len(words)):
        cosine[k], sine[k] = cos_sin_turn(words[k])


def worst_ulp(value, exact):
    """Return the largest error in units of the last place of a float32."""
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.max(np.abs(value.astype(np.float64) - exact) / spacing)


def test_log_of_every_size():
    bits = np.random.default_rng(1).integers(0x00800000, 0x7F800000, 1_000_000, dtype=np.int32)
    x = np.concatenate([bits.view(np.float32), np.float32([2**-126, 2**-32, 0.5, 2, 3e38])])
    out = np.empty_like(x)
    all_log(x, out)
    assert worst_ulp(out, -2.0 * np.log(x.astype(np.float64))) < 2.0


def test_log_near_one():
    bits = np.int32(0x3F800000) + np.arange(-100_000, 100_000, dtype=np.int32)
    x = bits.view(np.float32)
    out = np.empty_like(x)
    all_log(x, out)
    assert worst_ulp(out, -2.0 * np.log(x.astype(np.float64))) < 2.0
    assert np.all(out[x < 1] > 0)
    assert out[x == 1] == 0


def test_exp():
    x = np.random.default_rng(2).uniform(-40, 88, 1_000_000).astype(np.float32)
    x = np.concatenate([x, np.float32([-40, -1e-30, 0, 1e-30, 1, 88])])
    out = np.empty_like(x)
    all_exp(x, out)
    assert worst_ulp(out, np.exp(x.astype(np.float64))) < 1.2
    assert out[x == 0] == 1


def test_exp_is_cut_at_minus_40():
    x = np.float32([-40.0, np.nextafter(np.float32(-40), np.float32(-50)), -41, -1e4, -3e38])
    out = np.empty_like(x)
    all_exp(x, out)
    assert out[0] == pytest.approx(np.exp(-40.0), rel=2e-7)
    assert np.all(out[1:] == 0)


def test_cosine_and_sine_of_a_turn():
    words = np.random.default_rng(3).integers(0, 2**32, 1_000_000, dtype=np.uint32)
    edges = np.arange(0, 2**32, 2**29, dtype=np.uint64)
    words = np.concatenate([words, edges, edges + 1, edges + 2**29 - 1]).astype(np.uint32)
    cosine = np.empty(len(words), np.float32)
    sine = np.empty(len(words), np.float32)
    all_cos_sin(words, cosine, sine)
    angle = 2.0 * np.pi * (words / 2.0**32 - 0.125)
    np.testing.assert_allclose(cosine, np.cos(angle), rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(sine, np.sin(angle), rtol=0, atol=1.2e-7)
