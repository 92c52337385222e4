"""Rows in HDF5 files that need no other file: what the formats based on HDF5 share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from .exporter import plain, plain_dtype, row_blocks

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """Open a new file that libraries of HDF5 from version 1.10 on read."""
    with h5py.File(path, "w-", libver=("earliest", "v110"), locking=False) as file:
        yield file


def write_field(
    group: h5py.Group, name: str, dataset: "Dataset", field: str, wrote: Callable[[int], None]
) -> h5py.Dataset:
    """Write all rows of a field, some at a time, as numbers that every program reads.

    Parameters
    ----------
    group, name
        Where the array goes.
    dataset, field
        What it contains.
    wrote
        Called with how many rows were written.
    """
    spec = dataset[field].spec
    item = group.create_dataset(name, (len(dataset), *spec.shape), plain_dtype(spec))
    for rows in row_blocks(dataset, [field]):
        item[rows] = plain(spec, dataset[field][rows])
        wrote(rows.stop - rows.start)
    return item


class Counter:
    """Turns rows of single fields into rows of the dataset, for progress."""

    def __init__(self, n_fields: int, n_rows: int, report: Callable[[int, int], None]) -> None:
        self._n_fields = n_fields
        self._n_rows = n_rows
        self._report = report
        self._done = 0

    def __call__(self, n_rows: int) -> None:
        """Count rows of a field."""
        self._done += n_rows
        self._report(self._done // self._n_fields, self._n_rows)


def write_text(group: h5py.Group, name: str, text: Any) -> h5py.Dataset:
    """Write a text, or a list of them."""
    return group.create_dataset(name, data=text, dtype=h5py.string_dtype())
