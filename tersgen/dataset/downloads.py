"""Measured files named by URL: copied to this machine, as their readers need files."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from urllib.parse import unquote

from ..errors import DamagedDataError, MeasurementError
from ..files import why
from ..text import printable
from ..urls import LocalCopy, is_remote
from .ownership import names_dataset

LARGEST = 1 << 28
"""Bytes of a file that is copied, at most."""


def with_local_copy(path: Path) -> Path:
    """Return a path that can be opened: a copy of the file, if it is the URL of one.

    The copy is called by its URL wherever the path is shown, and is removed when nobody has the
    path any more. Paths of this machine and the URLs of datasets are returned as they are.
    """
    if not is_remote(path) or names_dataset(path):
        return path
    from ..store.remote import RemoteSource  # obstore takes a while to load

    # a query, as of ``file.txt?download=1``, may hold a password: it goes with the request only
    is_web = str(path).startswith("http")
    name, mark, query = path.name.partition("?") if is_web else (path.name, "", "")
    shown = str(path.with_name(name))
    folder = type(path)(str(path.parent) + mark + query)
    folder.options = path.options
    # as a browser writes it; keys of buckets are written as they are
    inside = unquote(name) if is_web else name
    try:
        content = RemoteSource(folder).read_whole(inside, LARGEST)
    except DamagedDataError as error:
        raise MeasurementError(f"{printable(shown)}: {error}; check the URL") from None
    try:
        place = Path(tempfile.mkdtemp(prefix="tersgen-"))
        # the folders of the URL, too: labels may come from them
        above = [part for part in path.parts[1:-1] if part != ".."]
        copy = LocalCopy.of(place.joinpath(*above, inside.replace("/", "_")), shown)
        weakref.finalize(copy, _remove, place, os.getpid())
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    except OSError as error:
        raise MeasurementError(
            f"{printable(shown)}: cannot be kept in {tempfile.gettempdir()}: {why(error)}"
        ) from None
    return copy


def _remove(place: Path, process: int) -> None:
    if os.getpid() == process:  # not in one that was forked
        shutil.rmtree(place, ignore_errors=True)
