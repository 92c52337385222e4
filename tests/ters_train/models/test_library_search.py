"""A library search: its parts, and a run of it beside a network."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ters_train
from ters_train.cli import main
from ters_train.models.baseline import smoothed, snip
from tersgen.cli import main as tersgen


def call(program, *arguments, code=0):
    done = CliRunner().invoke(program, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done.output


def test_the_baseline_of_snip_is_that_of_its_definition():
    y = np.random.default_rng(0).random(40)
    expected = y.copy()
    for p in range(5, 0, -1):
        before = expected.copy()
        for k in range(p, 40 - p):
            expected[k] = min(before[k], (before[k - p] + before[k + p]) / 2)
    assert snip(torch.from_numpy(y)[None], 5)[0].numpy() == pytest.approx(expected)


def test_a_line_is_its_own_baseline_and_a_band_is_not():
    x = torch.arange(200.0)
    band = 5 * torch.exp(-0.5 * ((x - 100) / 3) ** 2)
    baseline = snip((0.1 * x + band)[None], 30)[0]
    assert torch.allclose(baseline[40:160], 0.1 * x[40:160], atol=0.05)


def test_smoothing_has_the_width_that_is_asked_for():
    point = torch.zeros(1, 101)
    point[0, 50] = 1
    made = smoothed(point, 8.0)[0]
    assert float(made.sum()) == pytest.approx(1)
    assert float(made[54] / made[50]) == pytest.approx(0.5, abs=0.01)
    assert smoothed(point, 0.0) is point


def test_measured_rows_have_their_means_as_templates(tmp_path):
    rng = np.random.default_rng(1)
    shift = np.linspace(100, 1000, 300)
    bands = np.exp(-0.5 * ((shift - np.array([[300], [500], [800]])) / 8) ** 2)
    labels = np.arange(60) % 3
    rows = bands[labels] + 0.05 * rng.normal(size=(60, 300)) + rng.random((60, 1)) * shift / 500
    np.savez(tmp_path / "m.npz", spectra=rows, label=labels, shift_cm1=shift,
             classes=np.array(["a", "b", "c"]))  # fmt: skip
    call(tersgen, "ingest", tmp_path / "m.npz", "--out", tmp_path / "m.zarr")
    call(tersgen, "split", tmp_path / "m.zarr", "--ratios", "train=0.8,val=0.2")
    for baseline in ("snip", "airpls"):
        run = tmp_path / baseline
        said = call(main, "fit", "--data", tmp_path / "m.zarr", "--model", "library-search",
                    "--set", f"model.options.baseline={baseline}", "--out", run)  # fmt: skip
        assert "fitted in" in said
        assert "macro-F1 1.0000" in said
        trained = ters_train.load(run)
        places = trained.shift_cm1[trained.model.templates[0].argmax(1)]
        assert np.abs(places - [300, 500, 800]).max() < 10
    said = call(main, "export", run, "--onnx", tmp_path / "m.onnx", code=2)
    assert "airpls, which ONNX cannot express" in said
