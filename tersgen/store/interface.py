"""What a back end provides: how chunks are encoded, and where they lie.

Shards, digests, the commit protocol, resume, reading and repair are written once, above this.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import FieldSpec

Values = NDArray[np.generic]


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
    """The arrays of one dataset in one back end."""

    def encode_chunk(self, values: Values, spec: FieldSpec) -> Chunk:
        """Return the encoded chunk of ``chunk_rows`` rows; safe to call from many threads."""

    def decode_chunk(self, data: bytes, spec: FieldSpec) -> Values:
        """Return the rows of a stored chunk, ``chunk_rows`` of them.

        Raises
        ------
        DamagedDataError
            If the checksum fails or the chunk would not decode to exactly these rows; found out
            before anything is allocated for them.
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
        self, path: Path, descriptor: int, spec: FieldSpec, n_rows: int
    ) -> NDArray[np.int64]:
        """Return (offset, bytes) of each chunk of an array that holds the first ``n_rows`` rows.

        ``descriptor`` is ``path`` opened for reading. Both numbers are -1 for a chunk that is
        missing or cannot lie where it is said to.

        Raises
        ------
        DamagedDataError
            If the file does not tell where its chunks lie.
        """

    def metadata_files(self, n_samples: int) -> dict[Path, list[bytes]]:
        """Return every file that describes the arrays to other software, by its full path."""
