"""Chunks of Zarr v3 arrays: little-endian values, blosc where the table says so, then CRC32C.

A shard file is its chunks, then an index of (offset, bytes) pairs as 64-bit integers, then the
CRC32C of the index (``sharding_indexed``).
"""

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from .interface import Chunk, Values
from .metadata import blosc_settings

_SHUFFLES = {"shuffle": blosc.SHUFFLE, "bitshuffle": blosc.BITSHUFFLE}
_MISSING = 2**64 - 1
_CHECKSUM = 4
_BLOSC_HEADER = 16
_BLOSC_LZ4 = 1
LARGEST_RATIO = 256
"""No chunk decodes to more than this many times its bytes: LZ4 reaches 255."""


def checksum(data: bytes) -> bytes:
    """Return the CRC32C of ``data``, four bytes, little-endian."""
    return int(google_crc32c.value(data)).to_bytes(_CHECKSUM, "little")


def checked(data: bytes) -> bytes:
    """Return what stands before the CRC32C at the end of ``data``.

    Raises
    ------
    DamagedDataError
        If it is not the CRC32C of what stands before it.
    """
    payload, stored = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if checksum(payload) != stored:
        raise DamagedDataError("the checksum (CRC32C) does not match")
    return payload


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


def largest_chunk(n_rows: int, spec: FieldSpec) -> int:
    """Return the most bytes that a stored chunk of ``n_rows`` rows can have."""
    return n_rows * spec.row_bytes + _BLOSC_HEADER + _CHECKSUM


def decode_chunk(data: bytes, n_rows: int, spec: FieldSpec) -> Values:
    """Return the ``n_rows`` rows of a stored chunk; safe to call from many threads at once.

    Raises
    ------
    DamagedDataError
        If the checksum fails, or the chunk says that it holds anything but these rows.
    """
    payload = checked(data)
    settings = blosc_settings(spec)
    wanted = n_rows * spec.row_bytes
    if settings is None:
        if len(payload) != wanted:
            raise DamagedDataError(f"expected {wanted} bytes, got {len(payload)}")
        values = np.frombuffer(payload, np.uint8)
    else:
        _check_blosc(payload, wanted, settings["typesize"])
        try:
            values = np.empty(wanted, np.uint8)
            blosc.decompress(payload, values)
        except MemoryError:
            raise DamagedDataError(f"its {wanted} bytes do not fit in memory") from None
        except (RuntimeError, ValueError) as error:
            raise DamagedDataError(f"cannot be decompressed: {error}") from None
    return values.view(np.dtype(spec.dtype).newbyteorder("<")).reshape(n_rows, *spec.shape)


def _check_blosc(payload: bytes, wanted: int, type_size: int) -> None:
    """Refuse a compressed chunk whose header does not announce what is expected."""
    if len(payload) < _BLOSC_HEADER:
        raise DamagedDataError(f"expected a blosc chunk, got {len(payload)} bytes")
    n_bytes, block, stored = np.frombuffer(payload, "<u4", 3, 4).tolist()
    if payload[2] >> 5 != _BLOSC_LZ4 or wanted > LARGEST_RATIO * len(payload):
        raise DamagedDataError(
            f"expected LZ4 that decodes to {wanted} bytes, got {len(payload)} bytes that cannot"
        )
    if n_bytes != wanted or stored != len(payload) or payload[3] != type_size or block > wanted:
        raise DamagedDataError(
            f"expected a blosc chunk of {len(payload)} bytes that decodes to {wanted}, got one "
            f"that says {stored} and {n_bytes}"
        )


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


def index_bytes(n_chunks: int) -> int:
    """Return the size of the index at the end of a shard file."""
    return 16 * n_chunks + _CHECKSUM


def parse_index(data: bytes, n_used: int, file_bytes: int, largest: int) -> NDArray[np.int64]:
    """Return (offset, bytes) of the first ``n_used`` chunks from the index of a shard file.

    Both are -1 for a chunk that is missing, too large, or not inside the file.

    Raises
    ------
    DamagedDataError
        If the index fails its checksum.
    """
    index = np.frombuffer(checked(data), "<u8").reshape(-1, 2)[:n_used]
    body = file_bytes - len(data)
    offset, size = index[:, 0], index[:, 1]
    bad = (size > largest) | (offset > body) | (size > body - np.minimum(offset, body))
    return np.where(bad[:, None], -1, index.astype(np.int64))
