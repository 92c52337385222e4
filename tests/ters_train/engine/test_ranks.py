"""Two processes train as one does, and neither waits for a dead one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ters_train.engine.checkpoint import newest

# without a mask, which is 1 everywhere in these rows: its gradient is nothing but rounding
MODEL = ["--inputs", "raw", "--set", "model.options.mask=false", "--set",
         "model.options.widths=[4,8]", "--set", "model.options.norm=group", "--set",
         "model.options.dropout=0", "--set", "transforms.spectrum_noise=0.05"]  # fmt: skip
COMMON = ["--batch-size", 32, "--epochs", 2, "--checkpoint-steps", 4, "--ema", 0.5, "--set",
          "optim.accumulate=2", "--set", "optim.lr=0.01"]  # fmt: skip
GONE = "another process ended, or did not answer for 10 min ("
SAVE = "ters_train.engine.run:Run.save"


@pytest.fixture(scope="module")
def alone(runs, few, tmp_path_factory):
    """Return a run of one process, and the rows of its steps."""
    folder = tmp_path_factory.mktemp("alone")
    arguments = ["--data", few, "--out", folder / "run", *MODEL, *COMMON]
    runs.good("fit", *arguments, rows=folder / "rows")
    return folder / "run", rows_of(folder / "rows")


@pytest.fixture(scope="module")
def pair(runs, few, tmp_path_factory):
    """Return a run of two processes, and the rows of its steps in each."""
    folder = tmp_path_factory.mktemp("pair")
    arguments = ["--data", few, "--out", folder / "run", *MODEL, *COMMON]
    hows = [{"rows": folder / "0"}, {"rows": folder / "1"}]
    for done in runs.group(2, "fit", *arguments, hows=hows):
        assert done.returncode == 0, done.stderr
    return folder / "run", rows_of(folder / "0"), rows_of(folder / "1")


def rows_of(path: Path) -> dict[int, list[list[int]]]:
    """Return the rows of the batches of each step."""
    return dict(json.loads(line) for line in path.read_text().splitlines())


def losses_of(run: Path) -> list[tuple[int, float]]:
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(entry["step"], entry["loss"]) for entry in entries]


def assert_close(run: Path, other: Path) -> None:
    for file in ("model", "average"):
        tensors, wanted = (newest(one)[0].tensors[file] for one in (run, other))
        assert tensors.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(tensors[name], value, rtol=2e-3, atol=2e-4, err_msg=name)
    steps, losses = zip(*losses_of(run), strict=True)
    wanted_steps, wanted_losses = zip(*losses_of(other), strict=True)
    assert steps == wanted_steps
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-4)


def test_two_processes_share_the_batches_of_one(alone, pair) -> None:
    _, rows = alone
    _, first, second = pair
    assert len(rows) == 14
    assert first.keys() == second.keys() == rows.keys()
    for step, batches in rows.items():
        joined = [a + b for a, b in zip(first[step], second[step], strict=True)]
        assert joined == batches
        assert [len(batch) for batch in first[step]] == [16, 16]


def test_two_processes_learn_what_one_does(alone, pair) -> None:
    assert_close(pair[0], alone[0])


@pytest.mark.parametrize("counts", [(1, 2), (2, 1)])
def test_the_number_of_processes_may_change(runs, alone, few, tmp_path, counts) -> None:
    out = tmp_path / "run"
    arguments = ["fit", "--data", few, "--out", out, *MODEL, *COMMON]
    for n in counts:
        how = {"signal_at": (SAVE, 2, signal.SIGKILL)} if n == counts[0] else {}
        rows = [tmp_path / f"{n}-{rank}" for rank in range(n)]
        hows = [{"rows": path, **how} for path in rows]
        ends = runs.group(n, *arguments, hows=hows)
        wanted = -signal.SIGKILL if how else 0
        assert [done.returncode for done in ends] == [wanted] * n, ends
        arguments = ["fit", "--resume", out]
    first = min(rows_of(tmp_path / f"{counts[1]}-0"))
    assert first == 4
    assert_close(out, alone[0])


def test_one_that_is_killed_ends_the_other(runs, few, tmp_path) -> None:
    arguments = ["fit", "--data", few, "--out", tmp_path / "run", *MODEL, *COMMON]
    kill = {"signal_at": ("ters_train.engine.trainer:Trainer.train", 6, signal.SIGKILL)}
    start = time.monotonic()
    left, killed = runs.group(2, *arguments, hows=[{}, kill])
    assert killed.returncode == -signal.SIGKILL
    assert left.returncode == 1
    *_, line = left.stderr.splitlines()
    assert line.startswith(f"Error: process 0 of 2: {GONE}")
    assert line.endswith("continue with --resume, with any number of processes")
    assert "Traceback" not in left.stderr
    assert time.monotonic() - start < 120
    assert newest(tmp_path / "run")[0].state.position.step == 4


def test_a_signal_to_one_stops_both(runs, few, tmp_path, pair) -> None:
    out = tmp_path / "run"
    arguments = ["fit", "--data", few, "--out", out, *MODEL, *COMMON]
    stop = {"signal_at": ("ters_train.engine.trainer:Trainer.train", 6, signal.SIGTERM)}
    first, second = runs.group(2, *arguments, hows=[{}, stop])
    assert (first.returncode, second.returncode) == (143, 0), (first, second)
    assert newest(out)[0].state.position.step == 6
    for done in runs.group(2, "fit", "--resume", out):
        assert done.returncode == 0, done
    for file in ("model", "optimiser", "average"):
        path = f"checkpoints/step-000000014/{file}.safetensors"
        assert (out / path).read_bytes() == (pair[0] / path).read_bytes()


def test_a_first_process_that_cannot_write_ends_the_other(runs, few, pair, tmp_path) -> None:
    arguments = ["fit", "--data", few, "--out", tmp_path / "run", *MODEL, *COMMON]
    largest = pair[0] / "checkpoints/step-000000014/optimiser.safetensors"
    limit = {"file_bytes": largest.stat().st_size - 1}
    first, second = runs.group(2, *arguments, hows=[limit, {}])
    assert (first.returncode, second.returncode) == (1, 1), (first, second)
    assert "cannot be written: File too large" in first.stderr
    *_, line = second.stderr.splitlines()
    assert line.startswith(f"Error: process 1 of 2: {GONE}")
    assert "Traceback" not in first.stderr + second.stderr


def test_scores_are_of_the_weights_that_are_saved(runs, few, tmp_path) -> None:
    """Each process has gathered statistics of its own: those of the first are what is scored."""
    out = tmp_path / "run"
    options = ["--set", "model.options.widths=[4,8]", "--ema", 0.9, "--batch-size", 32]
    arguments = ["fit", "--data", few, "--out", out, *options, "--epochs", 1, "--lr", 0.02]
    for done in runs.group(2, *arguments):
        assert done.returncode == 0, done
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    (entry,) = [entry for entry in log if entry["part"] == "val"]
    found = json.loads(runs.good("evaluate", out, "--data", few, "--part", "val", "--json").stdout)
    assert found["macro_f1"] == entry["macro_f1"]
    np.testing.assert_allclose(found["loss"], entry["loss"], rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2])
def test_evaluation_counts_every_row_once(runs, few, alone, tmp_path, n) -> None:
    """60 rows in batches of 14: the last has 4, and a batch size of 7 is rounded up for two."""
    run, _ = alone
    scores, misread = {}, {}
    for size in (14, 7) if n > 1 else (59,):
        out = tmp_path / str(size)
        ends = runs.group(n, "evaluate", run, "--data", few, "--batch-size", size, "--out", out)
        assert [done.returncode for done in ends] == [0] * n, ends
        scores[size] = json.loads((out / "confusion.json").read_text())["confusion"]
        misread[size] = {
            row["row"] for row in json.loads((out / "misread.json").read_text())["rows"]
        }
    reference = runs.good("evaluate", run, "--data", few, "--json", "--out", tmp_path / "json")
    wanted = json.loads(reference.stdout)
    assert [sum(row) for row in wanted["confusion"]] == [20, 20, 20]
    assert scores == dict.fromkeys(scores, wanted["confusion"])
    listed = {row["row"] for row in wanted["misread"]}
    assert all(rows == listed for rows in misread.values())


def runs_still(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_torchrun(few, tmp_path) -> None:
    """Started as a user does; killing one process ends all, with a status that says so."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", "-m", "ters_train", "fit", "--data", few, "--out", out,
               *MODEL, *COMMON, "--epochs", 1000]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        (tmp_path / "err").open("w") as err,
        subprocess.Popen(
            [*map(str, command)], stdout=subprocess.DEVNULL, stderr=err, env=environment
        ) as launcher,
    ):
        end = time.monotonic() + 120
        while not list((out / "checkpoints").glob("step-*[0-9]")) and time.monotonic() < end:
            assert launcher.poll() is None, (tmp_path / "err").read_text()
            time.sleep(0.05)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        trainers = [
            pid for pid in children if b"ters_train" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert len(trainers) == 2
        os.kill(int(trainers[1]), signal.SIGKILL)
        assert launcher.wait(60) not in (0, None)
    report = (tmp_path / "err").read_text()
    assert f"exitcode  : -9 (pid: {trainers[1]})" in report  # torchrun says which one was killed
    assert not any(map(runs_still, trainers))
    assert newest(out)[0].state.position.step >= 4
