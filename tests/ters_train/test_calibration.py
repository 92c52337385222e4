"""Calibration: temperature, conformal sets, novelty, and what predict makes of them."""

import json
import warnings

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ters_train.calibration.measures import (
    distance,
    energy,
    fit_gaussians,
    fit_temperature,
    separation,
    set_threshold,
)
from ters_train.cli import main
from tersgen.cli import main as tersgen

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


def test_foreign_rows_are_of_no_class_of_the_model(run):
    said = call(main, "calibrate", run / "run", "--foreign", run / "data.zarr", code=2)
    assert "expected only species that the model does not know, got rows of random-0" in said


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
