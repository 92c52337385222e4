"""Tight binding: sum rule, selection rules, the engines against one another."""

import numpy as np
import pytest

from tersgen.errors import ConfigError, LibraryError
from tersgen.library.computing import compute_species
from tersgen.library.engine import Molecule, make_engine
from tersgen.library.geometry import read_xyz
from tersgen.library.pointgroup import PointGroup
from tersgen.numeric.tensor import activity, depolarization_plane
from tersgen.units import AMU_ELECTRON_MASS, HARTREE_CM1

WATER = Molecule("water", *read_xyz("3\n\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n"))
NO_SYMMETRY = PointGroup("C1", np.eye(3)[None], np.arange(3)[None], False)
FACTORY = """
import numpy as np
from ase.units import Bohr, Hartree
from tblite.ase import TBLite
from tblite.interface import Calculator
from tblite.library import ffi


class WithPolarizability(TBLite):
    implemented_properties = [*TBLite.implemented_properties, "polarizability"]

    def get_property(self, name, atoms=None, allow_calculation=True):
        if name != "polarizability":
            return super().get_property(name, atoms, allow_calculation)
        return np.array([self.slope(atoms, axis) for axis in range(3)]) * Bohr**2 / Hartree

    def slope(self, atoms, axis):
        ends = []
        for sign in (1, -1):
            one = Calculator("GFN1-xTB", atoms.numbers, atoms.positions / Bohr)
            one.set("verbosity", 0)
            one.set("accuracy", 1e-3)
            field = (sign * 1e-3 * np.eye(3)[axis]).tolist()
            one.add("electric-field", ffi.new("double[3]", field))
            ends.append(np.array(one.singlepoint().get("dipole")))
        return (ends[0] - ends[1]) / 2e-3


def make_calculator():
    return WithPolarizability(method="GFN1-xTB", accuracy=0.01, verbosity=0)


def make_forces_only():
    return TBLite(method="GFN1-xTB", verbosity=0)
"""


@pytest.fixture(scope="module")
def xtb():
    pytest.importorskip("geometric", reason="needs geomeTRIC: pip install 'tersgen[xtb]'")
    pytest.importorskip("tblite", reason="needs tblite: pip install 'tersgen[xtb]'")
    return make_engine("xtb")


@pytest.fixture(scope="module")
def water(xtb):
    return compute_species(xtb, WATER)


def test_a_molecule_that_moves_as_a_whole_keeps_its_polarizability(xtb):
    response = xtb.response(WATER, NO_SYMMETRY, lambda _: None)
    largest = np.abs(response.derivatives).max()
    assert np.abs(response.derivatives.sum(axis=0)).max() < 1e-8 * largest


def test_water(water):
    assert water.point_group == "C2v"
    assert [mode.irrep for mode in water.modes] == ["A1", "A1", "B2"]
    assert depolarization_plane(np.array(water.modes[2].tensor)) == pytest.approx(0.75)
    assert water.provenance.method.startswith("geometry and Hessian GFN1-xTB")
    assert water.frequency_uncertainty_cm1 == 35.0
    assert (np.linalg.eigvalsh(water.polarizability) > 0).all()


def test_the_stored_hessian_has_the_frequencies(water):
    n = 3 * len(water.atoms)
    square = np.zeros((n, n))
    square[np.tril_indices(n)] = water.hessian
    square += np.tril(square, -1).T
    roots = np.repeat(water.masses_amu, 3) ** -0.5
    curvatures = np.linalg.eigvalsh(square * np.outer(roots, roots))[-3:]
    frequencies = np.sqrt(curvatures / AMU_ELECTRON_MASS) * HARTREE_CM1
    stored = [mode.frequency_cm1 for mode in water.modes]
    np.testing.assert_allclose(frequencies, stored, rtol=1e-4)


def test_hybrid_has_the_frequencies_of_one_and_the_tensors_of_the_other(xtb, water):
    engine = make_engine("hybrid:xtb:gfn2+xtb:gfn1")
    hybrid = compute_species(engine, WATER)
    other = compute_species(make_engine("xtb:gfn2"), WATER)
    assert [m.frequency_cm1 for m in hybrid.modes] == [m.frequency_cm1 for m in other.modes]
    assert hybrid.modes[1].tensor != other.modes[1].tensor
    here, there = (float(activity(np.array(one.modes[1].tensor))) for one in (hybrid, water))
    assert here == pytest.approx(there, rel=0.2)
    assert "Hessian GFN2-xTB" in hybrid.provenance.method
    assert "d(alpha)/dR GFN1-xTB" in hybrid.provenance.method
    assert hybrid.frequency_uncertainty_cm1 == 35.0


@pytest.mark.usefixtures("forgotten_plugins")
def test_any_calculator_of_ase_is_an_engine(xtb, water, tmp_path):
    """Displaced polarizabilities from dipoles, against gradients in fields."""
    pytest.importorskip("ase")
    file = tmp_path / "calculators_of_mine.py"
    file.write_text(FACTORY)
    other = compute_species(make_engine(f"ase:{file}:make_calculator"), WATER)
    for mine, expected in zip(other.modes, water.modes, strict=True):
        assert mine.frequency_cm1 == pytest.approx(expected.frequency_cm1, abs=2.0)
        assert activity(np.array(mine.tensor)) == pytest.approx(
            activity(np.array(expected.tensor)), rel=5e-3
        )
    np.testing.assert_allclose(other.polarizability, water.polarizability, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfigError, match="got one without polarizability"):
        make_engine(f"ase:{file}:make_forces_only")
    with pytest.raises(ConfigError, match="expected a function nothing"):
        make_engine(f"ase:{file}:nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xtb:gfn3", "expected one of gfn1, gfn2, got 'gfn3'"),
        ("hybrid:xtb", "expected two other engines"),
        ("ase:module", "expected ase:MODULE:FUNCTION"),
        ("xtc", r"got 'xtc' \(did you mean 'xtb'\?\)"),
    ],
)
def test_an_unknown_engine_or_argument_is_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_engine(text)
    assert "\n" not in str(caught.value)


def test_elements_without_parameters_are_refused(xtb):
    uranium = Molecule("uranium", np.array([92, 1, 1]), WATER.coordinates)
    with pytest.raises(LibraryError, match="expected elements from H to Rn, got U"):
        xtb.check(uranium)
