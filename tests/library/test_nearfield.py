"""Near-field intensities against published reference values, and the geometry they need."""

import hashlib

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import tersgen
from tersgen.errors import LibraryError, TersWarning
from tersgen.library.builtin import builtin_names, load_builtin
from tersgen.library.degeneracy import mode_activity
from tersgen.library.importing import read_species
from tersgen.library.nearfield import (
    atom_positions,
    centred,
    near_field_intensities,
    principal_axes,
    principal_frames,
    require_geometry,
    rotation_quaternion,
)
from tersgen.schema.library import Library

PUBLISHED = {
    0: 2.38797431e-4,
    29: 3.02745892e-3,
    31: 6.36247176e-3,
    37: 2.83627008e-3,
    41: 4.12884076e-3,
}
"""Divinylbenzene, B3LYP/STO-3G: intensity of a mode under a radial field of 5 Angstrom, 3 above."""


@pytest.fixture(scope="module")
def dvb(reference_data):
    (species,) = read_species(reference_data("dvb_raman.fchk"))
    return species


def test_reference_values(dvb):
    found = near_field_intensities(dvb, (0.0, 0.0, 3.0))
    for mode, expected in PUBLISHED.items():
        assert found[mode] == pytest.approx(expected, rel=1e-6)


def test_selection_rule(dvb):
    """In a centrosymmetric molecule u modes are dark far away and in a plane field, not near."""
    activities = np.array([mode_activity(mode) for mode in dvb.modes])
    ungerade = activities < 1e-5 * activities.max()
    assert ungerade.sum() >= 20
    assert ungerade[0]
    for rotation in (None, Rotation.random(rng=np.random.default_rng(4)).as_matrix()):
        plane = near_field_intensities(dvb, (0.0, 0.0, 3.0), rotation, field="plane")
        assert plane[ungerade].max() < 1e-7 * plane.max()
    aside = near_field_intensities(dvb, (1.5, 0.8, 3.0))
    assert aside[ungerade].max() > 0.1 * aside.max()
    assert near_field_intensities(dvb, (0.0, 0.0, 3.0))[0] > 1e-4


def test_a_wide_field_far_above_is_a_plane_field(dvb):
    wide = (1e5, 1e5, 1e5)
    plane = near_field_intensities(dvb, (0.0, 0.0, 3.0), field="plane")
    for field, height in (("gaussian_z", 3.0), ("radial", 2e3)):
        found = near_field_intensities(dvb, (0.0, 0.0, height), None, field, wide)
        bright = plane > 1e-3 * plane.max()
        np.testing.assert_allclose(found[bright], plane[bright], rtol=0.02)


@pytest.mark.parametrize("name", builtin_names())
def test_principal_axes(name):
    species = load_builtin(name)
    assert species.atoms
    axes = principal_axes(atom_positions(species))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    laid = centred(atom_positions(species)) @ axes.T
    second = laid.T @ laid
    assert np.abs(second - np.diag(np.diag(second))).max() < 1e-9 * second.max()
    assert second[0, 0] >= second[1, 1] - 1e-6
    assert second[1, 1] >= second[2, 2] - 1e-6
    quaternion = rotation_quaternion(axes)
    turned = Rotation.from_quat(np.roll(quaternion, -1)).as_matrix()
    np.testing.assert_allclose(turned, axes, atol=1e-12)


def test_frames_of_many_species_are_those_of_each():
    library = Library([load_builtin(name) for name in builtin_names()])
    positions, first = library.array("position")
    frames = principal_frames(positions, first)
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, principal_axes(positions[first[k] : first[k + 1]]))


def test_frames_are_the_same_on_every_machine_and_python():
    """To the bit: rows of molecules under a tip follow from them."""
    random = np.random.default_rng(5)
    positions = random.integers(-4096, 4096, (60, 3)) / 1024
    positions[20:40, 2] = 0.0
    frames = principal_frames(positions, np.array([0, 20, 40, 41, 60]))
    quaternions = np.array([rotation_quaternion(one) for one in frames])
    content = centred(positions).tobytes() + frames.tobytes() + quaternions.tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "df4b8a8d4762c9ee"


@pytest.mark.parametrize("seed", range(8))
def test_quaternions_of_any_rotation(seed):
    matrix = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    quaternion = rotation_quaternion(matrix)
    turned = Rotation.from_quat(np.roll(quaternion, -1)).as_matrix()
    np.testing.assert_allclose(turned, matrix, atol=1e-12)


def test_most_built_in_molecules_have_geometry():
    library = Library(map(load_builtin, builtin_names()))
    require_geometry(library)
    assert len(library) >= 8


def test_a_species_without_geometry_is_refused():
    recipe = tersgen.Recipe(library=("builtin:water", "random:1"), nearfield={})
    with pytest.raises(
        LibraryError, match=r"random.*: expected atom positions .*import a Gaussian"
    ):
        tersgen.resolve(recipe)
    bare = load_builtin("water").model_copy(update={"atoms": None})
    with pytest.raises(LibraryError, match="water: expected atom positions"):
        near_field_intensities(bare, (0.0, 0.0, 3.0))


def test_fine_channels_are_said():
    near = {"channel_cm1": 5.0}
    recipe = tersgen.Recipe(
        library=("builtin:water",), nearfield=near, fields={"cube": True, "spectra": False}
    )
    with pytest.warns(TersWarning, match="channels of 5 cm.* finer than all bands"):
        tersgen.resolve(recipe)
