"""Sites of a molecule and the functions of its field, without quantum chemistry."""

from pathlib import Path

import numpy as np
import pytest

from tersgen.errors import LibraryError
from tersgen.library.builtin import load_builtin, load_sites, sites_names
from tersgen.library.importing import load_library
from tersgen.library.libraryfile import library_parts, read_library
from tersgen.library.mode_matching import match_modes
from tersgen.library.nearfield import atom_positions, principal_axes
from tersgen.library.responding import tip_grid
from tersgen.library.sites import (
    packed,
    place_charges,
    place_sites,
    site_amplitudes,
    site_functions,
    unpacked,
)
from tersgen.schema.columns import Column, species_digest
from tersgen.schema.library import Library

UNIQUE = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def benzene():
    """Sites, charges and functions of benzene, in Angstrom; lengths have no scale here."""
    species = load_builtin("benzene")
    atoms = atom_positions(species)
    sites = place_sites([atom.symbol for atom in species.atoms], atoms)
    charges = place_charges(atoms)
    return atoms, sites, charges, site_functions(sites, charges)


def potentials(points, charges):
    """Return x, y, z and the potential of each charge at points, shape (n, 3 + charges)."""
    away = np.linalg.norm(points[:, None] - charges, axis=2)
    return np.concatenate([points, 1 / away], axis=1)


def test_sites_are_atoms_and_the_middles_of_bonds_of_carbon(benzene):
    atoms, sites, charges, _ = benzene
    assert len(sites) == 12 + 6
    assert np.array_equal(sites[:12], atoms)
    nearest = np.linalg.norm(charges[:, None] - atoms, axis=2).min(axis=1)
    assert nearest.min() == pytest.approx(3.0)


def test_a_uniform_field_is_exact(benzene):
    _, sites, charges, functions = benzene
    points = np.random.default_rng(1).normal(size=(20, 3))
    for axis in range(3):
        field = np.tile(np.eye(3)[axis], len(sites))
        found = potentials(points, charges) @ functions @ field
        found -= found.mean()
        assert found == pytest.approx(-points[:, axis] + points[:, axis].mean(), abs=1e-7)


def test_the_potential_of_a_dipole_follows_from_its_field_at_the_sites(benzene):
    atoms, sites, charges, functions = benzene
    generator = np.random.default_rng(2)
    up = np.array([0.0, 0.0, 0.7])
    points = np.concatenate([atoms, atoms + up, atoms - up])
    for _ in range(5):
        tip = np.array([*generator.uniform(-3, 3, 2), 3.5])
        moment = generator.normal(size=3)
        away = sites - tip
        size = np.linalg.norm(away, axis=1)[:, None]
        field = 3 * away * (away @ moment)[:, None] / size**5 - moment / size**3
        found = potentials(points, charges) @ functions @ field.ravel()
        away = points - tip
        wanted = away @ moment / np.linalg.norm(away, axis=1) ** 3
        found, wanted = found - found.mean(), wanted - wanted.mean()
        assert np.linalg.norm(found - wanted) < 0.03 * np.linalg.norm(wanted)


def test_triangles_and_back():
    matrices = np.random.default_rng(3).normal(size=(2, 6, 6))
    matrices += matrices.swapaxes(1, 2)
    assert packed(matrices).shape == (2, 21)
    assert unpacked(packed(matrices)) == pytest.approx(matrices)


def test_modes_are_found_by_their_atom_tensors():
    generator = np.random.default_rng(4)
    computed = (
        generator.normal(size=(5, 4, 3, 3)) * np.array([1, 5, 0.3, 1, 1])[:, None, None, None]
    )
    mixing = np.eye(5)[[2, 0, 1, 3, 4]]
    mixing[2:4] = [[0, 0.6, 0, 0, 0.8], [0, -0.8, 0, 0, 0.6]]
    mixing[4] = [0, 0, 0, -1, 0]
    found = match_modes(np.einsum("mk,kiab->miab", mixing, computed), computed)
    assert found == pytest.approx(mixing, abs=1e-9)


def test_tips_lie_above_a_flat_molecule():
    species = load_builtin("benzene")
    tips = tip_grid(species, (3.5, 5.0), 1.0, 2.0)
    assert sorted(set(np.round(tips[:, 2] - atom_positions(species)[:, 2].max(), 6))) in (
        [3.5, 5.0],
        [-5.0, -3.5],
    )
    spans = np.ptp(tips[:, :2], axis=0)
    assert spans.min() >= np.ptp(atom_positions(species)[:, :2], axis=0).min() + 4.0


def test_a_species_without_sites_is_refused():
    with pytest.raises(LibraryError, match="tersgen library respond"):
        site_amplitudes(load_builtin("benzene"), lambda points: points)


def test_a_response_agrees_with_images_that_it_has_not_seen():
    """Both of ``tersgen.library.responding``, images at random tips, RHF/6-31G*."""
    (sited,) = read_library(DATA / "tip_sites_formaldehyde.tlib")
    (imaged,) = read_library(DATA / "tip_images_formaldehyde.tlib")
    plain = load_builtin("formaldehyde")
    positions = atom_positions(plain)
    up = principal_axes(positions)[2]
    tips = np.array(imaged.image_tips)
    form = np.array([mode.image for mode in imaged.modes])
    form = form * [1, 1, 1, 2, 2, 2]
    pairs = np.array([up[a] * up[b] for a, b in UNIQUE])
    wanted = (form @ pairs).T
    made = []
    for tip in tips:

        def field(points, tip=tip):
            away = points - tip
            size = np.linalg.norm(away, axis=1)[:, None]
            return 3 * away * (away @ up)[:, None] / size**5 - up / size**3

        made.append(site_amplitudes(sited, field))
    height = (tips - positions.mean(axis=0)) @ up
    for near in (height < 4.0, height > 4.0):
        model, image = np.array(made)[near], wanted[near]
        size = np.linalg.norm(image, axis=0)
        errors = np.linalg.norm(model - image, axis=0) / size
        cosines = (model * image).sum(axis=0) / size / np.linalg.norm(model, axis=0)
        assert np.median(errors) < 0.03  # the atom sum: 0.4 to 0.6
        assert errors.max() < 0.1
        assert cosines.min() > 0.99


@pytest.mark.parametrize("name", sites_names())
def test_shipped_responses_have_the_raman_tensors_of_the_library(name):
    """In a uniform field, Hartree-Fock beside B3LYP; the library's are from gradients in fields."""
    (sited,) = load_sites(name)
    plain = load_builtin(name)
    wanted = np.array([mode.tensor for mode in plain.modes])
    assert [mode.tensor for mode in sited.modes] == [mode.tensor for mode in plain.modes]
    n = len(sited.sites)
    matrices = unpacked(np.array([mode.site_response for mode in sited.modes], np.float64))
    found = matrices.reshape(-1, n, 3, n, 3).sum(axis=(1, 3))
    assert found == pytest.approx(wanted, abs=0.25 * np.abs(wanted).max())


def test_an_atom_that_carries_its_polarizability_along_feels_the_gradient_of_the_field():
    """M = 2 E^T a (u . grad) E, as the difference of the response at two sites."""
    step = 1e-3
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = np.diag([1.0, 1.0, 2.0]) / (2 * step)
    matrix[3:, 3:] = -matrix[:3, :3]
    plain = load_builtin("nitrogen")
    mode = plain.modes[0].model_copy(update={"site_response": tuple(packed(matrix).tolist())})
    atom = plain.model_copy(
        update={"sites": ((0.0, 0.0, step), (0.0, 0.0, -step)), "modes": (mode,)}
    )

    def field(points):
        """Return E = z / (1 + (2 d / 5)^2), d from a tip 3 Angstrom above."""
        strength = 1 / (1 + (2 * (points[:, 2] - 3.0) / 5) ** 2)
        return strength[:, None] * np.array([0.0, 0.0, 1.0])

    assert field(np.zeros((1, 3)))[0, 2] == pytest.approx(0.409836066)
    assert site_amplitudes(atom, field) == pytest.approx(0.264339306, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("site_response", lambda rows: rows[:-1], "rows of site_response of species 0"),
        ("site", lambda rows: rows * np.nan, "site that is not finite"),
    ],
)
def test_files_with_other_numbers_than_sites_are_refused(tmp_path, name, change, message):
    """The digest of such a file is right: its content is what a kernel would read past."""
    library = read_library(DATA / "tip_sites_formaldehyde.tlib")
    arrays = {one: column.part(0) for one, column in library.columns.items()}
    arrays[name] = change(arrays[name])
    columns = {one: Column.of_species([rows]) for one, rows in arrays.items()}
    digest = np.frombuffer(species_digest(arrays), np.uint8)
    path = tmp_path / "other.tlib"
    path.write_bytes(b"".join(library_parts(Library.of_columns(columns, digest))))
    with pytest.raises(LibraryError, match=message):
        load_library(path)
