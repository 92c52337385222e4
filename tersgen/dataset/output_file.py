"""Single output files at a user's path: written whole or not at all, never inside a dataset."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError, TersError
from ..files import why
from .ownership import dataset_around, has_marker

_LONGEST = 64
"""Letters of a file's name that its temporary name takes: names may be as long as they can be."""


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Let what the file system refuses inside be an error of the file that is written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, TersError):  # of the rows that were to be written, say
            raise
        raise OutputError(f"{path}: cannot be written: {why(error)}") from None


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file under a temporary name; flush it to disk and give it its name at the end.

    A link of that name is replaced, not followed. A file that is replaced keeps its permissions.
    After an error nothing is left of the new file.

    Raises
    ------
    OutputError
        If the file system refuses, or a folder has the name; what was there is still there.
    """
    partial = path.with_name(f".{path.name[:_LONGEST]}.{secrets.token_hex(8)}.partial")
    with written(path):
        if path.is_dir() and not path.is_symlink():
            raise OutputError(f"{path}: expected the name of a file to write, got a folder")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.fdopen(os.open(partial, flags, 0o666), "wb")
    try:
        yield file
        with written(path):
            if path.is_file() and not path.is_symlink():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.flush()
            os.fsync(file.fileno())
            file.close()
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file as :func:`new_file` does, and with its errors."""
    with new_file(path) as file, written(path):
        file.writelines([content] if isinstance(content, bytes) else content)


def check_output_file(path: Path) -> None:
    """Refuse a file to write that cannot be one, before it is worked out what goes into it."""
    try:
        if path.is_dir():
            raise OutputError(f"{path}: expected the name of a file to write, got a folder")
        target = path.resolve() if path.is_symlink() else path
        if target.is_symlink():  # from Python 3.13 on a circle is no error of resolve
            raise OSError(errno.ELOOP, "links in a circle")
        refuse_inside_dataset(target, path)
    except OutputError:
        raise
    except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError
        reason = why(error) if isinstance(error, OSError) else "links in a circle"
        raise OutputError(f"{path}: cannot be written: {reason}") from None


def refuse_inside_dataset(path: Path, shown: Path | None = None) -> None:
    """Refuse a place to write that is a dataset of ours, or inside one."""
    around = path if has_marker(path) else dataset_around(path)
    if around is not None:
        raise OutputError(
            f"{shown or path}: expected a place outside datasets, got one in the dataset {around}"
        )


def write_output(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file that a user has named, whole or not at all.

    A link is followed, as any program does; the file at its end is replaced as a whole. A device or
    a pipe is written to.

    Raises
    ------
    OutputError
        If it is a folder or inside a dataset of ours, or the file system refuses; what was there
        is still there.
    """
    check_output_file(path)
    if path.exists() and not path.is_file():
        with written(path), path.open("wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
        return
    replace_file(path.resolve() if path.is_symlink() else path, content)
