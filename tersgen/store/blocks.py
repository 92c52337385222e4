"""Runs of rows copied straight to their places in arrays of the caller: the path of training.

As checked as every other read, but quick: folders stay open, the encoded chunk and its decoded rows
lie in scratch memory that stays in the cache, and rows are copied once.
"""

import os
import resource
import stat
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..kernels.bits import copy_bit_shuffled
from ..kernels.rows import copy_rows
from ..schema.fields import FieldSpec
from .interface import BitShuffled, Store, Values
from .layout import Layout

_MOST_FILES = 4096
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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


class _Folders:
    """Descriptors of the folders of a dataset, opened once, none of them through a link."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._open)

    def descriptor(self, inside: str) -> int:
        """Return the descriptor of a folder by its path inside the dataset; "" is the dataset."""
        with self._lock:
            return self._descriptor(inside)

    def _descriptor(self, inside: str) -> int:
        if inside not in self._open:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            if not inside:
                self._open[inside] = os.open(self._root, flags)
            else:
                parent, _, name = inside.rpartition("/")
                above = self._descriptor(parent)
                self._open[inside] = os.open(name, flags | os.O_NOFOLLOW, dir_fd=above)
        return self._open[inside]


def _close_all(descriptors: dict[str, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


class _Scratch(threading.local):
    """Memory of one thread that is used again and again."""

    def __init__(self) -> None:
        self.encoded = np.empty(0, np.uint8)
        self.decoded = np.empty(0, np.uint8)

    def room(self, encoded: int, decoded: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return room for the bytes of a chunk, and for at least those it decodes to."""
        if len(self.encoded) < encoded:
            self.encoded = np.empty(encoded, np.uint8)
        if len(self.decoded) < decoded:
            self.decoded = np.empty(decoded, np.uint8)
        return self.encoded[:encoded], self.decoded


class _File:
    """An open file of a shard, and where its chunks lie; closed when nobody has it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.tables: dict[str, list[list[int]]] = {}

    def __del__(self) -> None:
        os.close(self.descriptor)


def _most_files() -> int:
    """Return how many files may stay open: there may be a few readers in a process."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if allowed == resource.RLIM_INFINITY else min(_MOST_FILES, allowed // 4)


class BlockReader:
    """Copies rows of the arrays of one version of a dataset; safe to use from many threads.

    Parameters
    ----------
    folder
        The dataset's folder.
    store
        Its back end.
    table
        Its table of arrays.
    layout
        Rows of chunks and shards.
    n_samples
        Rows of the version.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        table: tuple[FieldSpec, ...],
        layout: Layout,
        n_samples: int,
    ) -> None:
        self._folder = folder
        self._store = store
        self._specs = {spec.name: spec for spec in table}
        self._layout = layout
        self._n_samples = n_samples
        self._folders = _Folders(folder)
        self._scratch = _Scratch()
        self._files: dict[str, _File] = {}
        self._most_files = _most_files()
        self._lock = threading.Lock()

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows, counted from row ``first``, to their places; the seconds go to ``times``.

        A chunk is read and decoded once, whatever number of ``copies`` take rows of it.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checks.
        """
        chunk_rows = self._layout.chunk_rows
        low = first + min(int(copy.take[0]) for copy in copies)
        high = first + max(int(copy.take[-1]) for copy in copies)
        for chunk in range(low // chunk_rows, high // chunk_rows + 1):
            start = chunk * chunk_rows - first
            inside = []
            for take, out, put in copies:
                here = slice(*np.searchsorted(take, (start, start + chunk_rows)).tolist())
                if here.start < here.stop:
                    inside.append(Copies(take[here] - start, out, put[here]))
            if inside:
                self._copy_chunk(chunk, inside, times)

    def _copy_chunk(self, chunk: int, copies: list[Copies], times: ReadTimes) -> None:
        shard, number = divmod(chunk, self._layout.shard_rows // self._layout.chunk_rows)
        for name in copies[0].out:
            spec = self._specs[name]
            inside = self._store.array_path(shard, spec)
            known = inside in self._files
            try:
                try:
                    self._copy_rows(spec, shard, number, inside, copies, times)
                except DamagedDataError:
                    self._files.pop(inside, None)
                    if not known:
                        raise
                    # it may have been made again since it was opened
                    self._copy_rows(spec, shard, number, inside, copies, times)
            except DamagedDataError as error:
                first = chunk * self._layout.chunk_rows
                last = min(first + self._layout.chunk_rows, self._n_samples) - 1
                raise DamagedDataError(
                    f"{self._folder / inside}: {name}, rows {first} to {last}: {error}; tersgen "
                    "repair makes them again"
                ) from None

    def _copy_rows(
        self,
        spec: FieldSpec,
        shard: int,
        number: int,
        inside: str,
        copies: list[Copies],
        times: ReadTimes,
    ) -> None:
        began = time.perf_counter()
        file = self._files.get(inside) or self._open(inside)
        table = file.tables.get(spec.name) or self._table(spec, shard, inside, file)
        offset, size, check = table[number]
        if size < 0:
            raise DamagedDataError("it is missing")
        # the table has been checked: no chunk in it is larger than its rows justify
        row_bytes = copies[0].out[spec.name].shape[1]
        encoded, room = self._scratch.room(size, self._layout.chunk_rows * row_bytes)
        asked = time.perf_counter()
        _read(file.descriptor, offset, encoded)
        read = time.perf_counter()
        rows = self._store.decode_rows(encoded, check, spec, row_bytes, room)
        decoded = time.perf_counter()
        for take, out, put in copies:
            target = out[spec.name]
            if isinstance(rows, BitShuffled):
                copy_bit_shuffled(rows.words, rows.block_words, take, target.view(np.uint64), put)
            else:
                copy_rows(rows, take, target, put)
        times.read += read - asked
        times.decode += decoded - read + asked - began
        times.gather += time.perf_counter() - decoded

    def _open(self, inside: str) -> _File:
        folder, _, name = inside.rpartition("/")
        try:
            file = _File(os.open(name, _FLAGS, dir_fd=self._folders.descriptor(folder)))
        except FileNotFoundError:
            raise DamagedDataError("the file is missing") from None
        except OSError as error:
            raise DamagedDataError(
                f"expected a file, got a link or what cannot be read: {error.strerror}"
            ) from None
        if not stat.S_ISREG(os.fstat(file.descriptor).st_mode):
            raise DamagedDataError("expected a file, got a folder, pipe or device")
        with self._lock:
            if len(self._files) >= self._most_files:
                del self._files[next(iter(self._files))]  # closed when no thread has it any more
            self._files[inside] = file
        return file

    def _table(self, spec: FieldSpec, shard: int, inside: str, file: _File) -> list[list[int]]:
        rows = min(self._layout.shard_rows, self._n_samples - shard * self._layout.shard_rows)
        chunks = self._store.chunk_table(self._folder / inside, file.descriptor, spec, rows)
        table: list[list[int]] = chunks.tolist()
        file.tables[spec.name] = table
        return table


def _read(descriptor: int, offset: int, room: NDArray[np.uint8]) -> None:
    """Fill ``room`` with the bytes at ``offset``."""
    size = len(room)
    done = os.preadv(descriptor, [room.data], offset)
    while done < size:
        more = os.preadv(descriptor, [room[done:].data], offset + done)
        if not more:
            raise DamagedDataError(f"expected {size} bytes at {offset}, got {done}")
        done += more


def as_bytes(values: Values) -> NDArray[np.uint8]:
    """Return contiguous rows as rows of bytes, a view of shape (n, bytes of a row)."""
    return values.reshape(len(values), -1).view(np.uint8)
