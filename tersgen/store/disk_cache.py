"""A folder that keeps what was read from object stores, for several processes at once.

Each block is a file named by the BLAKE3 digest of where it came from, and ends with a CRC32C: what
was damaged or cut is read anew. A file gets its name when it is complete. The oldest files are
removed when all come to more than the limit; no other file in the folder is touched.
"""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from ..errors import ConfigError
from ..files import why
from .checksums import CHECKSUM, checksum

BLOCK = 1 << 20
"""Bytes of a block, but for the last one of a file."""
_DEFAULT_LIMIT = 20 << 30
_NAME = re.compile(r"[0-9a-f]{64}(\.[0-9]+-[0-9]+\.partial)?")
_FOLDER = "tersgen-blocks-1"
_KEPT = 0.8
"""Share of the limit that remains when the oldest blocks were removed."""


class DiskCache:
    """Blocks of remote files in a folder; safe to use from many threads and processes.

    Parameters
    ----------
    folder
        The folder, made if need be.
    limit
        Most bytes that all blocks may come to.
    """

    def __init__(self, folder: Path, limit: int = _DEFAULT_LIMIT) -> None:
        self._folder = folder / _FOLDER
        self._limit = limit
        self._lock = threading.Lock()
        self._number = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cache: expected a folder that can be written, got {folder}: {why(error)}"
            ) from None
        self._written = self._limit  # count at the first block: others may have filled it

    def get(self, key: str, size: int) -> bytes | None:
        """Return a block of ``size`` bytes; None if it is not there, or damaged."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        block, check = data[:-CHECKSUM], data[-CHECKSUM:]
        if len(block) != size or checksum(block) != check:
            return None
        with suppress(OSError):  # used last now
            os.utime(self._path(key))
        return block

    def put(self, key: str, block: bytes) -> None:
        """Keep a block, if the disk has room: a cache that is full is no error."""
        with self._lock:
            self._number += 1
            ending = f".{os.getpid()}-{self._number}.partial"
            self._written += len(block)
            is_full = self._written > self._limit
        if is_full:
            self._remove_oldest()
        path = self._path(key)
        partial = path.with_name(path.name + ending)
        try:
            partial.write_bytes(block + checksum(block))
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / blake3(key.encode()).hexdigest()

    def _remove_oldest(self) -> None:
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    with suppress(OSError):  # another process removed it
                        facts = entry.stat(follow_symlinks=False)
                        found.append((facts.st_mtime_ns, facts.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        if total > self._limit:
            for _, size, path in sorted(found):
                if total <= _KEPT * self._limit:
                    break
                with suppress(OSError):
                    Path(path).unlink()
                total -= size
        with self._lock:
            self._written = total


def size_in_bytes(text: str) -> int:
    """Return the bytes of a size such as ``20GB`` or ``500MB``.

    Examples
    --------
    >>> size_in_bytes("1.5 GB")
    1500000000
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?)B?\s*", text)
    if match is None:
        raise ConfigError(f"TERSGEN_CACHE_SIZE: expected a size such as 20GB, got {text!r}")
    return int(float(match.group(1)) * 1000 ** " kMGT".index(match.group(2) or " "))
