"""Which rows of a dataset are trained on: a part of a split, or a range of a recipe's rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.text import command, did_you_mean
from tersgen.urls import is_remote

from ..config import DataConfig

RECIPE_PARTS = ("train", "val", "test")
"""Parts of the rows of a recipe, one after the other."""
_MANY_BLOCKS = 1 << 20
"""So many blocks are taken on trust: what is allocated for them is a few megabytes."""


@dataclass(frozen=True)
class RowSet:
    """Rows of a dataset, grouped in blocks of as many as are read and decoded together.

    Parameters
    ----------
    name
        What the rows are, for messages.
    start, stop
        Rows from ``start`` to ``stop`` belong to it,
    parts, number
        or of these only those whose part is ``number``; ``parts`` has one for each row.
    block_rows
        Rows of a block; blocks start at multiples of it.
    """

    name: str
    start: int
    stop: int
    block_rows: int
    parts: NDArray[np.uint8] | None = None
    number: int = 0

    @property
    def blocks(self) -> range:
        """Numbers of the blocks that hold its rows, and maybe others."""
        return range(self.start // self.block_rows, -(-self.stop // self.block_rows))

    def rows_in(self, block: int) -> NDArray[np.intp]:
        """Return its rows in a block, counted from the first row of the block, rising."""
        first = block * self.block_rows
        low = max(self.start, first)
        high = min(self.stop, first + self.block_rows)
        if self.parts is None:
            return np.arange(low - first, high - first)
        return np.flatnonzero(self.parts[low:high] == self.number) + (low - first)

    def numbers(self) -> NDArray[np.intp]:
        """Return its rows, rising, shape (n,)."""
        if self.parts is None:
            return np.arange(self.start, self.stop)
        chosen = self.parts[self.start : self.stop] == self.number
        return np.flatnonzero(chosen) + self.start

    def counts(self) -> NDArray[np.int64]:
        """Return how many rows it has in each of ``blocks``.

        Raises
        ------
        ConfigError
            If they are too many to hold a number for each block.
        """
        try:
            numbers = np.arange(self.blocks.start, self.blocks.stop + 1)
            edges = np.clip(numbers * self.block_rows, self.start, self.stop)
        except MemoryError:
            raise ConfigError(
                f"{self.name}: expected blocks whose numbers fit in memory, got {self.stop} rows "
                f"in {len(self.blocks)}; train on fewer, or verify the dataset"
            ) from None
        if self.parts is None:
            return np.diff(edges)
        if not len(self.blocks):
            return np.zeros(0, np.int64)
        chosen = self.parts[self.start : self.stop] == self.number
        return np.add.reduceat(chosen, edges[:-1] - self.start, dtype=np.int64)


def all_rows(dataset: Dataset) -> RowSet:
    """Return every row of a dataset.

    Raises
    ------
    DamagedDataError
        If they are very many, and the dataset's files cannot hold them.
    """
    if dataset.n_samples > _MANY_BLOCKS * dataset.block_rows:
        dataset.check_files()
    return RowSet("all rows", 0, dataset.n_samples, dataset.block_rows)


def recipe_edges(n_samples: int) -> tuple[int, ...]:
    """Return where each of ``RECIPE_PARTS`` begins, and where the last ends.

    >>> recipe_edges(101)
    (0, 101, 112, 123)
    """
    few = -(-n_samples // 10)
    return 0, n_samples, n_samples + few, n_samples + 2 * few


def rows_of_part(dataset: Dataset, data: DataConfig, part: str) -> RowSet:
    """Return the rows of one part: of a split that is stored, or of a recipe.

    Of a recipe, ``train`` is the first ``data.n_samples`` rows; ``val`` and ``test`` are a tenth as
    many each, after them.
    """
    block = dataset.block_rows
    if dataset.manifest is None:
        if part not in RECIPE_PARTS:
            raise ConfigError(
                f"{dataset.path}: expected one of {', '.join(RECIPE_PARTS)}, got {part!r}"
            )
        edges = recipe_edges(data.n_samples)
        number = RECIPE_PARTS.index(part)
        return RowSet(part, edges[number], edges[number + 1], block)
    split = dataset.splits.get(data.split)
    if split is None:
        make = (
            f"; make it: {command('tersgen', 'split', dataset.path, '--name', data.split)} "
            "--ratios train=0.8,val=0.1,test=0.1"
        )
        if is_remote(dataset.path):
            make = (
                "; make it where the dataset was made, and bring the URL up to date: tersgen push"
            )
        is_part = any(data.split in one.rule.names for one in dataset.splits.values())
        hint = f"; that is a part of one: --part {data.split}" if is_part else ""
        raise ConfigError(
            f"{dataset.path}: expected a split named {data.split!r}, got "
            f"{', '.join(dataset.splits) or 'a dataset without splits'}"
            f"{hint or did_you_mean(data.split, dataset.splits) or make}"
        )
    names = split.rule.names
    if part not in names:
        raise ConfigError(
            f"{dataset.path}: split {data.split!r}: expected one of {', '.join(names)}, "
            f"got {part!r}"
        )
    number = names.index(part)
    if not sum(row[number] for row in split.counts):
        raise ConfigError(
            f"{dataset.path}: split {data.split!r}: expected rows in {part!r}, got none; choose "
            "another part, or split again with other ratios"
        )
    return RowSet(part, 0, dataset.n_samples, block, dataset.parts(data.split), number)
