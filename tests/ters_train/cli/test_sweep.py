"""A sweep: every trial is the run that ``fit`` makes; the same command goes on after a kill."""

import csv
import json
import signal

import pytest

TINY = ["--set", "model.options.widths=[[4,8]]", "--batch-size", 32, "--epochs", 1]
GRID = ["--set", "optim.lr=[1e-4,0.02]"]
TRAIN = "ters_train.engine.trainer:Trainer.train"
LAST = "checkpoints/step-000000015/model.safetensors"
NET = """
from torch import nn

class Scaled(nn.Module):
    def __init__(self, input_shape, n_classes, scale=1.0):
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(input_shape[0], n_classes)

    def forward(self, spectra):
        return self.linear(spectra) * self.scale * self.scale
"""


def table(out):
    with (out / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept(runs, few, tmp_path_factory):
    """Return a sweep that nothing disturbed, and what it printed."""
    out = tmp_path_factory.mktemp("swept") / "lr"
    return out, runs.good("sweep", "--data", few, "--out", out, *TINY, *GRID).stdout


def test_a_grid(runs, few, swept, tmp_path) -> None:
    out, printed = swept
    assert sorted(one.name for one in out.iterdir()) == [
        "sweep.csv", "sweep.json", "trial-000", "trial-001",
    ]  # fmt: skip
    rows = table(out)
    assert [row["optim.lr"] for row in rows] == ["0.0001", "0.02"]
    config = json.loads((out / "trial-001/config.json").read_text())
    assert config["optim"]["lr"] == 0.02
    assert config["model"]["options"]["widths"] == [4, 8]
    run = tmp_path / "run"
    widths = ["--set", "model.options.widths=[4,8]", *TINY[2:]]
    runs.good("fit", "--data", few, "--out", run, *widths, "--lr", 0.02)
    assert (out / "trial-001" / LAST).read_bytes() == (run / LAST).read_bytes()
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert float(rows[1]["score"]) == entries[-1]["macro_f1"]
    heading, best, worse, *_ = printed.splitlines()
    assert heading.split() == ["trial", "optim.lr", "score", "epoch", "time", "/", "s"]
    assert best.split()[:2] == ["1", "0.02"]
    assert worse.split()[:2] == ["0", "0.0001"]
    assert f"ters-train evaluate {out / 'trial-001'} --data {few}" in printed


def test_the_same_command_goes_on(runs, few, swept, tmp_path) -> None:
    out = tmp_path / "lr"
    words = ["sweep", "--data", few, "--out", out, *TINY, *GRID]
    stopped = runs.run(*words, signal_at=(TRAIN, 5, signal.SIGTERM))
    assert stopped.returncode == 143, stopped.stderr
    assert "in trial 0, at step 5, which is saved; repeat the command to go on" in stopped.stderr
    assert runs.run(*words, signal_at=(TRAIN, 20, signal.SIGKILL)).returncode == -signal.SIGKILL
    done = runs.good(*words)
    assert "trial 0:" not in done.stderr  # it had ended
    for name in ("trial-000", "trial-001"):
        assert (out / name / LAST).read_bytes() == (swept[0] / name / LAST).read_bytes()
    left = [[{**row, "seconds": ""} for row in table(one)] for one in (out, swept[0])]
    assert left[0] == left[1]
    before = (out / "sweep.json").read_bytes()
    again = runs.good(*words)
    assert again.stdout == done.stdout
    assert (out / "sweep.json").read_bytes() == before
    line = runs.bad(*words[:-1], "optim.lr=[1e-4,1e-2]", code=2)
    assert "optim.lr=[0.0001,0.02], got " in line
    assert line.endswith("optim.lr=[0.0001,0.01]; give another --out")
    line = runs.bad(*words, "--seed", 3, code=2)
    assert "trial-000: expected engine.seed as this trial was begun with" in line


def test_a_trial_that_fails_is_no_end(runs, few, tmp_path) -> None:
    (tmp_path / "net.py").write_text(NET)
    out = tmp_path / "scales"
    words = ["--model", "net:Scaled", "--set", "model.options.scale=[1e30,1.0]", *TINY[2:]]
    done = runs.good("sweep", "--data", few, "--out", out, *words, "--json", paths=[tmp_path])
    found = json.loads(done.stdout)
    assert found["best"] == 1
    failed, trained = found["trials"]
    assert "the loss is" in failed["error"]
    assert failed["score"] is None
    assert trained["score"] == trained["scores"]["macro_f1"]


def test_a_range_is_chosen_from_and_grows(runs, few, tmp_path) -> None:
    pytest.importorskip("optuna", reason="proposes values; install tersgen[sweep]")
    (tmp_path / "run.toml").write_text(
        f'[data]\npath = "{few}"\n[model.options]\nwidths = [4, 8]\n[optim]\nepochs = 1\n'
        "[order]\nbatch_size = 240\n"
    )
    out = tmp_path / "range"
    words = ["sweep", tmp_path / "run.toml", "--set", "optim.lr=1e-4..1e-1", "--out", out]
    runs.good(*words, "--trials", 1)
    first = table(out)
    runs.good(*words, "--trials", 2)
    rows = table(out)
    assert rows[0] == first[0]
    assert len({row["optim.lr"] for row in rows}) == len(rows) == 2
    assert all(1e-4 <= float(row["optim.lr"]) <= 1e-1 for row in rows)


BAD = {
    "nothing to try": ([], "expected values to try, such as --set 'optim.lr=[1e-4,1e-3]'"),
    "no values": (["--set", "optim.lr=[]"], "optim.lr: expected values to try, got an empty list"),
    "a value twice": (["--set", "optim.lr=[1e-3,0.001]"], "expected each value once, got 0.001"),
    "a setting twice": ([*GRID, *GRID], "expected optim.lr once"),
    "an option, too": ([*GRID, "--lr", 0.1], "optim.lr: expected it by --set only"),
    "trials of lists": ([*GRID, "--trials", 3], "--trials: all combinations of lists are trained"),
    "no range": (["--set", "optim.lr=1e-2..1e-4"], "expected LOW..HIGH with LOW < HIGH"),
    "impossible": (["--set", "optim.lr=[0.1,20]"], "optim.lr=20: run: optim.lr: expected"),
    "too wide": (["--set", "optim.lr=1e-2..20"], "optim.lr=20: run: optim.lr: expected"),
    "more than there are": (
        ["--set", "order.batch_size=[64,9999]"],
        "order.batch_size=9999: order.batch_size: expected at most 480, the rows of train",
    ),
    "no such field": (["--set", "optim.rate=[1,2]"], "rate: unknown field"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_tried(runs, few, tmp_path, name) -> None:
    arguments, text = BAD[name]
    line = runs.bad("sweep", "--data", few, "--out", tmp_path / "out", *arguments, code=2)
    assert text in line
    assert not (tmp_path / "out").exists()


def test_a_folder_of_others(runs, few, finished) -> None:
    line = runs.bad("sweep", "--data", few, "--out", finished, *GRID)
    assert "expected a new or empty folder" in line
