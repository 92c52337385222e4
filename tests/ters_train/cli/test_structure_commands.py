"""Commands on structure targets, from a dataset to drawn atoms."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.plotting.structures import draw_structures, holds_structures
from tersgen.plotting.style import styled
from tersgen.schema.split import SplitRule

TRAIN = "ters_train.engine.trainer:Trainer.train"
TINY = ("--model", "unet", "--set", "model.options.width=4", "--set", "model.options.depth=2")
FLIPS = ("--set", "transforms.flip_rows=true", "--set", "transforms.quarter_turns=true")


def weights_of(folder):
    """Return the tensors of the newest checkpoint of a run."""
    (*_, last) = sorted((folder / "checkpoints").glob("step-*"))
    return {name: load_file(last / f"{name}.safetensors") for name in ("model", "average")}


def recipe_of(**structure):
    return tersgen.resolve(
        tersgen.Recipe(
            seed=3,
            library=("builtin:ethylene", "builtin:formaldehyde"),
            map={"height": 16, "width": 16},
            nearfield={
                "width_angstrom": (2.5, 2.5),
                "frame_angstrom": (8.0, 8.0),
                "bands": ((800.0, 1900.0), (2500.0, 3500.0)),
                "channel_cm1": 1000.0,
            },
            structure={"radius_angstrom": 0.6, "bond_width_angstrom": 0.5, **structure},
            fields={
                **{"spectra": False, "sticks": False, "tensors": False, "cube": True},
                "precision": "float16",
            },
        )
    )


def built(path, n=320, maps=True, **structure):
    recipe = recipe_of(**structure)
    fields = recipe.fields.model_copy(update={"maps": maps})
    recipe = recipe.model_copy(update={"fields": fields})
    run(make_plan(recipe, n, chunk_rows=32, shard_rows=256), path)
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return built(tmp_path_factory.mktemp("structure") / "s.zarr")


@pytest.fixture(scope="module")
def trained(runs, data, tmp_path_factory):
    """Return a run that learnt for a few epochs."""
    out = tmp_path_factory.mktemp("unet") / "run"
    runs.good(
        "fit", "--data", data, "--out", out, *TINY, *FLIPS, "--epochs", 8, "--lr", 0.02,
        "--batch-size", 32, report=True,
    )  # fmt: skip
    return out


def test_a_run_learns_and_reports(trained, runs, data):
    log = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    dice = [entry["dice"] for entry in log if entry["part"] == "val"]
    assert len(dice) == 8
    assert max(dice) > 0.5 > dice[0]
    assert {"cross_entropy", "dice", "loss"} <= set(log[0])
    page = (trained / "report.html").read_text()
    assert "mean IoU" in page
    assert "confusion" not in page.lower()
    assert not (trained / "confusion.json").exists()
    scores = json.loads((trained / "scores.json").read_text())
    assert scores["dice"] == max(dice)
    shown = json.loads(runs.good("evaluate", trained, "--data", data, "--json").stdout)
    assert shown["n_samples"] == 32
    assert shown["elements"] == ["H", "C", "O"]
    assert 0.4 < shown["iou"] < shown["dice"] < 1
    assert shown["position_error_angstrom"] < 0.5
    text = runs.good("evaluate", trained, "--data", data).stdout
    assert text.startswith("32 samples of test: mean Dice ")
    assert "bonds: Dice" in text


def test_predictions_are_written_as_masks_and_atoms(trained, runs, data, tmp_path):
    dataset = tersgen.open(data)
    np.save(tmp_path / "one.npy", dataset["maps"][0])
    np.savez(tmp_path / "three.npz", maps=dataset["maps"][:3])
    out = tmp_path / "drawn"
    files = (data, tmp_path / "one.npy", tmp_path / "three.npz")
    told = json.loads(
        runs.good("predict", trained, *files, "--out", out, "--n", 40, "--json").stdout
    )
    assert [one["maps"] for one in told] == [40, 1, 3]
    assert holds_structures(out / "three.npz")  # which tersgen plot draws
    with styled():
        panels = draw_structures(out / "three.npz", (2,)).axes
    assert all(axes.images for axes in panels)
    with np.load(out / "s.npz") as found, np.load(out / "three.npz") as three:
        assert found["masks"].shape == (40, 3, 16, 16)
        assert found["bonds"].shape == (40, 16, 16)
        assert list(found["symbols"]) == ["H", "C", "O"]
        true = dataset["structure/masks"][:40] >= 0.5
        drawn = found["masks"] >= 0.5
        assert (true & drawn).sum() > 0.3 * (true | drawn).sum()
        assert len(found["atom_rows"]) == len(found["atom_positions"]) > 40
        np.testing.assert_allclose(three["masks"], found["masks"][:3], atol=2e-3)
    np.save(tmp_path / "bright.npy", 3 * dataset["maps"][0].astype(np.float32))
    line = runs.bad("predict", trained, tmp_path / "bright.npy")
    assert "expected values from 0 to 1, as trained on" in line
    np.save(tmp_path / "wide.npy", np.zeros((2, 16, 20)))
    assert "expected maps of shape (2, 16, 16)" in runs.bad(
        "predict", trained, tmp_path / "wide.npy"
    )
    np.save(tmp_path / "code.npy", np.array([{"a": 1}], dtype=object))
    assert "expected numbers or texts, got object" in runs.bad(
        "predict", trained, tmp_path / "code.npy"
    )


def test_a_stopped_run_goes_on_as_if_nothing_had_been(runs, data, tmp_path):
    options = ("fit", "--data", data, *TINY, *FLIPS, "--epochs", 2, "--batch-size", 32)
    options = (*options, "--checkpoint-steps", 3, "--ema", 0.5)
    runs.good(*options, "--out", tmp_path / "whole")
    stopped = runs.run(
        *options, "--out", tmp_path / "stopped", signal_at=(TRAIN, 5, signal.SIGKILL)
    )
    assert stopped.returncode != 0
    runs.good("fit", "--resume", tmp_path / "stopped")
    whole, again = weights_of(tmp_path / "whole"), weights_of(tmp_path / "stopped")
    for file, tensors in whole.items():
        assert all(np.array_equal(value, again[file][name]) for name, value in tensors.items())


def test_two_processes_train_together(runs, data, tmp_path):
    options = ("fit", "--data", data, *TINY, "--epochs", 1, "--batch-size", 32)
    for done in runs.group(2, *options, "--out", tmp_path / "two"):
        assert done.returncode == 0, done.stderr
    runs.good(*options, "--out", tmp_path / "one")
    one, two = (
        json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[-1])
        for name in ("one", "two")
    )
    assert two["dice"] == pytest.approx(one["dice"], abs=1e-3)


def test_a_table_of_drawn_structures_is_refused(trained, runs, data, tmp_path):
    line = runs.bad("evaluate", trained, "--data", data, "--out", tmp_path / "rows.csv")
    assert "this model draws structures" in line


@pytest.mark.exhaustive
def test_cubes_recipes_and_exports(runs, data, trained, tmp_path):
    pytest.importorskip("onnxscript")
    short = ("--epochs", 1, "--batch-size", 32)
    runs.good("fit", "--data", data, "--input", "cube", *TINY, *short, "--out", tmp_path / "cube")
    tersgen.save_recipe(recipe_of(), tmp_path / "r.json")
    runs.good(
        "fit", "--recipe", tmp_path / "r.json", "--n", 64, *TINY, *short, "--out", tmp_path / "made"
    )
    said = runs.good("export", trained, "--onnx", tmp_path / "m.onnx").stdout
    assert "gives masks of H, C, O and bonds" in said
    assert (tmp_path / "m.onnx").stat().st_size > 1000
    shown = runs.good("inspect", "--data", data, "--input", "map").stdout
    assert "structures (--model unet): discs of 0.6 Angstrom at H, C, O, bonds" in shown
    assert "samples/s" in runs.good("bench-loader", "--data", data, "--input", "cube").stdout


def test_what_does_not_fit_is_refused(runs, data, few, trained, finished, tmp_path):
    out = ("--out", tmp_path / "x")
    line = runs.bad("fit", "--data", few, "--model", "unet", *out)
    assert "expected the field structure/masks for structures" in line
    line = runs.bad(
        "fit", "--data", data, "--model", "unet", "--set", "model.options.depth=5", *out
    )
    assert "expected rows and columns that 32 divides, 2^5, got 16 x 16" in line
    line = runs.bad("fit", "--data", data, *TINY, "--input", "spectrum", *out)
    assert "expected cnn for input 'spectrum', got 'unet'" in line
    line = runs.bad("fit", "--data", data, *TINY, "--tensor-loss", 0.1, *out)
    assert "tensor" in line
    cubes = built(tmp_path / "cubes.zarr", 32, maps=False)
    line = runs.bad("fit", "--data", cubes, *out)
    assert line.endswith("; for structures use --model unet --input cube")
    line = runs.bad("fit", "--data", cubes, "--model", "unet", *out)
    assert line.endswith("; for its cubes use --model unet --input cube")
    other = built(tmp_path / "other.zarr", 320, bonds=False)
    line = runs.bad("evaluate", trained, "--data", other)
    assert "expected the structure targets trained on" in line
    spectrum = tmp_path / "s.txt"
    spectrum.write_text("100 1\n4000 2\n")
    assert "expected arrays of NumPy, .npy or .npz" in runs.bad(
        "predict", trained, shutil.copy(spectrum, tmp_path / "s.npy")
    )
    assert "expected a name that ends in .csv" in runs.bad(
        "predict", finished, spectrum, *out, code=2
    )


def test_maps_of_a_dataset_of_links_are_drawn_if_asked_for(runs, data, trained, tmp_path):
    linked = tmp_path / "linked.zarr"
    shutil.copytree(data, linked, copy_function=lambda file, link: Path(link).symlink_to(file))
    command = ("predict", trained, linked, "--n", 2, "--out", tmp_path / "drawn")
    assert "--follow-links" in runs.bad(*command)
    runs.good(*command, "--follow-links")
    assert (tmp_path / "drawn" / "linked.npz").is_file()
