"""``tersgen field``: from a file of another program to a dataset."""

import json

import numpy as np
import pytest
from scipy.io import savemat

import tersgen

AXES = (np.linspace(-8, 8, 9), np.linspace(-8, 8, 9), np.linspace(-9, 0, 7))


@pytest.fixture
def mat(tmp_path):
    points = np.stack(np.meshgrid(*AXES, indexing="ij"), axis=-1).reshape(-1, 3)
    field = np.exp(0.1j * points) * [0.1, 0.2, 1.0]
    path = tmp_path / "tip.mat"
    savemat(path, {"pos": points / 10, "e": field, "enei": np.array([[633.0]])})
    return path


def test_from_a_file_to_a_dataset(good, mat, tmp_path):
    out, recipe, data = (tmp_path / name for name in ("tip.npz", "recipe.toml", "data.zarr"))
    text = good("field", "import", mat, "--tip", "0,0,0", "-o", out)
    assert "z: 7 points, -9 to 0 Angstrom from the apex, step 1.5" in text
    facts = json.loads(good("field", "show", out, "--json"))
    assert facts["points"] == [9, 9, 7]
    assert not facts["separate_scattered"]
    recipe.write_text(
        'library = ["builtin:water"]\nmap = {height = 4, width = 4}\n'
        '[nearfield]\ntip_field = "grid"\ngrid_field = "tip.npz"\nframe_angstrom = [6.0, 6.0]\n'
    )
    good("build", "--config", recipe, "--n", 4, "--out", data)
    out.unlink()
    again = tmp_path / "again.zarr"
    good("build", "--config", data / "recipe.json", "--n", 4, "--out", again)
    good("reproduce", data)
    assert tersgen.open(again).digest == tersgen.open(data).digest


def test_what_is_refused_in_one_line(bad, mat, tmp_path):
    out = tmp_path / "tip.npz"
    for more, said in (
        (("--tip", "0,0", "-o", out), "--tip: expected 3 numbers separated by commas, got '0,0'"),
        (("--tip", "0,0,0", "-o", "tip.txt"), "expected a name that ends in .npz"),
        (("--tip", "0,0,0", "-o", out, "--laser-nm", 800), "expected a field at 800 nm, got 633"),
        (("--tip", "0,0,0", "-o", out, "--format", "comsol"), "expected a comment as"),
    ):
        assert said in bad("field", "import", mat, *more)
        assert not out.exists()
