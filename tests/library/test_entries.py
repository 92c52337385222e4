"""Molecules as users give them: SMILES, lists, mol and sdf files; bad ones, each in one line."""

import numpy as np
import pytest

from tersgen.errors import LibraryError, MissingExtraError
from tersgen.library import smiles
from tersgen.library.engine import check_molecule
from tersgen.library.entries import make_molecule, read_entries, sketch


@pytest.fixture(scope="module")
def chem():
    return pytest.importorskip("rdkit.Chem", reason="needs RDKit: pip install 'tersgen[xtb]'")


def test_without_rdkit_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(smiles.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tersgen\[xtb\]'"):
        read_entries("c1ccncc1")


def test_a_smiles_becomes_a_molecule_in_space_always_the_same(chem):
    (entry,) = read_entries("C[NH3+]", name="methylammonium")
    one, other = make_molecule(entry), make_molecule(entry)
    assert (one.name, one.formula, one.charge) == ("methylammonium", "CH6N", 1)
    assert one.coordinates.tobytes() == other.coordinates.tobytes()
    carbon_nitrogen = np.linalg.norm(one.coordinates[0] - one.coordinates[1])
    assert carbon_nitrogen == pytest.approx(1.5, abs=0.05)
    assert "from SMILES C[NH3+]" in one.remark


def test_stereocentres_that_are_not_stated_are_noted(chem):
    (entry,) = read_entries("CC(O)N")
    assert "1 stereocentres not stated" in make_molecule(entry).remark
    (entry,) = read_entries("C[C@H](O)N")
    assert "not stated" not in make_molecule(entry).remark


def test_a_list_of_smiles(chem, tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("smiles\tname\n# comment\nc1ccncc1\tpyridine\n\nO\nCCO ethyl alcohol/96%\n")
    entries = read_entries(str(path))
    assert [(one.number, one.name) for one in entries] == [
        (3, "pyridine"), (5, ""), (6, "ethyl alcohol_96_"),
    ]  # fmt: skip
    named, water = sketch(entries[1])
    assert named.name == "XLYOFNOQVPJJNP-UHFFFAOYSA-N"  # the InChIKey of water
    assert water.numbers.tolist() == [8, 1, 1]


def test_molecules_of_an_sdf_file_keep_their_coordinates(chem, tmp_path):
    from rdkit import Chem

    (entry,) = read_entries("CO", name="x")
    start = make_molecule(entry)
    graph = Chem.AddHs(Chem.MolFromSmiles("CO"))
    conformer = Chem.Conformer(graph.GetNumAtoms())
    for atom, at in enumerate(start.coordinates.tolist()):
        conformer.SetAtomPosition(atom, at)
    conformer.Set3D(True)
    graph.AddConformer(conformer)
    graph.SetProp("_Name", "methanol")
    flat = Chem.MolToMolBlock(Chem.MolFromSmiles("C#N"))
    path = tmp_path / "two.sdf"
    path.write_text(f"{Chem.MolToMolBlock(graph)}$$$$\n{flat}$$$$\n")
    methanol, cyanide = map(make_molecule, read_entries(str(path)))
    assert (methanol.name, cyanide.name) == ("methanol", "two-2")
    np.testing.assert_allclose(methanol.coordinates, start.coordinates, atol=1e-4)
    assert cyanide.formula == "CHN"
    assert np.ptp(cyanide.coordinates, axis=0).max() > 1.0  # no longer flat on the origin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c1ccncc", "expected a SMILES such as c1ccncc1, got 'c1ccncc'"),
        ("C(C)(C)(C)(C)C", "expected possible bonds.*valence"),
        ("[Na+].[Cl-]", r"got 2 fragments \(a salt or a mixture\)"),
        ("C[CH2]", "got 1 unpaired electron in"),
        ("[2H]O[2H]", "expected natural isotopes, got 2H.*tersgen library isotopes"),
        ("C*", r"got a placeholder \(\*\)"),
        ("[U+6]", "expected a molecule of two or more atoms"),
        ("F[U](F)(F)(F)(F)F", "expected elements from H to Rn, got U"),
    ],
)
def test_a_bad_smiles_is_one_line(chem, text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        check_molecule(sketch(read_entries(text)[0])[1], 86)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("no/such/file.xyz", {}, "cannot read it: No such file"),
        ("a.xyz", {"charge": 1, "name": "x"}, "cannot read it"),
        ("CCO", {"charge": 1}, "expected a charge for an .xyz file only"),
        ("CCO", {"name": "x@"}, "--name: expected letters, digits, blanks.*got 'x@'"),
        ("empty.smi", {}, "expected at least one molecule, got none"),
        ("two.smi", {"name": "x"}, "--name: expected one molecule, got the 2 of"),
        ("other.pdf", {}, "expected a SMILES or a file .smi"),
    ],
)
def test_a_bad_source_is_one_line(chem, tmp_path, monkeypatch, source, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.smi").write_text("# nothing\n")
    (tmp_path / "two.smi").write_text("O water\nC methane\n")
    (tmp_path / "other.pdf").write_text("%PDF")
    with pytest.raises(LibraryError, match=message) as caught:
        read_entries(source, **options)
    assert "\n" not in str(caught.value)
