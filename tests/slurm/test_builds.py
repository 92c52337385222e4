"""Builds by jobs of a real SLURM, one of which is cancelled: the dataset of one process."""

import subprocess
from pathlib import Path

import pytest

import tersgen
from tersgen.dataset.recipes import load_recipe
from tersgen.dataset.verify import verify
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.store.journal import read_journal

pytestmark = pytest.mark.slurm

EXAMPLES = Path(__file__).parents[2] / "examples" / "slurm"
N_JOBS = 2
N_SHARDS = 32 * N_JOBS
SHARD_ROWS = 512
N_SAMPLES = N_SHARDS * SHARD_ROWS - 100
RECIPE = """
seed = 3
library = ["random:3"]
[grid]
start_cm1 = 100.0
stop_cm1 = 4000.0
n_points = 256
[lineshape]
fwhm_cm1 = 150.0
[random]
n_modes = [1000, 1000]
[fields]
maps = false
params = false
sticks = false
tensors = false
"""
"""Rows that take long for their bytes: a job can be cancelled while it makes some."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def digest(recipe, tmp_path_factory) -> str:
    """Return the digest of the dataset that this process makes."""
    plan = make_plan(tersgen.resolve(load_recipe(recipe)), N_SAMPLES, shard_rows=SHARD_ROWS)
    assert plan.n_shards == N_SHARDS
    return run(plan, tmp_path_factory.mktemp("alone") / "a.zarr").manifest.digest


def n_finished(folder: Path) -> int:
    return len(read_journal(folder).records) if folder.is_dir() else 0


def cancel(slurm, name: str) -> None:
    slurm.good("scancel", name)
    slurm.wait_until(lambda: name in {job.name for job in slurm.jobs("CANCELLED")})


def assert_same(path: Path, digest: str) -> None:
    dataset = tersgen.open(path)
    assert dataset.manifest is not None
    assert dataset.manifest.digest == digest
    assert verify(path).sound


def test_an_array_of_jobs_makes_the_dataset_of_one_process(slurm, recipe, digest, tmp_path) -> None:
    out = tmp_path / "data.zarr"
    command = ["bash", EXAMPLES / "build_array.sh", "--config", recipe, "--shard-rows", SHARD_ROWS]
    given = {"N": N_SAMPLES, "OUT": out, "JOBS": N_JOBS, "CORES": 1, "WALLTIME": "10:00"}

    said = slurm.good(*command, **given)
    array = min(slurm.jobs(), key=lambda job: int(job.name.partition("_")[0])).name.split("_")[0]
    assert "Submitted batch job" in said
    part = out / "ranges" / f"{N_SHARDS // N_JOBS}-{2 * N_SHARDS // N_JOBS}"
    slurm.wait_until(lambda: n_finished(part))
    assert "jobs are making it; wait for them" in slurm.run(*command, **given).stderr
    cancel(slurm, f"{array}_1")
    slurm.wait_idle()
    assert 0 < n_finished(part) < N_SHARDS // N_JOBS, slurm.told()
    lost = slurm.run("tersgen", "finalize", out)
    assert lost.returncode == 1
    assert f"expected all {N_SHARDS} shards" in lost.stderr
    assert f":{2 * N_SHARDS // N_JOBS}; make them with --shard-range" in lost.stderr

    slurm.good(*command, **given)
    slurm.wait_idle()
    assert_same(out, digest)


def test_dask_workers_that_are_jobs_make_the_dataset_of_one_process(
    slurm, recipe, digest, tmp_path
) -> None:
    out = tmp_path / "data.zarr"
    command = ["bash", EXAMPLES / "build_dask.sh", "--config", recipe, "--shard-rows", SHARD_ROWS,
               "--wait-workers", 60]  # fmt: skip
    given = {"N": N_SAMPLES, "OUT": out, "WORKERS": 2, "CORES": 1, "WALLTIME": "10:00"}

    with slurm.begin(*command, **given) as build:
        slurm.wait_until(lambda: n_finished(out) or build.poll() is not None)
        running = [job.name for job in slurm.jobs() if job.state == "RUNNING"]
        assert running, build.communicate()
        assert n_finished(out) < N_SHARDS
        cancel(slurm, running[0])
        try:
            said, told = build.communicate(timeout=slurm.WAIT_S)
        except subprocess.TimeoutExpired:
            build.kill()
            pytest.fail(f"the build hangs\n{slurm.told()}")
    assert build.returncode == 0, told
    assert digest in said
    assert_same(out, digest)
    slurm.wait_idle()
