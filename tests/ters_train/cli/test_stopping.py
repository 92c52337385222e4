"""Ctrl-C and SIGTERM: the step in hand is finished and saved, and the run goes on from it."""

import os
import signal
import subprocess
import sys

import pytest

from ters_train.engine.checkpoint import newest
from tersgen.cli.common.stopping import stop_after_step

TINY = ["--set", "model.options.widths=[4,8]", "--batch-size", 32, "--epochs", 3, "--ema", 0.5,
        "--lr", 0.02, "--checkpoint-steps", 4]  # fmt: skip
TRAIN = "ters_train.engine.trainer:Trainer.train"


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, 7), (signal.SIGINT, 15)],  # in an epoch, and at its end
)
def test_a_signal_saves_the_step(runs, few, finished, tmp_path, number, step) -> None:
    out = tmp_path / "run"
    done = runs.run("fit", "--data", few, "--out", out, *TINY, signal_at=(TRAIN, step, number))
    assert done.returncode == 128 + number
    *_, line = done.stderr.splitlines()
    assert line == (
        f"stopped by {number.name} at step {step}, which is saved; resume: "
        f"ters-train fit --resume {out}"
    )
    told = f"{number.name}: stopping and saving after this step; once more stops now"
    assert done.stderr.count(told) == 1
    assert newest(out)[0].state.position.step == step
    done = runs.good("fit", "--resume", out)
    assert f"resuming from step {step} of 45" in done.stderr
    for file in ("model", "optimiser", "average"):
        path = f"checkpoints/step-000000045/{file}.safetensors"
        assert (out / path).read_bytes() == (finished / path).read_bytes()


@pytest.fixture
def heard():
    """Let Ctrl-C be heard even where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_is_noted_and_told(heard, capfd) -> None:
    with stop_after_step() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT
        assert capfd.readouterr().err.startswith("SIGINT: stopping and saving after this step")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(number) -> None:
    code = (
        "import os, signal\nfrom tersgen.cli.common.stopping import stop_after_step\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with stop_after_step():\n"
        f"    os.kill(os.getpid(), {number})\n    print('goes on', flush=True)\n"
        f"    os.kill(os.getpid(), {number})\n    print('still goes on', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-number, "goes on\n")
    assert done.stderr.count("\n") == 1


def test_a_launcher_repeats_the_signal(heard, monkeypatch, capfd) -> None:
    """Its processes get Ctrl-C from the terminal, and then from the launcher."""
    monkeypatch.setenv("LOCAL_RANK", "0")
    with stop_after_step() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT
    assert capfd.readouterr().err.count("SIGINT") == 1


def test_one_process_speaks(heard, monkeypatch, capfd) -> None:
    monkeypatch.setenv("RANK", "1")
    with stop_after_step() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT
    assert capfd.readouterr().err == ""


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup, or in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_after_step() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal == 0
    finally:
        signal.signal(signal.SIGINT, before)
