"""What is wrong is said in one line, with what to do, and a status."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import tersgen
from ters_train.engine.checkpoint import newest
from tersgen.dataset.splits import make_split
from tersgen.schema.split import SplitRule
from tersgen.store.lock import BuilderLock

TINY = ["--set", "model.options.widths=[4,8]", "--batch-size", 32, "--epochs", 1]


def damage(dataset, field="spectra") -> str:
    """Flip a bit in the middle of a shard, and return its name."""
    shard = dataset / field / "c.0.0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 16
    shard.write_bytes(content)
    return str(shard.relative_to(dataset))


BAD = {
    "no input": ([], 2, "expected one of --data and --recipe (or --resume)"),
    "two inputs": (["--data", "{few}", "--recipe", "r.toml"], 2, "expected one of --data and"),
    "no out": (["--data", "{few}"], 2, "expected --out, a folder for the run"),
    "a run in a dataset": (["--data", "{few}", "--out", "{few}"], 1, "got a dataset's"),
    "a run inside of one": (["--data", "{few}", "--out", "{few}/runs/a"], 1, "got a dataset's"),
    "split of a recipe": (
        ["--recipe", "r.toml", "--split", "x", "--out", "{out}"],
        2,
        "--split: the rows of a recipe have none",
    ),
    "rows of a dataset": (["--data", "{few}", "--n", 10, "--out", "{out}"], 2, "--recipe only"),
    "no dataset": (["--data", "{out}", "--out", "{out}"], 1, "no such dataset"),
    "no recipe": (["--recipe", "{out}.toml", "--out", "{out}"], 2, "found none"),
    "no split": (
        ["--data", "{other}", "--out", "{out}"],
        2,
        "tersgen split {other} --name default --ratios train=0.8,val=0.1,test=0.1",
    ),
    "no such split": (["--data", "{few}", "--split", "x", "--out", "{out}"], 2, "got default;"),
    "no such part": (
        ["--data", "{few}", "--set", "data.val_part=dev", "--out", "{out}"],
        2,
        "expected one of train, val, test, got 'dev'",
    ),
    "no maps": (
        ["--data", "{other}", "--model", "vit", "--out", "{out}"],
        2,
        "expected the field maps for input 'map'",
    ),
    "input of another model": (
        ["--data", "{few}", "--input", "map", "--model", "cnn", "--out", "{out}"],
        2,
        "expected vit for input 'map', got 'cnn'",
    ),
    "unknown field": (
        ["--data", "{few}", "--set", "model.options.width=3", "--out", "{out}"],
        2,
        "unknown field (did you mean 'widths'?",
    ),
    "unknown group": (["--data", "{few}", "--set", "optimm.lr=3", "--out", "{out}"], 2, "optim"),
    "no group": (["--data", "{few}", "--set", "lr=3", "--out", "{out}"], 2, "such as optim.lr="),
    "no number": (["--data", "{few}", "--epochs", "many", "--out", "{out}"], 2, "whole number"),
    "rate too high": (["--data", "{few}", "--lr", 1e30, "--out", "{out}"], 2, "optim.lr: expected"),
    "no rate": (["--data", "{few}", "--lr", "nan", "--out", "{out}"], 2, "optim.lr: expected"),
    "classes are the dataset's": (
        ["--data", "{few}", "--set", "task.options.n_classes=2", "--out", "{out}"],
        2,
        "task.options.n_classes: expected 3",
    ),
    "points are the dataset's": (
        ["--data", "{few}", "--set", "model.inputs={{spectra: [32]}}", "--out", "{out}"],
        2,
        "model.inputs: expected {{'spectra': [64]}}",
    ),
    "batch too large": (
        ["--data", "{few}", "--batch-size", 481, "--out", "{out}"],
        2,
        "expected at most 480, the rows of train, got 481",
    ),
    "too much accumulated": (
        ["--data", "{few}", "--batch-size", 240, "--set", "optim.accumulate=3", "--out", "{out}"],
        2,
        "optim.accumulate: expected at most 2",
    ),
    "too deep": (
        ["--data", "{few}", "--set", "model.options.widths=[4,4,4,4]", "--set",
         "model.options.pool=max", "--set", "model.options.stride=1", "--out", "{out}"],
        2,
        "cnn.widths: expected at most 3 stages",
    ),
    "patch": (
        ["--data", "{few}", "--model", "vit", "--set", "model.options.patch=3", "--out", "{out}"],
        2,
        "expected a divisor of 8 and 10",
    ),
    "turns": (
        ["--data", "{few}", "--model", "vit", "--set", "transforms.quarter_turns=true", "--out",
         "{out}"],
        2,
        "expected square maps, got 8 x 10",
    ),
    "device": (["--data", "{few}", "--device", "tpu9", "--out", "{out}"], 2, "try cpu"),
    "resume of nothing": (["--resume", "{out}"], 2, "expected a run to resume"),
    "resume of another": (["--resume", "{out}", "--lr", 0.1], 2, "expected no other option than"),
    "a file as out": (["--data", "{few}", "--out", "{file}"], 1, "{file}: cannot be made"),
    "config": (["--data", "{few}", "--config", "{file}", "--out", "{out}"], 2, "expected a .toml"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_fit(runs, few, other, tmp_path, name) -> None:
    arguments, code, text = BAD[name]
    (tmp_path / "file").write_text("")
    places = {"few": few, "other": other, "out": tmp_path / "run", "file": tmp_path / "file"}
    line = runs.bad("fit", *(str(one).format(**places) for one in arguments), code=code)
    assert text.format(**places) in line
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run(runs, few, finished) -> None:
    line = runs.bad("fit", "--data", few, "--out", finished)
    assert f"ters-train fit --resume {finished}" in line


def test_a_class_without_rows_is_noted(runs, copy_of, tmp_path) -> None:
    data = copy_of()
    make_split(data, "held", SplitRule(hold_out=("random-0001",)))
    done = runs.good("fit", "--data", data, "--split", "held", "--out", tmp_path / "run", *TINY)
    assert "Note: train: no rows of random-0001: the model cannot learn" in done.stderr


def test_a_class_that_a_recipe_never_draws_is_noted(runs, tmp_path) -> None:
    recipe = tersgen.Recipe(
        library=("random:3",),
        grid={"n_points": 64},
        fields={"maps": False},
        classes={"balance": "weighted", "weights": {"random-0001": 0}},
    )
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(recipe, path)
    out = tmp_path / "run"
    done = runs.good("fit", "--recipe", path, "--n", 640, "--out", out, *TINY, "--epochs", 1)
    assert "Note: train: no rows of random-0001: the model cannot learn" in done.stderr


def test_a_loss_that_is_not_finite(runs, few, tmp_path) -> None:
    out = tmp_path / "run"
    line = runs.bad(
        "fit", "--data", few, "--out", out, "--set", "model.options.widths=[4,8]", "--set",
        "optim.weight_decay=1e6", "--set", "optim.warmup=0", "--lr", 10, "--batch-size", 16,
        "--checkpoint-steps", 1, "--epochs", 2,
    )  # fmt: skip
    found = re.fullmatch(
        r"Error: step (\d+): the loss is (?:nan|finite, but|inf).*: the training has diverged; "
        r"lower --lr, .*; the last good checkpoint is (.*)",
        line,
    )
    assert found, line
    good = newest(out)[0]
    assert good.state.position.step == int(found[1])
    assert found[2] == str(good.folder)
    assert all(value.isfinite().all() for value in good.tensors["model"].values())


def test_a_damaged_shard(runs, copy_of, few, tmp_path) -> None:
    data = copy_of()
    shard = damage(data)
    out = tmp_path / "run"
    line = runs.bad("fit", "--data", data, "--out", out, *TINY)
    assert shard in line or str(data / shard) in line
    assert "another chunk, or damage; tersgen repair makes them again" in line
    # it saved no checkpoint, so the same folder can be used
    done = runs.good("fit", "--data", data, "--out", out, *TINY, "--on-damage", "repair")
    assert "1 damaged block rebuilt in memory; mend the dataset" in done.stderr
    assert f"tersgen repair {data}" in done.stderr
    whole = tmp_path / "whole"
    runs.good("fit", "--data", few, "--out", whole, *TINY)
    weights = "checkpoints/step-000000015/model.safetensors"
    assert (out / weights).read_bytes() == (whole / weights).read_bytes()
    assert "holds a run already" in runs.bad("fit", "--data", data, "--out", out, *TINY)
    line = runs.bad("evaluate", out, "--data", data, "--part", "train")
    assert shard in line or str(data / shard) in line
    done = runs.good("evaluate", out, "--data", data, "--part", "train", "--on-damage", "repair")
    assert "damaged block rebuilt in memory" in done.stderr


def test_a_dataset_that_was_replaced(runs, copied, other, copy_of, tmp_path) -> None:
    shutil.rmtree(copied / "checkpoints/step-000000045")
    data = copy_of()
    text = (copied / "config.json").read_text()
    table = json.loads(text)
    table["data"]["path"] = str(data)
    (copied / "config.json").write_text(json.dumps(table))
    runs.good("fit", "--resume", copied)  # it was only moved
    shutil.rmtree(copied / "checkpoints/step-000000045")
    shutil.rmtree(data)
    shutil.copytree(other, data)
    line = runs.bad("fit", "--resume", copied)
    assert "expected the dataset that the run was started with" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [("optim.lr", 0.5), ("engine.seed", 3), ("order.batch_size", 16), ("model.options.kernel", 3),
     ("engine.ema", 0), ("data.digest", "0" * 64)],
)  # fmt: skip
def test_a_configuration_that_was_changed(runs, copied, name, value) -> None:
    table = json.loads((copied / "config.json").read_text())
    *groups, last = name.split(".")
    inside = table
    for group in groups:
        inside = inside[group]
    inside[last] = value
    (copied / "config.json").write_text(json.dumps(table))
    line = runs.bad("fit", "--resume", copied)
    assert name in line or "expected the dataset that the run was started with" in line
    assert "start a new run" in line


def test_evaluation(runs, finished, copied, other, few, tmp_path) -> None:
    line = runs.bad("evaluate", finished, "--data", other)
    assert "expected only classes of the 3 trained on, got" in line
    assert "no such run" in runs.bad("evaluate", tmp_path / "none", "--data", few)
    line = runs.bad("evaluate", finished, "--data", few, "--part", "dev")
    assert "expected one of train, val, test, got 'dev'" in line
    for folder in (copied / "checkpoints").iterdir():
        (folder / "model.safetensors").write_bytes(b"")
    line = runs.bad("evaluate", copied, "--data", few)
    assert "expected a run with a whole checkpoint" in line
    for folder in (copied / "checkpoints").iterdir():
        table = json.loads((folder / "state.json").read_text())
        assert table["files"]


def test_prediction(runs, finished, tmp_path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("".join(f"{x} {x % 700}\n" for x in range(500, 3000, 10)))
    assert "short.txt" in runs.bad("predict", finished, short)
    done = runs.good("predict", finished, short, "--allow-extrapolation")
    assert "% of the model's axis was not measured\n" in done.stdout
    assert "no such file" in runs.bad("predict", finished, tmp_path / "none.txt")
    runs.bad("predict", finished, code=2)


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits addresses")
def test_too_little_memory(runs, few, tmp_path) -> None:
    """The batch size to try is found by trying: whoever follows the lines soon trains.

    It need not fit at once: how much a process takes before its first step is a matter of chance,
    of threads and of their heaps.
    """
    wide = [
        "fit",
        "--data",
        few,
        "--epochs",
        1,
        "--threads",
        1,
        "--set",
        "model.options.widths=[1024]",
    ]
    wide += ["--set", "model.options.pool=max", "--set", "model.options.stride=1"]
    size, sizes, done = 480, [], None
    while done is None or done.returncode:
        sizes.append(size)
        out = tmp_path / str(size)
        done = runs.run(*wide, "--batch-size", size, "--out", out, memory=3 << 27)
        if done.returncode:
            *_, line = done.stderr.strip().splitlines()
            found = re.fullmatch(
                rf"Error: batch size {size}: the model does not fit in memory with it; try "
                r"--batch-size (\d+), and optim.accumulate for the rest; no checkpoint .*",
                line,
            )
            assert found, line
            assert 0 < int(found[1]) <= size // 2
            size = int(found[1])
    assert len(sizes) > 1


def test_a_run_that_another_process_trains_is_left_alone(runs, copied) -> None:
    with BuilderLock(copied):
        line = runs.bad("fit", "--resume", copied)
    assert f"process {os.getpid()} on" in line
    assert "is writing it" in line


def test_without_torch_it_says_what_to_install(few, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; from ters_train.cli import main; "
        f"main(['fit', '--data', {str(few)!r}, '--out', {str(tmp_path / 'run')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "expected the package torch for ters-train" in done.stderr
    assert "pip install '.[train]'" in done.stderr


def test_a_configuration_of_another_program_is_left_alone(runs, few, tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"mine": 1}')
    line = runs.bad("fit", "--data", few, "--out", tmp_path, *TINY)
    assert "holds a run already" in line
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == '{"mine": 1}'
