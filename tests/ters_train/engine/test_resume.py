"""A run that is killed anywhere and resumed ends with the same weights, to the bit."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ters_train.engine.checkpoint import State, newest

COMMON = ["--batch-size", 32, "--epochs", 2, "--checkpoint-steps", 3]
RUNS = {
    "cnn": ["--model", "cnn", "--set", "model.options.widths=[4,8]", "--set",
            "model.options.dropout=0.3",
            "--ema", 0.9, "--set", "optim.accumulate=2", "--set", "transforms.spectrum_noise=0.05",
            "--set", "transforms.shift_bins=2", "--set", "transforms.roll_bins=1",
            "--set", "loss.label_smoothing=0.1"],
    "vit bf16": ["--model", "vit", "--set", "model.options.size=custom", "--set",
                 "model.options.width=16",
                 "--set", "model.options.depth=2", "--set", "model.options.heads=2", "--set",
                 "model.options.patch=2", "--set", "model.options.drop_path=0.5", "--set",
                 "model.options.dropout=0.2", "--set", "transforms.flip_rows=true", "--set",
                 "transforms.blur_px=1", "--tensor-loss", 0.1, "--amp", "bf16"],
    "fp16": ["--model", "cnn", "--set", "model.options.widths=[4,8]", "--amp", "fp16"],
}  # fmt: skip

WATCH = "ters_train.cli.watching:Watcher.epoch"
TRAIN = "ters_train.engine.trainer:Trainer.train"
SAVE_BEST = "ters_train.engine.run:Run.save_best"
LOG = "ters_train.reporting.logs:RunLog.append"
SAVE = "ters_train.engine.run:Run.save"
SCORE = "ters_train.engine.run:Run.score"


@pytest.fixture(scope="module")
def whole(runs, few, tmp_path_factory):
    """Return a function that returns a run of a kind that nothing disturbed."""
    done: dict[str, Path] = {}

    def run(kind: str) -> Path:
        if kind not in done:
            done[kind] = tmp_path_factory.mktemp("whole") / kind
            runs.good("fit", "--data", few, "--out", done[kind], *RUNS[kind], *COMMON)
        return done[kind]

    return run


def log_of(run: Path) -> list[dict]:
    """Return what was logged, without what depends on the clock."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for entry in entries:
        entry.pop("samples_per_s", None)
        entry.pop("waiting", None)
    return entries


def states_of(run: Path) -> list[State]:
    return [
        State.model_validate_json((folder / "state.json").read_text())
        for folder in sorted((run / "checkpoints").iterdir())
    ]


def assert_same(run: Path, wanted: Path) -> None:
    """Compare all that two runs left, but for their folders and the clock."""
    folders = sorted(path.name for path in (wanted / "checkpoints").iterdir())
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == folders
    for folder in folders:
        files = sorted((wanted / "checkpoints" / folder).glob("*.safetensors"))
        assert files
        for file in files:
            tensors = load_file(file)
            mine = load_file(run / "checkpoints" / folder / file.name)
            assert mine.keys() == tensors.keys()
            for name, value in tensors.items():
                np.testing.assert_array_equal(mine[name], value, err_msg=f"{folder} {name}")
    assert states_of(run) == states_of(wanted)
    assert log_of(run) == log_of(wanted)


CHAINS = {
    # kills at steps, between best and step, around the log: (function, call) in each process
    "cnn": [(TRAIN, 6), (SAVE_BEST, 1), (LOG, 4), (SAVE, 2), (TRAIN, 5), (SCORE, 1)],
    "vit bf16": [(TRAIN, 5), (TRAIN, 20)],
    "fp16": [(WATCH, 1), (TRAIN, 8)],
}
"""In epochs of 7 steps, or 15, at whose end a checkpoint by number of steps would be due too."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", RUNS)
def test_killed_again_and_again(runs, whole, few, tmp_path, kind) -> None:
    out = tmp_path / "run"
    start = ["fit", "--data", few, "--out", out, *RUNS[kind], *COMMON]
    steps = []
    for place, number in CHAINS[kind]:
        done = runs.run(*start, signal_at=(place, number, signal.SIGKILL))
        assert done.returncode == -signal.SIGKILL, done
        assert "Traceback" not in done.stderr
        start = ["fit", "--resume", out]
        found, _ = newest(out)
        steps.append(found.state.position.step if found else 0)
    assert steps == sorted(steps)
    assert len(set(steps)) > 1 or len(steps) == 1
    runs.good(*start)
    assert_same(out, whole(kind))


MOMENTS = (
    "open step-000000003.partial/optimiser",
    "os.rename step-000000003.partial",
    "open best-000000007.partial/state",
    "os.mkdir step-000000007.partial",  # between the best and the step
    "os.rename best-000000007.partial",  # the same again: the old one has been put aside
    "os.rmdir step-000000003",  # its files are gone already
)


def test_killed_while_checkpoints_are_written(runs, whole, few, tmp_path) -> None:
    wanted = whole("cnn")
    out = tmp_path / "run"
    start = ["fit", "--data", few, "--out", out, *RUNS["cnn"], *COMMON]
    for moment in MOMENTS:
        done = runs.run(*start, kill_at=("/run/checkpoints/", moment))
        assert done.returncode == -signal.SIGKILL, (moment, done)
        start = ["fit", "--resume", out]
    assert (out / "checkpoints/best-000000007").is_dir()
    assert not any((out / "checkpoints/step-000000003").iterdir())
    runs.good(*start)
    assert_same(out, wanted)
