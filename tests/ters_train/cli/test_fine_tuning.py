"""Weights of another run, by the names of classes."""

import json
from pathlib import Path

import pytest
import torch

import tersgen
from ters_train.engine.checkpoint import choose
from ters_train.engine.pretrained import labels_by_name, load_pretrained
from ters_train.models import build_model
from tersgen.errors import ConfigError

GOLDEN = Path(__file__).parents[2] / "golden" / "run_v2"


def model_like(state, n_classes, **cnn):
    config = state.config.model
    changed = {"outputs": {"logits": (n_classes,)}, "options": {**config.options, **cnn}}
    return build_model(config.model_copy(update=changed))


def test_heads_go_by_the_names_of_classes(finished):
    found = choose(finished)
    names = found.state.classes
    weights = found.tensors["model"]
    torch.manual_seed(9)
    model = model_like(found.state, 4)
    fresh = model.classes.linear.weight.detach().clone()
    load_pretrained(model, str(finished), (names[2], "new", names[0], names[1]))
    head = model.classes.linear.weight
    for label, old in ((0, 2), (2, 0), (3, 1)):
        assert torch.equal(head[label], weights["classes.linear.weight"][old])
    assert torch.equal(head[1], fresh[1]), "a new class begins as it was drawn"
    for name, value in model.state_dict().items():
        if name not in model.class_rows:
            assert torch.equal(value, weights[name])


def test_another_model_is_refused(finished):
    found = choose(finished)
    model = model_like(found.state, 3, widths=(4, 16))
    with pytest.raises(ConfigError, match="start from a run of the same model"):
        load_pretrained(model, str(finished), found.state.classes)


def test_weights_for_other_views_are_refused(finished):
    """Their shapes are the same."""
    found = choose(finished)
    seen = found.state.config.model.options
    assert seen["inputs"] == "views"
    with pytest.raises(ConfigError, match=r"expected model\.options\.window = \d+, with which"):
        load_pretrained(
            model_like(found.state, 3, window=seen["window"] + 2),
            str(finished),
            found.state.classes,
        )


def test_an_older_run_goes_on_with_the_inputs_that_it_had(runs, few, tmp_path):
    """Its options do not name them; those of new runs are others."""
    options = ["--data", few, "--out", tmp_path / "run", "--dry-run"]
    old = GOLDEN / "best-000000030"
    seen = [
        json.loads(runs.good("fit", *options, *more).stdout)["model"]["options"]["inputs"]
        for more in ([], ["--init", old])
    ]
    assert seen == ["views", "raw"]


def test_labels_by_name(finished, few, other):
    state = choose(finished).state
    assert labels_by_name(state, tersgen.open(few)) is None
    with pytest.raises(ConfigError, match="expected only classes of the 3 trained on, got"):
        labels_by_name(state, tersgen.open(other))
    open_to_all = state.model_copy(update={"classes": (*state.classes[::-1], "unknown")})
    labels = labels_by_name(open_to_all, tersgen.open(few))
    assert labels is not None
    assert labels.tolist() == [2, 1, 0]
    labels = labels_by_name(open_to_all, tersgen.open(other))
    assert labels is not None
    names = tersgen.open(other).classes
    assert labels.tolist() == [
        open_to_all.classes.index(name if name in state.classes else "unknown") for name in names
    ]


def test_fine_tuning_on_measured_spectra_is_one_command(runs, finished, few, tmp_path):
    ds = tersgen.open(few)
    folder = tmp_path / "measured"
    for row in range(24):
        sample = ds.sample(row)
        path = folder / sample["species"] / f"{row}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = zip(ds.shift_cm1, sample["spectra"].astype(float), strict=True)
        path.write_text("".join(f"{x} {1000 * y + 50}\n" for x, y in lines))
    from click.testing import CliRunner

    from tersgen.cli import main

    real = tmp_path / "real.zarr"
    for command in (
        ["ingest", str(folder), "--label-from", "folder", "--like", str(few), "--out", str(real)],
        ["split", str(real), "--by", "sample", "--ratios", "train=0.5,val=0.25,test=0.25"],
    ):
        assert CliRunner().invoke(main, command).exit_code == 0
    scored = ("--data", real, "--part", "train", "--out", tmp_path / "scores")
    first = runs.good("evaluate", finished, *scored)
    assert "samples of train: accuracy" in first.stdout
    out = tmp_path / "fine"
    runs.good("fit", "--data", real, "--init", finished, "--epochs", 1, "--lr", 1e-9, "--out", out)
    after = runs.good("evaluate", out, *scored)
    accuracies = [one.stdout.split("accuracy ")[1].split(",")[0] for one in (first, after)]
    assert accuracies[0] == accuracies[1], "without learning it is as before"
    config = json.loads((out / "config.json").read_text())
    assert config["engine"]["init"] == str(finished)
    set_one = ("--set", "model.options.dropout=0.4", "--dry-run")
    shown = json.loads(runs.good("fit", "--data", real, "--init", finished, *set_one).stdout)
    assert shown["model"]["options"] == {**config["model"]["options"], "dropout": 0.4}
    short = tmp_path / "short.zarr"
    command = ["ingest", str(folder), "--grid", "500:3000:64", "--out", str(short)]
    assert CliRunner().invoke(main, command).exit_code == 0
    line = runs.bad("fit", "--data", short, "--init", finished, "--out", tmp_path / "x")
    assert "tersgen ingest --like" in line
    wrong = ("--data", few, "--init", finished, "--model", "vit", "--out", tmp_path / "x")
    line = runs.bad("fit", *wrong, code=2)
    assert "expected cnn, that of --init" in line
