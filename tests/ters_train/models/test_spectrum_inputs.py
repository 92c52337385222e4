"""What models see of spectra: views against SciPy, the mask, and numbers that stay small."""

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from ters_train.data.measured import UNMEASURED_POINTS, measured
from ters_train.models.spectrum_inputs import SpectrumInputs, SpectrumOptions

L = 256


def channels(spectra, **options):
    made = SpectrumInputs(SpectrumOptions(position=False, **options), L)
    return made(torch.as_tensor(np.atleast_2d(spectra), dtype=torch.float32))


def bands(seed=0, baseline=0.0):
    """Three bands on noise, and on a baseline that rises along the axis."""
    rng = np.random.default_rng(seed)
    x = np.arange(L)
    y = sum(np.exp(-0.5 * ((x - place) / 4) ** 2) for place in (60, 120, 200))
    return y + 0.01 * rng.normal(size=L) + baseline * (x / L + 0.5 * np.sin(x / 60))


def test_the_derivative_is_that_of_savitzky_and_golay():
    y = bands()
    (row,) = SpectrumInputs(SpectrumOptions(smoothing=9), L)._derivative(
        torch.tensor(y[None, None])
    )
    wanted = savgol_filter(y, 9, 2, deriv=1, mode="nearest")
    np.testing.assert_allclose(row[0].numpy(), wanted, atol=1e-12)


def test_the_mask_says_what_was_measured():
    y = bands()
    y[:40], y[250:] = y[40], y[250]
    (mask,) = measured(torch.tensor(y[None]))
    wanted = np.ones(L)
    wanted[:40] = 0  # at the high end, six repeated values are few enough to be chance
    np.testing.assert_array_equal(mask.numpy(), wanted)
    assert UNMEASURED_POINTS == 8
    np.testing.assert_array_equal(measured(torch.full((2, L), 0.3)).numpy(), 1)
    views = channels(y, inputs="views", mask=True, window=33)[0]
    np.testing.assert_array_equal(views[2].numpy(), wanted)
    assert not views[:2, :37].any()


@pytest.mark.parametrize("inputs", ["derivative", "local", "views"])
def test_a_baseline_hardly_changes_what_is_seen(inputs):
    plain, on_baseline = (
        channels(bands(baseline=b), inputs=inputs, window=33).flatten().numpy() for b in (0, 2)
    )
    raw, raw_on_baseline = bands(), bands(baseline=2)
    assert np.corrcoef(plain, on_baseline)[0, 1] > 0.9
    assert np.corrcoef(raw, raw_on_baseline)[0, 1] < 0.7


@pytest.mark.parametrize("inputs", ["raw", "derivative", "local", "views"])
@pytest.mark.parametrize("row", ["constant", "nearly constant", "spike", "step"])
def test_nothing_explodes(inputs, row):
    y = np.full(L, 0.5)
    y += 1e-7 * np.arange(L) * (row == "nearly constant")
    y[100] += 0.5 * (row == "spike")
    y[100:] += 0.5 * (row == "step")
    seen = channels(y, inputs=inputs, mask=True, window=33)
    assert torch.isfinite(seen).all()
    assert seen.abs().max() < 15
    if row == "nearly constant" and inputs != "raw":
        assert seen[0, :-1].abs().max() < 0.1


def test_a_cosmic_ray_leaves_the_bands_visible():
    y = bands()
    hit = y.copy()
    hit[20] = 30.0
    hit = (hit - hit.min()) / (hit.max() - hit.min())
    plain, with_ray = (channels(one, inputs="views", window=33)[0, 0] for one in (y, hit))
    assert with_ray[150:].abs().max() > 0.5 * plain[150:].abs().max()


def test_half_precision_does_not_round_the_derivative_away():
    y = torch.tensor(bands(baseline=5)[None] / 10, dtype=torch.float32)
    made = SpectrumInputs(SpectrumOptions(inputs="views", mask=True, window=33), L)
    exact = made(y)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(made(y), exact)


@pytest.mark.parametrize("name", ["smoothing", "window"])
def test_windows_have_a_centre(name):
    with pytest.raises(ValueError, match=f"{name}: expected an odd number, got 8"):
        SpectrumOptions(**{name: 8})
