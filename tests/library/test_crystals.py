"""Built-in crystals: what the script makes, the forms of the tensors, the published positions."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.library.builtin import crystal_names, load_builtin, species_json
from tersgen.library.degeneracy import bands
from tersgen.numeric.tensor import activity
from tersgen.schema.species import Species

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "crystals.py"

PATTERNS = {
    # R. Loudon, Adv. Phys. 13, 423 (1964): which of xx, yy, zz, xy, xz, yz may differ from zero.
    ("Oh", "A1g"): {"xx", "yy", "zz"},
    ("Oh", "T2g"): {"xy", "xz", "yz"},
    ("D3d", "A1g"): {"xx", "yy", "zz"},
    ("D3d", "Eg"): {"xx", "yy", "xy", "xz", "yz"},
    ("D3", "A1"): {"xx", "yy", "zz"},
    ("D3", "E"): {"xx", "yy", "xy", "xz", "yz"},
    ("D4h", "A1g"): {"xx", "yy", "zz"},
    ("D4h", "B1g"): {"xx", "yy"},
    ("D4h", "Eg"): {"xz", "yz"},
    ("D6h", "A1g"): {"xx", "yy", "zz"},
    ("D6h", "E2g"): {"xx", "yy", "xy"},
}

POSITIONS = {
    "anatase": [144, 197, 399, 513, 519, 639],
    "calcite": [156, 282, 712, 1086],
    "graphite": [1582, 2700],
    "quartz": [128, 207, 265, 356, 394, 450, 464, 697, 795, 1072, 1085, 1162],
    "silicon": [303, 306, 520.2, 938, 962],
}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("crystals", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=crystal_names())
def crystal(request):
    return load_builtin(request.param)


def test_names_are_those_of_the_positions():
    assert set(crystal_names()) == set(POSITIONS)


def test_the_files_are_what_the_script_makes(script, reference_data):
    folder = reference_data("quartz_raman_tensors.yaml").parent
    made = {species.name: species for species in script.make_crystals(folder)}
    assert made == {name: load_builtin(name) for name in crystal_names()}


def test_positions_and_sources(crystal):
    rows = bands(crystal)
    assert [row.frequency_cm1 for row in rows] == POSITIONS[crystal.name]
    assert crystal.provenance.kind == "published"
    assert "(19" in crystal.provenance.note or "(20" in crystal.provenance.note
    assert Species.model_validate_json(species_json(crystal)) == crystal


def test_every_band_has_all_its_partners(crystal):
    for row in bands(crystal):
        assert row.degeneracy == {"E": 2, "T": 3}.get(row.irrep[0], 1)
        assert row.active


def test_tensors_have_the_form_of_the_crystal_class(crystal):
    places = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}
    for mode in crystal.modes:
        tensor = np.array(mode.tensor)
        # The computed tensors of quartz are of that form within 0.002 of their largest element.
        tolerance = (4e-3 if crystal.name == "quartz" else 0.0) * np.abs(tensor).max()
        allowed = PATTERNS[crystal.point_group, mode.irrep]
        for name, place in places.items():
            if name not in allowed:
                assert abs(tensor[place]) <= tolerance, (mode.frequency_cm1, name)
        if mode.irrep[0] in "EB":
            assert abs(np.trace(tensor)) <= tolerance
        if mode.irrep[0] == "A":
            assert tensor[0, 0] == pytest.approx(tensor[1, 1], abs=tolerance)


def test_partners_are_rotations_of_one_another(crystal):
    for row in bands(crystal):
        members = [
            np.array(mode.tensor)
            for mode in crystal.modes
            if mode.irrep == row.irrep and mode.frequency_cm1 == row.frequency_cm1
        ]
        for member in members:
            assert activity(member) == pytest.approx(row.activity / len(members), rel=5e-3)


def test_silicon_scatters_as_its_selection_rule_says():
    """From a (001) face: parallel along a cube edge nothing, parallel along a diagonal all."""
    lines = [mode for mode in load_builtin("silicon").modes if mode.irrep == "T2g"]
    tensors = [np.array(mode.tensor) for mode in lines]

    def intensity(incident, scattered):
        return sum(float(scattered @ tensor @ incident) ** 2 for tensor in tensors)

    edge, other, diagonal = np.eye(3)[0], np.eye(3)[1], np.array([1, 1, 0]) / np.sqrt(2)
    assert intensity(edge, edge) == 0
    assert intensity(diagonal, diagonal) == pytest.approx(intensity(edge, other))
    assert intensity(edge, other) > 0


def test_crystals_are_a_source_of_a_recipe():
    recipe = tersgen.Recipe(library=("crystals",), grid={"n_points": 4096})
    resolved = tersgen.resolve(recipe)
    assert tuple(one.name for one in resolved.library.species) == crystal_names()
    assert tersgen.generate(resolved, 0, 8)["spectra"].shape == (8, 4096)
