"""Other libraries read the same values."""

import json
import shutil

import numpy as np
import pytest
import tensorstore
import xarray
import zarr

import tersgen
from tersgen.errors import DamagedDataError


def test_zarr_python_reads_the_same(built, dataset):
    group = zarr.open_group(built, mode="r")
    assert {name for name, _ in group.arrays()} >= {"spectra", "maps", "label", "raman_shift"}
    for name in dataset:
        array = group[name]
        assert array.dtype == dataset[name].dtype
        assert array[:].tobytes() == dataset[name][:].tobytes(), name
        assert array.metadata.dimension_names[0] == "sample"
    assert np.array_equal(group["raman_shift"][:], dataset.shift_cm1)


@pytest.mark.parametrize("group", ["/", "sticks", "params"])
def test_xarray_reads_the_same(built, dataset, group):
    with xarray.open_zarr(built, group=group) as data:
        for name, variable in data.data_vars.items():
            path = name if group == "/" else f"{group}/{name}"
            assert variable.values.tobytes() == dataset[path][:].tobytes(), path
            assert variable.attrs["units"] == dataset[path].spec.unit
        if group == "/":
            assert data.raman_shift.attrs["units"] == "cm^-1"
            assert data.label.attrs["classes"] == list(dataset.classes)


def test_xarray_reads_the_whole_tree(built):
    with xarray.open_datatree(built, engine="zarr") as tree:
        assert set(tree.children) == {"sticks", "params"}


def test_tensorstore_reads_the_same(built, dataset):
    for name in dataset:
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{built / name}/"}}
        values = tensorstore.open(spec, open=True).result().read().result()
        assert values.tobytes() == dataset[name][:].tobytes(), name


def test_stored_metadata_names_the_codecs(built):
    metadata = json.loads((built / "spectra" / "zarr.json").read_text())
    (sharding,) = metadata["codecs"]
    inner = sharding["configuration"]["codecs"]
    assert [codec["name"] for codec in inner] == ["bytes", "blosc", "crc32c"]
    assert inner[1]["configuration"]["shuffle"] == "bitshuffle"
    assert metadata["fill_value"] == "NaN"


def test_a_hole_cannot_pass_for_data(built, tmp_path):
    shutil.copytree(built, tmp_path / "holes.zarr")
    shutil.rmtree(tmp_path / "holes.zarr" / "spectra" / "c" / "0")
    (tmp_path / "holes.zarr" / "label" / "c" / "0").unlink()
    group = zarr.open_group(tmp_path / "holes.zarr", mode="r")
    assert np.isnan(group["spectra"][0]).all()
    assert group["label"][0] == -1
    with pytest.raises(DamagedDataError):
        tersgen.open(tmp_path / "holes.zarr")["spectra"][0]
