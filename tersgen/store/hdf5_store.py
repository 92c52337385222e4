"""HDF5: a sealed file for each shard with all its arrays, and an index over them for h5py.

Chunks are plain little-endian values with a Fletcher checksum, which every HDF5 program reads
without plugins. Our own readers take the places of chunks from HDF5, and nothing else.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..kernels.fletcher import fletcher32
from ..schema.fields import FieldSpec
from ..schema.recipe import Recipe
from .encode import little_endian
from .hdf5_chunks import chunk_table
from .hdf5_index import index_file
from .hdf5_shard import CHECKSUM_BYTES, ShardTemplate, chunk_bytes
from .interface import Chunk, ShardFile, Values
from .layout import Layout


def checksum(data: bytes | memoryview) -> bytes:
    """Return the Fletcher checksum of ``data``, four bytes, little-endian, as HDF5 stores it."""
    return int(fletcher32(np.frombuffer(data, np.uint8))).to_bytes(CHECKSUM_BYTES, "little")


class Hdf5Store:
    """The arrays of one dataset as HDF5 files.

    Parameters
    ----------
    path
        The index file, such as ``data.h5``.
    folder
        The folder beside it that holds the shards, such as ``data.h5.d``.
    recipe
        The resolved recipe.
    table
        The arrays of the dataset.
    layout
        Rows of chunks and shards.
    classes
        Species names in label order.
    attributes
        Attributes of the index file's root.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        recipe: Recipe,
        table: Sequence[FieldSpec],
        layout: Layout,
        classes: Sequence[str],
        attributes: dict[str, str],
    ) -> None:
        self._path = path
        self._folder = folder
        self._recipe = recipe
        self._table = tuple(table)
        self._layout = layout
        self._classes = tuple(classes)
        self._attributes = attributes
        self._templates: dict[int, ShardTemplate] = {}
        self._lock = threading.Lock()

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""
        payload = little_endian(values).tobytes()
        return Chunk(payload, checksum(payload))

    def decode_chunk(self, data: bytes, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them: a read-only view of it.

        Raises
        ------
        DamagedDataError
            If the chunk has not the size of these rows, or its checksum fails.
        """
        expected = chunk_bytes(spec, self._layout)
        if len(data) != expected:
            raise DamagedDataError(
                f"{spec.name}: expected a chunk of {expected} bytes, got {len(data)}"
            )
        view = memoryview(data).toreadonly()
        if checksum(view[:-CHECKSUM_BYTES]) != view[-CHECKSUM_BYTES:]:
            raise DamagedDataError(f"{spec.name}: the checksum of a chunk fails")
        values = np.frombuffer(view[:-CHECKSUM_BYTES], np.dtype(spec.dtype).newbyteorder("<"))
        return values.reshape(self._layout.chunk_rows, *spec.shape)

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
                    self._table, n_rows, self._layout, self._classes
                )
            return self._templates[n_rows]

    def shard_files(
        self, shard: int, n_rows: int, chunks: Mapping[str, list[Chunk]]
    ) -> Iterator[ShardFile]:
        """Yield the one file of a shard of ``n_rows`` rows."""
        yield ShardFile(self.shard_paths(shard)[0], self._template(n_rows).parts(chunks))

    def chunk_table(
        self, path: Path, descriptor: int, spec: FieldSpec, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes) of each chunk of an array that holds the first ``n_rows`` rows.

        Everything is read through ``descriptor``; ``path`` is for messages.

        Raises
        ------
        DamagedDataError
            If the file is damaged, or the array in it is not exactly what the table says.
        """
        try:
            return chunk_table(descriptor, spec, n_rows, self._layout)
        except DamagedDataError as error:
            raise DamagedDataError(
                f"{path}: {spec.name}: {error}; repair the dataset or restore the file"
            ) from None

    def metadata_files(self, n_samples: int) -> dict[Path, list[bytes]]:
        """Return the index file over ``n_samples`` rows, by its path."""

        def source(shard: int) -> str:
            return f"{self._folder.name}/{self.shard_paths(shard)[0]}"

        index = index_file(
            self._table,
            self._recipe.grid,
            n_samples,
            self._layout,
            source,
            self._classes,
            self._attributes,
        )
        return {self._path: [index]}
