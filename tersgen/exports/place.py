"""Where an export goes: written under a temporary name, and never over an existing file."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..dataset.output_file import refuse_inside_dataset, written
from ..errors import OutputError
from ..files import open_input
from ..store.files import publish, sync_folder

_LONGEST = 64
"""Letters of the name that the temporary name takes: names may be as long as they can be."""


@contextmanager
def new_place(path: Path) -> Iterator[Path]:
    """Yield a path beside another, for a file or folder that gets that name at the end.

    After an error, or Ctrl-C, nothing is left of it.

    Raises
    ------
    OutputError
        If something has the name, it is inside a dataset, or the file system refuses.
    """
    with written(path):
        refuse_inside_dataset(path)
        _check_free(path)
        if not path.parent.is_dir():
            raise OutputError(f"{path}: expected a place in a folder, got no folder {path.parent}")
    partial = path.with_name(f".{path.name[:_LONGEST]}.{secrets.token_hex(8)}.partial")
    try:
        with written(path):
            yield partial
            _sync(partial)
            _give_name(partial, path)
    except BaseException:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        raise


def _taken(path: Path) -> OutputError:
    return OutputError(
        f"{path}: expected a new name, got one that exists; exports replace nothing: choose "
        "another, or remove it"
    )


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise _taken(path)


def _sync(partial: Path) -> None:
    """Flush a file, or all files of a folder, to disk."""
    files = [one for one in partial.rglob("*") if one.is_file()] if partial.is_dir() else [partial]
    for one in files:
        with open_input(one) as file:
            os.fsync(file.fileno())


def _give_name(partial: Path, path: Path) -> None:
    """Give a file or folder its name; what has got the name meanwhile is not replaced."""
    if not partial.is_dir():
        if not publish(partial, path):
            raise _taken(path)
    else:
        _check_free(path)
        partial.rename(path)  # fails if the name is that of a file, or a folder with files
    sync_folder(path.parent)
