"""Runs of rows copied directly into arrays of the caller: the read path of training.

Every read is checked like any other, but fast: files stay open, the encoded chunk and its decoded
rows are in scratch memory that stays in the cache, and rows are copied once. Chunks of plain rows
on local disks are read once, and from then on copied out of the mapped file. Small fields are read
a whole shard at a time and cached: their chunks are about a kilobyte, and each would cost a read.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from .interface import BitShuffled, Store, Values
from .mapping import Watch
from .shard_files import OpenFile, ShardFiles
from .sources import remedy, remote_source

if TYPE_CHECKING:
    from .remote import RemoteSource

_SMALL = 128
"""Most bytes of a row of a field that is kept."""
_SMALL_REMOTE = 1024
"""The same where each read is a request to a server."""
_MOST_KEPT = 1 << 27
"""Most bytes that the kept fields of a version may come to, the smallest fields first."""
_GAP = 4096
"""Bytes of other things that may lie between the chunks of a small field: HDF5 has some."""


@dataclass
class ReadTimes:
    """Seconds that one thread spent in each step of reading."""

    read: float = 0.0
    decode: float = 0.0
    gather: float = 0.0

    def __add__(self, other: "ReadTimes") -> "ReadTimes":
        """Return the sum of both."""
        return ReadTimes(
            self.read + other.read, self.decode + other.decode, self.gather + other.gather
        )


class Copies(NamedTuple):
    """Rows of a block, and where they go."""

    take: NDArray[np.intp]
    """Rows, counted from a first one, rising, shape (n,), n > 0."""
    out: Mapping[str, NDArray[np.uint8]]
    """Rows of bytes by field name: contiguous, shape (rows, bytes of a row)."""
    put: NDArray[np.intp]
    """Rows of those arrays, shape (n,)."""


class _Scratch(threading.local):
    """Memory of one thread that is used again and again."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, int], Future[tuple[NDArray[np.uint8], int]]] = {}
        """What was asked for ahead, by field and chunk."""
        self.encoded = np.empty(0, np.uint8)
        self.decoded = np.empty(0, np.uint8)

    def room(self, encoded: int, decoded: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return room for the bytes of a chunk, and for at least those it decodes to."""
        if len(self.encoded) < encoded:
            self.encoded = np.empty(encoded, np.uint8)
        if len(self.decoded) < decoded:
            self.decoded = np.empty(decoded, np.uint8)
        return self.encoded[:encoded], self.decoded


class BlockReader:
    """Copies rows of some fields of a dataset's first rows; safe to use from many threads."""

    def __init__(
        self, folder: Path, store: Store, fields: Sequence[FieldSpec], n_samples: int
    ) -> None:
        self._folder = folder
        self._store = store
        self._specs = {spec.name: spec for spec in fields}
        self._layout = store.layout
        self._n_samples = n_samples
        self._files = ShardFiles(folder, store, fields, n_samples)
        self._remote = remote_source(folder)
        self._scratch = _Scratch()
        largest = _SMALL if self._remote is None else _SMALL_REMOTE
        self._small = _small_fields(fields, n_samples, largest)
        self._kept: dict[tuple[str, int], NDArray[np.uint8] | None] = {}
        self._keeping: dict[int, threading.Lock] = {}

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows, counted from row ``first``, to their places; the seconds go to ``times``.

        A chunk is read and decoded once, whatever number of ``copies`` take rows of it.
        """
        chunk_rows = self._layout.chunk_rows
        low = first + min(int(copy.take[0]) for copy in copies)
        high = first + max(int(copy.take[-1]) for copy in copies)
        wanted = []
        for chunk in range(low // chunk_rows, high // chunk_rows + 1):
            start = chunk * chunk_rows - first
            inside = []
            for take, out, put in copies:
                here = slice(*np.searchsorted(take, (start, start + chunk_rows)).tolist())
                if here.start < here.stop:
                    inside.append(Copies(take[here] - start, out, put[here]))
            if inside:
                wanted.append((chunk, inside))
        for number, (chunk, inside) in enumerate(wanted):
            if self._remote is not None:
                for ahead, _ in wanted[number : number + 2]:
                    self._ask(self._remote, ahead, inside[0].out)
            self._copy_chunk(chunk, inside, times)

    def _ask(self, remote: "RemoteSource", chunk: int, names: Iterable[str]) -> None:
        """Ask for what is stored of a chunk, all fields at once, before it is needed."""
        shard, number = divmod(chunk, self._layout.chunks_per_shard)
        asked = self._scratch.asked
        for name in names:
            spec = self._specs[name]
            if name not in self._small and (name, chunk) not in asked:
                asked[name, chunk] = remote.pool.submit(self._stored, spec, shard, number)

    def _stored(self, spec: FieldSpec, shard: int, number: int) -> tuple[NDArray[np.uint8], int]:
        """Return what is stored of a chunk, in memory of its own, and its check."""
        file, table = self._files.chunks(spec, shard)
        offset, size, check = table[number]
        if size < 0:
            raise DamagedDataError("it is missing")
        encoded = np.empty(size, np.uint8)
        file.bytes.read_into(offset, encoded)
        return encoded, check

    def _copy_chunk(self, chunk: int, copies: list[Copies], times: ReadTimes) -> None:
        shard, number = divmod(chunk, self._layout.chunks_per_shard)
        for name in copies[0].out:
            spec = self._specs[name]
            if name in self._small and self._copy_kept(spec, shard, number, copies, times):
                continue
            try:
                try:
                    self._copy_rows(spec, shard, number, copies, times)
                except DamagedDataError:
                    if not self._files.forget(spec, shard):
                        raise
                    # it may have been rebuilt since it was opened
                    self._copy_rows(spec, shard, number, copies, times)
            except DamagedDataError as error:
                first = chunk * self._layout.chunk_rows
                last = min(first + self._layout.chunk_rows, self._n_samples) - 1
                inside = self._store.array_path(shard, spec)
                raise type(error)(
                    f"{self._folder / inside}: {name}, rows {first} to {last}: "
                    f"{error}{remedy(error)}"
                ) from None

    def _copy_kept(
        self, spec: FieldSpec, shard: int, number: int, copies: list[Copies], times: ReadTimes
    ) -> bool:
        """Copy rows of a small field; return False if the shard holds damage."""
        key = spec.name, shard
        start = time.perf_counter()
        if key not in self._kept:
            with self._keeping.setdefault(shard, threading.Lock()):
                if key not in self._kept and self._remote is not None:
                    self._load_all(self._remote, shard)
                if key not in self._kept:
                    self._kept[key] = self._load(spec, shard)
            times.read += time.perf_counter() - start  # most of it is waiting for one
            start = time.perf_counter()
        rows = self._kept[key]
        if rows is None:
            return False
        rows = rows[number * self._layout.chunk_rows :]
        for take, out, put in copies:
            put_rows(spec, rows, take, out[spec.name], put)
        times.gather += time.perf_counter() - start
        return True

    def _load_all(self, remote: "RemoteSource", shard: int) -> None:
        """Load all small fields of a shard at once: each waits for an answer or two."""
        names = sorted(name for name in self._small if (name, shard) not in self._kept)
        load = partial(self._load, shard=shard)
        for name, rows in zip(
            names, remote.pool.map(load, [self._specs[name] for name in names]), strict=True
        ):
            self._kept[name, shard] = rows

    def _load(self, spec: FieldSpec, shard: int) -> NDArray[np.uint8] | None:
        """Return all rows of a shard's field, shape (rows, bytes of a row); None if one is bad.

        Which one it is, and what is wrong, is found when its chunk is asked for.
        """
        chunk_rows = self._layout.chunk_rows
        _, room = self._scratch.room(0, chunk_rows * spec.row_bytes)
        try:
            file, table = self._files.chunks(spec, shard)
            low = min(offset for offset, _, _ in table)
            high = max(offset + size for offset, size, _ in table)
            if low < 0 or high - low > 2 * sum(size for _, size, _ in table) + _GAP:
                return None
            encoded = np.empty(high - low, np.uint8)
            file.bytes.read_into(low, encoded)
            rows = np.empty((len(table) * chunk_rows, spec.row_bytes), np.uint8)
            for number, (offset, size, check) in enumerate(table):
                data = encoded[offset - low : offset - low + size]
                decoded = self._store.decode_rows(data, check, spec, spec.row_bytes, room)
                rows[number * chunk_rows : (number + 1) * chunk_rows] = decoded
        except DamagedDataError:
            return None
        return rows

    def _copy_rows(
        self,
        spec: FieldSpec,
        shard: int,
        number: int,
        copies: list[Copies],
        times: ReadTimes,
    ) -> None:
        from ..numeric.bits import copy_bit_shuffled  # datasets are opened without Numba

        start = time.perf_counter()
        row_bytes = spec.row_bytes
        decoded_bytes = self._layout.chunk_rows * row_bytes
        if self._remote is not None:
            chunk = shard * self._layout.chunks_per_shard + number
            asked = self._scratch.asked.pop((spec.name, chunk), None)
            encoded, check = asked.result() if asked else self._stored(spec, shard, number)
            _, room = self._scratch.room(0, decoded_bytes)
        else:
            file, table = self._files.chunks(spec, shard)
            offset, size, check = table[number]
            if size < 0:
                raise DamagedDataError("it is missing")
            if self._copy_mapped(spec, file, number, table[number], copies, times):
                return
            encoded, room = self._scratch.room(size, decoded_bytes)
            file.bytes.read_into(offset, encoded)
            file.read.add((spec.name, number))
        arrived = time.perf_counter()
        rows = self._store.decode_rows(encoded, check, spec, row_bytes, room)
        decoded = time.perf_counter()
        for take, out, put in copies:
            target = out[spec.name]
            if isinstance(rows, BitShuffled):
                copy_bit_shuffled(rows.words, rows.block_words, take, target.view(np.uint64), put)
            else:
                put_rows(spec, rows, take, target, put)
        times.read += arrived - start
        times.decode += decoded - arrived
        times.gather += time.perf_counter() - decoded

    def _copy_mapped(
        self,
        spec: FieldSpec,
        file: OpenFile,
        number: int,
        place: list[int],
        copies: list[Copies],
        times: ReadTimes,
    ) -> bool:
        """Copy rows out of a mapped file; return False if the chunk must be read.

        A chunk is checked after its rows were copied: so what changes in between is noticed, too.
        """
        if (spec.name, number) not in file.read or not self._store.is_plain(spec):
            return False
        content = file.mapped()
        if content is None:
            return False
        offset, size, check = place
        row_bytes = spec.row_bytes
        encoded = content[offset : offset + size]
        rows = encoded[: self._layout.chunk_rows * row_bytes].reshape(-1, row_bytes)
        if len(encoded) < size or len(rows) < self._layout.chunk_rows:
            return False
        start = time.perf_counter()
        watch = Watch()
        for take, out, put in copies:
            put_rows(spec, rows, take, out[spec.name], put)
        copied = time.perf_counter()
        try:
            self._store.decode_rows(encoded, check, spec, row_bytes, rows)
            good = not watch.lost()
        except DamagedDataError:
            good = False
        if not good:
            file.unmap()
        elif watch.waited():
            file.read.clear()  # it is not in memory any more: reads get more at a time
        times.gather += copied - start
        times.decode += time.perf_counter() - copied
        return good


def _small_fields(fields: Sequence[FieldSpec], n_samples: int, largest: int) -> set[str]:
    """Return the fields whose rows are kept."""
    names, room = set(), _MOST_KEPT
    for spec in sorted(fields, key=lambda spec: spec.row_bytes):
        room -= spec.row_bytes * n_samples
        if spec.row_bytes <= largest and room >= 0:
            names.add(spec.name)
    return names


def put_rows(
    spec: FieldSpec,
    rows: NDArray[np.uint8],
    take: NDArray[np.intp],
    target: NDArray[np.uint8],
    put: NDArray[np.intp],
) -> None:
    """Copy stored row ``take[k]`` to row ``put[k]`` of the target, as it is read.

    Both arrays are rows of bytes, those of ``rows`` as stored.
    """
    from ..numeric.fixed import decode_rows
    from ..numeric.rows import copy_rows

    one = spec.fixed_point
    if one is None:
        copy_rows(rows, take, target, put)
    else:
        stored, values = rows.view(spec.dtype), target.view(np.float32)
        decode_rows(stored, take, values, put, np.float32(one.scale), one.zero, one.missing)


def as_bytes(values: Values) -> NDArray[np.uint8]:
    """Return contiguous rows as rows of bytes, a view of shape (n, bytes of a row)."""
    return values.reshape(len(values), -1).view(np.uint8)
