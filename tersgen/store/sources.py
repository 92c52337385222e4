"""Where the files of a dataset are read from: its folder, or an object store."""

import errno
import os
import stat
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..bytefile import ByteFile, LocalFile, read_range
from ..errors import ChangedDataError, DamagedDataError, DatasetError
from ..files import is_limit, why
from ..urls import RemotePath
from .links import REFUSED, follows_links, open_file

if TYPE_CHECKING:
    from .remote import RemoteSource

IN_FLIGHT = 32
"""Requests that a remote dataset has under way at most."""
_GAP = 128 << 10
"""Bytes of others that are read along to save a request."""


class ByteSource(Protocol):
    """The files of one dataset, by their paths inside it; safe to use from many threads."""

    def open(self, inside: str) -> ByteFile:
        """Open a file.

        Raises
        ------
        DamagedDataError
            If there is none, or no plain file; the message has no path.
        OSError
            If a limit of the system is reached.
        """


class LocalSource:
    """Files in a folder; folders stay open, and none is reached through a link."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _close_all, self._open)

    def open(self, inside: str) -> ByteFile:
        """Open a plain file."""
        folder, _, name = inside.rpartition("/")
        try:
            file = open_plain(name, follows_links(self._root), self._descriptor(folder))
        except FileNotFoundError:
            if self._is_replaced(folder):
                raise ChangedDataError(
                    "the dataset was replaced or moved after it was opened; open it again"
                ) from None
            raise DamagedDataError("the file is missing") from None
        except OSError as error:
            if isinstance(error, DamagedDataError) or is_limit(error):
                raise
            if error.errno == errno.ELOOP:
                raise DamagedDataError(f"expected a file, {REFUSED}") from None
            raise DamagedDataError(
                f"expected a file, got a link or what cannot be read: {why(error)}"
            ) from None
        return file

    def _is_replaced(self, inside: str) -> bool:
        """Return whether a folder is no longer the one that was opened."""
        try:
            mine, now = os.fstat(self._descriptor(inside)), (self._root / inside).stat()
            return not os.path.samestat(mine, now)
        except OSError:
            return True

    def _descriptor(self, inside: str) -> int:
        """Return the descriptor of a folder by its path inside the dataset; "" is the dataset."""
        with self._lock:
            return self._open_folder(inside)

    def _open_folder(self, inside: str) -> int:
        if inside not in self._open:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            if not inside:
                self._open[inside] = os.open(self._root, flags)
            else:
                parent, _, name = inside.rpartition("/")
                above = self._open_folder(parent)
                self._open[inside] = os.open(name, flags | os.O_NOFOLLOW, dir_fd=above)
        return self._open[inside]


def _close_all(descriptors: dict[str, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


def open_plain(name: Path | str, follow: bool, folder: int | None = None) -> LocalFile:
    """Open a plain file for reading, as ``open_file`` does."""
    descriptor = open_file(name, follow, folder)
    file = LocalFile(descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise DamagedDataError("expected a file, got a folder, pipe or device")
    return file


def remedy(error: DamagedDataError) -> str:
    """Return what to do about rows that cannot be read, to follow the error; "" if it says so."""
    is_changed = isinstance(error, ChangedDataError)
    return "" if is_changed else "; tersgen repair makes them again"


def source_of(folder: Path) -> ByteSource:
    """Return what the files in a dataset's folder are read from."""
    return remote_source(folder) or LocalSource(folder)


def remote_source(folder: Path) -> "RemoteSource | None":
    """Return what the files of a dataset named by a URL are read from; None for another folder."""
    if not isinstance(folder, RemotePath):
        return None
    if folder.source is None:
        from .remote import RemoteSource  # obstore takes a while to load

        folder.source = RemoteSource(folder)
    found: RemoteSource = folder.source
    return found


def coalesced(
    places: list[tuple[int, int, int]], largest: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Yield runs of places (offset, bytes, what) that one request fetches, from sorted ones."""
    run: list[tuple[int, int, int]] = []
    for place in places:
        if run and (
            place[0] - sum(run[-1][:2]) > _GAP or place[0] + place[1] - run[0][0] > largest
        ):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def exists_inside(folder: Path, inside: str) -> bool:
    """Return whether a dataset has a file, or a link of its name."""
    remote = remote_source(folder)
    if remote is None:
        return os.path.lexists(folder / inside)
    try:
        remote.open(inside)
    except DamagedDataError:
        return False
    return True


def names_inside(folder: Path, inside: str) -> list[str]:
    """Return the names of what is in a folder of a dataset, none through a link.

    A web server does not tell: none.
    """
    remote = remote_source(folder)
    if remote is not None:
        return remote.names(inside)
    place = folder / inside
    linked = any(one.is_symlink() for one in (place, *place.parents[: inside.count("/")]))
    return [] if linked or not place.is_dir() else [path.name for path in place.iterdir()]


def open_inside(folder: Path, inside: str) -> tuple[Path, ByteFile]:
    """Open a plain file of a dataset once; no link is followed unless the folder says so.

    Returns
    -------
    path
        What messages call it.
    file
        The file.
    """
    path = folder / inside
    remote = remote_source(folder)
    if remote is not None:
        try:
            return path, remote.open(inside)
        except DamagedDataError:
            raise DamagedDataError(f"{path}: missing") from None
    for parent in list(path.parents)[: len(Path(inside).parts) - 1]:
        if parent.is_symlink():
            raise DamagedDataError(
                f"{parent}: expected a folder, got a link, which is not followed"
            )
    try:
        return path, open_plain(path, follows_links(folder))
    except OSError as error:
        if isinstance(error, DamagedDataError):
            raise DamagedDataError(f"{path}: {error}") from None
        if error.errno == errno.ELOOP:
            raise DamagedDataError(f"{path}: expected a file, {REFUSED}") from None
        if is_limit(error):
            raise DatasetError(f"{path}: {why(error)}") from None
        reason = "missing" if error.errno == errno.ENOENT else f"cannot be read: {why(error)}"
        raise DamagedDataError(f"{path}: {reason}") from None


def read_inside(folder: Path, inside: str, largest: int) -> bytes:
    """Return the content of a plain file of a dataset of at most ``largest`` bytes."""
    path, file = open_inside(folder, inside)
    size = file.size
    if size > largest:
        raise DamagedDataError(f"{path}: expected at most {largest} bytes, got {size}")
    try:
        return read_range(file, 0, size)
    except OSError as error:
        if isinstance(error, DamagedDataError):
            raise DamagedDataError(f"{path}: {error}") from None
        if isinstance(error, DatasetError):  # the server refuses: no damage
            raise
        raise DamagedDataError(f"{path}: cannot be read: {why(error)}") from None
