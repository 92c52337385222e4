"""Random species: their tensors obey their point group, their numbers obey the prior."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tersgen.library.degeneracy import mode_activity
from tersgen.library.random_classes import FORMS, random_species
from tersgen.library.random_prior import RandomClasses
from tersgen.recipe import Recipe
from tersgen.resolution import build_library

LARGEST_ACTIVITY = 30.0


def turn(axis, order):
    vector = np.array(axis, float)
    return Rotation.from_rotvec(2 * np.pi / order * vector / np.linalg.norm(vector)).as_matrix()


X, Z, CUBE = (1, 0, 0), (0, 0, 1), (1, 1, 1)
GENERATORS = {
    "D2h": [turn(Z, 2), turn(X, 2), -np.eye(3)],
    "C2h": [turn(Z, 2), -np.eye(3)],
    "C2v": [turn(Z, 2), np.diag([1.0, -1.0, 1.0])],
    "D3": [turn(Z, 3), turn(X, 2)],
    "D6h": [turn(Z, 6), turn(X, 2), -np.eye(3)],
    "Oh": [turn(Z, 4), turn(CUBE, 3), -np.eye(3)],
}
DEGENERACY = {"E": 2, "E1g": 2, "E2g": 2, "Eg": 2, "T2g": 3}
# characters under the generators above, in their order
CHARACTERS = {
    "D2h": {"Ag": (1, 1, 1), "B1g": (1, -1, 1), "B2g": (-1, -1, 1), "B3g": (-1, 1, 1)},
    "C2h": {"Ag": (1, 1), "Bg": (-1, 1)},
    "C2v": {"A1": (1, 1), "A2": (1, -1), "B1": (-1, 1), "B2": (-1, -1)},
    "D3": {"A1": (1, 1), "E": (-1, 0)},
    "D6h": {"A1g": (1, 1, 1), "E1g": (1, 0, 2), "E2g": (-1, 0, 2)},
    "Oh": {"A1g": (1, 1, 1), "Eg": (0, -1, 2), "T2g": (-1, 0, 3)},
}

GROUPS = pytest.mark.parametrize("group", GENERATORS)
NUMBERS = st.integers(0, 2**31)
FEW = settings(max_examples=15, deadline=None)


def prior(**values):
    return RandomClasses(**{"n_modes": (1, 20), **values})


def partner_sets(species):
    """Return (irrep, modes) for every set of modes at one frequency."""
    sets = {}
    for mode in species.modes:
        sets.setdefault((mode.frequency_cm1, mode.irrep), []).append(mode)
    return [(irrep, modes) for (_, irrep), modes in sets.items()]


@GROUPS
@given(number=NUMBERS)
@FEW
def test_tensors_obey_their_group(group, number):
    species = random_species(number, prior(point_groups=(group,)), 5)
    assert species.point_group == group
    for irrep, modes in partner_sets(species):
        assert len(modes) == DEGENERACY.get(irrep, 1)
        tensors = np.array([mode.tensor for mode in modes])
        assert np.array_equal(tensors, tensors.transpose(0, 2, 1))
        flat = tensors.reshape(len(modes), 9)
        norm = np.linalg.norm(flat[0])
        for operation, character in zip(GENERATORS[group], CHARACTERS[group][irrep], strict=True):
            turned = (operation @ tensors @ operation.T).reshape(len(modes), 9)
            representation = np.linalg.lstsq(flat.T, turned.T, rcond=None)[0]
            # the partners' span is mapped into itself, by an orthogonal matrix
            np.testing.assert_allclose(representation.T @ flat, turned, atol=1e-6 * norm)
            np.testing.assert_allclose(
                representation.T @ representation, np.eye(len(modes)), atol=1e-6
            )
            assert np.trace(representation) == pytest.approx(character, abs=1e-6)


@GROUPS
@given(number=NUMBERS)
@FEW
def test_partners_share_frequency_and_activity(group, number):
    for _, modes in partner_sets(random_species(number, prior(point_groups=(group,)), 5)):
        activities = [mode_activity(mode) for mode in modes]
        assert activities == pytest.approx([activities[0]] * len(modes), rel=1e-9)


@GROUPS
def test_all_raman_active_representations_appear(group):
    many = random_species(0, prior(n_modes=(200, 200), point_groups=(group,)), 5)
    assert {mode.irrep for mode in many.modes} == set(FORMS[group]) == set(CHARACTERS[group])


@given(NUMBERS, st.integers(1, 40), st.integers(0, 10))
@FEW
def test_mode_counts_lie_within_the_prior(number, fewest, extra):
    counts = prior(n_modes=(fewest, fewest + extra))
    assert fewest <= len(random_species(number, counts, 5).modes) <= fewest + extra


def test_every_mode_count_appears():
    counts = {len(random_species(k, prior(n_modes=(3, 6)), 5).modes) for k in range(60)}
    assert counts == {3, 4, 5, 6}


@given(NUMBERS, st.floats(0, 6))
@FEW
def test_activities_lie_within_the_decades(number, decades):
    species = random_species(number, prior(activity_decades=decades), 5)
    activities = np.array([mode_activity(mode) for mode in species.modes])
    assert np.all(activities <= LARGEST_ACTIVITY * (1 + 1e-5))
    assert np.all(activities >= LARGEST_ACTIVITY * 10**-decades * (1 - 1e-5))


def test_activities_are_uniform_in_the_logarithm():
    many = random_species(1, prior(n_modes=(600, 600), point_groups=("D2h",)), 5)
    decades = -np.log10([mode_activity(mode) / LARGEST_ACTIVITY for mode in many.modes]) / 1.5
    counts = np.histogram(decades, bins=4, range=(-1e-5, 1 + 1e-5))[0]
    assert counts.sum() == 600
    assert np.all(np.abs(counts - 150) < 4.5 * np.sqrt(150))


@given(NUMBERS)
@FEW
def test_frequencies_rise_within_the_prior(number):
    species = random_species(number, prior(frequency_cm1=(300.0, 900.0)), 5)
    frequencies = [mode.frequency_cm1 for mode in species.modes]
    assert frequencies == sorted(frequencies)
    assert frequencies[0] >= 300.0
    assert frequencies[-1] <= 900.0


@given(NUMBERS, st.integers(0, 2**32 - 1))
@FEW
def test_a_species_is_a_function_of_number_prior_and_seed(number, seed):
    first = random_species(number, prior(), seed)
    random_species(number + 1, prior(), seed)
    assert random_species(number, prior(), seed) == first
    assert random_species(number + 1, prior(), seed).modes != first.modes
    assert random_species(number, prior(), (seed + 1) % 2**32).modes != first.modes


def test_an_earlier_species_does_not_depend_on_how_many_follow():
    few = build_library(Recipe(library=("random:2",))).species
    many = build_library(Recipe(library=("random:5",))).species
    assert many[:2] == tuple(few)
    assert [species.name for species in many] == [f"random-{k:04d}" for k in range(5)]
