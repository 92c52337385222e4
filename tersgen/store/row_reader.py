"""Rows read one at a time: a chunk is checked once as a whole, and from then on in pieces.

The CRC32C of a chunk is computed piece by piece, and that of all bytes up to the end of each piece
is kept. So a later row needs only the pieces that it lies in, and these are checked again: no byte
is returned that was not compared with the recorded CRC32C, whatever has happened to the file.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from .checksums import crc32c, crc32c_up_to
from .chunk_blocks import ChunkBlocks, decode_block
from .interface import Store, Values
from .shard_files import ShardFiles

_PIECE = 1 << 16
"""Bytes that are checked together."""
_MOST_KNOWN = 1 << 15
"""Chunks whose checksums are kept: about 600 bytes each."""

Take = Callable[[int, int], NDArray[np.uint8]]
"""Returns the bytes of a chunk from one place to another, checked."""


class Part(NamedTuple):
    """Some rows of a field as they are stored, in memory of their own."""

    first: int
    """The first of them."""
    values: Values
    is_decoded: bool
    """Whether reading them again would decode them again: then it is worth keeping them."""


class _Known(NamedTuple):
    """A chunk that has been checked; not its file, so that no more are open than may be."""

    size: int
    """Bytes that were checked."""
    sums: NDArray[np.uint32]
    """CRC32C of the bytes before each piece, and at last of all."""
    blocks: ChunkBlocks

    def take(self, file: ByteFile, offset: int, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some bytes of the chunk, which is at an offset in a file."""
        low, high = begin // _PIECE, -(-end // _PIECE)
        start = low * _PIECE
        data = np.empty(min(high * _PIECE, self.size) - start, np.uint8)
        file.read_into(offset + start, data)
        if crc32c(data, before=int(self.sums[low])) != self.sums[high]:
            raise DamagedDataError("it was changed")
        return data[begin - start : end - start]


class RowReader:
    """Reads single rows of the first rows of a local dataset; safe to use from many threads."""

    def __init__(
        self, folder: Path, store: Store, fields: Sequence[FieldSpec], n_samples: int
    ) -> None:
        self._store = store
        self._layout = store.layout
        self._files = ShardFiles(folder, store, fields, n_samples)
        self._known: dict[tuple[str, int], _Known] = {}
        self._lock = threading.Lock()
        self._scratch = threading.local()

    def read(self, spec: FieldSpec, row: int) -> Part:
        """Return a row, and those that had to be decoded with it.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checks; the message has no path.
        """
        chunk, inside = divmod(row, self._layout.chunk_rows)
        known = self._known.get((spec.name, chunk))
        if known is not None:
            try:
                return self._again(known, spec, chunk, row, inside)
            except DamagedDataError:
                pass  # it may have been rebuilt: all of it is checked again
        try:
            return self._first(spec, chunk, row, inside)
        except DamagedDataError:
            if not self._files.forget(spec, chunk // self._layout.chunks_per_shard):
                raise
        return self._first(spec, chunk, row, inside)

    def _again(self, known: _Known, spec: FieldSpec, chunk: int, row: int, inside: int) -> Part:
        """Return a row of a chunk; only the pieces that it lies in are read and checked."""
        file, offset, _, _ = self._find(spec, chunk)
        return row_part(known.blocks, spec, row, inside, partial(known.take, file, offset))

    def _find(self, spec: FieldSpec, chunk: int) -> tuple[ByteFile, int, int, int]:
        """Return the file of a chunk, where it begins, its bytes, and its CRC32C as recorded."""
        shard, number = divmod(chunk, self._layout.chunks_per_shard)
        file, table = self._files.chunks(spec, shard)
        offset, size, check = table[number]
        if size < 0:
            raise DamagedDataError("it is missing")
        return file.bytes, offset, size, check

    def _first(self, spec: FieldSpec, chunk: int, row: int, inside: int) -> Part:
        """Return a row of a chunk that is read and checked as a whole."""
        file, offset, size, check = self._find(spec, chunk)
        data = self._room(size)
        file.read_into(offset, data)
        payload = data[: size - self._store.unchecked]
        sums = crc32c_up_to(payload, _PIECE)
        if sums[-1] != check:
            raise DamagedDataError(
                f"expected the chunk with the checksum (CRC32C) {check:08x}, got {sums[-1]:08x}: "
                "another chunk, or damage"
            )
        blocks = self._store.chunk_blocks(payload, spec)
        part = row_part(blocks, spec, row, inside, lambda begin, end: payload[begin:end])
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            header = blocks._replace(header=blocks.header.copy())  # not that of the next chunk
            kept = _Known(len(payload), np.array(sums, np.uint32), header)
            self._known[spec.name, chunk] = kept
        return part

    def _room(self, size: int) -> NDArray[np.uint8]:
        """Return memory for a chunk, the same again and again: fresh memory costs as much."""
        room: NDArray[np.uint8] | None = getattr(self._scratch, "room", None)
        if room is None or len(room) < size:
            room = self._scratch.room = np.empty(size, np.uint8)
        return room[:size]


def row_part(blocks: ChunkBlocks, spec: FieldSpec, row: int, inside: int, take: Take) -> Part:
    """Return a row, number ``inside`` of a chunk; of a block that is decoded all whole rows."""
    size, block = spec.row_bytes, blocks.block
    start, stop = inside * size, (inside + 1) * size
    numbers = range(start // block, (stop - 1) // block + 1)
    pieces = []
    for number in numbers:
        begin, end, as_is = blocks.places[number].tolist()
        low = number * block
        first, last = max(start - low, 0), min(stop - low, block)
        if as_is:
            pieces.append(take(begin + first, begin + last))
            continue
        decoded = decode_block(blocks, number, take(begin, end))
        if len(numbers) == 1:
            before = -low % size
            whole = decoded[before : before + (len(decoded) - before) // size * size]
            return Part(row - inside + -(-low // size), _rows(whole, spec), True)
        pieces.append(decoded[first:last])
    return Part(row, _rows(np.concatenate(pieces), spec), False)


def _rows(data: NDArray[np.uint8], spec: FieldSpec) -> Values:
    """Return bytes as rows of their type."""
    return data.view(np.dtype(spec.dtype).newbyteorder("<")).reshape(-1, *spec.shape)
