"""``tersgen.compute_library``."""

import pytest

import tersgen


@pytest.fixture(autouse=True)
def needed():
    for package in ("rdkit", "tblite", "geometric"):
        pytest.importorskip(package, reason="pip install 'tersgen[xtb]'")


def test_a_list_with_a_bad_molecule(tmp_path):
    (tmp_path / "list.smi").write_text("O water\n[Na+].[Cl-] salt\nC#N hydrogen cyanide\n")
    seen = []
    options = {
        "engine": "xtb", "skip_bad": True, "report": tmp_path / "report.csv",
        "progress": seen.append,
    }  # fmt: skip
    source, output = tmp_path / "list.smi", tmp_path / "two.tlib"
    with pytest.warns(tersgen.TersWarning, match=r"molecule 2 \(salt\): refused: expected one"):
        library = tersgen.compute_library(source, output, **options)
    assert library.names == ("water", "hydrogen cyanide")
    assert (seen[-1].n_done, seen[-1].n_samples) == (2, 2)
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 4
    assert tersgen.compute_library(source, output, **options).digest == library.digest
    with pytest.raises(
        tersgen.TersError, match=r"molecule 2 \(salt\).*or leave such molecules out"
    ):
        tersgen.compute_library(source, output, engine="xtb")
    with pytest.raises(tersgen.TersError, match="exists already"):
        tersgen.compute_library(source, output, engine="xtb:gfn2", skip_bad=True)
    with pytest.raises(tersgen.TersError, match=r"expected a folder .* to write into, got none"):
        tersgen.compute_library("O", tmp_path / "nowhere" / "water.tlib", engine="xtb")
    with pytest.raises(tersgen.TersError, match=r"report.csv: expected a folder .*, got none"):
        tersgen.compute_library("O", tmp_path / "water.tlib", engine="xtb",
                                report=tmp_path / "nowhere" / "report.csv")  # fmt: skip
    (tmp_path / "report.csv").unlink()
    with pytest.warns(tersgen.TersWarning, match=r"report.csv: is not written, as nothing is"):
        tersgen.compute_library(source, output, **options)
    with pytest.raises(tersgen.TersError, match=r"expected one molecule, got 2 fragments"):
        tersgen.compute_library("[Na+].[Cl-]", tmp_path / "salt.tlib", engine="xtb", skip_bad=True)
    with pytest.raises(tersgen.TersError, match=r"expected a name that ends in .tlib or .json"):
        tersgen.compute_library("O", tmp_path / "water.csv", engine="xtb")


def test_a_molecule_under_two_names_is_told(tmp_path):
    (tmp_path / "list.smi").write_text("OC methanol\nCO wood alcohol\n[Na+].[Cl-] salt\n")
    text = r"molecule 2 \(wood alcohol\) is molecule 1 \(methanol\) again: no model can tell"
    (tmp_path / "list.smi.json").touch()
    with (
        pytest.warns(tersgen.TersWarning, match=text),
        pytest.raises(tersgen.TersError, match="exists already"),
    ):
        tersgen.compute_library(
            tmp_path / "list.smi", tmp_path / "list.smi.json", engine="xtb", skip_bad=True
        )


@pytest.mark.parametrize("engine", ["xtb", "hybrid:xtb+xtb:gfn2"])
def test_settings_that_an_engine_does_not_take_are_refused(tmp_path, engine):
    text = r"functional: expected the engine pyscf for it, got (xtb|hybrid), which has its own"
    with pytest.raises(tersgen.TersError, match=text):
        tersgen.compute_library(
            "O", tmp_path / "water.tlib", engine=engine, level={"functional": "pbe"}
        )


def test_other_coordinates_or_charges_under_the_same_name_are_not_taken_for_done(tmp_path):
    path = tmp_path / "molecule.xyz"
    path.write_text("2\n\nH 0 0 0\nF 0 0 0.92\n")
    tersgen.compute_library(path, tmp_path / "one.json", engine="xtb")
    path.write_text("2\n\nH 0 0 0\n")
    with pytest.raises(tersgen.TersError, match=r"molecule.xyz: expected 2 atoms"):
        tersgen.compute_library(path, tmp_path / "two.json", engine="xtb")
    path.write_text("2\n\nH 0 0 0\nCl 0 0 1.28\n")
    with pytest.raises(tersgen.TersError, match="exists already"):
        tersgen.compute_library(path, tmp_path / "one.json", engine="xtb")
    library = tersgen.compute_library(path, tmp_path / "one.json", engine="xtb", overwrite=True)
    assert library[0].formula == "ClH"
    with pytest.raises(tersgen.TersError, match="exists already"):
        tersgen.compute_library(path, tmp_path / "one.json", engine="xtb", charge=-2)
