"""Molecules of the group gfn: the list, method, sums, symmetry, and well-known bands."""

from pathlib import Path

import numpy as np
import pytest

from tersgen.library.builtin import group_names, load_builtin, load_group
from tersgen.library.degeneracy import bands
from tersgen.numeric.tensor import activity, depolarization_plane

LISTS = (Path(__file__).resolve().parents[2] / "examples" / "molecules").glob("gfn*.smi")
TOTALLY_SYMMETRIC = {"A", "Ag", "A'", "A1", "A1g", "A1'", "Sigma+", "Sigma+g"}


@pytest.fixture(scope="module")
def library():
    return load_group("gfn")


def test_the_lists_are_what_was_computed():
    lines = [line.split() for path in LISTS for line in path.read_text().splitlines()]
    listed = [words[1] for words in lines if words and words[0] != "#"]
    assert group_names("gfn") == tuple(sorted([*listed, "sulfur"]))
    assert len(listed) + len(group_names("builtin")) >= 60


def test_each_species_says_how_it_was_computed(library):
    for page in library.pages:
        assert page["provenance"]["kind"] == "computed"
        assert page["provenance"]["method"].count("GFN1-xTB") == 2
        assert page["frequency_uncertainty_cm1"] == 35.0
    for name in ("hessian", "atom_tensor", "displacement", "mass", "polarizability"):
        assert library.counts(name).all()


def test_all_modes_are_there_and_sums_are_exact(library):
    n_atoms = library.counts("position")
    linear = [page["point_group"] in ("D*h", "C*v") for page in library.pages]
    n_modes = 3 * n_atoms - np.where(linear, 5, 6)
    np.testing.assert_array_equal(library.counts("frequency"), n_modes)
    shares, _ = library.array("atom_tensor")
    tensors, _ = library.array("tensor")
    starts = np.concatenate([[0], np.cumsum(np.repeat(n_atoms, n_modes))[:-1]])
    xx, yy, zz, xy, xz, yz = np.add.reduceat(shares, starts).T
    sums = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)
    np.testing.assert_array_equal(tensors, sums)


def test_symmetry_shows_in_the_tensors(library):
    tensors, first = library.array("tensor")
    n_checked = 0
    for page, start, stop in zip(library.pages, first[:-1], first[1:], strict=True):
        if page["point_group"] == "C1":
            continue
        own = tensors[start:stop]
        strength = np.array([activity(tensor) for tensor in own])
        strength /= strength.max()
        for irrep, tensor, relative in zip(page["irreps"], own, strength, strict=True):
            if irrep is not None and irrep.endswith("u"):  # mutual exclusion
                assert relative < 1e-6, (page["name"], irrep)
            elif irrep not in (*TOTALLY_SYMMETRIC, None) and relative > 1e-4:
                assert depolarization_plane(tensor) == pytest.approx(0.75, abs=1e-3), page["name"]
                n_checked += 1
    assert n_checked > 500


@pytest.mark.parametrize(
    ("name", "irrep", "position"),
    [
        # totally symmetric stretches and ring breathing of liquids, NSRDS-NBS 39 and ASTM E1840
        ("cyclohexane", "A1g", 801),
        ("carbon_tetrachloride", "A1", 459),
        ("chloroform", "A1", 680),
        ("benzonitrile", "A1", 1001),
        ("toluene", "A'", 1004),
        ("sulfur", "A1", 473),
    ],
)
def test_breathing_modes_are_polarised(name, irrep, position):
    rows = [row for row in bands(load_builtin(name)) if row.active and row.irrep == irrep]
    row = min(rows, key=lambda row: abs(row.frequency_cm1 - position))
    assert row.frequency_cm1 == pytest.approx(position, abs=50)
    assert row.depolarization_plane < 0.2
