"""Files on local disks, mapped into memory: reading them copies bytes once less.

A file that is truncated while it is mapped must not end the process: see ``bus_errors``. Files on
network file systems are not mapped: there, a page may be lost at any time, and reading one page
after the other is slow.
"""

import ctypes
import mmap
import resource

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile, LocalFile
from . import bus_errors

_LOCAL = {
    0xEF53: "ext",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x01021994: "tmpfs",
    0x794C7630: "overlay",
}
"""Types of local file systems, as ``statfs`` of Linux has them."""
_STATFS_BYTES = 256
_NO_RESERVE = 0x4000
"""Of Linux: no memory is set aside for a private mapping that nobody writes to."""


class _Map(mmap.mmap):
    """A mapping that is guarded as long as it exists."""

    number: int | None = None

    def __del__(self) -> None:
        if self.number is not None:
            bus_errors.release(self.number)


def is_local(descriptor: int) -> bool:
    """Return whether an open file is on a local file system."""
    facts = ctypes.create_string_buffer(_STATFS_BYTES)
    try:
        failed = ctypes.CDLL(None).fstatfs(descriptor, facts)
    except (AttributeError, OSError, TypeError):
        return False
    return not failed and ctypes.c_long.from_buffer(facts).value in _LOCAL


def mapped(file: ByteFile) -> NDArray[np.uint8] | None:
    """Return the bytes of a file on a local disk, as memory; None if it is to be read.

    The memory must not be written to. It is released when nobody has it any more.
    """
    if not isinstance(file, LocalFile) or not is_local(file.fileno()):
        return None
    try:
        # arrays that cannot be written to would be another type to compiled kernels
        content = _Map(
            file.fileno(),
            file.size,
            flags=mmap.MAP_PRIVATE | _NO_RESERVE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
    except (OSError, ValueError, OverflowError):  # out of mappings or descriptors; or empty
        return None
    array = np.frombuffer(content, np.uint8)
    content.number = bus_errors.guard(array.ctypes.data, len(array))
    return array if content.number is not None else None


class Watch:
    """Notes what happens to mappings while the calling thread reads one."""

    def __init__(self) -> None:
        self._faults = bus_errors.faults()
        self._reads = _disk_reads()

    def lost(self) -> bool:
        """Return whether pages were lost: what was read may be zeros."""
        return bus_errors.faults() != self._faults

    def waited(self) -> bool:
        """Return whether pages came from the disk, one after the other."""
        return _disk_reads() != self._reads


def _disk_reads() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_majflt
