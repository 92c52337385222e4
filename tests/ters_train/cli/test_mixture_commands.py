"""Commands on mixtures, from a dataset to fractions of a measured spectrum."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.effects.mixture.settings import Mixture
from tersgen.errors import ConfigError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule


def built(path, tiny, n=960, **mixture):
    fields = tiny.fields.model_copy(update={"maps": False})
    section = {"mixture": Mixture(**mixture)} if mixture else {}
    recipe = tiny.model_copy(update={"fields": fields, **section})
    run(make_plan(recipe, n, chunk_rows=32, shard_rows=256), path)
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture(scope="module")
def data(tiny_recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    return built(folder / "m.zarr", tiny_recipe, n_species=(1, 2), least=0.2)


@pytest.fixture(scope="module")
def trained(runs, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("mixed") / "run"
    runs.good(
        "fit", "--data", data, "--out", out, "--epochs", 20, "--batch-size", 32, report=True
    )  # fmt: skip
    return out


def test_a_run_learns_fractions_and_reports(trained, runs, data):
    log = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    found = [entry["present_macro_f1"] for entry in log if entry["part"] == "val"]
    assert found[-1] > 0.85
    page = (trained / "report.html").read_text()
    assert "macro-F1 of presence" in page
    assert "estimates the fractions of 3 species" in (trained / "model_card.md").read_text()
    shown = json.loads(runs.good("evaluate", trained, "--data", data, "--json").stdout)
    assert shown["present_macro_f1"] > 0.85
    assert shown["composition_error"] < 0.15
    text = runs.good("evaluate", trained, "--data", data).stdout
    assert "96 samples of test: macro-F1 of presence 0." in text


def test_pure_samples_are_scored_as_such(trained, runs, tiny_recipe, tmp_path):
    pure = built(tmp_path / "pure.zarr", tiny_recipe, 300)
    shown = json.loads(runs.good("evaluate", trained, "--data", pure, "--json").stdout)
    assert shown["present_support"] == shown["support"] == [10, 10, 10]
    assert shown["accuracy"] > 0.9


def test_a_measured_spectrum_gets_its_fractions(trained, runs, data, tmp_path):
    dataset = tersgen.open(data)
    mixed = next(k for k in range(96) if dataset["mixture/fraction"][k, 1] > 0.4)
    sample = dataset.sample(mixed)
    assert next(iter(sample["composition"])) == sample["species"]
    rows = zip(dataset.shift_cm1, sample["spectra"], strict=True)
    path = tmp_path / "one.txt"
    path.write_text("".join(f"{x:.6f} {y:.6f}\n" for x, y in rows))
    (told,) = json.loads(runs.good("predict", trained, path, "--json").stdout)
    fractions = {one["name"]: one["fraction"] for one in told["species"]}
    assert fractions.keys() == sample["composition"].keys()
    for name, fraction in sample["composition"].items():
        assert fractions[name] == pytest.approx(fraction, abs=0.2)


def test_a_species_held_out_is_in_no_sample_that_is_trained_on(runs, data, tmp_path):
    dataset = tersgen.open(data)
    name = dataset.classes[1]
    path = Path(shutil.copytree(data, tmp_path / "m.zarr"))
    make_split(path, "unseen", SplitRule(hold_out=(name,)))
    grown = tersgen.open(path)
    inside = np.array(
        [
            1 in labels[:count]
            for labels, count in zip(
                grown["mixture/label"][:], grown["mixture/count"][:], strict=True
            )
        ]
    )
    assert 0.3 < inside.mean() < 0.7
    assert not inside[grown.rows_in("train", "unseen")].any()
    assert not inside[grown.rows_in("val", "unseen")].any()
    assert set(np.flatnonzero(inside)) <= set(grown.rows_in("test", "unseen"))
    with pytest.raises(ConfigError, match="hold_out"):
        make_split(path, "typo", SplitRule(hold_out=("no-such-species",)))
    with pytest.raises(ConfigError, match="by: expected rows for mixtures"):
        make_split(path, "groups", SplitRule(by="group"))


def test_results_of_other_data_do_not_replace_those_of_ones_own(
    trained, runs, data, tiny_recipe, tmp_path
):
    runs.good("evaluate", trained, "--data", data)
    own = (trained / "evaluation-test" / "scores.json").read_bytes()
    pure = built(tmp_path / "pure.zarr", tiny_recipe, 300)
    said = runs.good("evaluate", trained, "--data", pure).stdout
    (other,) = trained.glob("evaluation-test-pure-*")
    assert str(other) in said
    assert (trained / "evaluation-test" / "scores.json").read_bytes() == own


def test_a_model_of_pure_samples_says_what_it_scores(finished, runs, tiny_recipe, tmp_path):
    mixed = built(tmp_path / "mixed.zarr", tiny_recipe, 300, n_species=(2, 2))
    done = runs.good("evaluate", finished, "--data", mixed)
    assert "scored is the species with the largest fraction" in done.stderr


def test_tensors_of_mixtures_are_refused(runs, data, tmp_path):
    line = runs.bad("fit", "--data", data, "--out", tmp_path / "no", "--tensor-loss", 0.1)
    assert "loss.tensor_loss: expected 0 for mixtures" in line
