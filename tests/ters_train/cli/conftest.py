"""Datasets that something is wrong with."""

from pathlib import Path

import pytest

import tersgen
from tersgen import Recipe
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of four species, without maps and without a split."""
    recipe = Recipe(
        seed=12,
        library=("random:4",),
        grid={"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 64},
        lineshape={"fwhm_cm1": 150.0},
        random={"n_modes": (3, 6)},
        fields={"maps": False},
    )
    path = tmp_path_factory.mktemp("other") / "other.zarr"
    run(make_plan(tersgen.resolve(recipe), 256, chunk_rows=32, shard_rows=256), path)
    return path
