"""The Zarr v3 back end: one file for each shard of each array."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.fields import Basis, FieldSpec
from .encode import (
    checksum,
    decode_chunk,
    decode_rows,
    encode_chunk,
    index_bytes,
    largest_chunk,
    little_endian,
    parse_index,
    shard_parts,
)
from .interface import BitShuffled, Bytes, Chunk, ShardFile, Values
from .layout import Layout
from .metadata import SHIFT_COORDINATE, Json, hierarchy


class ZarrStore:
    """Arrays in the sharding codec of Zarr v3; see ``schemas/FORMAT.md``."""

    def __init__(
        self,
        folder: Path,
        recipe: Basis,
        table: tuple[FieldSpec, ...],
        layout: Layout,
        classes: Sequence[str],
        attributes: Json,
    ) -> None:
        self._folder = folder
        self._recipe = recipe
        self._table = table
        self._layout = layout
        self._classes = list(classes)
        self._attributes = attributes
        self._chunks_per_shard = layout.shard_rows // layout.chunk_rows

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""
        return encode_chunk(values, spec, self._layout.compression)

    def decode_chunk(self, data: Bytes, check: int, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them.

        Raises
        ------
        DamagedDataError
            If the checksum fails, or it says that it holds anything but these rows.
        """
        return decode_chunk(data, self._layout.chunk_rows, spec, self._layout.compression)

    def decode_rows(
        self,
        data: NDArray[np.uint8],
        check: int,
        spec: FieldSpec,
        row_bytes: int,
        room: NDArray[np.uint8],
    ) -> NDArray[np.uint8] | BitShuffled:
        """Return the rows of a stored chunk as bytes; see ``encode.decode_rows``."""
        layout = self._layout
        return decode_rows(data, layout.chunk_rows, spec, row_bytes, room, layout.compression)

    def array_path(self, shard: int, spec: FieldSpec) -> str:
        """Return which file holds a shard of an array."""
        return f"{spec.name}/c.{shard}{'.0' * len(spec.dims)}"

    def shard_paths(self, shard: int) -> tuple[str, ...]:
        """Return the paths of the files of a shard, inside the dataset's folder."""
        return tuple(self.array_path(shard, spec) for spec in self._table)

    def shard_files(
        self, shard: int, n_rows: int, chunks: Mapping[str, list[Chunk]]
    ) -> Iterator[ShardFile]:
        """Yield the files of a shard of ``n_rows`` rows."""
        for spec in self._table:
            parts = shard_parts(chunks[spec.name], self._chunks_per_shard)
            yield ShardFile(self.array_path(shard, spec), parts)

    def chunk_table(
        self, path: Path, descriptor: int, spec: FieldSpec, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, 0) of each chunk of the first ``n_rows`` rows of an array.

        Its checksum is in the chunk itself.

        Raises
        ------
        DamagedDataError
            If the index is missing or fails its checksum.
        """
        size = os.fstat(descriptor).st_size
        index = index_bytes(self._chunks_per_shard)
        if size < index:
            raise DamagedDataError(f"expected at least {index} bytes, got {size}")
        used = -(-n_rows // self._layout.chunk_rows)
        largest = largest_chunk(self._layout.chunk_rows, spec)
        places = parse_index(os.pread(descriptor, index, size - index), used, size, largest)
        return np.pad(places, ((0, 0), (0, 1)))

    def metadata_files(self, n_samples: int) -> dict[Path, list[bytes]]:
        """Return every ``zarr.json``, and the Raman shift coordinate, by full path."""
        nodes = hierarchy(
            self._recipe, self._table, n_samples, self._layout, self._classes, self._attributes
        )
        files = {
            self._folder / name / "zarr.json": [(json.dumps(node, indent=1) + "\n").encode()]
            for name, node in nodes.items()
        }
        if SHIFT_COORDINATE in nodes:
            payload = little_endian(self._recipe.grid.points()).tobytes()
            files[self._folder / SHIFT_COORDINATE / "c.0"] = [payload, checksum(payload)]
        return dict(sorted(files.items(), key=lambda item: -len(item[0].parts)))

    def check_sources(self, data: bytes) -> None:
        """Do nothing: metadata of Zarr names no files."""
