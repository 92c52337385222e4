"""HDF5: a sealed file for each shard with all its arrays, and an index over them for h5py.

Chunks are plain little-endian values with a Fletcher checksum, which every HDF5 program reads
without plugins. Our own readers take the places of chunks from HDF5, and hold their bytes against
the CRC32C that stands in the seal of each file: Fletcher's of zeros is zero.
"""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from .checksums import crc32c
from .encode import little_endian
from .hdf5_chunks import chunk_table
from .hdf5_index import check_first_source, index_file
from .hdf5_shard import CHECKSUM_BYTES, ShardTemplate, chunk_bytes, fletcher
from .interface import Bytes, Chunk, ShardFile, Values
from .layout import Layout
from .seal_table import Place, arrays_check


class Hdf5Store:
    """The arrays of one dataset as HDF5 files.

    Parameters
    ----------
    path
        The index file, such as ``data.h5``.
    folder
        The folder beside it that holds the shards, such as ``data.h5.d``.
    contents
        What the dataset holds.
    layout
        Rows of chunks and shards.
    identity
        Id of the dataset, 16 bytes.
    attributes
        Attributes of the index file's root.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        contents: Contents,
        layout: Layout,
        identity: bytes,
        attributes: dict[str, str],
    ) -> None:
        self._path = path
        self._folder = folder
        self._contents = contents
        self._table = contents.fields
        self._layout = layout
        self._identity = identity
        self._check = arrays_check(contents.fields)
        self._attributes = attributes
        self._templates: dict[int, ShardTemplate] = {}
        self._lock = threading.Lock()

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""
        payload = little_endian(values).tobytes()
        return Chunk(payload, fletcher(payload))

    def decode_chunk(self, data: Bytes, check: int, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them: a read-only view of it.

        Raises
        ------
        DamagedDataError
            If the chunk has not the size of these rows, or not the CRC32C ``check``.
        """
        payload = self._checked(data, check, spec)
        values = np.frombuffer(payload, np.dtype(spec.dtype).newbyteorder("<"))
        return values.reshape(self._layout.chunk_rows, *spec.shape)

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
        return payload.reshape(self._layout.chunk_rows, row_bytes)

    def _checked(self, data: Bytes, check: int, spec: FieldSpec) -> Any:
        expected = chunk_bytes(spec, self._layout)
        if len(data) != expected:
            raise DamagedDataError(
                f"{spec.name}: expected a chunk of {expected} bytes, got {len(data)}"
            )
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
                    self._table, n_rows, self._layout, self._contents.classes
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
        self, path: Path, descriptor: int, spec: FieldSpec, shard: int, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, CRC32C) of each chunk of the first ``n_rows`` rows of an array.

        Everything is read through ``descriptor``; ``path`` is for messages.

        Raises
        ------
        DamagedDataError
            If the file is damaged, or the array in it is not exactly what the table says.
        """
        try:
            return chunk_table(
                descriptor, self._table, spec, self._place(shard), n_rows, self._layout
            )
        except DamagedDataError as error:
            raise DamagedDataError(
                f"{path}: {spec.name}: {error}; repair the dataset or restore the file"
            ) from None

    def metadata_files(self, n_samples: int) -> dict[Path, list[bytes]]:
        """Return the index file over ``n_samples`` rows, by its path."""
        index = index_file(self._contents, n_samples, self._layout, self._source, self._attributes)
        return {self._path: [index]}

    def _source(self, shard: int) -> str:
        """Return the path of a shard relative to the index."""
        return f"{self._folder.name}/{self.shard_paths(shard)[0]}"

    def check_sources(self, data: bytes) -> None:
        """Refuse an index that names the shards of another folder.

        Raises
        ------
        DamagedDataError
            If it does, as after a renaming; other programs then read fill values.
        """
        check_first_source(data, self._table[0], self._source(0))
