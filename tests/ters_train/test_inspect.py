import json
import subprocess
import sys

import pytest

import tersgen
from ters_train.config import make_feed
from tersgen.errors import ConfigError


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        'library = ["random:2"]\nfields.maps = false\n'
        "grid.n_points = 32\nlineshape.fwhm_cm1 = 200.0\n"
    )
    return path


def test_a_feed_has_shapes_and_classes(recipe_file):
    feed = make_feed(tersgen.open(recipe_file), "spectrum")
    assert feed.inputs == {"spectra": (1, 32)}
    assert feed.classes == ("random-0000", "random-0001")


def test_a_missing_field_says_how_to_get_it(recipe_file):
    with pytest.raises(ConfigError, match=r"expected the field maps .* fields.maps = true"):
        make_feed(tersgen.open(recipe_file), "both")


def test_the_command(recipe_file):
    command = [sys.executable, "-m", "ters_train", "inspect", "--data", str(recipe_file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["inputs"] == {"spectra": [1, 32]}
