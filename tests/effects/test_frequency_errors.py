"""Errors of calculated frequencies: their spread, what families of modes share, promise P1."""

import numpy as np
import pytest
from scipy.stats import cauchy

import tersgen
from tersgen.effects.bands.selection import ModeChoice
from tersgen.library.builtin import load_builtin
from tersgen.library.uncertainty import FAMILY_EDGES_CM1, SHARED
from tersgen.schema.library import Library

N_ROWS = 12_000
SIGMA, OTHER, ALONE = 24.0, 9.0, 3.0
STICKS = {"spectra": False, "maps": False, "tensors": False, "params": False}


def stated(name, uncertainty):
    return load_builtin(name).model_copy(update={"frequency_uncertainty_cm1": uncertainty})


LIBRARY = Library([stated("pyridine", SIGMA), stated("benzene", OTHER)])


def recipe_of(**sections):
    perturbations = {
        "shift_cm1": 0.0,
        "mode_shift_cm1": ALONE,
        "uncertain_frequencies": True,
        **sections.pop("perturbations", {}),
    }
    return tersgen.resolve(
        tersgen.Recipe(
            **{"library": LIBRARY, "fields": STICKS, "perturbations": perturbations, **sections}
        )
    )


def frequencies(recipe, label):
    one = LIBRARY[label]
    modes = [one.modes[k] for k in ModeChoice(Library([one]), recipe).in_use().mode]
    return np.array([mode.frequency_cm1 for mode in modes])


@pytest.fixture(scope="module")
def errors():
    """Return for each species its frequencies and their shifts, shape (rows, modes)."""
    recipe = recipe_of(grid={"start_cm1": 50.0})
    block = tersgen.generate(recipe, 0, N_ROWS)
    made = []
    for label in (0, 1):
        at = frequencies(recipe, label)
        rows = block["sticks/position"][block["label"] == label].astype(np.float64)
        made.append((at, rows[:, : len(at)] - at))
    return made


@pytest.mark.parametrize(("label", "sigma"), [(0, SIGMA), (1, OTHER)])
def test_their_spread_is_that_of_the_species(errors, label, sigma):
    at, shifts = errors[label]
    expected = np.sqrt(np.minimum(sigma, at / 6.0) ** 2 + ALONE**2)
    n = len(shifts)
    np.testing.assert_allclose(shifts.mean(axis=0), 0.0, atol=4.5 * sigma / np.sqrt(n))
    np.testing.assert_allclose(shifts.std(axis=0), expected, rtol=4.5 / np.sqrt(2 * n))


def test_modes_of_a_family_err_together(errors):
    at, shifts = errors[0]
    found = np.corrcoef(shifts.T)
    family = np.searchsorted(FAMILY_EDGES_CM1, at)
    assert set(family) == {0, 1, 2}
    share = SIGMA**2 / (SIGMA**2 + ALONE**2)
    same = family[:, None] == family
    expected = np.where(same, SHARED * share, 0.0)
    off = ~np.eye(len(at), dtype=bool)
    np.testing.assert_allclose(found[off], expected[off], atol=5.0 / np.sqrt(len(shifts)))


def test_partners_of_a_degenerate_mode_stay_together(errors):
    at, shifts = errors[1]
    for k in np.flatnonzero(np.abs(np.diff(at)) < 0.01):
        assert np.ptp(shifts[:, k : k + 2], axis=1).max() < 0.02


def test_modes_swap_order(errors):
    at, shifts = errors[0]
    assert (np.diff(at + shifts, axis=1) < 0).any(axis=1).mean() > 0.5


def test_without_them_rows_are_as_before():
    before, after = (recipe_of(perturbations={"uncertain_frequencies": on}) for on in (False, True))
    assert "uncertain_frequencies" not in before.document["perturbations"]
    one, other = (tersgen.generate(recipe, 0, 50) for recipe in (before, after))
    assert (one["sticks/intensity"] == other["sticks/intensity"]).all()
    assert (one["sticks/position"] != other["sticks/position"]).any()


def test_species_of_a_mixture_err_apart_and_rows_do_not_depend_on_others():
    recipe = recipe_of(mixture={"n_species": (2, 2)}, perturbations={"mode_shift_cm1": 0.0})
    block = tersgen.generate(recipe, 0, 3000)
    alone = tersgen.generate(recipe, 1234, 1235)
    for name, values in alone.items():
        assert values.tobytes() == block[name][1234:1235].tobytes(), name
    high = []
    for label in (0, 1):
        at = frequencies(recipe, label)
        place = (block["mixture/label"] == label).argmax(axis=1)
        rows = block["sticks/position"][np.arange(3000), place, : len(at)] - at
        high.append(rows[:, at > FAMILY_EDGES_CM1[-1]].mean(axis=1))
    assert abs(np.corrcoef(high)[0, 1]) < 5.0 / np.sqrt(3000)


def test_cubes_have_the_modes_where_the_spectrum_has_them():
    recipe = recipe_of(
        library=("builtin:formaldehyde",),  # whose modes are all Raman-active
        nearfield={"channel_cm1": 20.0},
        map={"height": 5, "width": 5},
        lineshape={"fwhm_cm1": 12.0},
        noise={"spectrum": (0.0, 0.0), "map": (0.0, 0.0)},
        perturbations={"intensity": 0.0, "width": (1.0, 1.0)},
        fields={"cube": True, "maps": False, "precision": "float32"},
    )
    block = tersgen.generate(recipe, 0, 6)
    assert set(block["sticks/count"]) == {6}
    cube = block["cube"] - block["params/background"][:, None, None, None]
    edges = 100.0 + 20.0 * np.arange(cube.shape[-1] + 1)
    for row in range(6):
        share = np.diff(cauchy.cdf(edges, block["sticks/position"][row][:, None], 6.0))
        spectra = cube[row].reshape(25, -1).astype(np.float64)
        fitted, *_ = np.linalg.lstsq(share.T, spectra.T, rcond=None)
        np.testing.assert_allclose(share.T @ fitted, spectra.T, atol=1e-5 * spectra.max())
