import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.jobs.convert import convert
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule


@pytest.fixture(scope="package")
def stored(tiny_recipe, changed, tmp_path_factory):
    """Paths of a dataset of 3000 rows with a split, in both back ends, and not compressed.

    And of one with fixed-point fields.
    """
    folder = tmp_path_factory.mktemp("stored")
    run(make_plan(tiny_recipe, 3000, chunk_rows=64, shard_rows=512), folder / "a.zarr")
    make_split(folder / "a.zarr", "default", SplitRule())
    convert(folder / "a.zarr", folder / "a.h5", "hdf5")
    convert(folder / "a.zarr", folder / "plain.zarr", "zarr", compression="none")
    fixed = changed(tiny_recipe, fields={"precision": "uint8"})
    run(make_plan(fixed, 400, chunk_rows=64, shard_rows=256), folder / "fixed.zarr")
    return {
        "fixed point": folder / "fixed.zarr",
        "zarr": folder / "a.zarr",
        "hdf5": folder / "a.h5",
        "plain zarr": folder / "plain.zarr",
    }


@pytest.fixture(scope="package")
def dataset(stored) -> tersgen.Dataset:
    return tersgen.open(stored["zarr"])
