"""What a back end provides: how chunks are encoded, and where they are stored.

Shards, digests, the commit protocol, resume, reading and repair are implemented once, in the layers
above.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from ..schema.manifest import JOURNAL, MANIFEST, RECIPE
from .chunk_blocks import ChunkBlocks
from .layout import Layout

DOCUMENTS = {"recipe": RECIPE, "manifest": MANIFEST, "journal": JOURNAL}
"""The documents beside the arrays."""


def notes(contents: Contents) -> dict[str, Any]:
    """Return what the metadata for other software says beside the arrays."""
    if not contents.computed:
        return dict(DOCUMENTS)
    computed = {spec.name: spec.description for spec in contents.computed}
    return {**DOCUMENTS, "computed by tersgen from the recipe, not stored": computed}


INDEX = "index"
"""What the index file of an HDF5 dataset is called in its manifest: users may rename it."""

Values = NDArray[np.generic]
Bytes = TypeVar("Bytes", bytes, NDArray[np.uint8])
"""Encoded bytes: of a file, or in memory that is used again."""


class BitShuffled(NamedTuple):
    """Rows of 16-bit values whose bits are still shuffled, for ``copy_bit_shuffled``."""

    words: NDArray[np.uint64]
    block_words: int


class Chunk(NamedTuple):
    """One encoded chunk: its bytes and their checksum, which follows them in the file."""

    payload: bytes
    checksum: bytes

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return len(self.payload) + len(self.checksum)


class ShardFile(NamedTuple):
    """One file of a shard: its path inside the dataset's folder, and its bytes in pieces."""

    path: str
    parts: list[bytes]


class Store(Protocol):
    """The arrays of one dataset in one back end: names inside its folder, wherever that lies."""

    contents: Contents
    layout: Layout
    unchecked: int
    """Bytes at the end of a stored chunk that its check does not cover."""

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""

    def decode_chunk(self, data: Bytes, check: int, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them.

        ``check`` is what ``chunk_table`` says of the chunk. The rows may be a view of ``data``.

        Raises
        ------
        DamagedDataError
            If the checksum fails or the chunk would not decode to exactly these rows; found out
            before anything is allocated for them.
        """

    def chunk_blocks(self, payload: NDArray[np.uint8], spec: FieldSpec) -> ChunkBlocks:
        """Return where the rows of a chunk lie in its bytes, which have been checked.

        ``payload`` is what its check covers.

        Raises
        ------
        DamagedDataError
            If it would not decode to exactly these rows.
        """

    def decode_rows(
        self,
        data: NDArray[np.uint8],
        check: int,
        spec: FieldSpec,
        row_bytes: int,
        room: NDArray[np.uint8],
    ) -> NDArray[np.uint8] | BitShuffled:
        """Return the rows of a stored chunk as bytes, in ``data`` or in ``room``.

        As ``decode_chunk``, but nothing is allocated, and ``data`` may be written to. Bits may be
        left shuffled for the one who copies the rows.
        """

    def is_plain(self, spec: FieldSpec) -> bool:
        """Return whether a chunk's bytes begin with its rows, as ``decode_rows`` returns them.

        Only its checksum follows.
        """

    def shard_paths(self, shard: int) -> tuple[str, ...]:
        """Return the paths of the files of a shard, inside the dataset's folder."""

    def array_path(self, shard: int, spec: FieldSpec) -> str:
        """Return which of these files holds an array."""

    def shard_files(
        self, shard: int, n_rows: int, chunks: Mapping[str, list[Chunk]]
    ) -> Iterator[ShardFile]:
        """Yield the files of a shard of ``n_rows`` rows."""

    def chunk_table(
        self, file: ByteFile, spec: FieldSpec, shard: int, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes, check) of each chunk of the first ``n_rows`` rows of an array.

        Shape (n_chunks, 3). ``file`` is the array's. Offset and bytes
        are -1 for a chunk that is missing or cannot lie where it is said to. The check is for
        ``decode_chunk``: the CRC32C that the file's checksum table records.

        Raises
        ------
        DamagedDataError
            If the file does not tell where its chunks lie, or is not that of this dataset, array
            and shard, with so many rows.
        """

    def chunk_tables(
        self, file: ByteFile, specs: Sequence[FieldSpec], shard: int, n_rows: int
    ) -> dict[str, NDArray[np.int64]]:
        """Return the chunk tables of arrays in one file by name, as ``chunk_table`` does.

        Opening the file may cost more than the tables. Arrays that are damaged may be left out.

        Raises
        ------
        DamagedDataError
            If it is not the file of these arrays.
        """

    def metadata_files(self, n_samples: int, folder: str) -> dict[str, list[bytes]]:
        """Return every file that describes the arrays to other software, by its manifest name.

        ``folder`` is what the dataset's folder is called: an index beside it names it.
        """

    def check_sources(self, data: bytes, folder: str) -> None:
        """Refuse a file that describes the arrays if it looks for them in another folder.

        Raises
        ------
        DamagedDataError
            If it does.
        """
