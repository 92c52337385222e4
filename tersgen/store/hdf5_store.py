"""HDF5: a file for each shard with all its arrays, and an index over them for h5py.

Chunks are plain little-endian values with a Fletcher checksum, which every HDF5 program reads
without plugins. Our own readers take the positions of chunks from HDF5, and compare their bytes
with the CRC32C in the checksum table of each file, because Fletcher's checksum of zeros is zero.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..errors import DamagedDataError
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from .checksum_table import Place, arrays_check, dataset_id
from .checksums import crc32c
from .chunk_blocks import ChunkBlocks, plain_blocks
from .encode import little_endian
from .hdf5_chunks import ShardTables
from .hdf5_index import check_first_source, index_file
from .hdf5_shard import CHECKSUM_BYTES, ShardTemplate, chunk_bytes, fletcher
from .interface import INDEX, Bytes, Chunk, ShardFile, Values, notes
from .layout import Layout


class Hdf5Store:
    """Arrays in HDF5 files; see ``schemas/FORMAT.md``."""

    unchecked = 0

    def __init__(self, contents: Contents, layout: Layout) -> None:
        self.contents = contents
        self.layout = layout
        self._identity = dataset_id(contents.recipe_digest, "hdf5", layout)
        self._check = arrays_check(contents.fields)
        self._templates: dict[int, ShardTemplate] = {}
        self._lock = threading.Lock()

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""
        payload = little_endian(values).tobytes()
        return Chunk(payload, fletcher(payload))

    def decode_chunk(self, data: Bytes, check: int, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them: a read-only view of it."""
        payload = self._checked(data, check, spec)
        values = np.frombuffer(payload, np.dtype(spec.dtype).newbyteorder("<"))
        return values.reshape(self.layout.chunk_rows, *spec.shape)

    def chunk_blocks(self, payload: NDArray[np.uint8], spec: FieldSpec) -> ChunkBlocks:
        """Return where the rows of a chunk lie in its bytes: as they are, at the beginning."""
        self._check_size(payload, spec)
        return plain_blocks(0, len(payload) - CHECKSUM_BYTES)

    def decode_rows(
        self,
        data: NDArray[np.uint8],
        check: int,
        spec: FieldSpec,
        row_bytes: int,
        room: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Return the rows of a stored chunk as bytes: a view of it."""
        payload: NDArray[np.uint8] = self._checked(data, check, spec)
        return payload.reshape(self.layout.chunk_rows, row_bytes)

    def is_plain(self, spec: FieldSpec) -> bool:
        """Return whether a chunk's bytes begin with its rows: all do."""
        return True

    def _check_size(self, data: Bytes, spec: FieldSpec) -> None:
        expected = chunk_bytes(spec, self.layout)
        if len(data) != expected:
            raise DamagedDataError(
                f"{spec.name}: expected a chunk of {expected} bytes, got {len(data)}"
            )

    def _checked(self, data: Bytes, check: int, spec: FieldSpec) -> Any:
        self._check_size(data, spec)
        found = crc32c(data)  # Fletcher's four bytes are in it, and need no check of their own
        if found != check:
            raise DamagedDataError(
                f"{spec.name}: expected a chunk with the checksum (CRC32C) {check:08x}, got "
                f"{found:08x}"
            )
        if isinstance(data, np.ndarray):
            return data[:-CHECKSUM_BYTES]
        return memoryview(data)[:-CHECKSUM_BYTES]

    def shard_paths(self, shard: int) -> tuple[str, ...]:
        """Return the path of the file of a shard, inside the dataset's folder."""
        return (f"shards/{shard:06d}.h5",)

    def array_path(self, shard: int, spec: FieldSpec) -> str:
        """Return the file that holds an array: the same one for all."""
        return self.shard_paths(shard)[0]

    def _template(self, n_rows: int) -> ShardTemplate:
        with self._lock:
            if n_rows not in self._templates:
                self._templates[n_rows] = ShardTemplate(
                    self.contents.fields, n_rows, self.layout, self.contents.classes
                )
            return self._templates[n_rows]

    def shard_files(
        self, shard: int, n_rows: int, chunks: Mapping[str, list[Chunk]]
    ) -> Iterator[ShardFile]:
        """Yield the one file of a shard of ``n_rows`` rows."""
        parts = self._template(n_rows).parts(self._place(shard), chunks)
        yield ShardFile(self.shard_paths(shard)[0], parts)

    def _place(self, shard: int) -> Place:
        return Place(self._identity, self._check, shard)

    def chunk_table(
        self, file: ByteFile, spec: FieldSpec, shard: int, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, CRC32C) of each chunk of the first ``n_rows`` rows of an array."""
        with self._tables(file, shard, n_rows) as tables:
            return tables.chunks(spec)

    def chunk_tables(
        self, file: ByteFile, specs: Sequence[FieldSpec], shard: int, n_rows: int
    ) -> dict[str, NDArray[np.int64]]:
        """Return the chunk tables of arrays in one file by name, without those that are damaged."""
        found = {}
        with self._tables(file, shard, n_rows) as tables:
            for spec in specs:
                with suppress(DamagedDataError):
                    found[spec.name] = tables.chunks(spec)
        return found

    def _tables(self, file: ByteFile, shard: int, n_rows: int) -> ShardTables:
        return ShardTables(file, self.contents.fields, self._place(shard), n_rows, self.layout)

    def metadata_files(self, n_samples: int, folder: str) -> dict[str, list[bytes]]:
        """Return the index file over ``n_samples`` rows, whose sources are relative to it."""
        n_shards = self.layout.n_shards(n_samples)
        sources = [f"{folder}/{self.shard_paths(shard)[0]}" for shard in range(n_shards)]
        text = {"tersgen": json.dumps({**notes(self.contents), "folder": folder})}
        return {INDEX: [index_file(self.contents, n_samples, self.layout, sources, text)]}

    def check_sources(self, data: bytes, folder: str) -> None:
        """Refuse an index that names the shards of another folder."""
        check_first_source(data, self.contents.fields[0], f"{folder}/{self.shard_paths(0)[0]}")
