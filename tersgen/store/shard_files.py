"""The files of shards, opened once for many reads; links are followed only on request."""

import errno
import os
import resource
import stat
import threading
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError, DatasetError
from ..files import is_limit, why
from ..schema.fields import FieldSpec
from .interface import Store
from .links import REFUSED, follows_links, open_file

_MOST_FILES = 4096


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

    def is_replaced(self, inside: str) -> bool:
        """Return whether a folder is no longer the one that was opened."""
        try:
            mine, now = os.fstat(self.descriptor(inside)), (self._root / inside).stat()
            return not os.path.samestat(mine, now)
        except OSError:
            return True

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


class OpenFile:
    """An open file of a shard, and where its chunks lie; closed when nobody has it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.tables: dict[str, list[list[int]]] = {}

    def __del__(self) -> None:  # noqa: D105
        os.close(self.descriptor)


def _most_files() -> int:
    """Return how many files may stay open: there may be a few readers in a process."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if allowed == resource.RLIM_INFINITY else min(_MOST_FILES, allowed // 4)


class ShardFiles:
    """The open files of the first rows of a dataset; safe to use from many threads."""

    def __init__(self, folder: Path, store: Store, n_samples: int) -> None:
        self._folder = folder
        self._store = store
        self._n_samples = n_samples
        self._folders = _Folders(folder)
        self._files: dict[str, OpenFile] = {}
        self._most_files = _most_files()
        self._lock = threading.Lock()

    def chunks(self, spec: FieldSpec, shard: int) -> tuple[OpenFile, list[list[int]]]:
        """Return the file of a shard's array, and (offset, bytes, check) of each of its chunks.

        The table has been checked: no chunk in it is larger than its rows justify; a chunk that is
        missing has -1 bytes. The file stays open as long as it is used.

        Raises
        ------
        DamagedDataError
            If there is no such file, or it does not tell where its chunks lie.
        """
        inside = self._store.array_path(shard, spec)
        file = self._files.get(inside) or self._open(inside)
        return file, file.tables.get(spec.name) or self._table(spec, shard, file)

    def forget(self, spec: FieldSpec, shard: int) -> bool:
        """Open a file again at its next use; return whether it was open."""
        return self._files.pop(self._store.array_path(shard, spec), None) is not None

    def _open(self, inside: str) -> OpenFile:
        folder, _, name = inside.rpartition("/")
        try:
            file = OpenFile(self._descriptor(folder, name))
        except FileNotFoundError:
            gone = self._folders.is_replaced(folder)
            text = "the dataset was replaced or moved after it was opened; open it again"
            raise DamagedDataError(text if gone else "the file is missing") from None
        except OSError as error:
            if isinstance(error, DamagedDataError):
                raise
            if error.errno == errno.ELOOP:
                raise DamagedDataError(f"expected a file, {REFUSED}") from None
            if is_limit(error):
                raise DatasetError(f"{self._folder / inside}: {why(error)}") from None
            raise DamagedDataError(
                f"expected a file, got a link or what cannot be read: {why(error)}"
            ) from None
        if not stat.S_ISREG(os.fstat(file.descriptor).st_mode):
            raise DamagedDataError("expected a file, got a folder, pipe or device")
        with self._lock:
            if len(self._files) >= self._most_files:
                del self._files[next(iter(self._files))]  # closed when no thread has it any more
            self._files[inside] = file
        return file

    def _descriptor(self, folder: str, name: str) -> int:
        """Open a file; if too many are open, those that are kept are closed first."""
        try:
            return open_file(name, follows_links(self._folder), self._folders.descriptor(folder))
        except OSError as error:
            if not is_limit(error):
                raise
        with self._lock:
            self._files.clear()
        return open_file(name, follows_links(self._folder), self._folders.descriptor(folder))

    def _table(self, spec: FieldSpec, shard: int, file: OpenFile) -> list[list[int]]:
        rows = self._store.layout.rows_of(shard, self._n_samples)
        chunks = self._store.chunk_table(file.descriptor, spec, shard, rows)
        table: list[list[int]] = chunks.tolist()
        file.tables[spec.name] = table
        return table


def read(descriptor: int, offset: int, room: NDArray[np.uint8]) -> None:
    """Fill ``room`` with the bytes at ``offset``."""
    size = len(room)
    done = os.preadv(descriptor, [room.data], offset)
    while done < size:
        more = os.preadv(descriptor, [room[done:].data], offset + done)
        if not more:
            raise DamagedDataError(f"expected {size} bytes at {offset}, got {done}")
        done += more
