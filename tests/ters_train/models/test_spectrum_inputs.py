"""What models see of spectra: views against SciPy, the mask, and numbers that stay small."""

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from ters_train.models.spectrum_inputs import SpectrumInputs, SpectrumOptions

L = 256


def channels(spectra, **options):
    made = SpectrumInputs(SpectrumOptions(position=False, **options), L)
    rows = torch.as_tensor(np.atleast_2d(spectra), dtype=torch.float32)
    return made(rows, torch.ones_like(rows))


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


def test_views_are_zero_where_nothing_was_measured():
    y, mask = bands(), np.ones(L)
    y[:40], y[70:110] = y[40], np.linspace(y[69], y[110], 40)  # an edge repeated, a gap bridged
    mask[:40] = mask[70:110] = 0
    options = SpectrumOptions(inputs="views", mask=True, window=33, position=False)
    rows = torch.tensor(y[None], dtype=torch.float32)
    (views,) = SpectrumInputs(options, L)(rows, torch.tensor(mask[None]))
    np.testing.assert_array_equal(views[2].numpy(), mask)
    for far in (slice(37), slice(73, 107)):  # the derivative sees half its window farther
        assert not views[:2, far].any()
    assert views[:2, 40:70].abs().max() > 0.5


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
    exact = made(y, torch.ones_like(y))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(made(y, torch.ones_like(y)), exact)


@pytest.mark.parametrize("name", ["smoothing", "window"])
def test_windows_have_a_centre(name):
    with pytest.raises(ValueError, match=f"{name}: expected an odd number, got 8"):
        SpectrumOptions(**{name: 8})
