"""Other libraries read the same values."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore
import xarray
import zarr

import tersgen
from tersgen.errors import DamagedDataError
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "read_without_tersgen.py"


def grow(path: Path, n_total: int) -> None:
    extension = plan_extension(path, None, n_total)
    extend(extension.location, extension.plan)


@pytest.fixture(scope="module")
def grown(tiny_recipe, tmp_path_factory) -> Path:
    """A folder with ``d.zarr`` and ``d.h5``: 600 rows, extended to 1100 in shards of 512."""
    folder = tmp_path_factory.mktemp("grown")
    for name, back_end in (("d.zarr", "zarr"), ("d.h5", "hdf5")):
        run(make_plan(tiny_recipe, 600, back_end, chunk_rows=64, shard_rows=512), folder / name)
        grow(folder / name, 1100)
    return folder


@pytest.fixture(params=["built", "grown"])
def stored(request) -> Path:
    """A Zarr dataset as it was built, and one that has grown."""
    path = request.getfixturevalue(request.param)
    return path / "d.zarr" if request.param == "grown" else path


@pytest.fixture
def dataset(stored) -> tersgen.Dataset:
    return tersgen.open(stored)


def test_zarr_python_reads_the_same(stored, dataset):
    group = zarr.open_group(stored, mode="r")
    assert {name for name, _ in group.arrays()} >= {"spectra", "maps", "label", "raman_shift"}
    for name in dataset.fields:
        array = group[name]
        assert array.dtype == dataset[name].dtype
        assert array.shape == dataset[name].shape
        assert array[:].tobytes() == dataset[name][:].tobytes(), name
        assert array.metadata.dimension_names[0] == "sample"
    assert np.array_equal(group["raman_shift"][:], dataset.shift_cm1)


@pytest.mark.parametrize("group", ["/", "sticks", "params"])
def test_xarray_reads_the_same(stored, dataset, group):
    with xarray.open_zarr(stored, group=group) as data:
        assert data.sizes["sample"] == dataset.n_samples
        for name, variable in data.data_vars.items():
            path = name if group == "/" else f"{group}/{name}"
            assert variable.values.tobytes() == dataset[path][:].tobytes(), path
            assert variable.attrs["units"] == dataset[path].spec.unit
        if group == "/":
            assert data.raman_shift.attrs["units"] == "cm^-1"
            assert data.label.attrs["classes"] == list(dataset.classes)


def test_xarray_reads_the_whole_tree(stored):
    with xarray.open_datatree(stored, engine="zarr") as tree:
        assert set(tree.children) == {"sticks", "params"}


def test_tensorstore_reads_the_same(stored, dataset):
    for name in dataset.fields:
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{stored / name}/"}}
        values = tensorstore.open(spec, open=True).result().read().result()
        assert values.shape == dataset[name].shape
        assert values.tobytes() == dataset[name][:].tobytes(), name


def test_stored_metadata_names_the_codecs(built):
    metadata = json.loads((built / "spectra" / "zarr.json").read_text())
    (sharding,) = metadata["codecs"]
    inner = sharding["configuration"]["codecs"]
    assert [codec["name"] for codec in inner] == ["bytes", "blosc", "crc32c"]
    assert inner[1]["configuration"]["shuffle"] == "bitshuffle"
    assert metadata["fill_value"] == "NaN"
    assert metadata["chunk_key_encoding"]["configuration"] == {"separator": "."}


def test_a_hole_cannot_pass_for_data(built, tmp_path):
    shutil.copytree(built, tmp_path / "holes.zarr")
    (tmp_path / "holes.zarr" / "spectra" / "c.0.0").unlink()
    (tmp_path / "holes.zarr" / "label" / "c.0").unlink()
    group = zarr.open_group(tmp_path / "holes.zarr", mode="r")
    assert np.isnan(group["spectra"][0]).all()
    assert group["label"][0] == -1
    with pytest.raises(DamagedDataError):
        tersgen.open(tmp_path / "holes.zarr")["spectra"][0]


def test_a_reader_that_is_open_while_the_dataset_grows_reads_its_rows(tiny_recipe, tmp_path):
    path = tmp_path / "d.zarr"
    run(make_plan(tiny_recipe, 300, chunk_rows=64, shard_rows=256), path)
    before = tersgen.open(path)
    group = zarr.open_group(path, mode="r")
    spectra = group["spectra"][:].tobytes()
    grow(path, 600)
    assert group["spectra"][:].tobytes() == spectra == before["spectra"][:].tobytes()
    assert zarr.open_group(path, mode="r")["spectra"].shape[0] == 600


@pytest.fixture(scope="module", params=["uint8", "uint12"])
def fixed_point(request, tiny_recipe, changed, tmp_path_factory) -> Path:
    """A folder with ``d.zarr`` and ``d.h5`` of fixed-point spectra and maps."""
    folder = tmp_path_factory.mktemp("fixed")
    recipe = changed(tiny_recipe, fields={"precision": request.param, "scale": "symmetric"})
    for name, back_end in (("d.zarr", "zarr"), ("d.h5", "hdf5")):
        run(make_plan(recipe, 300, back_end, chunk_rows=64, shard_rows=256), folder / name)
    return folder


def test_fixed_point_arrays_are_decoded_by_xarray(fixed_point):
    dataset = tersgen.open(fixed_point / "d.zarr")
    with xarray.open_zarr(fixed_point / "d.zarr") as data:
        for name in ("spectra", "maps"):
            values = data[name].values.astype(np.float32)
            assert values.tobytes() == dataset[name][:].tobytes(), name
    (fixed_point / "d.zarr" / "maps" / "c.1.0.0.0").rename(fixed_point / "aside")
    try:
        with xarray.open_zarr(fixed_point / "d.zarr") as data:
            assert np.isnan(data.maps[256:].values).all()
    finally:
        (fixed_point / "aside").rename(fixed_point / "d.zarr" / "maps" / "c.1.0.0.0")


def test_fixed_point_arrays_are_decoded_by_their_attributes(fixed_point):
    dataset = tersgen.open(fixed_point / "d.zarr")
    group = zarr.open_group(fixed_point / "d.zarr", mode="r")
    with h5py.File(fixed_point / "d.h5", "r") as file:
        for name in ("spectra", "maps"):
            url = f"{fixed_point / 'd.zarr' / name}/"
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": url}}
            by_tensorstore = tensorstore.open(spec, open=True).result().read().result()
            assert by_tensorstore.tobytes() == group[name][:].tobytes()
            for array in (group[name], file[name]):
                stored, known = array[:], array.attrs
                assert stored.dtype == dataset[name].spec.dtype
                values = stored * np.float64(known["scale_factor"]) + known["add_offset"]
                assert values.astype(np.float32).tobytes() == dataset[name][:].tobytes()
                assert known["_FillValue"] == dataset[name].spec.fixed_point.missing
            assert file[name].fillvalue == group[name].fill_value == known["_FillValue"]


def same_as_plain_hdf5(index: Path | str, dataset: tersgen.Dataset) -> None:
    with h5py.File(index, "r") as file:
        for name in dataset.fields:
            assert file[name].is_virtual
            assert file[name].shape == dataset[name].shape
            assert file[name][:].tobytes() == dataset[name][:].tobytes(), name
            assert file[name].attrs["units"].decode() == dataset[name].spec.unit
        assert np.array_equal(file["raman_shift"][:], dataset.shift_cm1)
        assert [name.decode() for name in file["label"].attrs["classes"]] == list(dataset.classes)


def test_plain_h5py_reads_the_newest_version(grown):
    dataset = tersgen.open(grown / "d.h5")
    assert dataset.n_samples == 1100
    same_as_plain_hdf5(grown / "d.h5", dataset)


def test_both_back_ends_hold_the_same(grown):
    zarr_one, hdf5_one = (tersgen.open(grown / name) for name in ("d.zarr", "d.h5"))
    assert zarr_one.manifest.digest == hdf5_one.manifest.digest
    assert zarr_one.manifest.arrays == hdf5_one.manifest.arrays


def test_the_index_works_from_another_folder(grown, tmp_path, monkeypatch):
    dataset = tersgen.open(grown / "d.h5")
    monkeypatch.chdir(tmp_path)
    same_as_plain_hdf5(grown / "d.h5", dataset)
    monkeypatch.chdir(grown.parent)
    same_as_plain_hdf5(f"{grown.name}/d.h5", dataset)


def test_index_and_shards_can_be_moved_together(grown, tmp_path, monkeypatch):
    place = tmp_path / "elsewhere"
    place.mkdir()
    shutil.copy(grown / "d.h5", place)
    shutil.copytree(grown / "d.h5.d", place / "d.h5.d")
    moved = place.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    same_as_plain_hdf5(moved / "d.h5", tersgen.open(moved / "d.h5"))


def test_a_shard_of_hdf5_is_read_by_itself(grown):
    dataset = tersgen.open(grown / "d.h5")
    with h5py.File(grown / "d.h5.d" / "shards" / "000001.h5", "r") as file:
        assert file["maps"][:].tobytes() == dataset["maps"][512:1024].tobytes()


def run_example(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLE), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_reader_written_from_the_specification_agrees(stored, grown):
    done = run_example(stored, grown / "d.h5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(tersgen.open(stored).manifest.digest) >= 1
    assert tersgen.open(grown / "d.h5").manifest.digest in done.stdout
    first = tersgen.open(grown / "d.h5").manifest.parent
    assert f"version {first[:12]}, 600 rows, sound" in done.stdout


@pytest.mark.parametrize(
    "inside", ["d.zarr/maps/c.0.0.0.0", "d.zarr/params/width/c.1", "d.h5.d/shards/000000.h5"]
)
def test_the_reader_written_from_the_specification_sees_damage(grown, tmp_path, inside):
    shutil.copytree(grown, tmp_path / "copy")
    path = tmp_path / "copy" / inside
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)
    done = run_example(tmp_path / "copy" / inside.split("/")[0].removesuffix(".d"))
    assert done.returncode != 0
    assert "sound" not in done.stdout
    assert "refused" in done.stderr or "OSError" in done.stderr  # HDF5 has its own error


def test_the_reader_written_from_the_specification_sees_lost_chunks(grown, tmp_path):
    shutil.copytree(grown, tmp_path / "copy")
    path = tmp_path / "copy" / "d.h5.d" / "shards" / "000000.h5"
    with h5py.File(path) as file:
        chunk = file["label"].id.get_chunk_info_by_coord((64,))
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset)
        opened.write(bytes(chunk.size))
    with h5py.File(tmp_path / "copy" / "d.h5") as index:
        assert not index["label"][64:128].any()  # HDF5 itself notices nothing
    done = run_example(tmp_path / "copy" / "d.h5")
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert "CRC32C" in done.stderr


def test_the_reader_written_from_the_specification_decodes(fixed_point):
    done = run_example(fixed_point / "d.zarr", fixed_point / "d.h5")
    assert done.returncode == 0, done.stderr
    dataset = tersgen.open(fixed_point / "d.zarr")
    assert done.stdout.count(dataset.manifest.digest) == 2
    first = dataset["spectra"][0].astype(float)[:4].tolist()
    assert done.stdout.count(f"spectra (64,) float32: {first}") == 2
