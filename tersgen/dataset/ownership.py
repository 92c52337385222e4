"""Which folders are datasets made by tersgen, by a document that only tersgen writes.

A name proves nothing: ``spectra``, ``label`` and ``manifest.json`` are what other people call their
files, too. A folder is a dataset of ours if a document in it contains its own digest:
``lock.json``, a version, or a line of the journal. ``lock.json`` is the first document that a build
writes; before it, for a moment, the folder holds a builder's lock and nothing else. The check does
not depend on the format version, so that datasets of other versions are recognised, too.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..bytefile import ByteStream
from ..errors import DatasetError
from ..schema.digest import canonical_digest
from ..schema.loading import parse_json
from ..schema.manifest import BESIDE, JOURNAL, LOCK, MANIFEST, VERSION_FILE, VERSIONS
from ..store.files import UNFINISHED
from ..store.lock import is_lock_file
from ..store.sources import exists_inside, open_inside, read_inside
from ..urls import is_remote

_LARGEST = 1 << 24
_LONGEST_LINE = 1 << 22
_MOST_LINES = 16
_SHORTEST_URL = 3
"""Scheme, host or bucket, and a name."""
_UNFINISHED_LOCK = re.compile(re.escape(LOCK) + UNFINISHED)
"""The first document, before it has its name."""


def read_genuine(folder: Path, name: str, check: str) -> dict[str, Any] | None:
    """Return a document whose field ``check`` is the digest of its other fields; else None."""
    try:
        content = parse_json(read_inside(folder, name, _LARGEST).decode())
    except (DatasetError, ValueError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("format_version"), int):
        return None
    rest = {key: value for key, value in content.items() if key != check}
    return content if content.get(check) == _digest(rest) else None


def _digest(content: Any) -> str | None:
    try:
        return canonical_digest(content)
    except (ValueError, RecursionError):  # infinite, or deep: nothing that tersgen has written
        return None


def read_lock(folder: Path) -> dict[str, Any] | None:
    """Return the content of a folder's lock file if its check holds; else None."""
    return read_genuine(folder, LOCK, "check")


def read_versions(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the content of a folder's manifest and of its versions, as far as they are genuine."""
    for name in (MANIFEST, *_version_names(folder)):
        content = read_genuine(folder, name, "version")
        if content is not None:
            yield content


def _version_names(folder: Path) -> list[str]:
    place = folder / VERSIONS
    if place.is_symlink() or not place.is_dir():
        return []
    try:
        found = [path.name for path in place.iterdir() if VERSION_FILE.fullmatch(path.name)]
    except OSError:  # a folder that others may not list
        return []
    return sorted(f"{VERSIONS}/{name}" for name in found)


def _has_record(folder: Path) -> bool:
    """Return whether one of the first lines of a journal is a whole record."""
    try:
        _, file = open_inside(folder, JOURNAL)
        with io.BufferedReader(ByteStream(file)) as stream:
            for _ in range(_MOST_LINES):
                line = stream.readline(_LONGEST_LINE)
                if not line:
                    return False
                if _is_record(line):
                    return True
    except (DatasetError, OSError):
        return False
    return False


def _is_record(line: bytes) -> bool:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict) or not isinstance(content.get("record"), dict):
        return False
    return content.get("check") == (_digest(content["record"]) or "")[:16]


def has_marker(folder: Path) -> bool:
    """Return whether a folder holds a document that only tersgen writes into a dataset."""
    return (
        read_lock(folder) is not None
        or any(True for _ in read_versions(folder))
        or _has_record(folder)
    )


def back_end_of(folder: Path) -> str | None:
    """Return the back end that a dataset's documents state; None if none of them tells."""
    described = (one for one in (read_lock(folder), *read_versions(folder)) if one is not None)
    return next((str(one["format"]) for one in described if "format" in one), None)


def is_just_started(folder: Path) -> bool:
    """Return whether a builder's lock is all that a folder holds: the moments before lock.json."""
    paths = list(folder.iterdir())
    return bool(paths) and all(
        is_lock_file(path) or _UNFINISHED_LOCK.fullmatch(path.name) for path in paths
    )


def is_dataset(folder: Path) -> bool:
    """Return whether a folder is a dataset of ours, or one that a build has just started.

    It is False for an empty folder, and where there is no folder, or a link to one.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        # lock.json may come between the first look and the second
        return has_marker(folder) or is_just_started(folder) or has_marker(folder)
    except OSError:
        return False


def names_dataset(path: Path) -> bool:
    """Return whether a path is what a user names a dataset by.

    That is its folder, the index file of one in HDF5, or a version of it (``data.zarr@v1.0``); and
    a folder whose files are links, of which opening says what to do. A URL without an ending names
    a dataset, too; of others a server is asked.
    """
    name = path.name
    if is_remote(path):
        return _names_remote_dataset(path)
    plain = path.with_name(name.partition("@")[0]) if "@" in name and not path.exists() else path
    if plain.is_dir():
        return is_dataset(plain.resolve()) or (plain / MANIFEST).is_symlink()
    return bool(plain.name) and is_dataset(plain.with_name(plain.name + BESIDE))


def _names_remote_dataset(path: Path) -> bool:
    plain = path.with_name(path.name.partition("@")[0] or path.name)
    ending = plain.suffix.lower()
    if ending in ("", ".zarr") or len(path.parts) < _SHORTEST_URL:
        return True
    if "?" in path.name:
        return False
    if ending in (".h5", ".hdf5"):
        plain = plain.with_name(plain.name + BESIDE)
    try:
        return exists_inside(plain, MANIFEST)
    except DatasetError:  # buckets may refuse to say that something is not there
        return False


def names_rows(path: Path) -> bool:
    """Return whether a path names a dataset, or is a recipe file by its ending."""
    # not .json: other files have that, too
    return names_dataset(path) or path.suffix.lower() in (".toml", ".yaml", ".yml")


def is_empty(folder: Path) -> bool:
    """Return whether a path is a folder, no link to one, with nothing in it."""
    return not folder.is_symlink() and folder.is_dir() and not any(folder.iterdir())


def real_path(path: Path) -> Path:
    """Return a path without links and dots; the last part, which may be a link, stays."""
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


def is_same_place(one: Path, other: Path) -> bool:
    """Return whether two paths are one file or folder, however they are spelt.

    Paths that are not there yet are compared by the real paths of their parents.
    """
    if is_remote(one) or is_remote(other):
        return one == other
    with suppress(OSError):
        if one.samefile(other):
            return True
    return real_path(one) == real_path(other)


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path is a folder or is inside it, however both are spelt."""
    return path.resolve().is_relative_to(folder.resolve())


def dataset_around(path: Path) -> Path | None:
    """Return the folder of the dataset of ours that a path lies inside of; None if there is none.

    The path itself does not count; links on the way to it are followed.
    """
    return next((one for one in real_path(path).parents if has_marker(one)), None)
