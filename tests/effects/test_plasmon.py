"""Gain of a plasmon, anti-Stokes bands and light of the metal: check values and statistics."""

import numpy as np
import pytest
from scipy.stats import kstest

import tersgen
from tersgen.effects.plasmon.kernels import electronic_raman, plasmon_gain, thermal_shift
from tersgen.errors import ConfigError
from tersgen.numeric.crosssection import FOURTH_POWER, PHOTON_COUNT, anti_stokes_ratio

SILENT = {"spectrum": (0.0, 0.0), "map": (0.0, 0.0)}
STILL = {"shift_cm1": 0.0, "mode_shift_cm1": 0.0, "width": (1.0, 1.0), "intensity": 0.0}


def recipe(**changed):
    table = {
        "library": ("builtin:benzene", "builtin:pyridine"),
        "grid": {"n_points": 512},
        "noise": SILENT,
        "perturbations": STILL,
        "fields": {"maps": False, "precision": "float32"},
    }
    for name, value in changed.items():
        table[name] = {**table.get(name, {}), **value} if isinstance(value, dict) else value
    return tersgen.resolve(tersgen.Recipe(**table))


@pytest.mark.parametrize(
    ("laser", "gains"),
    [
        (633.0, (0.839865, 0.297699, 0.071849)),
        (532.0, (0.013402, 0.026206, 0.087348)),
        (785.0, (0.004375, 0.002050, 0.000899)),
    ],
)
def test_gain_over_the_stokes_shift(laser, gains):
    found = [plasmon_gain(shift, laser, 650.0, 80.0) for shift in (500.0, 1600.0, 3000.0)]
    assert found == pytest.approx(gains, abs=6e-7)


@pytest.mark.parametrize(
    ("shift", "kelvin", "form", "ratio"),
    [
        (500.0, 298.15, FOURTH_POWER, 0.1108042),
        (500.0, 298.15, PHOTON_COUNT, 0.1050622),
        (1000.0, 298.15, FOURTH_POWER, 0.01228128),
        (1000.0, 298.15, PHOTON_COUNT, 0.01104056),
        (1582.0, 298.15, FOURTH_POWER, 9.497307e-4),
        (1582.0, 298.15, PHOTON_COUNT, 8.022775e-4),
        (1000.0, 1000.0, FOURTH_POWER, 0.3632098),
        (1000.0, 0.0, FOURTH_POWER, 0.0),
    ],
)
def test_anti_stokes_over_stokes(shift, kelvin, form, ratio):
    assert anti_stokes_ratio(shift, 1e7 / 532, kelvin, form) == pytest.approx(ratio, rel=5e-7)


@pytest.mark.parametrize(("shift", "factor"), [(50, 4.664580), (100, 2.612305), (1000, 1.008086)])
def test_bose_einstein(shift, factor):
    assert thermal_shift(shift, 298.15) / shift == pytest.approx(factor, rel=5e-7)
    assert thermal_shift(-shift, 298.15) / shift == pytest.approx(factor - 1, abs=1e-6)


def test_electronic_raman_runs_through_the_laser_line():
    near = [electronic_raman(x, 298.15, 500.0) for x in (-1e-6, -1e-12, 0.0, 1e-12, 1e-6)]
    assert near == pytest.approx([298.15 / 1.438776877 / 500.0] * 5, rel=1e-6)


def test_sticks_have_the_gain_that_is_recorded():
    plain = recipe()
    lit = recipe(plasmon={"centre_nm": (600.0, 700.0), "fwhm_nm": (60.0, 120.0)})
    before, after = (tersgen.generate(one, 0, 400) for one in (plain, lit))
    centre, fwhm, laser = after["params/plasmon"][:, :3].T.astype(np.float64)
    for drawn, low, high in ((centre, 600, 700), (fwhm, 60, 120)):
        assert kstest(drawn, "uniform", (low, high - low)).pvalue > 1e-3
    assert abs(np.corrcoef(centre, fwhm)[0, 1]) < 0.2
    assert laser == pytest.approx(632.8)
    shift = before["sticks/position"].astype(np.float64)
    there = shift > 0
    scattered = 1e7 / (1e7 / laser[:, None] - shift)
    g = [1 / (1 + (2 * (nm - centre[:, None]) / fwhm[:, None]) ** 2) for nm in (632.8, scattered)]
    expected = before["sticks/intensity"] * g[0] * g[1]
    np.testing.assert_allclose(after["sticks/intensity"][there], expected[there], rtol=1e-4)
    assert np.array_equal(after["sticks/position"], before["sticks/position"])
    assert np.array_equal(after["tensors"], before["tensors"])


def test_another_laser_changes_the_stokes_factors_too():
    wide = {"centre_nm": (785.0, 785.0), "fwhm_nm": (1e5, 1e5)}
    drawn = recipe(plasmon={**wide, "laser_nm": (785.0, 785.0)})
    stated = recipe(geometry={"laser_nm": 785.0}, plasmon=wide)
    one, other = (tersgen.generate(each, 0, 8) for each in (drawn, stated))
    np.testing.assert_allclose(one["sticks/intensity"], other["sticks/intensity"], rtol=1e-5)


def test_a_mixture_keeps_its_fractions_of_the_signal():
    table = {"n_species": (2, 2)}
    found = tersgen.generate(recipe(mixture=table, plasmon={}, grid={"start_cm1": -3500.0}), 0, 16)
    total = found["sticks/intensity"].sum(axis=2)
    np.testing.assert_allclose(total, found["mixture/fraction"], rtol=1e-5)


def test_anti_stokes_bands_in_the_spectrum():
    grid = {"start_cm1": -1500.0, "stop_cm1": 3400.0, "n_points": 9801}
    hot = recipe(grid=grid, geometry={"temperature_k": 1000.0, "detection": "power"},
                 library=("builtin:benzene",), lineshape={"profile": "gaussian"})  # fmt: skip
    block = tersgen.generate(hot, 0, 2)
    at = hot.grid.points()
    line = block["spectra"][0].astype(np.float64)
    position = block["sticks/position"][0]
    strongest = position[np.argmax(block["sticks/intensity"][0] * (position < 1400))]
    areas = [line[np.abs(at - side * strongest) < 40].sum() for side in (1, -1)]
    ratio = anti_stokes_ratio(float(strongest), 1e7 / 632.8, 1000.0, FOURTH_POWER)
    assert areas[1] / areas[0] == pytest.approx(ratio, rel=1e-3)
    cold = recipe(grid=grid, geometry={"temperature_k": 0.0}, library=("builtin:benzene",),
                  lineshape={"profile": "gaussian"})  # fmt: skip
    assert np.abs(tersgen.generate(cold, 0, 1)["spectra"][0][at < -200]).max() < 1e-6


def test_light_of_the_metal():
    light = {"electronic_raman": (0.5, 2.0), "luminescence": (0.3, 0.3), "centre_nm": (640, 660)}
    plain, lit = recipe(plasmon={"centre_nm": (640, 660)}), recipe(plasmon=light)
    assert plain.precision == "float32"
    block, dark = tersgen.generate(lit, 0, 64), tersgen.generate(plain, 0, 64)
    shifts, laser = lit.grid.points(), 632.8
    centre, fwhm, _, height, rate, _ = block["params/plasmon"].T.astype(np.float64)
    assert kstest(np.log(height), "uniform", (np.log(0.5), np.log(4.0))).pvalue > 1e-3
    for row in range(4):
        g = 1 / (1 + (2 * (1e7 / (1e7 / laser - shifts) - centre[row]) / fwhm[row]) ** 2)
        bose = 1 / (1 - np.exp(-1.438776877 * shifts / 298.15))
        metal = bose * shifts * rate[row] / (shifts**2 + rate[row] ** 2) * g
        metal *= (1 - shifts * laser * 1e-7) ** 3
        low, high = dark["spectra"][row].min(), dark["spectra"][row].max()
        molecule = (dark["spectra"][row] - low) / (high - low)
        total = molecule + height[row] * metal / metal.max() + 0.3 * g / g.max()
        total = (total - total.min()) / np.ptp(total)
        np.testing.assert_allclose(block["spectra"][row], total, atol=2e-3)


def test_light_and_gain_in_a_cube():
    near = {
        "library": ("builtin:benzene",),
        "map": {"height": 4, "width": 4, "background": (0.0, 0.0), "amplitude": (1.0, 1.0)},
        "nearfield": {"channel_cm1": 20.0, "bands": ((900.0, 1100.0), (2900.0, 3300.0))},
        "fields": {"maps": True, "cube": True, "precision": "float32"},
        "lineshape": {"fwhm_cm1": 10.0},
    }
    resonance = {"centre_nm": (650.0, 650.0), "fwhm_nm": (80.0, 80.0)}
    plain, gained = recipe(**near), recipe(**near, plasmon=resonance)
    lit = recipe(**near, plasmon={**resonance, "electronic_raman": (0.5, 0.5)})
    blocks = [tersgen.generate(one, 0, 2) for one in (plain, gained, lit)]
    maps, cubes = (
        [one[name] / one[f"params/{name.removesuffix('s')}_scale"].reshape(-1, 1, 1, 1)
         for one in blocks] for name in ("maps", "cube")
    )  # fmt: skip
    ratio = maps[1] / maps[0]
    for c, band in enumerate(((900.0, 1100.0), (3000.0, 3150.0))):  # where the modes are
        high, low = (plasmon_gain(shift, 632.8, 650.0, 80.0) for shift in band)
        assert low < ratio[:, c].min() < ratio[:, c].max() < high
    light = (cubes[2] - cubes[1]) / cubes[1].max(axis=(1, 2, 3), keepdims=True)
    assert light.max() == pytest.approx(0.5, rel=1e-3)
    assert np.ptp(light, axis=(1, 2)).max() < 1e-4  # the same at every pixel


@pytest.mark.filterwarnings("ignore:no effect")  # points of spectra
def test_anti_stokes_bands_of_a_map():
    table = {
        "library": ("builtin:benzene",),
        "grid": {"start_cm1": -1700.0},
        "geometry": {"temperature_k": 1000.0, "detection": "power"},
        "map": {"height": 4, "width": 4, "background": (0.0, 0.0)},
        "nearfield": {"tip_field": "gaussian_z", "bands": ((-1040.0, -940.0), (940.0, 1040.0))},
        "fields": {"maps": True, "spectra": False, "precision": "float32"},
    }
    maps = tersgen.generate(recipe(**table), 0, 2)["maps"]
    least, most = (anti_stokes_ratio(x, 1e7 / 632.8, 1000.0, FOURTH_POWER) for x in (1040, 940))
    ratio = maps[:, 0] / maps[:, 1]
    assert least < ratio.min() < ratio.max() < most


def test_one_row_alone_is_that_of_its_block():
    lit = recipe(plasmon={"centre_nm": (600, 700), "luminescence": (0.1, 1.0)},
                 substrate={"polarizability_angstrom3": (5.0, 10.0)},
                 grid={"start_cm1": -500.0})  # fmt: skip
    whole, alone = tersgen.generate(lit, 0, 200), tersgen.generate(lit, 150, 151)
    for name, values in alone.items():
        assert np.array_equal(values, whole[name][150:151]), name


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"plasmon": {"fwhm_nm": (0.1, 1.0)}}, "fwhm_nm: expected widths from 1"),
        ({"plasmon": {"laser_nm": (2000.0, 3000.0)}}, "plasmon.laser_nm: expected lasers above"),
        ({"plasmon": {"luminescence": (1, 1)}, "fields": {"spectra": False}}, "spectra or a cube"),
        ({"nearfield": {"bands": ((-9.0, 9.0),)}}, "set grid.start_cm1 below 0"),
        ({"grid": {"start_cm1": -10.0}, "geometry": {"detection": "activity"}}, '"power" or "pho'),
    ],
)
def test_settings_that_contradict(changed, said):
    with pytest.raises(ConfigError, match=said):
        recipe(**changed)
