"""Models that come with the package: they name a spectrum, and are never written to."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import ters_train
from ters_train import zoo
from ters_train.cli import main
from tersgen.errors import OutputError

CALCITE = {156: 0.3, 282: 0.7, 712: 0.15, 1086: 1.0}


def call(*arguments: object):
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def calcite(tmp_path: Path) -> Path:
    """Return a text of bands on a sloping background, which ends in the middle of the axis."""
    axis = np.arange(120.0, 1900.0, 1.5)
    bands = sum(height / (1 + ((axis - at) / 4) ** 2) for at, height in CALCITE.items())
    noise = np.random.default_rng(1).normal(0, 0.01, axis.size)
    counts = 1000 + 5000 * bands + axis + 5000 * noise
    path = tmp_path / "unknown.txt"
    np.savetxt(path, np.column_stack([axis, counts]))
    return path


def test_a_spectrum_is_named(calcite):
    done = call("predict", "zoo:minerals", calcite, "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert row["species"][0]["name"] == "calcite"
    trained = ters_train.load("zoo:minerals")
    axis, counts = np.loadtxt(calcite, unpack=True)
    (said,) = trained.predict(counts, shift_cm1=axis)
    assert said.content["species"][0]["name"] == "calcite"
    assert trained.certainty is not None


def test_models_of_the_zoo_are_listed_with_scores():
    assert "minerals" in zoo.names()
    for name in zoo.names():
        (listed,) = json.loads(call("zoo", name, "--json").stdout)
        assert re.fullmatch("[0-9a-f]{64}", listed["recipe"])
        assert listed["megabytes"] < 5
        assert listed["commands"]
        assert {"measured spectra" in one["rows"] for one in listed["scores"]} == {True, False}
        assert listed["description"] in call("zoo").stdout
        assert call("zoo", name).stdout.startswith("# ")
        shown = json.loads(call("inspect", f"zoo:{name}", "--json").stdout)
        assert shown["classes"] == listed["classes"]
        assert shown["data"] == "recipe.toml", "no path of the machine that trained it"


def test_models_of_the_zoo_are_only_read(tmp_path, few):
    done = call("calibrate", "zoo:minerals", "--data", few)
    assert done.exit_code == 1
    assert "models of the zoo are read-only" in done.output
    with pytest.raises(OutputError, match="read-only"):
        zoo.refuse_shipped(ters_train.load("zoo:minerals").folder)


def test_an_unknown_name_is_one_line(calcite):
    done = call("predict", "zoo:mineral", calcite)
    assert done.exit_code != 0
    assert "zoo:mineral: expected one of minerals, got 'mineral'" in done.output
    assert "Traceback" not in done.output
