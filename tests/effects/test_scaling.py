"""Min-max scaling against NumPy in float64, Eqs. (1.5) and (10.1)."""

import numpy as np
import pytest

from tersgen.effects.scaling import scale_spectra


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 3e-7), (np.float16, 5e-4)])
def test_scaled_to_the_range_asked_for(symmetric, dtype, error):
    lines = np.random.default_rng(8).normal(3.0, 2.0, (4, 500)).astype(np.float32)
    exact = lines.astype(np.float64)
    low, high = exact.min(axis=1, keepdims=True), exact.max(axis=1, keepdims=True)
    expected = (exact - low) / (high - low + 1e-12)
    out = np.empty(lines.shape, dtype)
    scale_spectra(lines, symmetric, out.view(np.uint16) if dtype == np.float16 else out)
    np.testing.assert_allclose(out, 2 * expected - 1 if symmetric else expected, rtol=0, atol=error)


def test_a_constant_is_zero():
    out = np.ones((1, 100), np.float32)
    scale_spectra(np.full((1, 100), 7.0, np.float32), False, out)
    assert not out.any()
