"""Where a dataset may be written: a new place, an empty folder, or a dataset of ours."""

import os
from pathlib import Path

from ..dataset.ownership import back_end_of, dataset_around, has_marker, is_dataset
from ..errors import DatasetError, OutputError
from ..schema.fields import FieldSpec
from ..store.location import DatasetLocation, in_one_line
from ..store.sources import read_inside
from .inventory import find_foreign, inventory_of

_LARGEST_INDEX = 1 << 31
_LABEL = FieldSpec(name="label", dims=(), shape=(), dtype="int32", unit="1", description="class")
"""The one array that every dataset has."""


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    return parent


def is_index(path: Path, folder: Path) -> bool:
    """Return whether a file is the index of an HDF5 dataset over the shards in ``folder``."""
    from ..store.hdf5_index import check_first_source  # HDF5 takes a while to load

    try:
        data = read_inside(path.parent, path.name, _LARGEST_INDEX)
        check_first_source(data, _LABEL, f"{folder.name}/shards/000000.h5")
    except DatasetError:
        return False
    return True


def _refuse_folder(location: DatasetLocation, overwrite: bool) -> None:
    """Refuse a folder that is no dataset of ours, or has files of others in it to be replaced."""
    if not location.folder.is_dir():
        raise OutputError(
            f"{location.folder}: exists and is no dataset of tersgen; remove it yourself or pass "
            "another --out"
        )
    found = min((path.name for path in location.folder.iterdir()), default=None)
    if found is not None and not is_dataset(location.folder):
        raise OutputError(
            f"{location.folder}: expected a new or an empty folder, found {found!r} in one that is "
            "no dataset of tersgen; move it away or pass another --out"
        )
    if overwrite and has_marker(location.folder):
        there = back_end_of(location.folder)
        if there not in (None, location.format):
            raise OutputError(
                f"{location.folder}: expected a {location.format} dataset to replace, got a "
                f"{there} one; pass another --out"
            )
        refuse_foreign(location)


def refuse_foreign(location: DatasetLocation) -> None:
    """Refuse to replace a dataset that has files of others in its folder, however deep."""
    foreign = find_foreign(inventory_of(location))
    if foreign is not None:
        raise OutputError(
            f"{location.folder}: expected a dataset of tersgen, found {foreign!r} in it, which "
            "is no part of one; move it away or pass another --out"
        )


def _refuse_index(location: DatasetLocation) -> None:
    """Refuse an HDF5 file that is not the index over the folder beside it."""
    if location.path == location.folder or not os.path.lexists(location.path):
        return
    if location.path.is_dir():
        raise OutputError(f"{location}: expected the path of an HDF5 file, got a folder")
    if not has_marker(location.folder):
        raise OutputError(
            f"{location}: exists, and its folder {location.folder.name} holds no dataset; remove "
            "it yourself or pass another --out"
        )
    if not is_index(location.path, location.folder):
        raise OutputError(
            f"{location}: expected the index over {location.folder.name}, got another file; move "
            "it away, or, if it is a damaged index, run tersgen repair"
        )


def check_output(location: DatasetLocation, overwrite: bool = False) -> None:
    """Refuse an output that cannot be a dataset of tersgen, before anything is done.

    A dataset whose build resumes may have files of others in it; one to be replaced may not.
    """
    out = location.path
    if ":/" in str(out) or str(out) in (".", ""):
        raise OutputError(f"{out}: expected the path of a new dataset, such as data.zarr")
    with in_one_line(location, "cannot be accessed"):
        _check_place(location, overwrite)


def _check_place(location: DatasetLocation, overwrite: bool) -> None:
    for path in {location.path, location.folder}:
        if path.is_symlink():
            raise OutputError(f"{path}: expected a new path, got a link; pass another --out")
    parent = existing_parent(location.folder)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: expected a folder that can be written, got one that cannot")
    around = dataset_around(location.folder)
    if around is not None:
        raise OutputError(
            f"{location}: expected a place outside other datasets, got one inside the dataset "
            f"{around}; pass another --out"
        )
    if os.path.lexists(location.folder):
        _refuse_folder(location, overwrite)
    _refuse_index(location)
