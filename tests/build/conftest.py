"""Workers of a Dask cluster that are really there, and recipes small enough to use them often."""

import logging

import pytest

from tersgen.build.executors.clusters import open_executor
from tersgen.build.executors.options import ClusterOptions
from tersgen.build.plan import make_plan


@pytest.fixture(scope="session")
def spectra_recipe(tiny_recipe, changed):
    """Return a recipe of spectra and labels alone: two small files for each shard."""
    return changed(tiny_recipe, fields={"tensors": False, "params": False, "maps": False,
                                        "sticks": False})  # fmt: skip


@pytest.fixture(scope="session")
def local_cluster():
    """Return a scheduler with two worker processes on this machine."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def dask_executor(local_cluster, spectra_recipe):
    """Return an executor that uses these workers, found by their scheduler's address."""
    options = ClusterOptions(scheduler=local_cluster.scheduler_address, threads=1, wait_s=60)
    with open_executor(options, make_plan(spectra_recipe, 1)) as (executor, _):
        yield executor
