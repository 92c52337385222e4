"""Maps from hotspots against the sums of Eqs. (2.1) and (2.5) in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.effects.hotspots.kernels import add_hotspots, enhancement_factor, fill_profile


@given(st.floats(-40, 80), st.floats(0.3, 30), st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_profile(centre, sigma, length):
    profile = np.empty(length, np.float32)
    fill_profile(profile, centre, sigma)
    expected = np.exp(-((np.arange(length) - centre) ** 2) / (2 * sigma**2))
    np.testing.assert_allclose(profile, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 10), (33, 17)])
@pytest.mark.parametrize("n_hotspots", [1, 3, 4, 5, 8, 10])
def test_sum_of_hotspots(n_hotspots, height, width):
    random = np.random.default_rng(n_hotspots)
    centre = random.uniform(-2, 1.1 * max(height, width), (n_hotspots, 2))
    sigma = random.uniform(1.0, 6.0, n_hotspots)
    amplitude = random.uniform(0.0, 1.0, n_hotspots)

    rows = np.empty((n_hotspots, height), np.float32)
    columns = np.empty((n_hotspots, width), np.float32)
    for j in range(n_hotspots):
        fill_profile(rows[j], centre[j, 0], sigma[j])
        fill_profile(columns[j], centre[j, 1], sigma[j])
    image = np.full((height, width), 0.125, np.float32)
    add_hotspots(image, rows, columns, amplitude.astype(np.float32))

    x = np.arange(height)[:, None, None] - centre[:, 0]
    y = np.arange(width)[None, :, None] - centre[:, 1]
    expected = 0.125 + np.sum(amplitude * np.exp(-(x**2 + y**2) / (2 * sigma**2)), axis=-1)
    np.testing.assert_allclose(image, expected, rtol=0, atol=5e-6)


def test_enhancement_factor():
    assert enhancement_factor(3.0, 5.0) == 225.0
    assert enhancement_factor(10.0, 10.0) == 1e4
    assert enhancement_factor(0.0, 7.0) == 0.0
