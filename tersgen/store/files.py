"""Files written durably: under a temporary name, flushed to disk, then given their final name.

Large files bypass the page cache where the system allows (``O_DIRECT``): copying into the cache and
flushing it later costs as much as compressing the data did, and pushes everything else out of it.
"""

import ctypes
import errno
import mmap
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from xxhash import xxh3_128

from ..files import open_input
from ..schema.manifest import BESIDE, FileFacts

STAGE_BYTES = 4 << 20
_ALIGNMENT = 4096
_SMALL = 1 << 20
_PIECE = 4 << 20
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
"""Of Linux: paths from the working folder; and what ``renameat2`` is to do."""
PARTIAL = ".partial"

_SHARD = r"shards/[0-9]{6,}\.h5|[a-z][a-z0-9_]*(?:/[a-z][a-z0-9_]*)?/c(?:\.[0-9]+)+"
_DOCUMENT = (
    r"(?:zarr|recipe|manifest|lock)\.json|library\.tlib|tip_field\.npz|journal\.jsonl"
    r"|builder\.[0-9]+\.lock"
    r"|(?:versions|versions/copies|tags|splits)/[A-Za-z0-9][A-Za-z0-9._-]*\.(?:json|npy|npz|tlib)"
    r"|c(?:\.[0-9]+)+"  # of raman_shift: all metadata are put together at the top
)
UNFINISHED = rf"\.(?:[0-9]{{1,10}}|[0-9a-f]{{16}}){re.escape(PARTIAL)}"
"""Ends the temporary names of a writer: its process, or the token of its lock, sets them apart."""
_DEEPEST = 2
"""Folders between a dataset's folder and a file of it, at most."""

Check = Callable[[], object]
"""Called just before a file gets its name; it raises if that is no longer this builder's right."""


class DirectFile:
    """Writes a file past the page cache through an aligned buffer that is used again and again."""

    def __init__(self) -> None:
        self._stage = np.frombuffer(mmap.mmap(-1, STAGE_BYTES), np.uint8)

    def write(self, descriptor: int, parts: Sequence[bytes]) -> None:
        """Write all parts one after the other to a file opened with ``O_DIRECT``."""
        used = total = 0
        for part in parts:
            left = np.frombuffer(part, np.uint8)
            total += len(left)
            while len(left):
                count = min(len(left), STAGE_BYTES - used)
                # unlike a copy into the mapping itself, this one lets other threads run
                np.copyto(self._stage[used : used + count], left[:count])
                used += count
                left = left[count:]
                if used == STAGE_BYTES:
                    self._flush(descriptor, used)
                    used = 0
        self._flush(descriptor, -(-used // _ALIGNMENT) * _ALIGNMENT)
        os.ftruncate(descriptor, total)

    def _flush(self, descriptor: int, count: int) -> None:
        write_all(descriptor, self._stage[:count].data)


def write_all(descriptor: int, data: memoryview) -> None:
    """Write every byte of ``data``."""
    while len(data):
        data = data[os.write(descriptor, data) :]


def facts_of(parts: Iterable[bytes | memoryview]) -> FileFacts:
    """Return size and checksum of a file from its pieces."""
    total = 0
    checksum = xxh3_128()
    for part in parts:
        total += len(part)
        checksum.update(part)
    return FileFacts(bytes=total, xxh128=checksum.hexdigest())


def file_facts(path: Path) -> FileFacts:
    """Return size and checksum of a file on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return facts_of(iter(lambda: file.read(_PIECE), b""))


def has_facts(path: Path, facts: FileFacts) -> bool:
    """Return whether a file is there, is no link, and has this size and checksum."""
    try:
        return path.stat().st_size == facts.bytes and file_facts(path) == facts
    except OSError:
        return False


def write_partial(partial: Path, parts: Sequence[bytes], direct: DirectFile | None = None) -> None:
    """Write a file under a temporary name and flush it to disk.

    Raises
    ------
    OSError
        If the file system refuses; the file is removed.
    """
    total = sum(len(part) for part in parts)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        if direct is not None and total >= _SMALL and _try_direct(partial, flags, parts, direct):
            return
        descriptor = os.open(partial, flags, 0o666)
        try:
            for part in parts if total > _SMALL else [b"".join(parts)]:
                write_all(descriptor, memoryview(part))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


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


def publish(partial: Path, path: Path) -> bool:
    """Give a finished file its name; return False, and leave all as it is, if the name is taken.

    A hard link never replaces a file, wherever the file system has links; so a builder that was
    believed dead cannot write over what another has written.
    """
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        partial.replace(path)
        return True
    partial.unlink()
    return True


def write_durably(
    path: Path, parts: Sequence[bytes], check: Check | None = None, folder: Path | None = None
) -> FileFacts:
    """Write a file, or replace it at once, and flush it and its name to disk.

    Parameters
    ----------
    path
        The file.
    parts
        Its pieces.
    check
        Called once the bytes are on disk, before they get the name.
    folder
        Where the temporary file goes, on the same file system; by default beside the file.

    Raises
    ------
    OSError
        If the file system refuses; what was there stays.
    """
    partial = (folder or path.parent) / f"{path.name}.{os.getpid()}{PARTIAL}"
    write_partial(partial, parts)
    try:
        if check is not None:
            check()
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return facts_of(parts)


def write_once(path: Path, parts: Sequence[bytes]) -> bool:
    """Write a file that must not exist; return False, and write nothing, if it does."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    write_partial(partial, parts)
    if not publish(partial, path):
        partial.unlink()
        return False
    sync_folder(path.parent)
    return True


def exchange(one: Path, other: Path) -> bool:
    """Exchange two files or folders at once; return False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    here = ctypes.c_int(_AT_FDCWD)
    paths = (os.fsencode(one), os.fsencode(other))
    if rename(here, paths[0], here, paths[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, *_NO_LINKS):
        return False
    raise OSError(number, os.strerror(number), str(one))


def sync_file(path: Path) -> None:
    """Flush a file to disk."""
    with open_input(path) as file:
        os.fsync(file.fileno())


def sync_tree(path: Path) -> None:
    """Flush a file, or all files of a folder, to disk."""
    for one in path.rglob("*") if path.is_dir() else [path]:
        if one.is_file():
            sync_file(one)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing, durably; return them, lowest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)
    return missing


def is_unfinished(folder: Path, path: Path, ending: str = PARTIAL) -> bool:
    """Return whether a path in a dataset's folder is a temporary name that a builder gives.

    Parameters
    ----------
    folder
        The dataset's folder.
    path
        A path in it.
    ending
        ``PARTIAL``; or another, that of shards which wait to take the place of recorded ones.

    Examples
    --------
    >>> data = Path("data.zarr")
    >>> is_unfinished(data, data / "manifest.json.4711.partial")
    True
    >>> is_unfinished(data, data / "download.partial")
    False
    """
    inside = path.relative_to(folder).as_posix()
    if ending != PARTIAL:
        return re.fullmatch(f"(?:{_SHARD}){re.escape(ending)}", inside) is not None
    # the index of an HDF5 dataset is put together in its folder, too
    index = folder.name.removesuffix(BESIDE) if folder.name.endswith(BESIDE) else ""
    names = "|".join([_SHARD, _DOCUMENT, *([re.escape(index)] if index else [])])
    return re.fullmatch(f"(?:{names}){UNFINISHED}", inside) is not None


def remove_unfinished(folder: Path, ending: str = PARTIAL) -> None:
    """Remove the files of a dataset that have a temporary name; links and others' files stay."""
    for place, folders, names in os.walk(folder):
        if len(Path(place).relative_to(folder).parts) == _DEEPEST:
            folders.clear()
        for path in (Path(place) / name for name in names):
            if is_unfinished(folder, path, ending) and not path.is_symlink() and path.is_file():
                path.unlink(missing_ok=True)
