"""Molecules with an engine: selection rules, conformers, molecules that fall apart."""

import numpy as np
import pytest

from tersgen import plugins
from tersgen.errors import LibraryError
from tersgen.library.computing import compute_species
from tersgen.library.conformers import compute_conformers
from tersgen.library.engine import make_engine
from tersgen.library.entries import make_conformers, make_molecule, read_entries
from tersgen.numeric.tensor import activity, depolarization_plane


@pytest.fixture(scope="module")
def xtb():
    for package in ("geometric", "rdkit", "tblite"):
        pytest.importorskip(package, reason="pip install 'tersgen[xtb]'")
    return make_engine("xtb")


@pytest.mark.parametrize(
    ("smiles", "group", "n_silent"),
    [("C=C", "D2h", 6), ("C#C", "D*h", 3), ("F/C=C/F", "C2h", 6), ("O=C=O", "D*h", 3)],
)
def test_only_modes_that_keep_the_centre_are_active(xtb, smiles, group, n_silent):
    species = compute_species(xtb, make_molecule(read_entries(smiles, "one")[0]))
    assert species.point_group == group
    tensors = [np.array(mode.tensor) for mode in species.modes]
    strengths = np.array([float(activity(tensor)) for tensor in tensors])
    is_u = np.array([mode.irrep.endswith("u") for mode in species.modes])
    assert is_u.sum() == n_silent
    assert strengths[is_u].max() < 1e-12 * strengths.max()
    for mode, tensor in zip(species.modes, tensors, strict=True):
        if not mode.irrep.endswith("u") and mode.irrep not in ("Ag", "Sigma+g"):
            assert depolarization_plane(tensor) == pytest.approx(0.75, abs=1e-6)


def test_conformers_have_populations(xtb):
    """The trans form is its own mirror image, the gauche form is not."""
    (entry,) = read_entries("FCCF", "difluoroethane")
    starts, has_mirror_image = make_conformers(entry, 10)
    assert has_mirror_image
    computed = compute_conformers(xtb, starts, has_mirror_image)
    assert [one.species.name for one in computed] == [
        "difluoroethane", "difluoroethane, conformer 2",
    ]  # fmt: skip
    assert {one.species.class_name for one in computed} == {"difluoroethane"}
    weights = [one.species.conformer_weight for one in computed]
    assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    assert weights[0] >= weights[1]
    groups = {one.species.point_group: one.is_chiral for one in computed}
    assert groups == {"C2h": False, "C2": True}


def test_a_molecule_that_becomes_another_is_refused(xtb):
    """A zwitterion is no minimum in the gas: its proton goes over to the oxygen."""
    (entry,) = read_entries("[NH3+]CC(=O)[O-]", "zwitterion")
    with pytest.raises(LibraryError, match=r"got N1-H\d of 1.\d\d Angstrom.*another molecule"):
        compute_species(xtb, make_molecule(entry))


MINE = """
from tersgen.library.engines.xtb import Xtb
from tersgen.plugins import register


@register("tersgen.engines", "mine")
class Mine(Xtb):
    def response(self, molecule, group, report):
        return [][3]
"""


@pytest.mark.usefixtures("forgotten_plugins")
def test_an_error_of_an_engine_from_outside_names_it(xtb, tmp_path):
    file = tmp_path / "engine_of_mine.py"
    file.write_text(MINE)
    plugins.import_module(str(file))
    with pytest.raises(LibraryError, match=r"engine 'mine' \(engine_of_mine\): IndexError: .*:9$"):
        compute_species(make_engine("mine"), make_molecule(read_entries("O", "water")[0]))
