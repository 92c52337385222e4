"""Voigt profiles against SciPy's, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import voigt_profile, wofz

from tersgen.numeric.lineshape import GAUSSIAN, LORENTZIAN, add_gaussian, add_lorentzian
from tersgen.numeric.voigt import add_resolved_sticks, add_voigt, faddeeva
from tersgen.units import FWHM_PER_SIGMA

X = np.linspace(0.0, 1000.0, 4001)
ERROR = 4e-6
"""Bound on the error over a band's peak, in the middle of its point or not."""


def resolved(profile, fwhm, resolution, place=500.0, shifts=X):
    line = np.zeros(len(shifts), np.float32)
    add_resolved_sticks(
        line, shifts[0], shifts[1] - shifts[0], np.array([place]), np.array([3.0]),
        np.array([fwhm]), profile, resolution, np.empty_like(line),
    )  # fmt: skip
    return line


def reference(fwhm, resolution, place=500.0, shifts=X):
    return 3.0 * voigt_profile(shifts - place, resolution / FWHM_PER_SIGMA, 0.5 * fwhm)


@pytest.mark.parametrize("fwhm", [0.01, 1.0, 4.0, 10.0, 30.0, 200.0])
@pytest.mark.parametrize("resolution", [0.05, 1.0, 3.0, 10.0, 25.0, 300.0])
@pytest.mark.parametrize("place", [500.0, 612.34, 0.0, 1030.0])
def test_voigt_profiles_against_scipy(fwhm, resolution, place):
    got, wanted = resolved(LORENTZIAN, fwhm, resolution, place), reference(fwhm, resolution, place)
    peak = reference(fwhm, resolution, 0.0, np.zeros(1))[0]
    assert np.abs(got - wanted).max() < ERROR * peak


@given(
    n_points=st.integers(2, 400),
    step=st.floats(0.05, 50),
    place=st.floats(-0.3, 1.3),
    fwhm_steps=st.floats(1e-3, 500),
    ratio=st.floats(-4, 4),
)
@settings(max_examples=60, deadline=None)
def test_any_band_on_any_grid(n_points, step, place, fwhm_steps, ratio):
    shifts = 100.0 + step * np.arange(n_points)
    position = shifts[0] + place * (shifts[-1] - shifts[0])
    fwhm, resolution = fwhm_steps * step, max(0.5, fwhm_steps * 10**ratio) * step
    got = resolved(LORENTZIAN, fwhm, resolution, position, shifts)
    wanted = reference(fwhm, resolution, position, shifts)
    peak = reference(fwhm, resolution, 0.0, np.zeros(1))[0]
    assert np.abs(got - wanted).max() < 1.5e-5 * peak  # Gaussians alone are to 1e-5


def test_the_series_near_the_centre():
    for y in (1e-4, 1e-3, 0.1, 1.0, 5.0, 9.0):
        x = np.linspace(-12.0, 12.0, 500).astype(np.float32)
        wanted = wofz(x + 1j * np.float64(np.float32(y))).real
        got = [faddeeva(one, np.float32(y)) for one in x]
        assert got == pytest.approx(wanted, abs=1e-6 * wofz(1j * y).real)


def test_both_series_where_they_meet():
    """Beside the centre by 9 sqrt(2) sigma the profile has no step."""
    for fwhm in (1.0, 10.0, 50.0, 200.0):
        wanted, got = reference(fwhm, 60.0), resolved(LORENTZIAN, fwhm, 60.0)
        step = np.abs(np.diff(got - wanted)).max()
        assert step < 4e-6 * wanted.max()


def test_the_area():
    wanted = reference(4.0, 9.0).sum()
    assert resolved(LORENTZIAN, 4.0, 9.0).sum(dtype=np.float64) == pytest.approx(wanted, rel=1e-5)


def test_the_limits_of_a_voigt_profile():
    band, other, scratch = (np.zeros(len(X), np.float32) for _ in range(3))
    add_voigt(band, 0.0, 0.25, 500.0, 0.0, 7.0, 3.0, scratch)
    add_gaussian(other, 0.0, 0.25, 500.0, 7.0, 3.0)
    assert np.array_equal(band, other)
    band[:], other[:] = 0.0, 0.0
    add_voigt(band, 0.0, 0.25, 500.0, 7.0, 0.0, 3.0, scratch)
    add_lorentzian(other, 0.0, 0.25, 500.0, 7.0, 3.0)
    assert np.array_equal(band, other)
    add_voigt(band, 0.0, 0.25, 500.0, 7.0, 0.005, 3.0, scratch)
    assert band == pytest.approx(2 * other, abs=2e-6 * float(other.max()))


def test_a_wider_gaussian():
    wide = np.zeros(len(X), np.float32)
    add_gaussian(wide, 0.0, 0.25, 500.0, 5.0, 3.0)
    assert np.array_equal(resolved(GAUSSIAN, 3.0, 4.0), wide)
