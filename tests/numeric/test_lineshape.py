"""Bands against SciPy's densities in float64: Eqs. (1.2)-(1.4)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tersgen.numeric.lineshape import (
    GAUSSIAN,
    LORENTZIAN,
    PSEUDO_VOIGT,
    add_gaussian,
    add_lorentzian,
    add_sticks,
    extent,
    fwhm_to_sigma,
)

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
GAUSSIAN_ERROR = 1e-5
"""Bound on the error over a band's peak, cut included, for FWHM of half a grid step and more.

4.5e-6 was the largest of 6000 random bands on random grids; it is float32 rounding, the cut at
6 sigma stays below 2e-8.
"""
LORENTZIAN_ERROR = 1e-6
"""The same for Lorentzian bands; 2e-7 was the largest of 6000."""


def gaussian(shifts, position, fwhm, area):
    return area * stats.norm.pdf(shifts, position, fwhm / FWHM_PER_SIGMA)


def lorentzian(shifts, position, fwhm, area):
    return area * stats.cauchy.pdf(shifts, position, fwhm / 2.0)


def axis(start, stop, n_points):
    return np.linspace(start, stop, n_points), (stop - start) / (n_points - 1)


def band(add, shifts, step, position, fwhm, area=1.0):
    spectrum = np.zeros(len(shifts), np.float32)
    add(spectrum, shifts[0], step, position, fwhm, area)
    return spectrum.astype(np.float64)


BANDS = {
    "gaussian": (add_gaussian, gaussian, GAUSSIAN_ERROR),
    "lorentzian": (add_lorentzian, lorentzian, LORENTZIAN_ERROR),
}
BOTH = pytest.mark.parametrize("shape", BANDS)


def worst_error(shape, shifts, step, position, fwhm, area=1.0):
    """Return the largest error of a band over its peak."""
    add, reference, _ = BANDS[shape]
    peak = reference(position, position, fwhm, area)
    difference = band(add, shifts, step, position, fwhm, area) - reference(
        shifts, position, fwhm, area
    )
    return np.max(np.abs(difference)) / peak


def test_fwhm_of_sigma():
    assert fwhm_to_sigma(2.35482) == pytest.approx(1.0, rel=1e-6)
    assert fwhm_to_sigma(15.0) == pytest.approx(15.0 / FWHM_PER_SIGMA, rel=1e-15)


@BOTH
@given(
    n_points=st.integers(2, 400),
    step=st.floats(0.05, 50),
    place=st.floats(-0.3, 1.3),
    fwhm_steps=st.floats(0.5, 500),
    area=st.floats(1e-3, 1e3),
)
@settings(max_examples=30, deadline=None)
def test_any_band_on_any_grid(shape, n_points, step, place, fwhm_steps, area):
    shifts, step = axis(100.0, 100.0 + step * (n_points - 1), n_points)
    position = shifts[0] + place * (shifts[-1] - shifts[0])
    assert worst_error(shape, shifts, step, position, fwhm_steps * step, area) < BANDS[shape][2]


@BOTH
def test_error_over_the_peak(shape):
    shifts, step = axis(100.0, 4000.0, 1024)
    random = np.random.default_rng(7)
    errors = [
        worst_error(
            shape, shifts, step, random.uniform(-200, 4300), step * 10 ** random.uniform(-0.3, 2.7)
        )
        for _ in range(500)
    ]
    assert max(errors) < BANDS[shape][2]


@BOTH
@pytest.mark.parametrize("n_points", [2, 3, 5, 63, 64, 65])
def test_short_grids(shape, n_points):
    shifts, step = axis(500.0, 600.0, n_points)
    for position in (500.0, 533.3, 550.0, 600.0):
        assert worst_error(shape, shifts, step, position, 80.0) < BANDS[shape][2]


@BOTH
@pytest.mark.parametrize(
    "position", [100.0, 4000.0, 99.0, 4001.0, 40.0, 4060.0, -900.0, 9000.0, 1e7]
)
def test_sticks_at_and_beyond_the_edges(shape, position):
    shifts, step = axis(100.0, 4000.0, 1024)
    assert worst_error(shape, shifts, step, position, 30.0) < BANDS[shape][2]


def test_gaussian_is_cut_beyond_six_sigma():
    shifts, step = axis(0.0, 4000.0, 4001)
    spectrum = band(add_gaussian, shifts, step, 2000.0, 10 * FWHM_PER_SIGMA)
    assert np.all(spectrum[np.abs(shifts - 2000.0) <= 60.0] > 0)
    assert np.all(spectrum[np.abs(shifts - 2000.0) > 60.0 + 64.0] == 0)
    assert not band(add_gaussian, shifts, step, 4061.0, 10 * FWHM_PER_SIGMA).any()


@pytest.mark.parametrize("area", [1.0, 37.5])
@pytest.mark.parametrize("fwhm", [5.0, 15.0, 80.0])
def test_area(fwhm, area):
    shifts, step = axis(0.0, 4000.0, 4001)
    whole = band(add_gaussian, shifts, step, 1800.3, fwhm, area)
    assert whole.sum() * step == pytest.approx(area, rel=1e-5)
    part = band(add_lorentzian, shifts, step, 1800.3, fwhm, area)
    inside = stats.cauchy.cdf(4000, 1800.3, fwhm / 2) - stats.cauchy.cdf(0, 1800.3, fwhm / 2)
    assert np.trapezoid(part, shifts) == pytest.approx(area * inside, rel=1e-5)


@BOTH
@pytest.mark.parametrize("fwhm", [5.0, 15.0, 80.0])
def test_full_width_at_half_maximum(shape, fwhm):
    shifts, step = axis(1700.0, 1900.0, 20_001)
    spectrum = band(BANDS[shape][0], shifts, step, 1800.0, fwhm)
    left, right = np.flatnonzero(spectrum >= 0.5 * spectrum.max())[[0, -1]]
    assert shifts[right] - shifts[left] == pytest.approx(fwhm, abs=2.5 * step)


SHIFTS, STEP = axis(100.0, 4000.0, 1024)
POSITIONS = np.array([120.0, 800.0, 812.0, 2500.0, 4100.0])
AREAS = np.array([1.0, 20.0, 5.0, 0.3, 4.0])
FWHMS = np.array([15.0, 9.0, 22.0, 40.0, 200.0])


@pytest.mark.parametrize(
    ("profile", "mixing", "share"),
    [
        (GAUSSIAN, 0.7, 0.0),
        (LORENTZIAN, 0.2, 1.0),
        (PSEUDO_VOIGT, 0.3, 0.3),
        (PSEUDO_VOIGT, 1.0, 1.0),
    ],
)
def test_sum_over_sticks(profile, mixing, share):
    spectrum = np.zeros(1024, np.float32)
    add_sticks(spectrum, SHIFTS[0], STEP, POSITIONS, AREAS, FWHMS, profile, mixing)
    expected = sum(
        share * lorentzian(SHIFTS, *stick) + (1.0 - share) * gaussian(SHIFTS, *stick)
        for stick in zip(POSITIONS, FWHMS, AREAS, strict=True)
    )
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=2e-5 * expected.max())


def test_sticks_without_area_add_nothing():
    spectrum = np.full(1024, 0.25, np.float32)
    for profile in (GAUSSIAN, LORENTZIAN, PSEUDO_VOIGT):
        add_sticks(spectrum, SHIFTS[0], STEP, POSITIONS, 0.0 * AREAS, FWHMS, profile, 0.5)
        add_sticks(spectrum, SHIFTS[0], STEP, POSITIONS[:0], AREAS[:0], FWHMS[:0], profile, 0.5)
    assert np.all(spectrum == 0.25)


def test_convolution_of_a_comb():
    """Eq. (1.3): sticks on grid points, convolved with one sampled Gaussian."""
    shifts, step = axis(0.0, 1000.0, 501)
    bins, areas, fwhm = np.array([100, 230, 236, 400]), np.array([1.0, 2.0, 0.5, 3.0]), 20.0
    comb = np.zeros(501)
    comb[bins] = areas
    expected = np.convolve(comb, gaussian(step * np.arange(-100, 101), 0.0, fwhm, 1.0), "same")
    spectrum = np.zeros(501, np.float32)
    add_sticks(spectrum, 0.0, step, shifts[bins], areas, np.full(4, fwhm), GAUSSIAN, 0.0)
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=1e-6 * expected.max())


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=80)
)
@settings(max_examples=30, deadline=None)
def test_extent(values):
    values = np.array(values, np.float32)
    low, high = extent(values)
    assert (low, high) == (values.min(), values.max())


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([-2.5], "-2.5", "-2.5"), ([-3, -1, -2], "-3.0", "-1.0"), ([0.0, -0.0], "-0.0", "0.0"),
     ([-0.0, -1e-45], "-1e-45", "-0.0"), ([np.inf, -np.inf, 0], "-inf", "inf")],
)  # fmt: skip
def test_extent_orders_signed_zeros(values, low, high):
    found = extent(np.array(values, np.float32))
    assert [str(np.float32(value)) for value in found] == [low, high]
