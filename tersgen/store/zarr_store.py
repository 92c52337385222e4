"""The Zarr v3 back end: one file for each shard of each array."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from .checksums import checksum
from .encode import (
    chunk_checks,
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
from .metadata import Json, hierarchy
from .seal_table import Place, arrays_check, make_seal, read_seal, seal_bytes


class ZarrStore:
    """Arrays in the sharding codec of Zarr v3; see ``schemas/FORMAT.md``."""

    def __init__(
        self, folder: Path, contents: Contents, layout: Layout, identity: bytes, attributes: Json
    ) -> None:
        self._folder = folder
        self._contents = contents
        self._table = contents.fields
        self._layout = layout
        self._identity = identity
        self._attributes = attributes
        self._chunks_per_shard = layout.shard_rows // layout.chunk_rows
        self._checks = {spec.name: arrays_check([spec]) for spec in contents.fields}

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
        layout = self._layout
        return decode_chunk(data, check, layout.chunk_rows, spec, layout.compression)

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
        return decode_rows(
            data, check, layout.chunk_rows, spec, row_bytes, room, layout.compression
        )

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
            checks = chunk_checks(chunks[spec.name], self._chunks_per_shard)
            seal = make_seal(self._place(shard, spec), n_rows, checks)
            parts = shard_parts(chunks[spec.name], self._chunks_per_shard, seal)
            yield ShardFile(self.array_path(shard, spec), parts)

    def _place(self, shard: int, spec: FieldSpec) -> Place:
        return Place(self._identity, self._checks[spec.name], shard)

    def chunk_table(
        self, path: Path, descriptor: int, spec: FieldSpec, shard: int, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, CRC32C) of each chunk of the first ``n_rows`` rows of an array.

        Raises
        ------
        DamagedDataError
            If index or seal is missing or fails its checksum, or the file is of another place.
        """
        size = os.fstat(descriptor).st_size
        index = index_bytes(self._chunks_per_shard)
        seal = seal_bytes(self._chunks_per_shard)
        if size < seal + index:
            raise DamagedDataError(f"expected at least {seal + index} bytes, got {size}")
        end = os.pread(descriptor, seal + index, size - seal - index)
        try:
            checks = read_seal(end[:seal], self._place(shard, spec), n_rows)
        except DamagedDataError as error:
            raise DamagedDataError(f"its seal: {error}") from None
        used = -(-n_rows // self._layout.chunk_rows)
        largest = largest_chunk(self._layout.chunk_rows, spec)
        places = parse_index(end[seal:], used, size - seal - index, largest)
        return np.column_stack((places, checks[:used].astype(np.int64)))

    def metadata_files(self, n_samples: int) -> dict[Path, list[bytes]]:
        """Return every ``zarr.json``, and the coordinates of axes, by full path."""
        nodes = hierarchy(self._contents, n_samples, self._layout, self._attributes)
        files = {
            self._folder / name / "zarr.json": [(json.dumps(node, indent=1) + "\n").encode()]
            for name, node in nodes.items()
        }
        for axis in self._contents.axes:
            payload = little_endian(axis.points()).tobytes()
            files[self._folder / axis.name / "c.0"] = [payload, checksum(payload)]
        return dict(sorted(files.items(), key=lambda item: -len(item[0].parts)))

    def check_sources(self, data: bytes) -> None:
        """Do nothing: metadata of Zarr names no files."""
