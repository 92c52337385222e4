"""One unit of work of a build: a run of rows generated, hashed and encoded while in the cache."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import FieldSpec
from ..store.digest import combine, leaf_digests
from ..store.encode import fill_up
from ..store.interface import Chunk, Store
from ..store.layout import Layout, leaf_rows
from .rows import RowMaker


class Encoded(NamedTuple):
    """A run of rows, ready to be written."""

    n_rows: int
    chunks: dict[str, list[Chunk]]
    leaves: dict[str, list[bytes]]
    class_counts: NDArray[np.int64]


class Shard(NamedTuple):
    """All runs of one shard."""

    number: int
    runs: Sequence[Encoded]

    @property
    def n_rows(self) -> int:
        """Rows in it."""
        return sum(run.n_rows for run in self.runs)

    def chunks(self) -> dict[str, list[Chunk]]:
        """Return the chunks of each array, in order."""
        return {
            name: [chunk for run in self.runs for chunk in run.chunks[name]]
            for name in self.runs[0].chunks
        }

    def digests(self) -> dict[str, str]:
        """Return the logical digest of each array's rows."""
        return {
            name: combine([leaf for run in self.runs for leaf in run.leaves[name]]).hex()
            for name in self.runs[0].leaves
        }

    def class_counts(self) -> dict[int, int]:
        """Return the rows of each class that occurs."""
        counts = np.sum([run.class_counts for run in self.runs], axis=0)
        return {int(label): int(counts[label]) for label in np.flatnonzero(counts)}


def unit_rows(table: tuple[FieldSpec, ...], layout: Layout) -> int:
    """Return the rows of a run: whole chunks, and whole leaves of the digest."""
    return max(layout.chunk_rows, leaf_rows(table))


class ChunkMaker:
    """Makes and encodes runs of rows in any order, from any thread."""

    def __init__(self, rows: RowMaker, store: Store) -> None:
        self._rows = rows
        self._store = store
        self._table = table = store.contents.fields
        self._chunk_rows = store.layout.chunk_rows
        self._leaf_rows = leaf_rows(table)
        self._n_classes = len(store.contents.classes)
        self._shard_rows = store.layout.shard_rows
        self.unit_rows = unit_rows(table, store.layout)

    def make(self, start: int, n_rows: int) -> Encoded:
        """Return the run of at most ``unit_rows`` rows from sample ``start`` on."""
        arrays = self._rows.make(start, n_rows)
        chunks: dict[str, list[Chunk]] = {}
        leaves: dict[str, list[bytes]] = {}
        for spec in self._table:
            values = arrays[spec.name]
            leaves[spec.name] = leaf_digests(values, self._leaf_rows)
            chunks[spec.name] = [
                self._store.encode_chunk(
                    fill_up(values[first : first + self._chunk_rows], self._chunk_rows, spec), spec
                )
                for first in range(0, n_rows, self._chunk_rows)
            ]
        counts = np.bincount(arrays["label"], minlength=self._n_classes)
        return Encoded(n_rows, chunks, leaves, counts.astype(np.int64))

    def units(self, shard: int, n_rows: int) -> list[tuple[int, int]]:
        """Return (start, rows) of each run of a shard of ``n_rows`` rows."""
        first = shard * self._shard_rows
        return [
            (first + done, min(self.unit_rows, n_rows - done))
            for done in range(0, n_rows, self.unit_rows)
        ]

    def make_shard(self, shard: int, n_rows: int) -> Shard:
        """Return a whole shard of ``n_rows`` rows."""
        return Shard(shard, [self.make(start, rows) for start, rows in self.units(shard, n_rows)])
