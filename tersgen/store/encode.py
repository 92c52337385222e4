"""Chunks of Zarr v3 arrays: little-endian values, blosc where the table says so, then CRC32C.

A shard file is its chunks, then its checksum table, which Zarr does not see, then an index of
(offset, bytes) pairs as 64-bit integers, then the CRC32C of the index (``sharding_indexed``).
"""

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from ..schema.manifest import Compression
from .checksums import CHECKSUM, checked, checksum, crc32c
from .chunk_blocks import BITS, HEADER, ChunkBlocks, blosc_blocks, decompress, plain_blocks
from .interface import BitShuffled, Bytes, Chunk, Values
from .metadata import blosc_settings

_SHUFFLES = {
    "noshuffle": blosc.NOSHUFFLE,
    "shuffle": blosc.SHUFFLE,
    "bitshuffle": blosc.BITSHUFFLE,
}
_MISSING = 2**64 - 1
_BLOSC_LZ4 = 1
_BLOSC_HOW = 7
LARGEST_RATIO = 256
"""No chunk decodes to more than this many times its bytes: LZ4 reaches 255."""


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


def encode_chunk(values: Values, spec: FieldSpec, compression: Compression = "lz4") -> Chunk:
    """Return the encoded chunk of ``values``; safe to call from many threads at once."""
    raw = little_endian(values)
    settings = blosc_settings(spec, compression)
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
    return n_rows * spec.row_bytes + HEADER + CHECKSUM


def _proved(data: Bytes, check: int) -> Bytes:
    """Return a chunk without its checksum, whose CRC32C must be the recorded one."""
    payload = data[:-CHECKSUM]
    found = crc32c(payload)
    if found != check:
        raise DamagedDataError(
            f"expected the chunk with the checksum (CRC32C) {check:08x}, got {found:08x}: another "
            "chunk, or damage"
        )
    return payload


def decode_chunk(
    data: Bytes, check: int, n_rows: int, spec: FieldSpec, compression: Compression = "lz4"
) -> Values:
    """Return the ``n_rows`` rows of a stored chunk; safe to call from many threads at once.

    ``check`` is the CRC32C that the checksum table records for it.
    """
    payload = _proved(data, check)
    settings = blosc_settings(spec, compression)
    wanted = n_rows * spec.row_bytes
    if settings is None:
        _check_size(payload, wanted)
        values = np.frombuffer(payload, np.uint8)
    else:
        _check_blosc(payload, wanted, settings["typesize"])
        values = np.empty(wanted, np.uint8)
        decompress(payload, values)
    return values.view(np.dtype(spec.dtype).newbyteorder("<")).reshape(n_rows, *spec.shape)


def chunk_blocks(
    payload: NDArray[np.uint8], n_rows: int, spec: FieldSpec, compression: Compression
) -> ChunkBlocks:
    """Return where the ``n_rows`` rows of a chunk, whose checksum is right, lie in its bytes."""
    settings = blosc_settings(spec, compression)
    wanted = n_rows * spec.row_bytes
    if settings is None:
        _check_size(payload, wanted)
        return plain_blocks(0, wanted)
    _check_blosc(payload, wanted, settings["typesize"])
    return blosc_blocks(payload)


def decode_rows(
    data: NDArray[np.uint8], check: int, n_rows: int, spec: FieldSpec, row_bytes: int,
    room: NDArray[np.uint8], compression: Compression = "lz4",
) -> NDArray[np.uint8] | BitShuffled:  # fmt: skip
    """Return the rows of a stored chunk as bytes, in ``data`` or in ``room``: memory for them.

    Writes into ``data``. Raises as ``decode_chunk`` does.
    """
    from ..numeric.bits import TILE_BYTES

    payload = _proved(data, check)
    wanted = n_rows * row_bytes
    settings = blosc_settings(spec, compression)
    if settings is None:
        _check_size(payload, wanted)
        return payload.reshape(n_rows, row_bytes)
    values = room[:wanted]
    _check_blosc(payload, wanted, settings["typesize"])
    block = int.from_bytes(payload[8:12], "little")
    if (
        spec.dtype == "float16"
        and payload[2] & _BLOSC_HOW == BITS
        and row_bytes % TILE_BYTES == 0
        and block
        and block % row_bytes == 0
    ):
        payload[2] ^= BITS  # as if nothing were shuffled: our own kernel puts it in order
        decompress(payload, values)
        return BitShuffled(values.view(np.uint64), block // 8)
    decompress(payload, values)
    return values.reshape(n_rows, row_bytes)


def _check_size(payload: Bytes, wanted: int) -> None:
    if len(payload) != wanted:
        raise DamagedDataError(f"expected {wanted} bytes, got {len(payload)}")


def _check_blosc(payload: Bytes, wanted: int, type_size: int) -> None:
    """Refuse a compressed chunk whose header does not announce what is expected."""
    if len(payload) < HEADER:
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


def chunk_checks(chunks: list[Chunk], n_chunks: int) -> NDArray[np.uint32]:
    """Return the CRC32C of each of ``n_chunks`` chunks, the first of which are given; then 0."""
    checks = np.zeros(n_chunks, np.uint32)
    checks[: len(chunks)] = [int.from_bytes(chunk.checksum, "little") for chunk in chunks]
    return checks


def shard_parts(chunks: list[Chunk], n_chunks: int, checks: bytes) -> list[bytes]:
    """Return the pieces of a shard file of ``n_chunks`` chunks, the first of which are given.

    Chunks beyond those given lie past the end of the array and are marked missing in the index.
    """
    index = np.full((n_chunks, 2), _MISSING, "<u8")
    sizes = np.array([chunk.size for chunk in chunks], np.uint64)
    index[: len(chunks), 0] = np.cumsum(sizes) - sizes
    index[: len(chunks), 1] = sizes
    table = index.tobytes()
    parts = [part for chunk in chunks for part in chunk]
    return [*parts, checks, table, checksum(table)]


def index_bytes(n_chunks: int) -> int:
    """Return the size of the index at the end of a shard file."""
    return 16 * n_chunks + CHECKSUM


def parse_index(data: bytes, n_used: int, body: int, largest: int) -> NDArray[np.int64]:
    """Return (offset, bytes) of the first ``n_used`` chunks from the index of a shard file.

    Both are -1 for a chunk that is missing, too large, or not within the first ``body`` bytes.
    """
    index = np.frombuffer(checked(data), "<u8").reshape(-1, 2)[:n_used]
    offset, size = index[:, 0], index[:, 1]
    bad = (size > largest) | (offset > body) | (size > body - np.minimum(offset, body))
    return np.where(bad[:, None], -1, index.astype(np.int64))
