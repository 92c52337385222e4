"""Spectra without a band, and saturated ones, are detected at the rates that are stated."""

import numpy as np
import pytest

from tersgen.measured.quality import FALSE_ALARM, NO_BAND, SATURATED, fault_of, has_bands

N, L = 1000, 1024
X = np.linspace(-1.0, 1.0, L)


def backgrounds(rng):
    """Return polynomials of the fifth order, far larger than the noise."""
    return sum(30 * rng.normal(size=(N, 1)) * X**k for k in range(6))


def bands(rng, height):
    places = rng.uniform(0.2 * L, 0.8 * L, (N, 1))
    return height * np.exp(-0.5 * ((np.arange(L) - places) / 4) ** 2)


def spectra(kind, rng):
    white = rng.normal(size=(N, L))
    if kind == "photon noise of fluorescence":
        places, widths = rng.uniform(-1, 1, (N, 1)), rng.uniform(0.4, 1.5, (N, 1))
        return rng.poisson(20 + 1000 * np.exp(-(((X - places) / widths) ** 2)))
    if kind == "interpolated noise":
        return np.stack([np.interp(np.arange(L) / 2.3, np.arange(L), row) for row in white])
    return white + (backgrounds(rng) if kind == "noise on a background" else 0)


@pytest.mark.parametrize(
    "kind",
    ["noise", "noise on a background", "photon noise of fluorescence", "interpolated noise"],
)
def test_noise_is_taken_for_a_band_as_rarely_as_stated(kind):
    alarms = has_bands(spectra(kind, np.random.default_rng(3))).sum()
    assert alarms <= N * FALSE_ALARM + 3 * np.sqrt(N * FALSE_ALARM)


def test_bands_of_ten_times_the_noise_are_found():
    rng = np.random.default_rng(4)
    assert has_bands(spectra("noise on a background", rng) + bands(rng, 10.0)).mean() > 0.99


def test_a_spectrum_that_is_cut_off_is_saturated():
    rng = np.random.default_rng(5)
    for one in (500 + 3000 * bands(rng, 1.0) + 5 * rng.normal(size=(N, L)))[:50]:
        counts = np.round(one)
        assert fault_of(counts) is None
        assert fault_of(np.minimum(counts, 2000)) == SATURATED


def test_coarse_numbers_are_not_saturation():
    flat_tops = np.round(20 * np.exp(-0.5 * ((np.arange(L) - 500) / 40) ** 2))
    assert fault_of(flat_tops) is None
    assert fault_of(np.random.default_rng(6).poisson(0.7, L)) == NO_BAND


def test_a_constant_has_no_band():
    assert fault_of(np.full(L, 7.0)) == NO_BAND
