from pathlib import Path

import pytest

import tersgen
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

# scripts, and what they import from beside them; test_damage_trials.py and others start them
collect_ignore_glob = ["damage_*.py", "newer_code.py"]


@pytest.fixture(scope="session")
def built(tiny_recipe, tmp_path_factory) -> Path:
    """A dataset of 1000 rows in two shards of 512 rows, chunks of 64."""
    out = tmp_path_factory.mktemp("built") / "tiny.zarr"
    run(make_plan(tiny_recipe, 1000, chunk_rows=64, shard_rows=512), out)
    return out


@pytest.fixture
def dataset(built) -> tersgen.Dataset:
    return tersgen.open(built)
