"""Where an export goes: written in a hidden folder beside its name, and never over a file."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from blake3 import blake3

from ..dataset.output_file import refuse_inside_dataset, written
from ..errors import BusyError, OutputError
from ..schema.digest import canonical_json
from ..store.files import publish, sync_folder, sync_tree, write_durably
from ..store.lock import BuilderLock, remove_lock_files

_LONGEST = 64
"""Letters of the name that the hidden folder takes: names may be as long as they can be."""
_REQUEST = "export.json"
_OUTPUT = "output"


@contextmanager
def new_place(path: Path, request: Mapping[str, Any], resumes: bool) -> Iterator[Path]:
    """Yield a path in a hidden folder, for a file or folder that gets the user's name at the end.

    After an error nothing is left of it. What a killed export has written stays, as does that of
    one that was stopped if it can be resumed; the next export to the same name resumes it or
    removes it.

    Parameters
    ----------
    path
        The new file or folder.
    request
        What decides its content, as JSON: only the same request is resumed.
    resumes
        Whether what an earlier export of this request has written is kept.

    Raises
    ------
    OutputError
        If something has the name, it is inside a dataset, or the file system refuses.
    BusyError
        If another export writes to the name.
    """
    with written(path):
        refuse_inside_dataset(path)
        _check_free(path)
        if not path.parent.is_dir():
            raise OutputError(f"{path}: expected a place in a folder, got no folder {path.parent}")
        work = path.with_name(f".{_short(path.name)}.partial")
        _check_ours(work)
        work.mkdir(exist_ok=True)
    try:
        with _lock(path, work):
            try:
                with written(path):
                    _prepare(work, request, resumes)
                    yield work / _OUTPUT
                    sync_tree(work / _OUTPUT)
                    _give_name(work / _OUTPUT, path)
            except BaseException as error:
                if not isinstance(error, Exception) and resumes:
                    error.add_note(f"{path}: stopped; the same command resumes it")
                else:
                    with suppress(OSError):
                        _clear(work)
                raise
            _clear(work)
    finally:
        with suppress(OSError):  # what can be resumed is in it, or another export has begun
            work.rmdir()


def _short(name: str) -> str:
    """Return a name, or the beginning of a long one and a digest."""
    return name if len(name) <= _LONGEST else f"{name[:32]}.{blake3(os.fsencode(name)).hexdigest()}"


@contextmanager
def _lock(path: Path, work: Path) -> Iterator[None]:
    """Let only one export write to a name."""
    with ExitStack() as stack:
        try:
            stack.enter_context(BuilderLock(work, clear=remove_lock_files))
        except BusyError:
            raise BusyError(
                f"{path}: expected no other export to this name, got one that is running; wait "
                f"for it, or remove {work} if its process is dead"
            ) from None
        yield


def _taken(path: Path) -> OutputError:
    return OutputError(
        f"{path}: expected a new name, got one that exists; exports replace nothing: choose "
        "another, or remove it"
    )


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise _taken(path)


def _check_ours(work: Path) -> None:
    """Refuse a folder that was not left by an export; one without a request has locks at most."""
    if not os.path.lexists(work):
        return
    if work.is_dir() and not work.is_symlink():
        names = [one.name for one in work.iterdir() if one.name != _OUTPUT]
        known = [name for name in names if name.startswith((_REQUEST, "builder."))]
        if known == names and (names or not os.path.lexists(work / _OUTPUT)):
            return
    raise OutputError(
        f"{work}: expected what an export has left, got something else; remove it or choose "
        "another --out"
    )


def _prepare(work: Path, request: Mapping[str, Any], resumes: bool) -> None:
    """Remove what an earlier export has left, unless it is resumed."""
    file, text = work / _REQUEST, canonical_json(request).encode()
    if not (resumes and file.is_file() and file.read_bytes() == text):
        _clear(work)
        write_durably(file, [text])


def _clear(work: Path) -> None:
    """Remove an output, then its request, so that no output that is half removed is resumed."""
    output, request = work / _OUTPUT, work / _REQUEST
    if request.is_file():
        request.replace(work / f"{_REQUEST}.old")
    if output.is_dir() and not output.is_symlink():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)
    for one in work.glob(f"{_REQUEST}*"):
        one.unlink()


def _give_name(output: Path, path: Path) -> None:
    """Give a file or folder its name; what has got the name meanwhile is not replaced."""
    if not output.is_dir():
        if not publish(output, path):
            raise _taken(path)
    else:
        _check_free(path)
        output.rename(path)  # fails if the name is that of a file, or a folder with files
    sync_folder(path.parent)
