"""What each command gives when all is well, against a computation of its own."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file

import tersgen
from ters_train.config import RunConfig
from ters_train.engine.checkpoint import State
from ters_train.models import build_model

TINY = [
    "--set",
    "model.options.widths=[4,8]",
    "--set",
    "model.options.norm=group",
    "--batch-size",
    32,
]
EVALUATED = ["confusion.json", "confusion.png", "curves.png", "misread.json", "model_card.md",
             "reliability.png", "report.html", "scores.json"]  # fmt: skip


@pytest.fixture(scope="module")
def probabilities(finished):
    """Return a function of spectra in [0, 1]: probabilities by the best weights of the run."""
    folder = next((finished / "checkpoints").glob("best-*"))
    config = State.model_validate_json((folder / "state.json").read_text()).config
    model = build_model(config.model).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))

    def shares(spectra):
        inputs = torch.from_numpy((spectra.astype(np.float32) - 0.5) / 0.5)
        with torch.inference_mode():
            return model({"spectra": inputs})["logits"].softmax(dim=1).numpy()

    return shares


@pytest.fixture(scope="module")
def outputs(probabilities, few):
    """Return probabilities of all rows, and labels and parts."""
    dataset = tersgen.open(few)
    shares = probabilities(dataset["spectra"][:])
    return shares, dataset["label"][:], np.asarray(dataset.parts("default"))


def confusion(outputs, number: int) -> list[list[int]]:
    shares, labels, parts = outputs
    table = np.zeros((3, 3), int)
    for row in np.flatnonzero(parts == number):
        table[labels[row], shares[row].argmax()] += 1
    return table.tolist()


def test_the_files_of_a_run(finished, outputs) -> None:
    found = sorted(path.name for path in finished.iterdir())
    wanted = ["checkpoints", "config.json", "log.csv", "log.jsonl", *EVALUATED]
    assert set(wanted) <= set(found)
    assert not [name for name in found if "partial" in name]
    config = RunConfig.model_validate_json((finished / "config.json").read_text())
    assert config.engine.ema == 0.5
    scores = json.loads((finished / "confusion.json").read_text())
    assert scores["part"] == "val"
    assert scores["confusion"] == confusion(outputs, 1)


def test_the_best_is_the_average(runs, few, tmp_path) -> None:
    out = tmp_path / "run"
    runs.good("fit", "--data", few, "--out", out, *TINY, "--epochs", 1, "--ema", 0.75)
    best, last = (out / "checkpoints" / f"{kind}-000000015" for kind in ("best", "step"))
    average = load_file(last / "average.safetensors")
    model = load_file(last / "model.safetensors")
    torch.testing.assert_close(load_file(best / "model.safetensors"), average, rtol=0, atol=0)
    assert any(not torch.equal(model[name], value) for name, value in average.items())


def test_evaluate(runs, finished, copied, few, outputs, tmp_path) -> None:
    done = runs.good("evaluate", copied, "--data", few, report=True)
    folder = copied / "evaluation-test"
    assert sorted(path.name for path in folder.iterdir()) == EVALUATED
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "60 samples of test: accuracy" in done.stdout
    assert done.stdout.endswith(f"results: {folder}\n")
    wanted = confusion(outputs, 2)
    assert json.loads((folder / "confusion.json").read_text())["confusion"] == wanted
    for part, number, count in (("test", 2, 60), ("train", 0, 480)):
        out = tmp_path / part
        options = ["--part", part, "--batch-size", 7, "--out", out, "--json"]
        scores = json.loads(runs.good("evaluate", finished, "--data", few, *options).stdout)
        assert scores["confusion"] == confusion(outputs, number)
        assert scores["n_samples"] == count
        assert scores["accuracy"] == np.trace(scores["confusion"]) / count
        assert scores["digest"] == scores["trained_on"]


def test_one_checkpoint_is_evaluated(runs, copied, few) -> None:
    folder = copied / "checkpoints/step-000000044"
    scores = json.loads(runs.good("evaluate", folder, "--data", few, "--json").stdout)
    assert scores["checkpoint"] == str(folder)
    assert (copied / "evaluation-test/scores.json").is_file()


def test_predict(runs, finished, few, probabilities, tmp_path) -> None:
    dataset = tersgen.open(few)
    rows = [3, 77]
    files = []
    for row in rows:
        table = np.stack([dataset.shift_cm1, dataset["spectra"][row].astype(float)], axis=1)
        files.append(tmp_path / f"{row}.txt")
        np.savetxt(files[-1], table[::-1], header="Raman shift\tcounts", delimiter="\t")
    done = runs.good("predict", finished, *files, "--json", "--top", 2)
    found = json.loads(done.stdout)
    assert [one["name"] for one in found] == ["3.txt", "77.txt"]
    for row, one in zip(rows, found, strict=True):
        spectrum = dataset["spectra"][row].astype(float)
        spectrum = (spectrum - spectrum.min()) / np.ptp(spectrum)  # Eq. (1.5), as of a measured one
        shares = probabilities(spectrum[None])[0]
        best = np.argsort(-shares)[:2]
        assert [species["name"] for species in one["species"]] == [dataset.classes[k] for k in best]
        given = [species["probability"] for species in one["species"]]
        np.testing.assert_allclose(given, shares[best], atol=1e-5)
    done = runs.good("predict", finished, *files)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  ")]
    assert [line.partition(":")[0] for line in lines] == ["3.txt", "77.txt"]
    assert lines[0].count("random-") == 3


def test_predict_passes_over_bad_files_and_reads_wavelengths(runs, finished, few, tmp_path) -> None:
    dataset = tersgen.open(few)
    nm = 1e7 / (1e7 / 532.0 - dataset.shift_cm1)
    table = np.stack([nm, dataset["spectra"][3].astype(float)], axis=1)
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    np.savetxt(good, table, header="Wavelength [nm]\tcounts", delimiter="\t", fmt="%.12g")
    bad.write_text("no spectrum\n")
    options = ("--laser-nm", 532, "--allow-extrapolation")
    done = runs.good("predict", finished, bad, good, "--skip-bad", *options)
    assert done.stdout.startswith("good.txt: ")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"skipped: {bad}: expected")
    assert "bad.txt" in runs.bad("predict", finished, bad, good, *options)
    assert "expected a file that can be used" in runs.bad("predict", finished, bad, "--skip-bad")


def test_export(runs, finished, few, outputs, tmp_path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = tmp_path / "model.onnx"
    done = runs.good("export", finished, "--onnx", path)
    takes = "takes spectra (rows, 64), measured (rows, 64), gives 3 classes; "
    assert done.stdout.startswith(f"{path}: {takes}")
    assert "results within" in done.stdout
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    spectra = tersgen.open(few)["spectra"][:5].astype(np.float32)
    fed = {"spectra": spectra, "measured": np.ones_like(spectra)}
    (found,) = session.run(["probabilities"], fed)
    np.testing.assert_allclose(found, outputs[0][:5], atol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(tersgen.open(few).classes)


def test_inspect(runs, few, other) -> None:
    found = json.loads(runs.good("inspect", "--data", few, "--input", "both", "--json").stdout)
    assert found["inputs"] == {"spectra": [64], "maps": [1, 8, 10]}
    assert found["splits"] == {"default": {"train": 480, "val": 60, "test": 60}}
    assert len(found["classes"]) == 3
    assert "no splits yet: tersgen split" in runs.good("inspect", "--data", other).stdout


def test_bench_loader(runs, few) -> None:
    options = ["--input", "spectrum", "--epochs", 2, "--batch-size", 100, "--json"]
    lines = runs.good("bench-loader", "--data", few, *options).stdout.splitlines()
    measured = [json.loads(line) for line in lines]
    assert [one["epoch"] for one in measured] == [0, 1]
    assert all(one["n_rows"] == 600 for one in measured)
    done = runs.good("bench-loader", "--data", few, "--epochs", 1)
    assert done.stdout.startswith("epoch 0: ")
    assert len(done.stdout.splitlines()) == 2


def test_a_recipe(runs, tiny_recipe, tmp_path) -> None:
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, path)
    out = tmp_path / "run"
    options = ["--n", 320, "--epochs", 2, "--lr", 0.02]
    runs.good("fit", "--recipe", path, "--out", out, *TINY, *options)
    done = runs.good("evaluate", out, "--data", path, "--json")
    scores = json.loads(done.stdout)
    assert scores["n_samples"] == 32
    assert scores["digest"] == scores["trained_on"]
    labels = tersgen.generate(tiny_recipe, 352, 384)["label"]
    assert scores["support"] == np.bincount(labels, minlength=3).tolist()


def test_a_dry_run_is_a_configuration(runs, few, tmp_path) -> None:
    options = ["--data", few, "--out", tmp_path / "run", "--dry-run"]
    done = runs.good("fit", *options, *TINY, "--lr", "3e-4", "--amp", "bf16")
    told = f"{few}: trains on 480 rows of train; 60 rows of val choose the best epoch"
    assert done.stderr.splitlines() == [told]
    text = done.stdout
    config = RunConfig.model_validate_json(text)
    assert config.model.options["widths"] == [4, 8]
    assert config.optim.lr == 3e-4
    assert config.engine.amp == "bf16"
    assert config.data.digest == tersgen.open(few).manifest.digest
    assert not (tmp_path / "run").exists()
    (tmp_path / "all.json").write_text(text)
    assert runs.good("fit", *options, "--config", tmp_path / "all.json").stdout == text


def test_a_file_then_set_then_options(runs, few, tmp_path) -> None:
    table = {"optim": {"lr": 0.5, "epochs": 7, "clip": 0.25}, "data": {"input": "map"}}
    path = tmp_path / "run.toml"
    path.write_bytes(tomli_w.dumps(table).encode())
    assert tomllib.loads(path.read_text()) == table
    options = ["--data", few, "--dry-run", "--config", path, "--set", "optim.lr=0.125", "--set",
               "optim.epochs=8", "--epochs", 9]  # fmt: skip
    config = RunConfig.model_validate_json(runs.good("fit", *options).stdout)
    assert (config.optim.clip, config.optim.lr, config.optim.epochs) == (0.25, 0.125, 9)
    assert config.model.name == "vit"
    assert config.model.options["patch"] == 2
    options = ["--set", "data.val_part=test", "--set", "data.train_part=val"]
    text = runs.good("fit", "--data", few, "--dry-run", *options).stdout
    assert RunConfig.model_validate_json(text).data.val_part == "test"


def test_patience(runs, few, tmp_path) -> None:
    """Weights that do not move are never better than after the first epoch."""
    out = tmp_path / "run"
    options = ["--epochs", 50, "--patience", 2, "--lr", 1e-12, "--set", "optim.min_lr=0"]
    done = runs.good("fit", "--data", few, "--out", out, *TINY, *options)
    assert f"{out}: 45 steps in" in done.stdout
    assert "after epoch 1" in done.stdout
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log if entry["part"] == "val"] == [0, 1, 2]
    content = (out / "log.jsonl").read_bytes()
    again = runs.good("fit", "--resume", out).stdout
    assert f"{out}: all steps were taken before; best on val: macro-F1" in again
    assert (out / "log.jsonl").read_bytes() == content


def test_checkpoints_by_time_and_a_default_patience(runs, few, tmp_path) -> None:
    out = tmp_path / "run"
    options = ["--epochs", 1, "--set", "engine.keep=99", "--set", "engine.checkpoint_minutes=1e-9"]
    runs.good("fit", "--data", few, "--out", out, *TINY, *options)
    saved = sorted(path.name for path in (out / "checkpoints").glob("step-*"))
    assert saved == [f"step-{step:09d}" for step in range(1, 16)]
    config = RunConfig.model_validate_json((out / "config.json").read_text())
    assert config.engine.patience == 5


def test_a_dataset_of_links_is_read_if_asked_for(runs, few, tmp_path):
    linked = tmp_path / "linked.zarr"
    shutil.copytree(few, linked, copy_function=lambda file, link: Path(link).symlink_to(file))
    for command in (
        ("inspect", "--data", linked),
        ("bench-loader", "--data", linked, "--epochs", 1),
        ("fit", "--data", linked, "--out", tmp_path / "run", *TINY, "--epochs", 1),
        ("evaluate", tmp_path / "run", "--data", linked),
    ):
        if command[0] != "evaluate":
            assert "--follow-links" in runs.bad(*command)
        runs.good(*command, "--follow-links")
    runs.good("fit", "--resume", tmp_path / "run")
    assert "--follow-links" in runs.bad(*command)
