"""Bytes read by range from something open: a file on disk, or an object in a store."""

import io
import os
from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import DamagedDataError

Room = NDArray[np.uint8]


class ByteFile(Protocol):
    """Something open for reading by range; closed when nobody has it any more."""

    @property
    def size(self) -> int:
        """Bytes in it."""

    @property
    def identity(self) -> Hashable:
        """What distinguishes it from another one under the same name, or from what it was."""

    def read_into(self, offset: int, room: Room) -> None:
        """Fill ``room`` with the bytes at ``offset``; safe to call from many threads.

        Raises
        ------
        DamagedDataError
            If there are fewer.
        OSError
            If they cannot be read.
        """


class LocalFile:
    """A file on disk, by its descriptor, which it closes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:  # noqa: D105
        os.close(self._descriptor)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._descriptor

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._descriptor).st_size

    @property
    def identity(self) -> Hashable:
        """Number, size and time of the file."""
        facts = os.fstat(self._descriptor)
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def read_into(self, offset: int, room: Room) -> None:
        """Fill ``room`` with the bytes at ``offset``."""
        size = len(room)
        done = os.preadv(self._descriptor, [room.data], offset)
        while done < size:
            more = os.preadv(self._descriptor, [room[done:].data], offset + done)
            if not more:
                raise DamagedDataError(f"expected {size} bytes at {offset}, got {done}")
            done += more


def read_range(file: ByteFile, offset: int, size: int) -> bytes:
    """Return ``size`` bytes at ``offset``; see ``ByteFile.read_into``."""
    room = np.empty(size, np.uint8)
    if size:
        file.read_into(offset, room)
    return room.tobytes()


class ByteStream(io.RawIOBase):
    """A ``ByteFile`` read from a position on, as Python's files are."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._at = 0
        self.size = file.size

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be read from any position."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset from the start, from here or from the end."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here on, past the end with zeros; return how many bytes there were."""
        room = np.frombuffer(buffer, np.uint8)
        count = max(0, min(len(room), self.size - self._at))
        if count:
            self._file.read_into(self._at, room[:count])
        room[count:] = 0
        self._at += count
        return count
