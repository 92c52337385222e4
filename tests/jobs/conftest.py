"""Workers of a Dask cluster that are really there, and recipes small enough to use them often."""

import logging
import os
import subprocess
from pathlib import Path

import pytest

from tersgen.jobs.executors.interface import open_executor
from tersgen.jobs.executors.options import ClusterOptions
from tersgen.jobs.plan import make_plan


@pytest.fixture(scope="session")
def spectra_recipe(tiny_recipe, changed):
    """Return a recipe of spectra, fixed-point, and labels alone: two small files for each shard."""
    return changed(tiny_recipe, fields={"tensors": False, "params": False, "maps": False,
                                        "sticks": False, "precision": "uint8"})  # fmt: skip


@pytest.fixture(scope="session")
def local_cluster():
    """Return a scheduler with two worker processes on this machine."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def dask_executor(local_cluster, spectra_recipe):
    """Return an executor that uses these workers, found by their scheduler's address."""
    options = ClusterOptions(scheduler=local_cluster.scheduler_address, threads=1, wait_s=60)
    with open_executor(options, make_plan(spectra_recipe, 1)) as (executor, _):
        yield executor


@pytest.fixture
def disk(tmp_path):
    """Return a small disk that is really mounted, and a function that sets its size in MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}m", place], check=True)

    yield place, resize
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def fill():
    """Return a function that fills a disk, but for some bytes."""

    def fill_disk(place: Path, leave: int = 0) -> None:
        with (place / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    return fill_disk
