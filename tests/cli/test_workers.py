"""Builds by workers and jobs as a user types them, and the plan of a large one."""

import json
import os
import re

import pytest

import tersgen

SMALL = [
    *("--n", "1300", "--shard-rows", "256", "--library", "random:2", "--set", "grid.n_points=64"),
    *("--set", "lineshape.fwhm_cm1=150", "--set", "fields.maps=false"),
    *("--set", "fields.sticks=false", "--set", "fields.tensors=false"),
]


@pytest.fixture(scope="module")
def digest(quick_cli, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "a.zarr"
    return json.loads(quick_cli.good("build", *SMALL, "--out", out, "--json"))["digest"]


def test_workers_of_this_machine(tersgen_cli, quick_cli, tmp_path, digest):
    out = tmp_path / "a.zarr"
    done = tersgen_cli.run("build", *SMALL, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert f"digest {digest}" in done.stdout
    assert re.match(r"dashboard(: http://127\.0\.0\.1:\d+/status; from elsewhere: ssh -L| at http)",
                    done.stderr)  # fmt: skip
    assert len(done.stderr.splitlines()) == 1
    again = quick_cli.run("build", *SMALL, "--out", out, "--workers", 1)
    assert (again.returncode, again.stderr) == (0, "")
    assert "complete already, nothing to do" in again.stdout


@pytest.mark.exhaustive
def test_workers_extend_what_one_process_began(tersgen_cli, tmp_path, digest):
    out = tmp_path / "a.zarr"
    tersgen_cli.good("build", *SMALL, "--out", out, "--n", 700)
    done = tersgen_cli.run("extend", out, "--to", 1300, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "(512 kept, 788 made)" in done.stdout
    assert f"digest {digest}" in done.stdout
    assert "dashboard" in done.stderr
    line = tersgen_cli.bad("extend", out, "--n", 1, "--cores", 2, code=2)
    assert "--cores: expected --cluster too" in line


def test_a_job_array(quick_cli, tmp_path, digest):
    out = tmp_path / "a.zarr"
    said = quick_cli.good("build", *SMALL, "--out", out, "--shard-range", ":2")
    assert re.search(r"shards 0:2 are finished, 512 samples \(0 kept, 512 made\)", said)
    assert f"tersgen finalize {out}" in said
    assert "3 of 6 shards" not in quick_cli.good("info", "--build", out)
    assert "2 of 6 shards (33.3 %), 512 of 1300 samples" in quick_cli.good("info", "--build", out)
    seen = quick_cli.good("info", "--build", out)
    assert re.search(r"\n1 worker took part\nshards  s/shard  heard +worker\n +2 +-  \d\d:", seen)
    assert "(gone)" not in seen
    line = quick_cli.bad("finalize", out)
    assert re.search(r"expected all 6 shards, 4 missing: 2:6; make them with --shard-range", line)
    facts = json.loads(
        quick_cli.good("build", *SMALL, "--out", out, "--shard-range", "2:", "--json")
    )
    assert (facts["first"], facts["last"], facts["n_rows"], facts["n_kept"]) == (2, 6, 788, 0)
    assert "6 of 6 shards (100.0 %)" in quick_cli.good("info", "--build", out)
    assert f"digest {digest}" in quick_cli.good("finalize", out)
    assert tersgen.open(out).digest == digest
    assert "complete, 1300 samples; no build is under way" in quick_cli.good("info", "--build", out)


def test_info_of_a_build_as_json(quick_cli, tmp_path):
    quick_cli.good("build", *SMALL, "--out", tmp_path / "a.zarr", "--shard-range", "1:3")
    facts = json.loads(quick_cli.good("info", "--build", tmp_path / "a.zarr", "--json"))
    assert (facts["complete"], facts["n_shards"], facts["shards_done"]) == (False, 6, 2)
    assert (facts["rows"], facts["writers"]) == (512, [])
    assert facts["workers"][0]["n_shards"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://a:1", "--workers", "2"], "--scheduler: expected neither"),
        (["--cluster", "slurm"], "--cluster: expected --workers too"),
        (["--cores", "2"], "--cores: expected --cluster too"),
        (["--workers", "100000"], "--workers: expected workers x threads within the"),
        (["--shard-range", "0:2", "--workers", "1"], "--shard-range: expected none of --workers"),
        (["--shard-range", "0:2", "--overwrite"], "--shard-range: expected none of --workers"),
        (["--shard-range", "2"], "expected shards such as 0:500 or 500:, got '2'"),
        (["--shard-range", "6:9"], "--shard-range: expected shards from 0:6, got 6:9"),
        (["--script-only"], "--script-only: expected --cluster too"),
        (["--scheduler", "threads", "--workers", "2"], "--workers: expected none"),
        (["--cluster", "slrm", "--workers", "2"], "--cluster: expected a batch system; "),
        (["--scheduler", "localhost"], "expected an address such as tcp://host:8786"),
        (["--scheduler", "http://a:1/status"], "expected an address such as tcp://host:8786"),
        (["--cluster", "slurm", "--workers", "1", "--memory", "lots"], "expected one such as 8GB"),
        (["--cluster", "slurm", "--workers", "1", "--memory", "8"], "expected one such as 8GB"),
        (["--cluster", "slurm", "--workers", "1", "--walltime", "4h"], "such as 4:00:00, got '4h'"),
        (["--scheduler", "a", "--wait-workers", "0"], "expected seconds, more than 0, got '0'"),
    ],
)
def test_options_that_make_no_sense_are_refused(quick_cli, tmp_path, options, message):
    line = quick_cli.bad("build", *SMALL, "--out", tmp_path / "a.zarr", *options, code=2)
    assert message in line
    assert not list(tmp_path.iterdir())


def test_the_script_of_a_job_is_printed_and_nothing_done(quick_cli, tmp_path):
    said = quick_cli.good(
        "build", "--n", "1e9", *SMALL[2:], "--out", tmp_path / "a.zarr", "--cluster", "slurm",
        "--workers", 64, "--cores", 8, "--walltime", "4:00:00", "--partition", "main",
        "--script-only",
    )  # fmt: skip
    assert said.startswith("#!")
    assert "#SBATCH -p main" in said
    assert "#SBATCH --cpus-per-task=8" in said
    assert not list(tmp_path.iterdir())


def test_plan_of_a_large_build(quick_cli, tmp_path):
    options = ["plan", "--n", "1e9", *SMALL[2:], "--workers", 64, "--threads-per-worker", 8]
    said = quick_cli.good(*options)
    assert said.startswith("1000000000 samples: 3906250 shards of up to 256 rows")
    assert "64 workers of 8 threads" in said
    assert said.endswith("nothing was written\n")
    facts = json.loads(quick_cli.good(*options, "--json"))
    assert (facts["n_shards"], facts["workers"], facts["threads_per_worker"]) == (3906250, 64, 8)
    rate = 64 * 8 * facts["samples_per_s_per_thread"]
    assert facts["hours"] * 3600 * rate == pytest.approx(1e9)
    assert facts["bytes_per_s"] == pytest.approx(facts["bytes_stored"] / facts["hours"] / 3600)


def test_a_plan_says_when_workers_have_nothing_to_do(quick_cli):
    said = quick_cli.good("plan", *SMALL, "--workers", 64, "--threads-per-worker", 1)
    assert "only 6 have a shard to make" in said


def test_a_batch_system_that_is_not_there(quick_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = quick_cli.bad(
        "build", *SMALL, "--out", tmp_path / "a.zarr", "--cluster", "pbs", "--workers", 2
    )
    assert "--cluster pbs: expected its command qsub on this machine" in line


@pytest.mark.exhaustive
def test_jobs_that_a_batch_system_does_not_take(tersgen_cli, tmp_path):
    command = tmp_path / "bin" / "sbatch"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition: main' >&2\nexit 1\n")
    command.chmod(0o755)
    done = tersgen_cli.run(
        "build", *SMALL, "--out", tmp_path / "a.zarr", "--cluster", "slurm", "--workers", 2,
        "--partition", "main", PATH=f"{command.parent}:{os.environ['PATH']}",
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: --cluster slurm: the jobs were rejected: ")
    assert "invalid partition: main" in line
    assert not (tmp_path / "a.zarr").exists()
