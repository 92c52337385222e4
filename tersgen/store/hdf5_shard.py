"""HDF5 shard files: laid out by HDF5 once, then put together without it.

Chunks are stored as they are with a checksum behind them, so they have the same sizes and places in
every shard. HDF5 lays out one file with empty chunks; any shard of as many rows is what lies
between these, with its own chunks in their places. That takes no lock and copies nothing.
"""

from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from ..schema.fields import FieldSpec
from .hdf5_objects import SparseImage, create_file, create_groups, describe
from .interface import Chunk
from .layout import Layout

CHECKSUM_BYTES = 4
"""Bytes that the ``fletcher32`` filter puts behind a chunk."""

_ROOM = 1 << 20
_ENTRY_ROOM = 64
_NAME_ROOM = 512


def chunk_bytes(spec: FieldSpec, layout: Layout) -> int:
    """Return the stored bytes of every chunk of an array, its checksum included."""
    return layout.chunk_rows * spec.row_bytes + CHECKSUM_BYTES


def _create_array(
    file: h5py.File, spec: FieldSpec, n_rows: int, layout: Layout, classes: Sequence[str]
) -> list[int]:
    """Create an array with empty chunks; return where they lie."""
    dataset = file.create_dataset(
        spec.name,
        (n_rows, *spec.shape),
        np.dtype(spec.dtype).newbyteorder("<"),
        chunks=(layout.chunk_rows, *spec.shape),
        maxshape=(layout.shard_rows, *spec.shape),
        fletcher32=True,
        fillvalue=spec.fill_value,
        track_times=False,
    )
    describe(dataset, spec, classes)
    empty = bytes(chunk_bytes(spec, layout))
    offsets = []
    for first in range(0, n_rows, layout.chunk_rows):
        start = (first, *[0] * len(spec.shape))
        dataset.id.write_direct_chunk(start, empty)
        offsets.append(dataset.id.get_chunk_info_by_coord(start).byte_offset)
    return offsets


class ShardTemplate:
    """The file of a shard of ``n_rows`` rows, but for its chunks."""

    def __init__(
        self, table: Sequence[FieldSpec], n_rows: int, layout: Layout, classes: Sequence[str]
    ) -> None:
        n_chunks = -(-n_rows // layout.chunk_rows)
        chunks = sum(n_chunks * chunk_bytes(spec, layout) for spec in table)
        # HDF5 makes room in its indexes for the chunks of a full shard
        entries = len(table) * (layout.shard_rows // layout.chunk_rows)
        room = _ROOM + entries * _ENTRY_ROOM + len(classes) * _NAME_ROOM
        image = SparseImage(chunks + room)
        places: list[tuple[int, int, str, int]] = []
        with create_file(image) as file:
            create_groups(file, [spec.name for spec in table])
            for spec in table:
                offsets = _create_array(file, spec, n_rows, layout, classes)
                size = chunk_bytes(spec, layout)
                places += [(at, at + size, spec.name, k) for k, at in enumerate(offsets)]
        places.sort()
        ends = [0, *[end for _, end, _, _ in places]]
        self._chunks = [
            (image[last_end:start], name, number, end - start)
            for last_end, (start, end, name, number) in zip(ends, places, strict=False)
        ]
        self._tail = image[ends[-1] : image.size]

    def parts(self, chunks: Mapping[str, list[Chunk]]) -> list[bytes]:
        """Return the pieces of the file with these chunks of each array.

        Raises
        ------
        ValueError
            If there are more or fewer chunks than rows need, or one has not the size of its rows.
        """
        parts: list[bytes] = []
        for before, name, number, size in self._chunks:
            chunk = chunks[name][number]
            if chunk.size != size:
                raise ValueError(
                    f"{name}: expected chunks of {size} bytes, got one of {chunk.size}; "
                    "encode whole chunks"
                )
            parts += [before, *chunk] if before else chunk
        return [*parts, self._tail]
