"""What is shown of a run where there is no terminal."""

import pytest
import torch

from ters_train.cli.watching import Watcher
from ters_train.engine.checkpoint import Position
from ters_train.engine.optimiser import slowdown
from tersgen.cli.common.stopping import Stop

TINY = [
    "--set",
    "model.options.widths=[4,8]",
    "--set",
    "model.options.norm=group",
    "--batch-size",
    32,
]


def test_a_run_says_what_it_does(runs, few, tmp_path) -> None:
    out = tmp_path / "run"
    done = runs.good("fit", "--data", few, "--out", out, *TINY, "--epochs", 2)
    first, *others = done.stderr.splitlines()
    start = f"{out}: spectrum to 3 classes, the rows of {few}: 480 of train, 60 of val; "
    assert first.startswith(start)
    assert first.endswith(" parameters on cpu; 2 epochs of 15 steps")
    assert [line.partition(":")[0] for line in others] == ["forecast", "epoch 1", "epoch 2"]
    again = tmp_path / "again"
    done = runs.good("fit", "--data", few, "--out", again, *TINY, "--epochs", 1, "--quiet")
    assert done.stderr == ""


def test_steps_are_told_after_some_time(capsys) -> None:
    position = Position(step=10, epoch=1, batch=2)
    seldom, often = Watcher(Stop()), Watcher(Stop(), every_s=0.0)
    for watcher in (seldom, often):
        watcher.begin("about", 20, position, ["a note"])
        lines = capsys.readouterr().err.splitlines()
        assert lines == ["about", "Note: a note", "resuming from step 10 of 20"]
    assert often.is_due
    assert not seldom.is_due
    for watcher in (seldom, often):
        watcher.step(15, 0.25, 1000.0, 0.02)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("15 of 20 steps, ")
    assert " steps/s, loss 0.25, 1000 samples/s, 2% waiting for data, " in line
    for watcher in (seldom, often):
        watcher.score(3, 40)
    assert capsys.readouterr().err == "scoring: batch 3 of 40\n"
    quiet = Watcher(Stop(), quiet=True, every_s=0.0)
    quiet.begin("about", 20, Position(), ["a note"])
    quiet.score(3, 40)
    assert not quiet.is_due
    assert capsys.readouterr().err == "Note: a note\n"


def test_a_slow_precision_is_told_once(runs, few, tmp_path) -> None:
    if slowdown("fp16", torch.device("cpu")) is None:
        pytest.skip("this processor is quick in float16")
    options = [*TINY, "--epochs", 2, "--amp", "fp16"]
    done = runs.good("fit", "--data", few, "--out", tmp_path / "run", *options)
    notes = [line for line in done.stderr.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("Note: --amp fp16: on this CPU its layers take about ")
