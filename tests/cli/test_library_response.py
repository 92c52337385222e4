"""``tersgen library respond`` and ``image``."""

import pytest

import tersgen
from tersgen.library.libraryfile import read_library


def test_heights_are_numbers(bad):
    line = bad("library", "image", "water", "--heights", "near", "-o", "water.tlib")
    assert "expected heights from 0.5 to 100 Angstrom, such as 3.5,5, got 'near'" in line


def test_a_crystal_has_no_atoms_to_displace(bad, tmp_path):
    pytest.importorskip("pyscf", reason="needs PySCF: pip install 'tersgen[qm]'")
    line = bad("library", "respond", "calcite", "-o", tmp_path / "calcite.tlib")
    assert "calcite: expected a molecule of two or more atoms with positions" in line


def test_an_odd_number_of_electrons_is_one_line(bad, tmp_path):
    pytest.importorskip("pyscf", reason="needs PySCF: pip install 'tersgen[qm]'")
    line = bad("library", "respond", "water", "--charge", 1, "-o", tmp_path / "water.tlib")
    assert "expected an even number of electrons (closed shell), got 9" in line


def test_the_level_of_a_response_is_shown(good):
    assert "  site response: RHF/aug-cc-pvdz, PySCF" in good("library", "show", "sites:ethylene")


def test_sites_without_a_name_that_is_there(bad):
    line = bad("library", "show", "sites:etylene")
    assert "expected a built-in molecule with a response at sites" in line


@pytest.mark.exhaustive
def test_commands_write_what_maps_are_made_of(good, tmp_path):
    pytest.importorskip("pyscf", reason="needs PySCF: pip install 'tersgen[qm]'")
    level = ["--basis", "sto-3g"]
    good("library", "respond", "water", *level, "-o", "water.tlib", cwd=tmp_path)
    good("library", "image", "water", *level, "--heights", "3.5,5", "--step", 2, "--workers", 1,
         "-o", "image.tlib", cwd=tmp_path)  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tlib", "water.tlib"]
    (imaged,) = read_library(tmp_path / "image.tlib")
    assert len(imaged.modes[0].image) == len(imaged.image_tips)
    assert "RHF/sto-3g" in imaged.provenance.levels["images"]
    good("build", "--preset", "nearfield", "--library", "water.tlib", "--set",
         'nearfield.response="sites"', "--n", 8, "--out", "data.zarr", cwd=tmp_path)  # fmt: skip
    assert len(tersgen.open(tmp_path / "data.zarr")) == 8
