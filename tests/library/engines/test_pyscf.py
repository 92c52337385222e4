"""Quantum chemistry, small: water and hydrogen fluoride at RHF/STO-3G, against displacements."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tersgen.errors import ConfigError, LibraryError, MissingExtraError, TersWarning
from tersgen.library import engine as engine_module
from tersgen.library.computing import compute, compute_species
from tersgen.library.engine import Molecule, make_engine
from tersgen.library.engines import pyscf
from tersgen.library.geometry import SYMBOLS, read_xyz
from tersgen.library.harmonic import is_linear
from tersgen.library.level import Level
from tersgen.library.masses import isotope_masses
from tersgen.library.pointgroup import orient
from tersgen.numeric.tensor import activity, depolarization_plane

WATER = "3\nwater\nO 0.1 0.0 0.0\nH 0.1 0.757 0.587\nH 0.0 -0.75 0.60\n"
EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "molecules"
TINY = Level(functional="hf", basis="sto-3g", raman_basis=None)


def molecule(text, name="molecule"):
    return Molecule(name, *read_xyz(text))


def test_without_pyscf_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engine_module.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tersgen\[qm\]'") as caught:
        make_engine("pyscf")
    assert "\n" not in str(caught.value)


def test_finding_engines_imports_none_of_their_packages():
    code = (
        "import sys; from tersgen.plugins import names; print(*names('tersgen.engines')); "
        "sys.exit(any(one in sys.modules for one in ('pyscf', 'tblite', 'ase', 'rdkit')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"ase", "hybrid", "pyscf", "xtb"} <= {*done.stdout.split()}


@pytest.fixture(scope="module")
def engine():
    pytest.importorskip("geometric", reason="needs geomeTRIC: pip install 'tersgen[qm]'")
    pytest.importorskip("pyscf", reason="needs PySCF: pip install 'tersgen[qm]'")
    return make_engine("pyscf", TINY)


@pytest.fixture(scope="module")
def water(engine):
    lines = []
    species = compute_species(engine, molecule(WATER, "water"), lines.append)
    return species, lines


def test_water_at_hf_sto_3g(water):
    species, lines = water
    # J. A. Pople et al., Int. J. Quantum Chem. Symp. 15, 269 (1981): 2170, 4140, 4391 cm^-1.
    frequencies = [mode.frequency_cm1 for mode in species.modes]
    np.testing.assert_allclose(frequencies, [2170, 4140, 4391], rtol=2e-3)
    assert [mode.irrep for mode in species.modes] == ["A1", "A1", "B2"]
    assert species.point_group == "C2v"
    assert species.formula == "H2O"
    assert depolarization_plane(np.array(species.modes[2].tensor)) == pytest.approx(0.75)
    for mode in species.modes:
        np.testing.assert_allclose(np.sum(mode.atom_tensors, axis=0), mode.tensor, atol=1e-12)
    oxygen, one, other = (np.array(atom.position) for atom in species.atoms)
    assert np.linalg.norm(one - oxygen) == pytest.approx(0.9894, abs=2e-4)
    np.testing.assert_allclose(one, other * [1, -1, 1], atol=1e-8)
    assert oxygen[0] == one[0] == 0.0
    provenance = species.provenance
    assert provenance.kind == "computed"
    assert "PySCF" in provenance.program
    assert "RHF/sto-3g" in provenance.method
    assert "field step 0.002" in provenance.method
    assert provenance.scaling == 1.0
    assert any("gradient 10 in a field" in line for line in lines)
    assert any(line.startswith("step 1:") for line in lines)
    assert all("\n" not in line for line in lines)


@pytest.mark.usefixtures("engine")
def test_polarizability_derivatives_equal_those_of_displaced_molecules():
    from pyscf import gto, scf

    atoms = "O 0 0 0.1; H 0.1 0.76 -0.47; H 0 -0.8 -0.4"
    molecule = gto.M(atom=atoms, basis="sto-3g", verbose=0)

    def solve(at):
        # no functional: its grid would take most of the time, and blur the sum below
        mean = scf.RHF(molecule.set_geom_(at, unit="Bohr", inplace=False)).density_fit()
        mean.conv_tol, mean.conv_tol_grad = 1e-13, 1e-8
        mean.kernel()
        return mean

    def polarizability(at):
        """Return -d2E/dF2 from dipole moments in a field, independent of any gradient."""
        solution = solve(at)
        dipoles = solution.mol.intor("int1e_r")
        core = solution.get_hcore()
        out = np.zeros((3, 3))
        for axis in range(3):
            for step, weight in ((1e-3, 4 / 3), (-1e-3, -4 / 3), (2e-3, -1 / 6), (-2e-3, 1 / 6)):
                in_field = solution.copy()
                hamiltonian = core + step * dipoles[axis]
                in_field.get_hcore = lambda *_, h=hamiltonian: h
                in_field.kernel(dm0=solution.make_rdm1())
                density = in_field.make_rdm1()
                out[axis] -= weight * np.einsum("aij,ji->a", dipoles, density) / 2e-3
        return out

    at = molecule.atom_coords()
    response = pyscf.polarizability_derivatives(solve(at), 2e-3)
    np.testing.assert_allclose(response.polarizability, polarizability(at), atol=1e-3)
    computed = response.derivatives
    assert computed.shape == (3, 3, 3, 3)
    np.testing.assert_allclose(computed, computed.swapaxes(-1, -2), atol=1e-12)
    # A molecule that moves as a whole keeps its polarizability.
    np.testing.assert_allclose(computed.sum(axis=0), 0.0, atol=1e-5)
    for atom, axis in ((0, 2), (1, 0), (1, 1), (2, 2)):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[atom, axis] += sign * 5e-3
            ends.append(polarizability(moved))
        expected = (ends[0] - ends[1]) / 1e-2
        np.testing.assert_allclose(computed[atom, axis], expected, rtol=0, atol=1e-3)


def test_linear_molecule(engine):
    species = compute_species(engine, molecule("2\n\nH 0 0 0\nF 0 0.6 0.7\n"))
    assert species.point_group == "C*v"
    assert [mode.irrep for mode in species.modes] == ["Sigma+"]
    assert activity(np.array(species.modes[0].tensor)) > 1.0
    assert np.array(species.modes[0].tensor)[0, 1] == 0.0


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.xyz")), ids=lambda path: path.stem)
def test_point_groups_of_the_examples_agree_with_pyscf(path):
    from pyscf.symm import geom

    numbers, coordinates = read_xyz(path.read_text())
    masses = isotope_masses(numbers)
    at, group = orient(numbers, coordinates, masses, is_linear(coordinates, masses))
    listed = [(SYMBOLS[n], tuple(r)) for n, r in zip(numbers, at / 0.529177, strict=True)]
    names = {"D*h": "Dooh", "C*v": "Coov"}
    assert geom.detect_symm(listed)[0] == names.get(group.name, group.name)


PLANAR = "4\n\nN 0 0 0\nH 1 0 0\nH -0.5 0.8660254 0\nH -0.5 -0.8660254 0\n"


def test_imaginary_modes_are_left_out_and_counted(engine):
    planar = molecule(PLANAR, "ammonia")
    with pytest.warns(TersWarning, match="^ammonia: 1 imaginary mode left out: the geometry is no"):
        species = compute_species(engine, planar, follow=False)
    assert species.point_group == "D3h"
    assert len(species.modes) == 5
    assert "1 imaginary mode left out" in species.provenance.note


def test_imaginary_modes_are_followed_to_a_minimum(engine):
    computed = compute(engine, molecule(PLANAR, "ammonia"))
    assert (computed.n_imaginary, computed.n_followed) == (0, 1)
    assert computed.species.point_group == "C3v"
    assert len(computed.species.modes) == 6
    assert "imaginary modes followed once" in computed.species.provenance.note


@pytest.mark.exhaustive
@pytest.mark.usefixtures("engine")
def test_the_response_on_a_coarser_grid_leaves_frequencies_as_they_are():
    level = TINY.model_copy(update={"functional": "b3lyp", "grid": 2})
    analytic = level.model_copy(update={"analytic_hessian": True})
    one, other = (
        compute_species(make_engine("pyscf", which), molecule(WATER)) for which in (level, analytic)
    )
    assert "analytic Hessian, its response on grid level 1" in other.provenance.method
    for expected, mode in zip(one.modes, other.modes, strict=True):
        assert mode.frequency_cm1 == pytest.approx(expected.frequency_cm1, abs=1.0)


def test_hessian_from_gradients_agrees_with_the_analytic_one(water):
    analytic = make_engine("pyscf", TINY.model_copy(update={"analytic_hessian": True}))
    other = compute_species(analytic, molecule(WATER))
    assert "analytic Hessian" in other.provenance.method
    assert "step 0.005 bohr" in water[0].provenance.method
    for one, two in zip(water[0].modes, other.modes, strict=True):
        assert one.frequency_cm1 == pytest.approx(two.frequency_cm1, abs=0.5)
        assert activity(np.array(one.tensor)) == pytest.approx(
            activity(np.array(two.tensor)), rel=1e-3
        )


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("2\n\nO 0 0 0\nH 0 0 1\n", TINY, "even number of electrons"),
        ("1\n\nNe 0 0 0\n", TINY, "no modes"),
        (WATER, Level(functional="hf", basis="no-such-basis"), "basis set"),
        (WATER, Level(functional="no-such-functional", basis="sto-3g"), "functional"),
    ],
)
def test_unusable_input_is_one_clear_line(text, level, message):
    with pytest.raises(LibraryError, match=message) as caught:
        compute_species(make_engine("pyscf", level), molecule(text))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("engine")
def test_an_argument_is_refused():
    with pytest.raises(ConfigError, match="expected no argument, got 'pbe'"):
        make_engine("pyscf:pbe")
