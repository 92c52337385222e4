"""HDF5 shard files: laid out by HDF5 once, then assembled without it.

Chunks are stored uncompressed with a checksum after them, so they have the same sizes and positions
in every shard. HDF5 lays out one file with empty chunks; any shard with the same number of rows
consists of the bytes between these, with its own chunks in their places. That takes no lock and
copies nothing.

HDF5's own checksum of zeros is zero, so it does not detect a chunk that was replaced by zeros.
Therefore each file has its checksum table as an array: the CRC32C of all its chunks, and last that
of the table itself. The CRC32C of zeros is not zero, so neither a chunk of zeros nor a table of
zeros is valid.
"""

from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from ..schema.fields import FieldSpec
from .checksum_table import Place, make_table, table_bytes
from .checksums import crc32c
from .hdf5_objects import SparseImage, create_file, create_groups, describe, set_text
from .interface import Chunk
from .layout import Layout

CHECKSUM_BYTES = 4
"""Bytes that the ``fletcher32`` filter appends to a chunk."""

CHECKS = "checks"
"""The checksum table in each file; no array has this name."""

_TABLE_TEXT = (
    "where this file belongs, CRC32C of every stored chunk of every array, then of all this"
)
_ROOM = 1 << 20
_ENTRY_ROOM = 64
_NAME_ROOM = 512


def fletcher(data: bytes) -> bytes:
    """Return the Fletcher checksum of ``data``, four bytes, little-endian, as HDF5 stores it."""
    from ..numeric.fletcher import fletcher32

    return int(fletcher32(np.frombuffer(data, np.uint8))).to_bytes(CHECKSUM_BYTES, "little")


def chunk_bytes(spec: FieldSpec, layout: Layout) -> int:
    """Return the stored bytes of every chunk of an array, its checksum included."""
    return layout.chunk_rows * spec.row_bytes + CHECKSUM_BYTES


def table_words(table: Sequence[FieldSpec], n_rows: int, layout: Layout) -> int:
    """Return the length of the checksum table in words of 32 bits, one for each chunk."""
    return table_bytes(len(table) * -(-n_rows // layout.chunk_rows)) // 4


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
    starts = range(0, n_rows, layout.chunk_rows)
    return [_place(dataset, first, chunk_bytes(spec, layout)) for first in starts]


def _create_checks(file: h5py.File, length: int) -> int:
    """Create the checksum table, one empty chunk; return where it lies."""
    dataset = file.create_dataset(
        CHECKS, (length,), "<u4", chunks=(length,), fletcher32=True, track_times=False
    )
    set_text(
        dataset,
        "long_name",
        _TABLE_TEXT,
    )
    return _place(dataset, 0, dataset.nbytes + CHECKSUM_BYTES)


def _place(dataset: h5py.Dataset, first: int, size: int) -> int:
    """Make room for the chunk of ``size`` bytes that begins at row ``first``; return where."""
    start = (first, *[0] * (dataset.ndim - 1))
    dataset.id.write_direct_chunk(start, bytes(size))
    offset: int = dataset.id.get_chunk_info_by_coord(start).byte_offset
    return offset


class ShardTemplate:
    """The file of a shard of ``n_rows`` rows, but for its chunks."""

    def __init__(
        self, table: Sequence[FieldSpec], n_rows: int, layout: Layout, classes: Sequence[str]
    ) -> None:
        self._names = [spec.name for spec in table]
        self._n_rows = n_rows
        sizes = {spec.name: chunk_bytes(spec, layout) for spec in table}
        length = table_words(table, n_rows, layout)
        sizes[CHECKS] = 4 * length + CHECKSUM_BYTES
        chunks = sizes[CHECKS] + -(-n_rows // layout.chunk_rows) * sum(sizes.values())
        # HDF5 makes room in its indexes for the chunks of a full shard
        entries = len(table) * (layout.shard_rows // layout.chunk_rows)
        room = _ROOM + entries * _ENTRY_ROOM + len(classes) * _NAME_ROOM
        image = SparseImage(chunks + room)
        offsets: dict[str, list[int]] = {}
        with create_file(image) as file:
            create_groups(file, self._names)
            for spec in table:
                offsets[spec.name] = _create_array(file, spec, n_rows, layout, classes)
            offsets[CHECKS] = [_create_checks(file, length)]
        places = sorted(
            (at, at + sizes[name], name, number)
            for name, found in offsets.items()
            for number, at in enumerate(found)
        )
        ends = [0, *[end for _, end, _, _ in places]]
        self._chunks = [
            (image[last_end:start], name, number, end - start)
            for last_end, (start, end, name, number) in zip(ends, places, strict=False)
        ]
        self._tail = image[ends[-1] : image.size]

    def _checksum_table(self, place: Place, chunks: Mapping[str, list[Chunk]]) -> Chunk:
        """Return the checksum table over the chunks of all arrays, as a chunk itself."""
        entries = [crc32c(*chunk) for name in self._names for chunk in chunks[name]]
        payload = make_table(place, self._n_rows, np.array(entries, np.uint32))
        return Chunk(payload, fletcher(payload))

    def parts(self, place: Place, chunks: Mapping[str, list[Chunk]]) -> list[bytes]:
        """Return the pieces of the file of a place with these chunks of each array."""
        stored = {**chunks, CHECKS: [self._checksum_table(place, chunks)]}
        parts: list[bytes] = []
        for before, name, number, size in self._chunks:
            chunk = stored[name][number]
            if chunk.size != size:
                raise ValueError(
                    f"{name}: expected chunks of {size} bytes, got one of {chunk.size}; "
                    "encode whole chunks"
                )
            parts += [before, *chunk] if before else chunk
        return [*parts, self._tail]
