"""Isotopologues: the product rule, direct computations, measured bands, and what is refused."""

import numpy as np
import pytest

from tersgen.errors import LibraryError
from tersgen.library.builtin import builtin_names, load_builtin, load_sites
from tersgen.library.forces import force_field
from tersgen.library.harmonic import build_modes, normal_modes, rigid_motions
from tersgen.library.isotopes import substitute
from tersgen.library.libraryfile import library_parts, read_library
from tersgen.library.masses import MASSES, atom_masses
from tersgen.numeric.tensor import activity
from tersgen.schema.library import Library
from tersgen.schema.packing import matrices
from tersgen.schema.species import Atom, Provenance, Species

SYMBOLS = ("C", "H", "O", "N", "H", "S")


def made_up(seed, n_atoms=5, symbols=SYMBOLS):
    """Return coordinates, masses, Hessian and derivatives of a molecule without any symmetry."""
    rng = np.random.default_rng(seed)
    at = rng.normal(size=(n_atoms, 3)) * 2.0
    masses = np.array([next(iter(MASSES[one].values())) for one in symbols[:n_atoms]])
    rigid = rigid_motions(at, np.ones(n_atoms))
    inside = np.eye(3 * n_atoms) - rigid.T @ rigid
    root = inside @ rng.normal(size=(3 * n_atoms, 3 * n_atoms)) * 0.2
    derivatives = rng.normal(size=(n_atoms, 3, 6))
    # a molecule that moves as a whole keeps its polarizability
    return at, masses, root @ root.T, derivatives - derivatives.mean(axis=0)


def species_of(at, masses, hessian, derivatives, keeps=()):
    """Return the species that a computation would make of them."""
    modes = normal_modes(hessian, masses, at)
    shares = matrices(np.einsum("mic,icf->mif", modes.displacements, derivatives))
    n = len(at)
    return Species(
        name="made up",
        atoms=tuple(
            Atom(symbol=one, position=place)
            for one, place in zip(SYMBOLS[:n], at.tolist(), strict=True)
        ),
        modes=build_modes(
            modes.frequencies_cm1,
            shares,
            displacements=modes.displacements if "displacements" in keeps else None,
        ),
        hessian=hessian[np.tril_indices(3 * n)].tolist() if "hessian" in keeps else None,
        provenance=Provenance(kind="computed"),
    )


@pytest.mark.parametrize("keeps", [(), ("displacements",), ("hessian",)])
@pytest.mark.parametrize(("seed", "n_atoms"), [(0, 4), (1, 5), (2, 6)])
def test_modes_are_those_of_a_direct_computation(seed, n_atoms, keeps):
    at, masses, hessian, derivatives = made_up(seed, n_atoms)
    one = substitute(species_of(at, masses, hessian, derivatives, keeps), ["H1=D", "C=13C"])
    masses[0], masses[1] = MASSES["C"][13], MASSES["H"][2]
    expected = species_of(at, masses, hessian, derivatives)
    assert one.masses_amu == tuple(masses)
    assert one.isotopes[:2] == (13, 2)
    for mode, other in zip(one.modes, expected.modes, strict=True):
        assert mode.frequency_cm1 == pytest.approx(other.frequency_cm1, rel=1e-5)
        found, wanted = np.array(mode.atom_tensors), np.array(other.atom_tensors)
        sign = np.sign((found * wanted).sum())
        np.testing.assert_allclose(sign * found, wanted, atol=2e-5 * np.abs(wanted).max())


def test_an_isotopologue_can_be_substituted_back(tmp_path):
    water = load_builtin("water")
    heavy = substitute(water, ["H=D"])
    assert heavy.name == "water-d2"
    (tmp_path / "heavy.tlib").write_bytes(b"".join(library_parts(Library([heavy]))))
    back = substitute(read_library(tmp_path / "heavy.tlib")[0], ["H=1H"])
    for mode, other in zip(back.modes, water.modes, strict=True):
        assert mode.frequency_cm1 == pytest.approx(other.frequency_cm1, abs=1e-2)
        assert mode.irrep == other.irrep
        assert activity(np.array(mode.tensor)) == pytest.approx(
            activity(np.array(other.tensor)), rel=1e-4
        )


ATOMS_OF_SIX = {
    "A1g": 1, "A2g": 1, "B1u": 1, "B2u": 1, "E1u": 2, "E2g": 2, "A2u": 1, "B2g": 1, "E1g": 1,
    "E2u": 1,
}  # fmt: skip
"""How often six equivalent atoms of a hexagon occur in each representation of D6h."""
TRANSLATIONS, ROTATIONS = {"A2u", "E1u"}, {"A2g", "E1g"}


def test_what_a_tip_does_to_the_modes_is_left_out():
    ethylene = load_sites("ethylene")[0]
    heavy = substitute(ethylene, ["H=D"])
    assert ethylene.sites
    assert ethylene.provenance.levels
    assert heavy.sites is heavy.provenance.levels is None
    assert {mode.site_response for mode in heavy.modes} == {None}


def test_product_rule_of_teller_and_redlich_by_symmetry_block():
    """E. B. Wilson, J. C. Decius, P. C. Cross, Molecular Vibrations (1955), Eq. (8-5-9)."""
    light, heavy = load_builtin("benzene"), substitute(load_builtin("benzene"), ["H=D"])
    assert heavy.point_group == "D6h"
    at = np.array([atom.position for atom in light.atoms])
    masses = atom_masses(light), atom_masses(heavy)
    total = masses[1].sum() / masses[0].sum()
    # moments about z, and about x or y, of a flat hexagon
    radii = (at**2).sum(axis=1)
    moment = (masses[1] @ radii) / (masses[0] @ radii)
    for irrep, count in ATOMS_OF_SIX.items():
        products = [
            np.prod([mode.frequency_cm1 for mode in one.modes if mode.irrep == irrep])
            for one in (light, heavy)
        ]
        ratio = (MASSES["H"][1] / MASSES["H"][2]) ** (count / 2)
        ratio *= total**0.5 if irrep in TRANSLATIONS else 1.0
        ratio *= moment**0.5 if irrep in ROTATIONS else 1.0
        partners = 2 if irrep.startswith("E") else 1
        assert products[1] / products[0] == pytest.approx(ratio**partners, rel=2e-5), irrep


@pytest.mark.parametrize(
    ("name", "changes"), [("methane", ["H2=D"]), ("hydrogen_cyanide", ["C=13C", "H=D"]),
                          ("formic_acid", ["H1=D"]), ("nitrogen", ["N1=15N"])],
)  # fmt: skip
def test_product_rule_of_the_whole_molecule(name, changes):
    light = load_builtin(name)
    heavy = substitute(light, changes)
    at = np.array([atom.position for atom in light.atoms])
    products, sizes = [], []
    for one in (light, heavy):
        masses = atom_masses(one)
        centred = at - np.average(at, axis=0, weights=masses)
        second = np.einsum("i,ia,ib->ab", masses, centred, centred)
        moments = np.linalg.eigvalsh(np.eye(3) * np.trace(second) - second)
        moments = moments[moments > 1e-6 * moments.max()]
        products.append(np.prod([mode.frequency_cm1 for mode in one.modes]))
        sizes.append(np.sqrt(masses.sum() ** 3 * moments.prod() / (masses**3).prod()))
    assert products[1] / products[0] == pytest.approx(sizes[1] / sizes[0], rel=1e-5)


MEASURED = {
    # T. Shimanouchi, Tables of Molecular Vibrational Frequencies, NSRDS-NBS 39 (1972), cm^-1:
    # of the molecule and of the isotopologue.
    ("water", "H=D"): {"A1": [(1595, 1178), (3657, 2671)], "B2": [(3756, 2788)]},
    ("benzene", "H=D"): {
        "A1g": [(993, 945), (3062, 2303)], "A2u": [(674, 497)], "E1g": [(846, 660)],
        "B2g": [(707, 599), (990, 829)],
    },
    ("methane", "H=D"): {
        "A1": [(2917, 2109)], "E": [(1534, 1092)], "T2": [(1306, 996), (3019, 2259)],
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "change"), MEASURED)
def test_measured_isotopologues(name, change):
    light, heavy = load_builtin(name), substitute(load_builtin(name), [change])
    for irrep, measured in MEASURED[name, change].items():
        before, after = (
            np.unique([round(mode.frequency_cm1, 1) for mode in one.modes if mode.irrep == irrep])
            for one in (light, heavy)
        )
        expected = [second / first for first, second in measured]
        np.testing.assert_allclose(after / before, expected, rtol=0.025, err_msg=irrep)


def test_of_lower_symmetry():
    one = substitute(load_builtin("benzene"), ["H1=D"])
    assert one.name == "benzene-d1"
    assert one.point_group == "C2v"
    assert not any((mode.irrep or "E").startswith("E") for mode in one.modes)
    assert one.frequency_uncertainty_cm1 is None
    assert one.provenance.note.startswith("H1=D in benzene, from its force constants; ")


def test_masses_are_those_of_pyscf():
    elements = pytest.importorskip("pyscf.data.elements", reason="needs PySCF")
    assert len(MASSES) == 118
    for symbol, isotopes in MASSES.items():
        mass = elements.COMMON_ISOTOPE_MASSES[elements.charge(symbol)]
        if symbol != "Tc":  # there PySCF has the mass of Tc-98, 97.907, plus 1
            assert next(iter(isotopes.values())) == pytest.approx(mass, abs=2e-5)
        for number, value in isotopes.items():
            assert abs(value - number) < 0.11


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", builtin_names())
def test_all_built_in_molecules_determine_their_force_constants(name):
    species = load_builtin(name)
    field = force_field(species)
    modes = normal_modes(field.hessian, field.masses, field.coordinates)
    frequencies = [mode.frequency_cm1 for mode in species.modes]
    np.testing.assert_allclose(modes.frequencies_cm1, frequencies, atol=1e-2)
    # a molecule that moves as a whole keeps its polarizability
    largest = np.abs(field.derivatives).max()
    np.testing.assert_allclose(field.derivatives.sum(axis=0), 0.0, atol=2e-3 * largest)


def test_water_is_that_of_pyscf():
    pytest.importorskip("geometric", reason="needs geomeTRIC: pip install 'tersgen[qm]'")
    gto = pytest.importorskip("pyscf.gto", reason="needs PySCF: pip install 'tersgen[qm]'")
    from pyscf import scf

    from tersgen.library.computing import compute_species
    from tersgen.library.engine import Molecule, make_engine
    from tersgen.library.geometry import read_xyz
    from tersgen.library.level import Level

    engine = make_engine("pyscf", Level(functional="hf", basis="sto-3g", raman_basis=None))
    start = read_xyz("3\n\nO 0.1 0 0\nH 0.1 0.757 0.587\nH 0 -0.75 0.6\n")
    light = compute_species(engine, Molecule("water", *start))
    heavy = substitute(light, ["H1=D"])
    geometry = [(atom.symbol, atom.position) for atom in light.atoms]
    mean = scf.RHF(gto.M(atom=geometry, basis="sto-3g", verbose=0)).run(conv_tol=1e-12)
    hessian = mean.Hessian().kernel().transpose(0, 2, 1, 3).reshape(9, 9)
    at = np.array([atom.position for atom in light.atoms])
    expected = normal_modes(hessian, np.array(heavy.masses_amu), at).frequencies_cm1
    np.testing.assert_allclose([m.frequency_cm1 for m in heavy.modes], expected, atol=1.0)


def without(species, **changes):
    return species.model_copy(
        update={"modes": tuple(mode.model_copy(update=changes) for mode in species.modes)}
    )


def test_what_does_not_determine_them_is_refused():
    water = load_builtin("water")
    bare = water.model_copy(update={"atoms": None})
    silent = (((0.0,) * 3,) * 3,) * 3
    rounded = np.round(np.eye(9).reshape(-1, 3, 3)[:3] + 0.05, 2).tolist()
    for species, changes, message in (
        (water, ["H=13C"], r"H=13C: expected an isotope of H \(1H, 2H, 3H\)"),
        (water, ["H3=D"], "H3=D: expected an atom of water, which has 1 O, 2 H"),
        (water, ["H0=D"], "H0=D: expected an atom of water"),
        (water, ["C=13C"], "C=13C: expected an atom of water"),
        (water, ["O=9O"], r"expected an isotope of O \(16O"),
        (water, ["H:D"], "expected a substitution such as H=D, H3=D or C1=13C, got 'H:D'"),
        (water, ["H=D", "H1=T"], "H1=T: expected one isotope for each atom, got two"),
        (water, [], "at least one substitution"),
        (bare, ["H=D"], "expected atoms"),
        (water.model_copy(update={"modes": water.modes[1:]}), ["H=D"], "expected all 3 vibrations"),
        (without(water, atom_tensors=None), ["H=D"], "expected each atom's share"),
        (without(water, atom_tensors=silent), ["H=D"], "that determine the force constants"),
        (load_builtin("formic_acid").model_copy(), ["Zz=D"], "expected an isotope of Zz"),
        (
            water.model_copy(
                update={
                    "modes": tuple(
                        mode.model_copy(update={"displacements": units})
                        for mode, units in zip(water.modes, rounded, strict=True)
                    )
                }
            ),
            ["H=D"],
            "expected displacements that are orthogonal",
        ),
    ):
        with pytest.raises(LibraryError, match=message) as caught:
            substitute(species, changes)
        assert "\n" not in str(caught.value)
