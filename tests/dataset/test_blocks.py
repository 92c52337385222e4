"""Blocks of rows copied to places of the caller: the path of training, below the stream."""

import os
import shutil
from unittest.mock import patch

import numpy as np
import pytest

import tersgen
from tersgen.dataset.sources import Copies, ReadTimes
from tersgen.errors import DamagedDataError
from tersgen.jobs.convert import convert
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.store import blocks

N, CHUNK, SHARD = 600, 32, 256
SMALL = ("label", "params/width", "sticks/count")


@pytest.fixture(scope="module")
def stored(tiny_recipe, changed, tmp_path_factory):
    """A dataset of three shards, the last one ragged, in both back ends."""
    folder = tmp_path_factory.mktemp("blocks")
    run(make_plan(tiny_recipe, N, chunk_rows=CHUNK, shard_rows=SHARD), folder / "a.zarr")
    for precision, name in (("uint8", "8.zarr"), ("uint12", "12.zarr")):
        recipe = changed(tiny_recipe, fields={"precision": precision})
        run(make_plan(recipe, N, chunk_rows=CHUNK, shard_rows=SHARD), folder / name)
    convert(folder / "8.zarr", folder / "8.h5", "hdf5")
    convert(folder / "a.zarr", folder / "a.h5", "hdf5")
    convert(folder / "a.zarr", folder / "plain.zarr", "zarr", compression="none")
    return {
        "zarr": folder / "a.zarr",
        "hdf5": folder / "a.h5",
        "plain zarr": folder / "plain.zarr",
        "uint8": folder / "8.zarr",
        "uint8 hdf5": folder / "8.h5",
        "uint12": folder / "12.zarr",
    }


def copied(dataset, names, source=None):
    """All rows of some fields, block by block, each row to a place drawn at random."""
    source = source or dataset.blocks(names)
    places = np.random.default_rng(3).permutation(N)
    out = {name: np.zeros((N, dataset[name].spec.value_bytes), np.uint8) for name in names}
    for low in range(0, N, CHUNK):
        put = places[low : low + CHUNK]
        source.read_into(low, [Copies(np.arange(len(put)), out, put)], ReadTimes())
    return {name: rows[places] for name, rows in out.items()}


@pytest.mark.parametrize(
    "back_end", ["zarr", "hdf5", "plain zarr", "uint8", "uint8 hdf5", "uint12"]
)
@pytest.mark.parametrize("most", [0, 6 * N, 1 << 27])
def test_rows_do_not_depend_on_which_fields_are_kept(stored, back_end, most, monkeypatch):
    monkeypatch.setattr(blocks, "_MOST_KEPT", most)
    dataset = tersgen.open(stored[back_end])
    names = tuple(dataset.fields)
    for name, rows in copied(dataset, names).items():
        np.testing.assert_array_equal(rows, dataset[name][:].reshape(N, -1).view(np.uint8))
    made = dataset.blocks(names, generate=True)
    for name, rows in copied(dataset, names, made).items():
        np.testing.assert_array_equal(rows, dataset[name][:].reshape(N, -1).view(np.uint8))


@pytest.mark.parametrize("back_end", ["zarr", "hdf5"])
def test_a_small_field_is_read_once_for_a_shard(stored, back_end):
    dataset = tersgen.open(stored[back_end])
    source = dataset.blocks(SMALL)
    real, reads = os.preadv, []

    def counted(descriptor, buffers, offset):
        reads.append(offset)
        return real(descriptor, buffers, offset)

    with patch.object(os, "preadv", counted):
        copied(dataset, SMALL, source)
        first = len(reads)
        copied(dataset, SMALL, source)
    n_shards = -(-N // SHARD)
    if back_end == "zarr":  # the table of chunks, and the chunks; HDF5 looks for its own
        assert first <= 2 * n_shards * len(SMALL)
    assert len(reads) == first


def test_damage_in_a_small_field_costs_its_chunk_alone(stored, tmp_path):
    path = tmp_path / "hurt.zarr"
    shutil.copytree(stored["zarr"], path)
    dataset = tersgen.open(path)
    shard = path / "label" / "c.1"
    content = bytearray(shard.read_bytes())
    content[4 * CHUNK + 4 + 5] ^= 1  # in the second chunk, behind the first and its checksum
    shard.write_bytes(content)
    source = dataset.blocks(SMALL)
    out = {name: np.zeros((CHUNK, 4), np.uint8) for name in SMALL}
    copies = [Copies(np.arange(CHUNK), out, np.arange(CHUNK))]
    source.read_into(SHARD, copies, ReadTimes())
    np.testing.assert_array_equal(
        out["label"].view("<i4")[:, 0], dataset["label"][SHARD : SHARD + CHUNK]
    )
    with pytest.raises(DamagedDataError, match="label, rows 288 to 319: expected the chunk"):
        source.read_into(SHARD + CHUNK, copies, ReadTimes())
