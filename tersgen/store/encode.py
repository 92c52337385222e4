"""Encoding of chunks, and the layout of a shard file: Zarr v3 ``sharding_indexed``.

A chunk is its little-endian values, compressed with blosc where the table of codecs says so, with
their CRC32C behind them. A shard is its chunks, then an index of (offset, bytes) pairs as 64-bit
integers, then the CRC32C of the index.
"""

from typing import NamedTuple

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from ..schema.fields import FieldSpec
from .metadata import blosc_settings

Values = NDArray[np.generic]

_SHUFFLES = {"shuffle": blosc.SHUFFLE, "bitshuffle": blosc.BITSHUFFLE}
_MISSING = 2**64 - 1


class Chunk(NamedTuple):
    """One encoded chunk: its bytes and their checksum."""

    payload: bytes
    checksum: bytes

    @property
    def size(self) -> int:
        """Bytes in the shard file."""
        return len(self.payload) + len(self.checksum)


def checksum(data: bytes) -> bytes:
    """Return the CRC32C of ``data``, four bytes, little-endian."""
    return int(google_crc32c.value(data)).to_bytes(4, "little")


def little_endian(values: Values) -> Values:
    """Return values as a contiguous little-endian array; a view where they are one already."""
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def fill_up(values: Values, n_rows: int, spec: FieldSpec) -> Values:
    """Return values filled up to ``n_rows`` rows with the fill value."""
    if len(values) == n_rows:
        return values
    full = np.full((n_rows, *spec.shape), spec.fill_value, values.dtype)
    full[: len(values)] = values
    return full


def encode_chunk(values: Values, spec: FieldSpec) -> Chunk:
    """Return the encoded chunk of ``values``; safe to call from many threads at once."""
    raw = little_endian(values)
    settings = blosc_settings(spec)
    if settings is None:
        payload = raw.tobytes()
    else:
        shuffle = _SHUFFLES[settings["shuffle"]]
        payload = blosc.compress(
            raw.reshape(-1), settings["cname"].encode(), settings["clevel"], shuffle, 0
        )
    return Chunk(payload, checksum(payload))


def shard_parts(chunks: list[Chunk], n_chunks: int) -> list[bytes]:
    """Return the pieces of a shard file of ``n_chunks`` chunks, the first of which are given.

    Chunks beyond those given lie past the end of the array and are marked missing in the index.
    """
    index = np.full((n_chunks, 2), _MISSING, "<u8")
    sizes = np.array([chunk.size for chunk in chunks], np.uint64)
    index[: len(chunks), 0] = np.cumsum(sizes) - sizes
    index[: len(chunks), 1] = sizes
    table = index.tobytes()
    parts = [part for chunk in chunks for part in chunk]
    return [*parts, table, checksum(table)]
