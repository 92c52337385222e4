"""Training as jobs of a real SLURM: a process is killed, and the same command resumes."""

import json
import os
import signal
from pathlib import Path

import pytest

from tersgen.dataset.splits import make_split
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

pytest.importorskip("torch")
pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm" / "train.sh"
NODE = "tersgen2"
N_STEPS = 150
MODEL = ["--set", "model.options.widths=[4,8]", "--set", "model.options.norm=group", "--set",
         "model.options.dropout=0"]  # fmt: skip
OPTIONS = [*MODEL, "--batch-size", 32, "--epochs", N_STEPS // 15, "--checkpoint-steps", 10,
           "--patience", N_STEPS]  # fmt: skip
JOB = ["--ntasks-per-node", 1, "--cpus-per-task", 1, "--time", "10:00"]


def test_srun_starts_two_one_is_killed_and_torchrun_goes_on_with_one(
    slurm, tiny_recipe, tmp_path
) -> None:
    data, out = tmp_path / "data.zarr", tmp_path / "run"
    run(make_plan(tiny_recipe, 600), data)
    make_split(data, "default", SplitRule())

    def submit(n_hosts: int, **environment: str) -> str:
        command = ["sbatch", "--parsable", "--nodes", n_hosts, *JOB, SCRIPT, *OPTIONS]
        return slurm.good(*command, DATA=data, OUT=out, **environment).strip()

    job = submit(2)
    said = slurm.folder / f"slurm-{job}.out"
    slurm.wait_until(lambda: list(out.glob("checkpoints/step-*[0-9]")) or not slurm.jobs())
    listed = slurm.good("scontrol", "listpids", f"{job}.0", NODE).splitlines()
    (pid,) = [line.split()[0] for line in listed if line.split()[3] == "0"]
    os.kill(int(pid), signal.SIGKILL)
    slurm.wait_idle()
    assert f"srun: error: {NODE}: task 1: Killed" in said.read_text()
    assert "Error: process 0 of 2: another process ended, or did not answer" in said.read_text()
    kept = max(int(path.name[5:]) for path in out.glob("checkpoints/step-*[0-9]"))
    assert 0 < kept < N_STEPS

    job = submit(1, LAUNCHER="torchrun", MASTER_ADDR="127.0.0.1")
    slurm.wait_idle()
    assert (out / "report.html").exists(), (slurm.folder / f"slurm-{job}.out").read_text()
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries if entry["part"] == "train"] == [
        *range(1, N_STEPS + 1)
    ]
