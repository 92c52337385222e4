"""Some rows of a dataset, as if they were all: row numbers translated, nothing copied."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .selection import select_rows
from .sources import BlockSource, Copies, ReadTimes, RowSource, Values

RowNumbers = range | NDArray[np.intp]
"""Rows of a dataset: a range, or an array of row numbers, shape (n,)."""


def numbers_of(rows: RowNumbers, key: slice | NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the row numbers at some places of a selection, shape (n,)."""
    if isinstance(rows, range):
        if isinstance(key, slice):
            part = rows[key]
            return np.arange(part.start, part.stop, part.step)
        return rows.start + np.asarray(key, np.intp) * rows.step
    return rows[key]


def chosen(rows: RowNumbers, key: Any) -> RowNumbers:
    """Return the rows that a key, as NumPy takes it, chooses of a selection."""
    if isinstance(key, range):
        key = np.arange(key.start, key.stop, key.step)
    found = select_rows(key, len(rows))
    if isinstance(key, slice) and isinstance(rows, range):
        return rows[key]
    numbers = numbers_of(rows, found.read)
    return numbers if isinstance(found.then, int) else numbers[found.then]


class SelectedBlocks:
    """Copies selected rows block by block; see :class:`.sources.BlockSource`."""

    def __init__(self, source: BlockSource, rows: RowNumbers, block_rows: int) -> None:
        self._source = source
        self._rows = rows
        self._block_rows = block_rows

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows as :class:`.sources.BlockSource` says."""
        blocks: dict[int, list[Copies]] = {}
        for take, out, put in copies:
            rows = numbers_of(self._rows, first + take)
            order = np.argsort(rows, kind="stable")
            rows, places = rows[order], put[order]
            edges = np.flatnonzero(np.diff(rows // self._block_rows)) + 1
            for some, to in zip(np.split(rows, edges), np.split(places, edges), strict=True):
                block = int(some[0]) // self._block_rows
                inside = Copies(some - block * self._block_rows, out, to)
                blocks.setdefault(block, []).append(inside)
        for block, inside_block in sorted(blocks.items()):
            self._source.read_into(block * self._block_rows, inside_block, times)


class SelectedRows:
    """Some rows of a source, in any order; see :class:`.sources.RowSource`."""

    def __init__(self, source: RowSource, rows: RowNumbers, block_rows: int) -> None:
        self._source = source
        self._rows = rows
        self._block_rows = block_rows

    def _there(self, rows: slice | NDArray[np.intp]) -> slice | NDArray[np.intp]:
        own = self._rows
        if isinstance(own, range) and isinstance(rows, slice) and own.step > 0:
            part = own[rows]
            return slice(part.start, max(part.start, part.stop), part.step)
        return numbers_of(own, rows)

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field."""
        return self._source.read(name, self._there(rows))

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields."""
        return self._source.read_many(names, self._there(rows))

    def blocks(self, names: Iterable[str]) -> SelectedBlocks:
        """Return what copies rows of these fields block by block."""
        return SelectedBlocks(self._source.blocks(names), self._rows, self._block_rows)

    def check_files(self) -> None:
        """Refuse rows that are not there, of the whole dataset."""
        self._source.check_files()

    def close(self) -> None:
        """Do nothing: the dataset that it is a view of may still be read."""
