"""Fixtures of the tests of stores: HDF5 datasets as their builder would leave them."""

import os

import h5py
import numpy as np
import pytest

from tersgen.bytefile import LocalFile, read_range
from tersgen.dataset.basis import StoredBasis, contents_of
from tersgen.generator import Generator
from tersgen.store.encode import fill_up
from tersgen.store.hdf5_store import Hdf5Store
from tersgen.store.layout import Layout

LAYOUT = Layout(chunk_rows=16, shard_rows=64)
ROWS = 100
"""A shard of 64 rows and one of 36, whose last chunk is not full."""


class Made:
    """A dataset as its builder would leave it, written plainly."""

    def __init__(self, recipe, path):
        self.generator = Generator(recipe)
        self.path, self.folder = path, path.with_name(path.name + ".d")
        self.table = {spec.name: spec for spec in self.generator.table}
        self.contents = contents_of(StoredBasis.of(recipe))
        self.with_layout(LAYOUT, self.contents)
        (self.folder / "shards").mkdir(parents=True)

    def with_layout(self, layout, contents):
        """Take another layout, or other contents."""
        self.store = Hdf5Store(contents, layout)

    def shard(self, number, n_rows):
        """The bytes of a shard."""
        first = number * LAYOUT.shard_rows
        rows = self.generator.block(first, first + n_rows)
        chunks = {
            name: [
                self.store.encode_chunk(fill_up(rows[name][k : k + 16], 16, spec), spec)
                for k in range(0, n_rows, 16)
            ]
            for name, spec in self.table.items()
        }
        [file] = self.store.shard_files(number, n_rows, chunks)
        assert (file.path,) == self.store.shard_paths(number)
        return b"".join(file.parts)

    def write(self, n_samples):
        for number in range(LAYOUT.n_shards(n_samples)):
            n_rows = min(LAYOUT.shard_rows, n_samples - number * LAYOUT.shard_rows)
            self.shard_path(number).write_bytes(self.shard(number, n_rows))
        [parts] = self.store.metadata_files(n_samples, self.folder.name).values()
        self.path.write_bytes(b"".join(parts))

    def shard_path(self, number):
        return self.folder / self.store.shard_paths(number)[0]

    def read(self, number, name, n_rows):
        spec, path = self.table[name], self.shard_path(number)
        assert self.store.array_path(number, spec) == self.store.shard_paths(number)[0]
        file = LocalFile(os.open(path, os.O_RDONLY))
        places = self.store.chunk_table(file, spec, number, n_rows)
        assert places.dtype == np.int64
        rows = [
            self.store.decode_chunk(read_range(file, offset, size), check, spec)
            for offset, size, check in places.tolist()
        ]
        return np.concatenate(rows)[:n_rows]

    def place(self, shard, name, number=0):
        """Where a stored chunk lies in the file of a shard."""
        with h5py.File(self.shard_path(shard)) as file:
            array = file[name]
            first = (number * array.chunks[0], *[0] * (array.ndim - 1))
            chunk = array.id.get_chunk_info_by_coord(first)
        return slice(chunk.byte_offset, chunk.byte_offset + chunk.size)

    def change(self, shard, change):
        """Change the bytes of a shard's file."""
        data = bytearray(self.shard_path(shard).read_bytes())
        change(data)
        self.shard_path(shard).write_bytes(data)


@pytest.fixture(scope="session")
def hdf5_dataset():
    """Return what makes a dataset from a recipe and a path."""
    return Made


@pytest.fixture(scope="module")
def made(tiny_recipe, tmp_path_factory):
    """Return a dataset that no test changes."""
    # a name that HDF5 would take for a pattern, and not ASCII
    dataset = Made(tiny_recipe, tmp_path_factory.mktemp("hdf5") / "50%b µ.h5")
    dataset.write(ROWS)
    return dataset


@pytest.fixture
def fresh(tiny_recipe, tmp_path):
    """Return a dataset for one test."""
    dataset = Made(tiny_recipe, tmp_path / "data.h5")
    dataset.write(ROWS)
    return dataset
