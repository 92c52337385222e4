"""Stokes cross-sections against a printed value and the formula with SciPy's constants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants

from tersgen.numeric.crosssection import (
    FOURTH_POWER,
    NO_FACTOR,
    PHOTON_COUNT,
    one_minus_exp_minus,
    stokes_factor,
)

LASER = 1e7 / 532.0


def cross_section(activity, shift, laser, temperature):
    """Return d(sigma)/d(Omega) in cm^2/sr of an activity in Angstrom^4/amu: Long (2002), ch. 5."""
    return 5.8385e-46 * activity * stokes_factor(shift, laser, temperature, FOURTH_POWER)


def population(shift, temperature):
    """Return 1 - exp(-hc nu/kT), nu in cm^-1."""
    energy = constants.h * constants.c * shift * 100.0
    return -np.expm1(-energy / (constants.k * temperature))


def test_printed_value():
    printed = cross_section(1064.0059, 1740.0595, LASER, 300.0)
    assert printed == pytest.approx(3.0227e-29, abs=0.5e-33)


@pytest.mark.parametrize("shift", [200.0, 1000.0, 3200.0])
def test_prefactor(shift):
    """(2 pi)^4/45 h/(8 pi^2 c) of Long's formula; activities in Angstrom^4/amu, results in cm^2."""
    activity_si = 100.0 * 1e-40 / constants.atomic_mass
    prefactor = (2 * np.pi) ** 4 / 45 * constants.h / (8 * np.pi**2 * constants.c)
    per_metre = 100.0
    scattered, own = (LASER - shift) * per_metre, shift * per_metre
    expected = prefactor * scattered**4 / own * activity_si / population(shift, 300.0)
    assert cross_section(100.0, shift, LASER, 300.0) == pytest.approx(expected * 1e4, rel=2e-5)


@given(st.floats(0, 50))
@settings(max_examples=50, deadline=None)
def test_one_minus_exp_minus(x):
    assert one_minus_exp_minus(x) == pytest.approx(-np.expm1(-x), rel=1e-14, abs=0)


@pytest.mark.parametrize("x", [1e-12, 1e-6, 0.125, np.nextafter(0.125, 1), 0.25, 1, 39.999, 40.001])
def test_one_minus_exp_minus_at_its_seams(x):
    assert one_minus_exp_minus(x) == pytest.approx(-np.expm1(-x), rel=1e-14, abs=0)


@pytest.mark.parametrize("temperature", [4.0, 298.15, 2000.0])
@pytest.mark.parametrize("shift", [10.0, 500.0, 3500.0])
def test_forms(shift, temperature):
    weight = shift * population(shift, temperature)
    power = stokes_factor(shift, LASER, temperature, FOURTH_POWER)
    photons = stokes_factor(shift, LASER, temperature, PHOTON_COUNT)
    assert power == pytest.approx((LASER - shift) ** 4 / weight, rel=1e-8)
    assert photons == pytest.approx(LASER * (LASER - shift) ** 3 / weight, rel=1e-8)
    assert stokes_factor(shift, LASER, temperature, NO_FACTOR) == 1.0


def test_population_is_one_at_zero_kelvin():
    assert stokes_factor(500.0, LASER, 0.0, FOURTH_POWER) == (LASER - 500.0) ** 4 / 500.0
