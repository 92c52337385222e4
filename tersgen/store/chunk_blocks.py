"""Where the rows of a stored chunk lie in its bytes: parts of it are decoded alone.

A blosc buffer is a header, where each block begins, and the blocks, each of as many decoded bytes,
the last of what is left (``README_CHUNK_FORMAT.rst`` of c-blosc 1.21). A block is decoded as a
buffer of one block. What LZ4 cannot shorten, such as noise of 8 bits, is stored as it is.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from ..errors import DamagedDataError

HEADER = 16
"""Bytes of the header of a blosc buffer."""
STORED, BITS, WHOLE = 2, 4, 16
"""Flags of a buffer: its bytes are not compressed; its bits are shuffled; no block is split."""
_BYTES = 1
"""Flag: its bytes are shuffled."""
_LENGTH = 4
"""Bytes before the content of a block that say how many follow."""


class ChunkBlocks(NamedTuple):
    """Where the rows of a chunk lie in its bytes."""

    n_bytes: int
    """Bytes of all rows."""
    block: int
    """Bytes of the rows of each block but the last."""
    places: NDArray[np.int64]
    """Begin and end of each block, and whether it holds its rows as they are, (n_blocks, 3)."""
    header: NDArray[np.uint8]
    """Header of the buffer that the other blocks are from."""


def plain_blocks(begin: int, n_bytes: int) -> ChunkBlocks:
    """Return the blocks of a chunk that holds its rows as they are, from a byte on."""
    places = np.array([[begin, begin + n_bytes, 1]], np.int64)
    return ChunkBlocks(n_bytes, n_bytes, places, np.empty(0, np.uint8))


def blosc_blocks(payload: NDArray[np.uint8]) -> ChunkBlocks:
    """Return the blocks of a blosc buffer whose header has been checked."""
    n_bytes, block = np.frombuffer(payload, "<u4", 2, 4).tolist()
    flags, type_size = payload[2:4].tolist()
    if flags & STORED:
        if len(payload) != HEADER + n_bytes:
            raise DamagedDataError(f"expected {n_bytes} bytes, got {len(payload) - HEADER}")
        return plain_blocks(HEADER, n_bytes)
    n_blocks = -(-n_bytes // max(block, 1))
    table = HEADER + 4 * n_blocks
    if not block or table > len(payload):
        raise DamagedDataError(f"expected {n_blocks} blocks of {block}, got {len(payload)} bytes")
    begins = payload[HEADER:table].view("<u4").tolist()
    edges = sorted({*begins, len(payload)})
    next_edge = dict(pairwise(edges))
    may_be_as_is = type_size == 1 and not flags & (_BYTES | BITS)
    places = []
    for number, begin in enumerate(begins):
        end = next_edge.get(begin, begin)
        if begin < table or begin + _LENGTH > end:
            raise DamagedDataError(f"expected block {number} inside the chunk, got it at {begin}")
        size = min(block, n_bytes - number * block)
        length = int.from_bytes(payload[begin : begin + _LENGTH].tobytes(), "little")
        as_is = may_be_as_is and length == size <= end - begin - _LENGTH
        places.append((begin + _LENGTH if as_is else begin, end, as_is))
    return ChunkBlocks(n_bytes, block, np.array(places, np.int64), payload[:HEADER])


def decode_block(blocks: ChunkBlocks, number: int, encoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what the bytes of a block decode to."""
    size = min(blocks.block, blocks.n_bytes - number * blocks.block)
    alone = np.empty(HEADER + 4 + len(encoded), np.uint8)
    alone[:HEADER] = blocks.header
    if size < blocks.block:
        alone[2] |= WHOLE  # the last block, if it is shorter, is not split into streams
    alone[4:16].view("<u4")[:] = size, size, len(alone)
    alone[16:20].view("<u4")[:] = HEADER + 4
    alone[20:] = encoded
    values = np.empty(size, np.uint8)
    decompress(alone, values)
    return values


def decompress(payload: bytes | NDArray[np.uint8], values: NDArray[np.uint8]) -> None:
    """Decode a blosc buffer into ``values``."""
    try:
        blosc.decompress(payload, values)
    except (RuntimeError, ValueError) as error:
        raise DamagedDataError(f"cannot be decompressed: {error}") from None
