"""What belongs in a dataset's folder, name by name, so that nothing else is ever removed.

A file belongs to a dataset if the dataset's own documents account for its name: shards and metadata
by the table of arrays and the number of shards, versions by their ids, tags and splits by what they
say. Everything else in the folder is foreign and stays, and so does every link.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..dataset.basis import contents_of
from ..dataset.documents import (
    COPIES,
    RECIPE_COPY,
    SOURCES,
    load_stored_basis,
    load_tag,
    tag_path,
)
from ..dataset.ownership import read_lock, read_versions
from ..dataset.versions import tag_names
from ..errors import DatasetError, TersError
from ..schema.base import FILE_STEM
from ..schema.loading import parse_json
from ..schema.manifest import (
    EVENTS,
    JOURNAL,
    LOCK,
    MANIFEST,
    RANGES,
    RECIPE,
    SPLITS,
    TAGS,
    VERSION_FILE,
    VERSIONS,
)
from ..store.files import Check, is_unfinished
from ..store.journal import read_journal
from ..store.location import DatasetLocation
from ..store.lock import is_lock_text
from ..store.sources import read_inside
from ..store.writers import RANGE_FOLDER
from .commit import NEW

_SHARD = re.compile(r"(.+)/c\.(0|[1-9][0-9]*)(?:\.0)*")
_HDF5_SHARD = re.compile(r"shards/([0-9]{6,})\.h5")
_PAGE = re.compile(rf"{SPLITS}/({FILE_STEM})\.json")
_ROWS = re.compile(rf"{SPLITS}/{FILE_STEM}-[0-9a-f]{{16}}\.npy")
_RANGE = re.compile(rf"{RANGES}/{RANGE_FOLDER.pattern}")
_AT_TOP = (MANIFEST, JOURNAL, EVENTS)
_NEEDED = (*SOURCES, RECIPE_COPY, RECIPE, LOCK)
"""What names all else: removed last, and in this order."""
_KNOWN_AXES = {"raman_shift", "row", "column", "shift_channel", "band_low", "band_high"}
"""Axes of a dataset whose documents are all lost but the journal, which does not name any."""
_LARGEST_PAGE = 1 << 24
_TRIES, _PAUSE_S = 10, 0.1


class Inventory:
    """What a dataset's documents say about the names in its folder.

    Parameters
    ----------
    folder
        The dataset's folder.
    fields
        Names of the arrays.
    axes
        Names of the axes, which are arrays of positions in Zarr.
    n_shards
        Shards in all; None if no document tells.
    tags
        Paths of tags and of their copies.
    """

    def __init__(
        self,
        folder: Path,
        fields: Iterable[str],
        axes: Iterable[str],
        n_shards: int | None,
        tags: Iterable[str] = (),
    ) -> None:
        self.folder = folder
        self._fields = frozenset(fields)
        self._n_shards = n_shards
        self._tags = frozenset(tags)
        above = {name.rpartition("/")[0] for name in self._fields} - {""}
        self._axes = frozenset(axes)
        self._groups = {*self._fields, *above, *self._axes}
        self._folders = {*self._groups, VERSIONS, COPIES, TAGS, SPLITS, RANGES, "shards"}

    def has_file(self, inside: str) -> bool:
        """Return whether a path in the folder is the name of a file of the dataset."""
        path = self.folder / inside
        place, _, name = inside.rpartition("/")
        if place == "":
            known = (*_AT_TOP, *_NEEDED, "zarr.json")
            if name in known or is_lock_text(path):
                return True
        if place in (VERSIONS, COPIES) and (
            VERSION_FILE.fullmatch(name) or inside in (RECIPE_COPY, *SOURCES)
        ):
            return True
        if _RANGE.fullmatch(place):
            return name in (JOURNAL, EVENTS) or is_lock_text(path) or self._is_unfinished(name)
        if inside in self._tags or _ROWS.fullmatch(inside) or self._is_page(inside):
            return True
        if name == "zarr.json" and place in self._groups:
            return True
        if (place in self._axes and name == "c.0") or self._is_shard(inside):
            return True
        if inside.endswith(NEW):
            return self._is_shard(inside.removesuffix(NEW))
        return is_unfinished(self.folder, path)

    def has_folder(self, inside: str) -> bool:
        """Return whether a path in the folder is the name of a folder of the dataset."""
        return inside in self._folders or bool(_RANGE.fullmatch(inside))

    def _is_unfinished(self, name: str) -> bool:
        return is_unfinished(self.folder, self.folder / name)

    def _is_shard(self, inside: str) -> bool:
        match = _HDF5_SHARD.fullmatch(inside)
        if match is None:
            match = _SHARD.fullmatch(inside)
            if match is None or match[1] not in self._fields:
                return False
        number = int(match[match.lastindex or 1])
        return self._n_shards is None or number < self._n_shards

    def _is_page(self, inside: str) -> bool:
        match = _PAGE.fullmatch(inside)
        if match is None:
            return False
        try:
            content = parse_json(read_inside(self.folder, inside, _LARGEST_PAGE).decode())
        except (DatasetError, ValueError):
            return False
        known = isinstance(content, dict) and {"rule", "digest", "counts"} <= content.keys()
        return known and content.get("name") == match[1]


def inventory_of(location: DatasetLocation) -> Inventory:
    """Return what a dataset's documents say about the names in its folder.

    Those that are damaged, or lost, say nothing; what only they account for counts as foreign.
    """
    lock = read_lock(location.folder)
    described = [one for one in (lock, *read_versions(location.folder)) if one is not None]
    fields = {name for one in described for name in _names(one, "fields")}
    axes = {
        name for one in described for what in ("axes", "coordinates") for name in _names(one, what)
    }
    for one in [] if fields else described:
        with suppress(TersError, ValueError):
            contents = contents_of(load_stored_basis(location, str(one.get("recipe_digest"))))
            fields = {spec.name for spec in contents.fields}
            axes = {one.name for one in contents.positions}
    if not fields:
        fields, axes = _recorded_fields(location), _KNOWN_AXES
    sizes = [size for size in map(_n_shards, described) if size is not None]
    return Inventory(location.folder, fields, axes, max(sizes, default=None), _tags(location))


def _names(described: dict[str, Any], what: str) -> Iterator[str]:
    """Yield the names of what a document lists: arrays, axes or coordinates."""
    listed = described.get(what)
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"]


def _n_shards(described: dict[str, Any]) -> int | None:
    n_samples, shard_rows = described.get("n_samples"), described.get("shard_rows")
    if isinstance(n_samples, int) and isinstance(shard_rows, int) and shard_rows > 0:
        return -(-n_samples // shard_rows)
    return None


def _recorded_fields(location: DatasetLocation) -> set[str]:
    """Return the arrays that have files in the records of the journal."""
    try:
        records = read_journal(location.folder).records
    except OSError:
        return set()
    found = (_SHARD.fullmatch(name) for record in records for name in record.files)
    return {match[1] for match in found if match}


def _tags(location: DatasetLocation) -> Iterator[str]:
    """Yield the files of tags; a damaged one is known by its copy, and the copy by it."""
    for name in {*tag_names(location), *tag_names(location, COPIES)}:
        for place in (TAGS, COPIES):
            with suppress(DatasetError):
                load_tag(location, name, place)
                yield from (tag_path(name, TAGS), tag_path(name, COPIES))


def _entries(folder: Path, inside: str = "") -> Iterator[tuple[str, bool, bool]]:
    """Yield path inside, whether it is a folder, and whether a plain file, of what is there."""
    with os.scandir(folder / inside) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        plain = entry.is_file(follow_symlinks=False)
        yield path, entry.is_dir(follow_symlinks=False), plain


def find_foreign(inventory: Inventory, inside: str = "") -> str | None:
    """Return one thing in a dataset's folder that is no part of the dataset; None if all is."""
    folders = []
    for path, is_folder, is_plain in _entries(inventory.folder, inside):
        if is_folder and inventory.has_folder(path):
            folders.append(path)
        elif is_folder or not is_plain or not inventory.has_file(path):
            return path
    return next(filter(None, (find_foreign(inventory, one) for one in folders)), None)


def remove_files(inventory: Inventory, check: Check | None = None) -> str | None:
    """Remove the files of a dataset by their names, and folders of it that are then empty.

    The folder itself stays, and so does a builder's lock, if ``check``, that of the lock, is given.
    A worker that does not know of it yet may still be writing: what it writes is removed, too.

    Returns
    -------
    str or None
        One thing that is still there and no part of the dataset.
    """
    for tries_left in range(_TRIES, 0, -1):
        if check is not None:
            check()
        for path in _own_paths(inventory, held=check is not None):
            if path.is_dir():
                _remove_if_empty(path)
            else:
                path.unlink(missing_ok=True)
        written = (path for path in _own_paths(inventory, held=check is not None) if path.is_file())
        if tries_left == 1 or not any(True for _ in written):
            break
        time.sleep(_PAUSE_S)
    for name in _NEEDED:
        path = inventory.folder / name
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)
    for name in (COPIES, VERSIONS):
        _remove_if_empty(inventory.folder / name)
    return find_foreign(inventory)


def _own_paths(inventory: Inventory, held: bool, inside: str = "") -> Iterator[Path]:
    """Yield files and folders of a dataset, deepest first; without those that name all else."""
    files = []
    for name, is_folder, is_plain in _entries(inventory.folder, inside):
        path = inventory.folder / name
        if is_folder and inventory.has_folder(name):
            yield from _own_paths(inventory, held, name)
            yield path
        elif is_plain and name not in _NEEDED and inventory.has_file(name):
            is_held = held and not inside and is_lock_text(path)
            files += [] if is_held else [path]
    yield from files


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or not there
        if not folder.is_symlink():
            folder.rmdir()
