"""One dataset, two back ends, one digest."""

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.dataset.diff import compare
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import give_tag, locate
from tersgen.errors import ConfigError, DamagedDataError, OutputError
from tersgen.jobs.convert import convert
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

FORMATS = {"zarr": "zarr", "hdf5": "h5"}


@given(
    n=st.integers(1, 900),
    there=st.sampled_from(["zarr", "hdf5"]),
    back=st.sampled_from(["zarr", "hdf5"]),
    rows=st.sampled_from([(64, 256), (256, 512), (512, 1024), (1, 256)]),
    packed=st.sampled_from(["lz4", "none"]),
    precision=st.sampled_from(["float16", "uint8", "uint12"]),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_and_back_is_the_same(
    tiny_recipe, changed, tmp_path_factory, n, there, back, rows, packed, precision
):
    folder = tmp_path_factory.mktemp("convert")
    first, second, third = folder / "a.zarr", folder / f"b.{FORMATS[there]}", folder / "c"
    recipe = changed(tiny_recipe, fields={"precision": precision})
    plan = make_plan(recipe, n, chunk_rows=64, shard_rows=512, compression=packed)
    manifest = run(plan, first).manifest
    assert convert(first, second, there, *rows).manifest.digest == manifest.digest
    again = convert(second, third, back, 64, 512, packed if back == "zarr" else None).manifest
    assert again.digest == manifest.digest
    if back == "zarr":
        for path in first.rglob("c.*"):
            assert (third / path.relative_to(first)).read_bytes() == path.read_bytes()


def make(path, recipe):
    run(make_plan(recipe, 600, chunk_rows=64, shard_rows=256), path)
    give_tag(locate(path), "bare", None)
    make_split(path, "default", SplitRule(seed=1))


@pytest.fixture
def data(built_once, tiny_recipe, tmp_path):
    return built_once(tmp_path / "data.zarr", make, tiny_recipe)


def test_splits_go_with_it_and_a_version_can_be_copied(data, tmp_path):
    convert(data, tmp_path / "b.h5", "hdf5")
    copy = tersgen.open(tmp_path / "b.h5")
    assert copy.splits == tersgen.open(data).splits
    assert (copy.parts() == tersgen.open(data).parts()).all()
    assert verify(tmp_path / "b.h5").sound
    assert convert(f"{data}@bare", tmp_path / "c.h5", "hdf5").manifest.splits == ()


def test_damage_is_not_copied(data, tmp_path):
    path = data / "spectra" / "c.1.0"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedDataError, match="rows 256 to 319"):
        convert(data, tmp_path / "b.h5", "hdf5")
    assert not (tmp_path / "b.h5").exists()


def test_rows_of_another_dataset_are_not_published(data, tiny_recipe, changed, tmp_path):
    other = tmp_path / "other.zarr"
    run(make_plan(changed(tiny_recipe, seed=12), 600, chunk_rows=64, shard_rows=256), other)
    (data / "label" / "c.0").write_bytes((other / "label" / "c.0").read_bytes())
    with pytest.raises(DamagedDataError, match="the file is of another dataset"):
        convert(data, tmp_path / "b.h5", "hdf5")
    assert not (tmp_path / "b.h5.d" / "manifest.json").exists()


def test_a_copy_never_replaces_the_original_or_anything_else(data, tmp_path):
    with pytest.raises(ConfigError, match="expected a path other"):
        convert(data, data, "zarr", overwrite=True)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="no dataset of tersgen"):
        convert(data, tmp_path / "b.zarr", "zarr", overwrite=True)
    assert (tmp_path / "b.zarr" / "mine.txt").read_text() == "mine"


def test_a_dataset_that_is_not_compressed(data, tmp_path):
    plain = tmp_path / "plain.zarr"
    manifest = convert(data, plain, "zarr", compression="none").manifest
    assert manifest.digest == tersgen.open(data).digest
    assert manifest.compression == "none"
    assert "blosc" not in (plain / "spectra" / "zarr.json").read_text()
    assert convert(plain, tmp_path / "again.zarr", "zarr").manifest.compression == "none"
    extension = plan_extension(plain, None, 900)
    extend(extension.location, extension.plan)
    group = zarr.open_group(plain, mode="r")
    for name, field in tersgen.open(plain).fields.items():
        assert np.array_equal(group[name][:], field[:]), name
    path = plain / "spectra" / "c.3.0"
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(bytes(content))
    assert not verify(plain).sound
    repair(plain)
    assert verify(plain).sound
    with pytest.raises(ConfigError, match="expected none for HDF5"):
        convert(data, tmp_path / "b.h5", "hdf5", compression="lz4")
    found = compare(data, plain)
    assert [str(one) for one in found.rows if one.field == "compression"] == [
        'compression: "lz4" there, "none" here'
    ]


def test_a_build_goes_on_only_with_its_compression(tiny_recipe, tmp_path):
    path = tmp_path / "a.zarr"
    run(make_plan(tiny_recipe, 100, compression="none"), path)
    with pytest.raises(OutputError, match='compression: "none" there, "lz4" here'):
        run(make_plan(tiny_recipe, 100), path)
