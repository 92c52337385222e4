"""CASTEP, CRYSTAL, Quantum ESPRESSO and ORCA's .hess: tensors that are known, and damage."""

import numpy as np
import pytest

from tersgen.errors import LibraryError, TersWarning
from tersgen.library.importing import FORMATS, read_species
from tersgen.numeric.tensor import activity, depolarization_plane

BOHR = 0.529177210903


def read(folder, text):
    path = folder / "some file.txt"
    path.write_text(text)
    (species,) = read_species(path)
    return species


def tensors(species):
    return [np.array(mode.tensor) for mode in species.modes]


def frequencies(species):
    return [mode.frequency_cm1 for mode in species.modes]


def test_formats_are_detected_from_the_content(tmp_path, solids, orca_hess):
    for name, text in {**solids, "orca_hess": orca_hess}.items():
        assert FORMATS.choose(tmp_path / "x", text.encode()).name == name


def test_orca_hess_has_the_tensors_of_single_atoms(tmp_path, orca_hess, triatomic):
    species = read(tmp_path, orca_hess)
    np.testing.assert_allclose(frequencies(species), triatomic.frequencies_cm1(), rtol=1e-6)
    activities = np.array([activity(one) for one in tensors(species)])
    assert (activities > 1e-10).sum() == 1
    best = species.modes[int(activities.argmax())]
    expected = triatomic.symmetric_tensor()
    np.testing.assert_allclose(np.abs(best.tensor), np.abs(expected), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.sum(best.atom_tensors, axis=0), best.tensor, atol=1e-12)
    np.testing.assert_allclose(best.atom_tensors[1], 0.0, atol=1e-6)
    assert np.linalg.norm(best.displacements) == pytest.approx(1.0)
    assert species.formula == "CO2"
    assert species.atoms[2].position[2] == pytest.approx(2.2 * BOHR)


def test_castep_has_full_tensors(tmp_path, solids):
    species = read(tmp_path, solids["castep"])
    assert frequencies(species) == [300.0, 400.0]
    np.testing.assert_allclose(tensors(species)[0], 8.0 * np.diag([0.05, 0.05, 0.11]))
    assert depolarization_plane(tensors(species)[1]) == pytest.approx(0.75)
    assert species.provenance.program == "CASTEP 25.12"


@pytest.mark.parametrize("name", ["castep", "crystal", "dynmat"])
def test_the_last_of_two_jobs_is_read_and_said(tmp_path, solids, name):
    once = read(tmp_path, solids[name])
    first = solids[name].replace("82.0295", "92.0295").replace("300.0", "330.0")
    twice = read(tmp_path, first.replace("252.27", "352.27") + solids[name])
    assert twice.modes == once.modes
    assert "the last of 2 jobs" in twice.provenance.note


def test_castep_phonons_have_activities(tmp_path, solids):
    species = read(tmp_path, solids["castep_phonon"])
    assert frequencies(species) == [108.638433, 334.565659]
    assert [activity(one) for one in tensors(species)] == pytest.approx([0.4757574, 13.6090575])
    assert "isotropic tensors" in species.provenance.note
    assert "1 translations and rotations left out" in species.provenance.note
    thz = solids["castep_phonon"].replace("Frequencies in         cm-1", "Frequencies in  THz")
    assert frequencies(read(tmp_path, thz))[1] == pytest.approx(334.565659 * 33.3564095)


def test_crystal_shares_intensities_among_degenerate_modes(tmp_path, solids):
    species = read(tmp_path, solids["crystal"])
    assert frequencies(species) == [82.0295, 82.0295, 390.1816]
    assert [activity(one) for one in tensors(species)] == pytest.approx([84, 84, 1000])
    ratios = [depolarization_plane(one) for one in tensors(species)]
    assert ratios == pytest.approx([0.75, 0.75, 20 / 980])
    assert [mode.irrep for mode in species.modes] == ["E2", "E2", "A"]
    assert "arbitrary scale" in species.provenance.note


def test_crystal_warns_of_an_active_mode_without_intensity(tmp_path, solids):
    listed = (
        "    MODES         EIGV          FREQUENCIES     IRREP  IR   INTENS    RAMAN\n"
        "    1-   3   -0.1514E-22     -0.0010   -0.0000  (A  )   I (     0.00)   I\n"
        "    4-   5    0.1397E-06     82.0295    2.4592  (E2 )   I (     0.00)   A\n"
        "    6-   6    0.1397E-05    300.1250    8.9976  (B  )   A (    12.00)   {}\n"
        "    7-   7    0.3161E-05    390.1816   11.6974  (A  )   A (     3.00)   A\n\n"
    )
    at = solids["crystal"].index("  POLY")
    text = solids["crystal"][:at] + listed + solids["crystal"][at:]
    plain = read(tmp_path, text.format("I"))
    with pytest.warns(TersWarning, match=r"intensity of mode 6 \(300.12 cm\^-1\), which CRYSTAL"):
        assert read(tmp_path, text.format("A")).modes == plain.modes


def test_the_table_of_dynmat_with_columns_that_run_together(tmp_path, solids):
    species = read(tmp_path, solids["dynmat"])
    assert frequencies(species) == [252.27, 603.32]
    assert [activity(one) for one in tensors(species)] == pytest.approx([0.1073, 31531.3625])
    assert depolarization_plane(tensors(species)[1]) == pytest.approx(0.2366)


def test_a_dynamical_matrix_of_two_atoms_has_a_closed_form(tmp_path, solids):
    species = read(tmp_path, solids["fildyn"])
    (mode,) = species.modes
    # k = 0.2 Ry/bohr^2 = 0.1 hartree/bohr^2; dQ = sqrt(mu) dr
    reduced = 12.0 * 16.0 / 28.0
    expected = np.sqrt(0.1 / (reduced * 1822.888486209)) * 219474.6313632
    assert mode.frequency_cm1 == pytest.approx(expected, rel=1e-7)
    assert abs(mode.tensor[2][2]) == pytest.approx(4.0 / np.sqrt(reduced), rel=1e-7)
    assert species.atoms[1].position[2] == pytest.approx(0.35 * 6.0 * BOHR)
    assert np.sum(mode.atom_tensors, axis=0) == pytest.approx(np.array(mode.tensor))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("castep", "Raman Susceptibility", "Other", "run it with task : phonon"),
        ("castep", "cell volume", "cell size", "expected the volume"),
        ("castep", "    0.110000", "    0.140000", "expected the activity .* CASTEP prints"),
        ("castep", "Mode number:   2", "Mode number:   3", "expected the tensor of mode 2"),
        ("castep", "    0.110000", "    ********", "expected a number"),
        ("castep", " +     2 ", " +     3 ", "expected mode 2 in the table of CASTEP, got mode 3"),
        ("castep_phonon", "               0.4757574", "", "got none: run it with task"),
        ("castep_phonon", "A**4 amu**(-1)", "arb. units", "expected activities in"),
        ("castep_phonon", "cm-1", "furlong", "expected frequencies in one of"),
        ("castep_phonon", "branches     3", "branches     6", "expected 6 branches, got 3"),
        ("castep_phonon", "    0.000000  0.000000  0.000000", "  0.5  0.0  0.0", "at Gamma"),
        ("crystal", "POLYCRYSTALLINE", "OTHER", "INTENS, INTRAMAN and INTCPHF"),
        ("crystal", "DO NOT TAKE", "TAKE", "run CRYSTAL without RAMANEXP"),
        ("crystal", "    980.00", "    880.00", r"expected I_tot = I_par \+ I_perp"),
        ("crystal", "   1000.00    980", "  *******    980", "expected a number"),
        ("dynmat", "          Raman   depol.fact", "", "lraman = .true."),
        ("dynmat", "2.171631531.3625", "2.1716**********", "may not have fitted"),
        ("dynmat", "    3    603.32", "    4    603.32", "expected mode 3"),
        ("fildyn", "Raman tensor (A^2)", "Other", "lraman = .true."),
        ("fildyn", "q = (    0.0", "q = (    0.5", "at q = 0"),
        ("fildyn", "    2    1\n", "    2    3\n", "expected the block 2 1"),
        ("fildyn", "'C      '", "'Xx     '", "expected an element"),
        ("fildyn", "atom #    2    pol.  3", "atom #    2    pol.  9", "atom 2, pol. 3"),
    ],
)  # fmt: skip
def test_damage_is_one_line(tmp_path, solids, name, old, new, message):
    assert old in solids[name]
    with pytest.raises(LibraryError, match=message) as caught:
        read(tmp_path, solids[name].replace(old, new, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.replace("$polarizability_derivatives", "$other"), "run ORCA with %elprop"),
        (lambda t: t[: t.index("$raman_spectrum")], "that is cut off"),
        (lambda t: t.replace("     8.000000", "     9.000000"), "give the activities of"),
        (lambda t: t.replace("$atoms\n3", "$atoms\n4"), "got 3; is it whole|expected 4 num"),
        (lambda t: t.replace("$normal_modes", "$modes"), r"expected the block \$normal_modes"),
        (lambda t: t.replace("$atoms\n3", "$atoms\n999999"), "expected a count"),
    ],
)
def test_damaged_hessian_files_are_one_line(tmp_path, orca_hess, damage, message):
    assert damage(orca_hess) != orca_hess
    with pytest.raises(LibraryError, match=message) as caught:
        read(tmp_path, damage(orca_hess))
    assert "\n" not in str(caught.value)


def test_dynmat_writes_a_file_that_is_not_the_table(tmp_path):
    text = "     diagonalizing the dynamical matrix ...\n\n     freq (    1) = 1.0 [cm-1]\n"
    with pytest.raises(LibraryError, match="give what it prints"):
        read(tmp_path, text)
