"""Opening files for reading: regular files only, without blocking; and what system errors mean.

Reading a pipe, socket or device in place of a file could block forever or never end.
"""

import errno
import os
import resource
import stat
import sys
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe; write its output, as of <(command), to a file first"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NoPlainFileError(OSError):
    """A path is that of a folder, pipe, socket or device; ``strerror`` says which."""


def open_input(path: Path) -> BinaryIO:
    """Open a plain file for reading.

    Raises
    ------
    OSError
        If it cannot be opened; a ``NoPlainFileError`` if it is something else. ``why`` says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a zero byte in its name
        raise OSError(errno.EINVAL, str(error)) from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # sockets, and devices without a driver, do not open
            raise NoPlainFileError(errno.EINVAL, "expected a file, got a socket") from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for test, name in _KINDS if test(mode)), "something else")
            raise NoPlainFileError(errno.EINVAL, f"expected a file, got {kind}")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_input(path: Path, largest: int) -> bytes:
    """Return the content of a plain file, or of a larger one the first ``largest`` + 1 bytes.

    Raises
    ------
    OSError
        If it cannot be read; see ``open_input``.
    """
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(min(size, largest) + 1)


def why(error: OSError | MemoryError | RuntimeError) -> str:
    """Return why the system refused, in a clause; of a limit which one, and how to raise it."""
    if isinstance(error, MemoryError):
        return f"out of memory{memory_limit()}"
    if isinstance(error, RuntimeError):
        # a thread needs room for its stack, too
        return f"{error}{memory_limit() or _limit(resource.RLIMIT_NPROC, 'ulimit -u')}"
    if error.errno == errno.EMFILE:
        return f"too many open files{_limit(resource.RLIMIT_NOFILE, 'ulimit -n')}"
    if error.errno == errno.ENFILE:
        return "too many open files: the limit of the whole system (fs.file-max)"
    if error.errno == errno.ENOMEM:
        return why(MemoryError())
    return error.strerror or str(error) or type(error).__name__


def is_limit(error: BaseException) -> bool:
    """Return whether an error says that a limit was reached: nothing is wrong with the file."""
    if isinstance(error, OSError):
        return error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    if isinstance(error, RuntimeError):
        return "can't start new thread" in str(error)
    return isinstance(error, MemoryError)


def refused(error: BaseException) -> str | None:
    """Return in one line what the system refused; None if the error is a fault of the program."""
    if isinstance(error, RecursionError):
        return "expected less deeply nested tables or lists"
    if (
        isinstance(error, OSError)
        and error.errno is not None
        and not isinstance(error, BrokenPipeError)
    ):
        name = f"{error.filename}: " if error.filename is not None else ""
        return f"{name}{why(error)}"
    if is_limit(error) and isinstance(error, MemoryError | RuntimeError):
        return why(error)
    return None


def peak_memory() -> int:
    """Return the most memory that this process has held so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_limit() -> str:
    """Return the limit of memory and how to raise it, to follow a clause; nothing without one."""
    return _limit(resource.RLIMIT_AS, "ulimit -v", 1 << 20, " MiB")


def _limit(kind: int, command: str, unit: int = 1, name: str = "") -> str:
    allowed, _ = resource.getrlimit(kind)
    if allowed == resource.RLIM_INFINITY:
        return ""
    return f": the limit is {allowed // unit}{name} ({command}); raise it"
