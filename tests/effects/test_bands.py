"""Sticks, tensors and spectra against float64 sums over their own stored parameters."""

import numpy as np
import pytest
from scipy import constants
from scipy.spatial.transform import Rotation
from scipy.stats import cauchy, norm

import tersgen
from tersgen.effects.bands.selection import ModeChoice
from tersgen.schema.library import Library

N_ROWS = 24
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
SILENT = {"spectrum": (0.0, 0.0), "map": (0.0, 0.0)}
STILL = {"shift_cm1": 0.0, "mode_shift_cm1": 0.0, "width": (1.0, 1.0), "intensity": 0.0}


def modes_of(recipe, label):
    species = recipe.library.species[label]
    return [species.modes[k] for k in ModeChoice(Library([species]), recipe).in_use().mode]


def stokes(recipe, shift):
    """Return the photon-counting Stokes factor with SciPy's constants."""
    laser = 1e7 / recipe.geometry.laser_nm
    energy = constants.h * constants.c * 100 * shift
    population = -np.expm1(-energy / (constants.k * recipe.geometry.temperature_k))
    return laser * (laser - shift) ** 3 / (shift * population)


def test_tensors_are_symmetric_and_padded_with_zeros(tiny_recipe):
    block = tersgen.generate(tiny_recipe, 0, N_ROWS)
    tensors, count = block["tensors"], block["sticks/count"]
    assert np.array_equal(tensors, tensors.swapaxes(2, 3))
    assert len(set(count)) > 1
    assert count.max() == tensors.shape[1] == tiny_recipe.fields.n_modes
    for row in range(N_ROWS):
        assert count[row] == len(modes_of(tiny_recipe, block["label"][row]))
        for name in ("tensors", "sticks/position", "sticks/intensity"):
            assert not block[name][row, count[row] :].any(), name
            assert block[name][row, : count[row]].any(), name


@pytest.mark.parametrize("quaternion", [(1.0, 0.0, 0.0, 0.0), (0.5, 0.5, -0.1, 0.7)])
def test_fixed_orientation(tiny_recipe, quaternion, changed):
    incident, scattered = (0.0, 0.6, 0.8), (1.0, 0.0, 0.0)
    recipe = changed(
        tiny_recipe,
        geometry={
            "orientation": "fixed",
            "quaternion": quaternion,
            "incident": incident,
            "scattered": scattered,
        },
        perturbations=STILL,
    )
    block = tersgen.generate(recipe, 0, 6)
    assert "params/orientation" not in block
    w, x, y, z = quaternion
    turn = Rotation.from_quat([x, y, z, w]).as_matrix()
    for row in range(6):
        for m, mode in enumerate(modes_of(recipe, block["label"][row])):
            tensor = turn @ np.array(mode.tensor) @ turn.T
            if quaternion[0] == 1.0:
                assert np.array_equal(block["tensors"][row, m], np.float32(mode.tensor))
            np.testing.assert_allclose(block["tensors"][row, m], tensor, atol=1e-5)
            factor = stokes(recipe, mode.frequency_cm1) / stokes(recipe, 1000.0)
            strength = (np.array(scattered) @ tensor @ np.array(incident)) ** 2 * factor
            assert block["sticks/intensity"][row, m] == pytest.approx(strength, rel=1e-6, abs=1e-9)
            assert block["sticks/position"][row, m] == np.float32(mode.frequency_cm1)


def averaged(tensor, cosine):
    """Return the textbook average of |e_s^T R e_i|^2, e_s . e_i = cosine."""
    a = np.trace(tensor) / 3
    g2 = (3 * np.trace(tensor @ tensor) - np.trace(tensor) ** 2) / 2
    return a**2 * cosine**2 + g2 * (3 + cosine**2) / 45


def test_averaged_orientation(tiny_recipe, changed):
    recipe = changed(
        tiny_recipe,
        geometry={"orientation": "averaged", "detection": "activity", "scattered": (0.0, 0.6, 0.8)},
        perturbations=STILL,
    )
    block = tersgen.generate(recipe, 0, 3)
    for row in range(3):
        for m, mode in enumerate(modes_of(recipe, block["label"][row])):
            assert np.array_equal(block["tensors"][row, m], np.float32(mode.tensor))
            expected = averaged(np.array(mode.tensor), 0.8)
            assert block["sticks/intensity"][row, m] == pytest.approx(expected, rel=1e-6)


def test_a_powder_scatters_both_polarizations(tiny_recipe, changed):
    recipe = changed(
        tiny_recipe,
        geometry={"orientation": "powder", "detection": "activity"},
        perturbations=STILL,
    )
    block = tersgen.generate(recipe, 0, 3)
    for row in range(3):
        for m, mode in enumerate(modes_of(recipe, block["label"][row])):
            tensor = np.array(mode.tensor)
            expected = averaged(tensor, 1.0) + averaged(tensor, 0.0)
            assert block["sticks/intensity"][row, m] == pytest.approx(expected, rel=1e-6)


def test_random_orientation_averages_to_the_averaged_intensity(tiny_recipe, changed):
    n_rows = 30_000
    recipe = changed(
        tiny_recipe,
        geometry={"detection": "activity"},
        perturbations={"intensity": 0.0},
        fields={"spectra": False, "maps": False, "tensors": False, "params": False},
    )
    block = tersgen.generate(recipe, 0, n_rows)
    for label in range(3):
        drawn = block["sticks/intensity"][block["label"] == label].astype(np.float64)
        for m, mode in enumerate(modes_of(recipe, label)):
            expected = averaged(np.array(mode.tensor), 1.0)
            error = drawn[:, m].std() / np.sqrt(len(drawn))
            assert error < 0.03 * expected
            assert drawn[:, m].mean() == pytest.approx(expected, abs=4 * error + 1e-6 * expected)


def test_orientation_is_the_rotation_of_the_tensors(tiny_recipe):
    block = tersgen.generate(tiny_recipe, 100, 100 + N_ROWS)
    for row in range(N_ROWS):
        w, x, y, z = block["params/orientation"][row]
        turn = Rotation.from_quat([x, y, z, w]).as_matrix()
        for m, mode in enumerate(modes_of(tiny_recipe, block["label"][row])):
            expected = turn @ np.array(mode.tensor) @ turn.T
            np.testing.assert_allclose(block["tensors"][row, m], expected, atol=1e-5)


def test_positions_are_shifted_frequencies(tiny_recipe, changed):
    recipe = changed(tiny_recipe, perturbations={"shift_cm1": 20.0, "mode_shift_cm1": 0.0})
    block = tersgen.generate(recipe, 0, N_ROWS)
    for row in range(N_ROWS):
        for m, mode in enumerate(modes_of(recipe, block["label"][row])):
            expected = mode.frequency_cm1 + block["params/shift"][row]
            assert block["sticks/position"][row, m] == pytest.approx(expected, abs=1e-3)


def expected_spectrum(recipe, block, row):
    """Return the noiseless spectrum of a row in float64, from its sticks and its width."""
    grid, shape = recipe.grid, recipe.lineshape
    shifts = np.linspace(grid.start_cm1, grid.stop_cm1, grid.n_points)[:, None]
    count = block["sticks/count"][row]
    position = block["sticks/position"][row, :count].astype(np.float64)
    area = block["sticks/intensity"][row, :count].astype(np.float64)
    fwhm = shape.fwhm_cm1 * float(block["params/width"][row])
    share = {"gaussian": 0.0, "lorentzian": 1.0, "pseudo_voigt": shape.mixing}[shape.profile]
    bands = (1 - share) * norm.pdf(shifts, position, fwhm / FWHM_PER_SIGMA)
    bands += share * cauchy.pdf(shifts, position, fwhm / 2)
    total = (area * bands).sum(axis=1)
    if "params/roll" in block:
        total = np.roll(total, block["params/roll"][row])
    return (total - total.min()) / (total.max() - total.min())


@pytest.mark.parametrize("profile", ["gaussian", "lorentzian", "pseudo_voigt"])
@pytest.mark.parametrize("roll_bins", [0, 20])
@pytest.mark.parametrize(("precision", "bound"), [("float16", 2.6e-4), ("float32", 1e-5)])
def test_noiseless_spectra(tiny_recipe, profile, roll_bins, precision, bound, changed):
    recipe = changed(
        tiny_recipe,
        lineshape={"profile": profile, "mixing": 0.3},
        noise=SILENT,
        perturbations={"roll_bins": roll_bins},
        fields={"precision": precision},
    )
    block = tersgen.generate(recipe, 50, 50 + N_ROWS)
    if roll_bins:
        assert len(set(block["params/roll"])) > 10
        assert np.abs(block["params/roll"]).max() <= roll_bins
    for row in range(N_ROWS):
        expected = expected_spectrum(recipe, block, row)
        np.testing.assert_allclose(block["spectra"][row], expected, rtol=0, atol=bound)


def test_spectrum_noise_has_the_stated_level(tiny_recipe, changed):
    recipe = changed(
        tiny_recipe,
        grid={"n_points": 4096},
        noise={"spectrum": (0.05, 0.3)},
        fields={"precision": "float32", "maps": False},
    )
    silent = changed(recipe, noise=SILENT)
    noisy, clean = (tersgen.generate(one, 0, N_ROWS) for one in (recipe, silent))
    for row in range(N_ROWS):
        x, y = clean["spectra"][row].astype(np.float64), noisy["spectra"][row].astype(np.float64)
        # min-max scaling is affine: the noise over the fitted band height is the level
        slope, offset = np.polyfit(x, y, 1)
        level = np.std(y - slope * x - offset) / slope
        height = 1.0 - edge_over_peak(silent, clean, row)
        assert level == pytest.approx(noisy["params/spectrum_noise"][row] / height, rel=0.06)


def edge_over_peak(recipe, block, row):
    """Return the lowest over the highest value of the sum of bands, before min-max scaling."""
    shifts = np.linspace(100.0, 4000.0, recipe.grid.n_points)[:, None]
    count = block["sticks/count"][row]
    sigma = recipe.lineshape.fwhm_cm1 * block["params/width"][row] / FWHM_PER_SIGMA
    bands = norm.pdf(shifts, block["sticks/position"][row, :count], sigma)
    total = (block["sticks/intensity"][row, :count] * bands).sum(axis=1)
    return total.min() / total.max()
