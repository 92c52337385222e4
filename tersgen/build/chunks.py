"""One unit of work of a build: a run of rows generated, hashed and encoded while in the cache."""

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sampling.block import Buffer, Generator
from ..store.digest import leaf_digests
from ..store.encode import Chunk, encode_chunk, fill_up
from ..store.layout import Layout, leaf_rows


class Encoded(NamedTuple):
    """A run of rows, ready to be written."""

    n_rows: int
    chunks: dict[str, list[Chunk]]
    leaves: dict[str, list[bytes]]
    class_counts: NDArray[np.int64]


class ChunkMaker:
    """Makes runs of rows in any order, from any thread."""

    def __init__(self, generator: Generator, layout: Layout, n_classes: int) -> None:
        self._generator = generator
        self._chunk_rows = layout.chunk_rows
        self._leaf_rows = leaf_rows(generator.table)
        self._n_classes = n_classes
        self._local = threading.local()
        self.unit_rows = max(self._chunk_rows, self._leaf_rows)
        """Rows of a run: whole chunks and whole leaves of the digest."""

    def _buffer(self) -> Buffer:
        buffer: Buffer | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = Buffer(self._generator.recipe, self.unit_rows)
        return buffer

    def make(self, start: int, n_rows: int) -> Encoded:
        """Return the run of at most ``unit_rows`` rows from sample ``start`` on."""
        buffer = self._buffer()
        self._generator.fill(start, buffer, n_rows)
        chunks: dict[str, list[Chunk]] = {}
        leaves: dict[str, list[bytes]] = {}
        for spec in self._generator.table:
            values = buffer.arrays[spec.name][:n_rows]
            leaves[spec.name] = leaf_digests(values, self._leaf_rows)
            chunks[spec.name] = [
                encode_chunk(
                    fill_up(values[first : first + self._chunk_rows], self._chunk_rows, spec), spec
                )
                for first in range(0, n_rows, self._chunk_rows)
            ]
        counts = np.bincount(buffer.outputs.label[:n_rows], minlength=self._n_classes)
        return Encoded(n_rows, chunks, leaves, counts.astype(np.int64))
