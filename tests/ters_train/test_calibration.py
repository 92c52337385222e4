"""Calibration: temperature, conformal sets, novelty, and what predict makes of them."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from ters_train import Novelty
from ters_train.calibration.groups import groups_of
from ters_train.calibration.measures import (
    distance,
    energy,
    fit_gaussians,
    fit_temperature,
    nearest,
    neighbours_of,
    separation,
    set_threshold,
)
from ters_train.cli import main
from ters_train.engine.trained import load_trained
from tersgen import build, plugins
from tersgen.cli import main as tersgen
from tersgen.errors import ConfigError, TersWarning

SEED = torch.Generator().manual_seed


def labelled(n, n_classes=5, seed=0):
    """Return logits, and labels drawn from their softmax: perfectly calibrated."""
    generator = SEED(seed)
    logits = 3 * torch.randn(n, n_classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits, labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found(temperature):
    logits, labels = labelled(50_000)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_of_faultless_logits_is_bounded():
    assert 0.05 <= fit_temperature(torch.eye(4) * 5, torch.arange(4)) < 0.5


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_have_the_coverage_that_is_stated(coverage):
    """On exchangeable rows the coverage of n calibration rows is Beta(k, n + 1 - k): Vovk, 2012."""
    stats = pytest.importorskip("scipy.stats")
    n, tried = 500, 100_000
    rank = int(np.ceil((n + 1) * coverage))
    low, high = stats.beta.interval(1 - 1e-4 / 40, rank, n + 1 - rank)
    found = []
    for seed in range(40):
        logits, labels = labelled(n + tried, seed=seed)
        # a model that is far too certain: sets hold nevertheless
        true = (4 * logits).double().softmax(1).gather(1, labels[:, None])[:, 0]
        found.append(float((true[n:] >= set_threshold(true[:n], coverage)).double().mean()))
    slack = 4 * np.sqrt(0.25 / tried)
    assert low - slack < min(found) < max(found) < high + slack
    assert np.mean(found) == pytest.approx(rank / (n + 1), abs=4 * np.sqrt(0.05 / n / 40))


def test_too_few_rows_leave_nothing_out():
    assert set_threshold(torch.tensor([0.9, 0.8, 0.7]), 0.95) == 0.0


def test_distances_are_those_of_a_normal_distribution():
    stats = pytest.importorskip("scipy.stats")
    generator = SEED(1)
    labels = torch.arange(20_000) % 3
    mixing = torch.randn(6, 6, generator=generator)
    means = 50 * torch.randn(4, 6, generator=generator)  # a fourth class has no rows
    features = means[labels] + torch.randn(20_000, 6, generator=generator) @ mixing
    gaussians = fit_gaussians(features[:10_000], labels[:10_000], 4)
    found = distance(features[10_000:], gaussians)
    assert stats.kstest(found.numpy(), stats.chi2(6).cdf).statistic < 0.03
    foreign = torch.randn(1000, 6, generator=generator)
    assert separation(found, distance(foreign, gaussians)).auroc > 0.999


def test_novelty_by_the_nearest_rows_is_a_cosine_distance():
    known = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    found = nearest(torch.tensor([[5.0, 0.0]]), neighbours_of(known))
    assert float(found[0]) == pytest.approx(1.0)  # of three rows, the least similar counts
    many = neighbours_of(torch.cat([known.repeat(10, 1), -known]))
    assert float(nearest(torch.tensor([[5.0, 0.0]]), many)[0]) == pytest.approx(0.0, abs=1e-6)


def test_separation_counts_pairs():
    known, foreign = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 3.0])
    assert separation(known.double(), foreign.double()).auroc == pytest.approx((1.5 + 3) / 6)
    assert separation(known.double(), foreign.double()).fpr95 == 0.5
    assert energy(torch.tensor([[0.0, 0.0]])) == pytest.approx(-np.log(2))


def call(program, *arguments, code=0):
    done = CliRunner().invoke(program, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a folder with a dataset, another of other species, and a run on the first."""
    folder = tmp_path_factory.mktemp("calibration")
    for name, library in (("data", "random:4"), ("other", "builtin:pyridine")):
        call(
            tersgen, "build", "--n", 1500, "--library", library, "--out", folder / f"{name}.zarr",
            "--set", "grid.n_points=256", "--set", "lineshape.fwhm_cm1=40",
            "--set", "fields.maps=false",
        )  # fmt: skip
    call(tersgen, "split", folder / "data.zarr", "--name", "own")
    call(main, "fit", "--data", folder / "data.zarr", "--split", "own", "--out", folder / "run",
         "--epochs", 2)  # fmt: skip
    return folder


def test_a_calibrated_run_names_sets_and_what_is_none_of_them(run, tmp_path):
    sources = [run / "data.zarr", "--split", "own", "--part", "test", "--out"]
    call(main, "predict", run / "run", *sources, tmp_path / "before.jsonl")
    found = json.loads(
        call(main, "calibrate", run / "run", "--foreign", run / "other.zarr", "--json")
    )
    assert found["n_rows"] > 100
    assert found["foreign"][0]["name"] == "other.zarr"
    assert found["foreign"][0]["auroc"] > 0.5
    call(main, "predict", run / "run", *sources, tmp_path / "after.jsonl", "--coverage", 0.9)
    before, after = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("before.jsonl", "after.jsonl")
    )
    assert "set" not in before[0]
    known = [one for one in after if one["known"]]
    assert len(known) > 0.85 * len(after)
    assert sum(one["truth"] in one["set"] for one in after) > 0.8 * len(after)
    for one, other in zip(before, after, strict=True):
        assert [each["name"] for each in one["species"]] == [
            each["name"] for each in other["species"]
        ]
    first, second = (one[0]["species"][:2] for one in (before, after))
    ratios = [np.log(a["probability"] / b["probability"]) for a, b in (first, second)]
    assert ratios[1] == pytest.approx(ratios[0] / found["temperature"], rel=1e-3)


@pytest.fixture(scope="module")
def library(run):
    """Return a library search of the same data."""
    call(main, "fit", "--data", run / "data.zarr", "--split", "own", "--model", "library-search",
         "--out", run / "library")  # fmt: skip
    return run / "library"


def test_a_library_search_is_a_model_as_any(run, library):
    found = json.loads(call(main, "predict", library, run / "data.zarr", "--n", 50, "--json"))
    assert sum(one["answer"] == one["truth"] for one in found) > 40
    call(main, "calibrate", library, "--foreign", run / "other.zarr")
    found = json.loads(call(main, "predict", library, run / "data.zarr", "--n", 5, "--json"))
    assert all(one["set"] for one in found)
    said = call(main, "find-lr", "--data", run / "data.zarr", "--split", "own", "--model",
                "library-search", code=2)  # fmt: skip
    assert "fitted at once" in said
    said = call(main, "fit", "--data", run / "data.zarr", "--split", "own", "--init", library,
                "--out", run / "second", code=2)  # fmt: skip
    assert "engine.init: expected none" in said
    said = call(main, "fit", "--data", run / "data.zarr", "--split", "own", "--model",
                "library-search", "--set", "exposure.share=0.5", "--out", run / "third",
                code=2)  # fmt: skip
    assert "exposure.share: expected 0 for 'library-search'" in said


def test_models_are_compared_on_the_same_rows_by_groups_and_on_foreign_ones(run, library):
    call(main, "calibrate", run / "run", "--foreign", run / "other.zarr")
    ask = [main, "evaluate", run / "run", "--data", run / "data.zarr", "--split", "own"]
    more = ["--against", library, "--foreign", run / "other.zarr", "--by", "params/width"]
    found = json.loads(call(*ask, *more, "--explain", "--json"))
    against, groups, foreign = found["against"][0], found["groups"], found["foreign"]
    alone = json.loads(
        call(main, "evaluate", library, "--data", run / "data.zarr", "--split", "own", "--json")
    )
    assert against["accuracy"] == pytest.approx(found["accuracy"])
    assert against["other"] == pytest.approx(alone["accuracy"])
    assert against["low"] <= against["difference"] <= against["high"]
    assert len(groups) == 5
    assert sum(one["n_rows"] for one in groups) == found["n_samples"]
    weighed = sum(one["n_rows"] * one["accuracy"] for one in groups)
    assert weighed / found["n_samples"] == pytest.approx(found["accuracy"])
    assert {one["score"] for one in foreign} >= {"1 - probability", "energy"}
    assert sum(one["is_used"] for one in foreign) == 1
    for one in found["coverage"]:
        assert one["covered"] >= one["low"]
    first = found["explained"][0]
    assert first["precision"] > 3 * first["chance"]
    page = (run / "run" / "evaluation-test" / "report.html").read_text()
    for title in ("Against other models", "By params/width", "Foreign rows", "Explanations"):
        assert f"<h2>{title}</h2>" in page
    assert "--by: expected" in call(*ask, "--by", "nothing", code=2)


def test_groups_by_a_column_with_a_name(tmp_path):
    recipe = {"library": ["random:3"], "instrument": {"resolution_cm1": [2, 9]},
              "lineshape": {"profile": "lorentzian"}, "fields": {"maps": False}}  # fmt: skip
    dataset = build(recipe, 64, tmp_path / "a.zarr")
    rows = np.arange(50)
    named = groups_of(dataset, "params/instrument[resolution]", rows)
    numbered = groups_of(dataset, "params/instrument[0]", rows)
    assert named.names == numbered.names
    assert np.array_equal(named.of_row, numbered.of_row)
    with pytest.raises(ConfigError, match=r"or by name: resolution, .*; got resolutio$"):
        groups_of(dataset, "params/instrument[resolutio]", rows)


def test_bands_that_decided_are_told_and_drawn(run, tmp_path):
    found = json.loads(
        call(main, "predict", run / "run", run / "data.zarr", "--n", 2, "--json", "--pictures",
             tmp_path / "bands")
    )  # fmt: skip
    assert all(one["bands"][0].keys() == {"shift_cm1", "weight"} for one in found)
    pictures = sorted((tmp_path / "bands").iterdir())
    assert [one.name for one in pictures] == ["data-0.png", "data-1.png"]
    assert all(one.read_bytes().startswith(b"\x89PNG") for one in pictures)
    call(main, "predict", run / "run", run / "data.zarr", "--n", 2, "--explain", "--out",
         tmp_path / "bands.csv")  # fmt: skip
    assert "band_5_cm1,band_5_weight" in (tmp_path / "bands.csv").read_text()


def test_foreign_datasets_enter_the_training_with_their_digest(run):
    fit = ["fit", "--data", run / "data.zarr", "--split", "own", "--epochs", 2]
    call(main, *fit, "--foreign", run / "other.zarr", "--out", run / "exposed")
    stored = json.loads((run / "exposed" / "config.json").read_text())["exposure"]
    assert stored["share"] == 0.5
    assert len(stored["data"][0]["digest"]) == 64
    # the same run, were it not for the further rows
    first, second = (
        json.loads((run / name / "log.jsonl").read_text().partition("\n")[0])
        for name in ("run", "exposed")
    )
    assert first["step"] == second["step"]
    assert first["loss"] != second["loss"]
    # without calibration it says which rows are of none of the classes
    for name, most in (("data", 0.1), ("other", 1.0)):
        call(main, "predict", run / "exposed", run / f"{name}.zarr", "--n", 200, "--out",
             run / f"{name}.jsonl")  # fmt: skip
        rows = [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
        share = np.mean([one["answer"] == "none of these" for one in rows])
        assert most - 0.1 <= share <= most
        assert all(one["known"] == (one["novelty"] <= 0.5) for one in rows)
    said = call(main, *fit, "--foreign", run / "data.zarr", "--out", run / "not", code=2)
    assert "expected only species that are no classes, got random-0" in said


def test_foreign_rows_are_of_no_class_of_the_model(run):
    said = call(main, "calibrate", run / "run", "--foreign", run / "data.zarr", code=2)
    assert "expected only species that the model does not know, got rows of random-0" in said


CENTRES = re.search(
    r"<!-- novelty: code -->\n```python\n(.*?)```",
    (Path(__file__).parents[2] / "docs" / "extending_training.md").read_text(),
    re.DOTALL,
)[1]


@pytest.mark.usefixtures("forgotten_plugins")
def test_a_score_of_novelty_of_somebody_else(run, tmp_path):
    module = tmp_path / "centres.py"
    module.write_text(CENTRES)
    given = ["--plugin", module]
    score = ["--foreign", run / "other.zarr", "--novelty", "centres"]
    found = json.loads(call(main, "calibrate", run / "run", *given, *score, "--json"))
    assert found["plugin"]["digest"] == plugins.imported()[0].digest
    assert found["foreign"][0]["auroc"] > 0.9
    evaluated = ["evaluate", run / "run", "--data", run / "data.zarr", "--split", "own"]
    foreign = json.loads(call(main, *evaluated, *score[:2], *given, "--json"))["foreign"]
    (used,) = (one for one in foreign if one["is_used"])
    assert used["score"] == "centres"
    assert used["auroc"] > 0.9
    data = [run / "run", run / "data.zarr", "--n", 200, "--json"]
    rows = json.loads(call(main, "predict", *data, *given))
    assert 0.9 < np.mean([one["known"] for one in rows]) < 1
    stored = load_file(run / "run" / "calibration.safetensors")
    assert {name: one.ndim for name, one in stored.items()} == {"means": 2}
    path = run / "run" / "calibration.json"
    path.write_text(path.read_text().replace(found["plugin"]["digest"], "0" * 64))
    with pytest.warns(TersWarning, match="novelty 'centres' was trained with module centres"):
        load_trained(run / "run", torch.device("cpu"))
    del plugins._registered["ters_train.novelty"]["centres"]
    said = call(main, "predict", *data, code=2)
    assert "expected novelty 'centres' of module centres" in said
    assert "give it: --plugin centres" in said
    path.unlink()


@pytest.mark.usefixtures("forgotten_plugins")
def test_a_score_of_novelty_that_is_no_row_s(run):
    @plugins.register("ters_train.novelty", "sum")
    class Sum(Novelty):
        needs_features = False

        def scores(self, logits, features):
            assert features is None
            return logits.sum()

    said = call(main, "calibrate", run / "run", "--novelty", "sum", code=2)
    assert "score of novelty 'sum': expected 150 real numbers" in said


def test_a_score_of_features_needs_some(run, monkeypatch):
    monkeypatch.setattr("ters_train.calibration.outputs._MOST_FEATURES", 0)
    said = call(main, "calibrate", run / "run", "--novelty", "distance", code=2)
    assert "--novelty distance: expected a model with features" in said


def test_a_share_that_it_was_not_calibrated_for_is_named(run):
    call(main, "calibrate", run / "run")
    said = call(main, "predict", run / "run", run / "data.zarr", "--coverage", 0.5, code=2)
    assert not torch.is_inference_mode_enabled()
    assert "expected one of 0.8, 0.9, 0.95, 0.99, got 0.5" in said


def test_a_calibration_of_other_weights_is_not_used(run):
    call(main, "calibrate", run / "run")
    path = run / "run" / "calibration.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "checkpoint": "best-000000000"}))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        said = call(main, "predict", run / "run", run / "data.zarr", "--n", 1)
    assert "is of best-000000000" in said
    assert "set:" not in said
    path.write_text("{")
    assert "not well formed" in call(main, "evaluate", run / "run", "--data", run / "data.zarr",
                                   code=2)  # fmt: skip
    path.unlink()
