"""The Zarr v3 back end: one file for each shard of each array."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile, read_range
from ..errors import DamagedDataError
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from .checksum_table import Place, arrays_check, dataset_id, make_table, read_table, table_bytes
from .checksums import CHECKSUM, checksum
from .chunk_blocks import ChunkBlocks
from .encode import (
    chunk_blocks,
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
from .interface import BitShuffled, Bytes, Chunk, ShardFile, Values, notes
from .layout import Layout
from .metadata import blosc_settings, hierarchy


class ZarrStore:
    """Arrays in the sharding codec of Zarr v3; see ``schemas/FORMAT.md``."""

    unchecked = CHECKSUM

    def __init__(self, contents: Contents, layout: Layout) -> None:
        self.contents = contents
        self.layout = layout
        self._identity = dataset_id(contents.recipe_digest, "zarr", layout)
        self._checks = {spec.name: arrays_check([spec]) for spec in contents.fields}

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""
        return encode_chunk(values, spec, self.layout.compression)

    def decode_chunk(self, data: Bytes, check: int, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them."""
        layout = self.layout
        return decode_chunk(data, check, layout.chunk_rows, spec, layout.compression)

    def chunk_blocks(self, payload: NDArray[np.uint8], spec: FieldSpec) -> ChunkBlocks:
        """Return where the rows of a chunk lie in its bytes."""
        layout = self.layout
        return chunk_blocks(payload, layout.chunk_rows, spec, layout.compression)

    def decode_rows(
        self,
        data: NDArray[np.uint8],
        check: int,
        spec: FieldSpec,
        row_bytes: int,
        room: NDArray[np.uint8],
    ) -> NDArray[np.uint8] | BitShuffled:
        """Return the rows of a stored chunk as bytes; see ``encode.decode_rows``."""
        layout = self.layout
        return decode_rows(
            data, check, layout.chunk_rows, spec, row_bytes, room, layout.compression
        )

    def is_plain(self, spec: FieldSpec) -> bool:
        """Return whether a chunk's bytes begin with its rows: they do if not compressed."""
        return blosc_settings(spec, self.layout.compression) is None

    def array_path(self, shard: int, spec: FieldSpec) -> str:
        """Return which file holds a shard of an array."""
        return f"{spec.name}/c.{shard}{'.0' * len(spec.dims)}"

    def shard_paths(self, shard: int) -> tuple[str, ...]:
        """Return the paths of the files of a shard, inside the dataset's folder."""
        return tuple(self.array_path(shard, spec) for spec in self.contents.fields)

    def shard_files(
        self, shard: int, n_rows: int, chunks: Mapping[str, list[Chunk]]
    ) -> Iterator[ShardFile]:
        """Yield the files of a shard of ``n_rows`` rows."""
        for spec in self.contents.fields:
            checks = chunk_checks(chunks[spec.name], self.layout.chunks_per_shard)
            table = make_table(self._place(shard, spec), n_rows, checks)
            parts = shard_parts(chunks[spec.name], self.layout.chunks_per_shard, table)
            yield ShardFile(self.array_path(shard, spec), parts)

    def _place(self, shard: int, spec: FieldSpec) -> Place:
        return Place(self._identity, self._checks[spec.name], shard)

    def chunk_table(
        self, file: ByteFile, spec: FieldSpec, shard: int, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, CRC32C) of each chunk of the first ``n_rows`` rows of an array."""
        size = file.size
        index = index_bytes(self.layout.chunks_per_shard)
        table = table_bytes(self.layout.chunks_per_shard)
        if size < table + index:
            raise DamagedDataError(f"expected at least {table + index} bytes, got {size}")
        end = read_range(file, size - table - index, table + index)
        try:
            checks = read_table(end[:table], self._place(shard, spec), n_rows)
        except DamagedDataError as error:
            raise DamagedDataError(f"its checksum table: {error}") from None
        used = -(-n_rows // self.layout.chunk_rows)
        largest = largest_chunk(self.layout.chunk_rows, spec)
        places = parse_index(end[table:], used, size - table - index, largest)
        return np.column_stack((places, checks[:used].astype(np.int64)))

    def chunk_tables(
        self, file: ByteFile, specs: Sequence[FieldSpec], shard: int, n_rows: int
    ) -> dict[str, NDArray[np.int64]]:
        """Return the chunk tables of arrays in one file by name: there is one array in each."""
        return {spec.name: self.chunk_table(file, spec, shard, n_rows) for spec in specs}

    def metadata_files(self, n_samples: int, folder: str) -> dict[str, list[bytes]]:
        """Return every ``zarr.json``, and the coordinates of axes; the root comes last."""
        nodes = hierarchy(self.contents, n_samples, self.layout, {"tersgen": notes(self.contents)})
        files = {
            f"{name}/zarr.json".lstrip("/"): [(json.dumps(node, indent=1) + "\n").encode()]
            for name, node in nodes.items()
        }
        for one in self.contents.positions:
            payload = little_endian(one.points()).tobytes()
            files[f"{one.name}/c.0"] = [payload, checksum(payload)]
        return dict(sorted(files.items(), key=lambda item: -item[0].count("/")))

    def check_sources(self, data: bytes, folder: str) -> None:
        """Do nothing: metadata of Zarr names no files."""
