"""Files written durably: under a temporary name, flushed to disk, then renamed.

Large files bypass the page cache where the system allows (``O_DIRECT``): copying into the cache and
flushing it later costs as much as compressing the data did, and pushes everything else out of it.
"""

import errno
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

_STAGE = 8 << 20
_ALIGNMENT = 4096
_SMALL = 1 << 20
PARTIAL = ".partial"


class DirectFile:
    """Writes a file past the page cache through an aligned buffer that is used again and again."""

    def __init__(self) -> None:
        self._stage = mmap.mmap(-1, _STAGE)

    def write(self, descriptor: int, parts: Sequence[bytes]) -> None:
        """Write all parts one after the other to a file opened with ``O_DIRECT``."""
        used = total = 0
        for part in parts:
            left = memoryview(part)
            total += len(left)
            while len(left):
                count = min(len(left), _STAGE - used)
                self._stage[used : used + count] = left[:count]
                used += count
                left = left[count:]
                if used == _STAGE:
                    self._flush(descriptor, used)
                    used = 0
        self._flush(descriptor, -(-used // _ALIGNMENT) * _ALIGNMENT)
        os.ftruncate(descriptor, total)

    def _flush(self, descriptor: int, count: int) -> None:
        with memoryview(self._stage) as view:
            _write_all(descriptor, view[:count])


def _write_all(descriptor: int, data: memoryview) -> None:
    while len(data):
        data = data[os.write(descriptor, data) :]


def write_durably(path: Path, parts: Sequence[bytes], direct: DirectFile | None = None) -> int:
    """Write a file that is there whole, on disk, or not at all; return its size.

    Raises
    ------
    OSError
        If the file system refuses; nothing is left behind under the name asked for.
    """
    partial = path.with_name(path.name + PARTIAL)
    total = sum(len(part) for part in parts)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        if direct is not None and total >= _SMALL and _try_direct(partial, flags, parts, direct):
            pass
        else:
            descriptor = os.open(partial, flags, 0o666)
            try:
                for part in parts if total > _SMALL else [b"".join(parts)]:
                    _write_all(descriptor, memoryview(part))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return total


def _try_direct(path: Path, flags: int, parts: Sequence[bytes], direct: DirectFile) -> bool:
    """Write past the page cache; return False where the file system cannot."""
    if not hasattr(os, "O_DIRECT"):
        return False
    try:
        descriptor = os.open(path, flags | os.O_DIRECT, 0o666)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTSUP):
            return False
        raise
    try:
        direct.write(descriptor, parts)
        os.fsync(descriptor)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    finally:
        os.close(descriptor)
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file durably."""
    write_durably(path, [text.encode()])


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
