"""Where a dataset may be written: a new place, an empty folder, or a dataset of ours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..dataset.ownership import back_end_of, dataset_around, has_marker, is_dataset
from ..errors import DatasetError, OutputError, TersError
from ..files import why
from ..schema.fields import FieldSpec
from ..store.location import DatasetLocation
from ..store.reader import read_inside
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


@contextmanager
def in_one_line(home: DatasetLocation, what: str) -> Iterator[None]:
    """Turn an error of the file system into one that names the dataset.

    Raises
    ------
    OutputError
        Instead of it.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, TersError):
            raise
        raise OutputError(f"{home.path}: {what}: {why(error)}") from error


def is_index(path: Path, folder: Path) -> bool:
    """Return whether a file is the index of an HDF5 dataset over the shards in ``folder``."""
    from ..store.hdf5_index import check_first_source  # HDF5 takes a while to load

    try:
        data = read_inside(path.parent, path.name, _LARGEST_INDEX)
        check_first_source(data, _LABEL, f"{folder.name}/shards/000000.h5")
    except DatasetError:
        return False
    return True


def _refuse_folder(home: DatasetLocation, overwrite: bool) -> None:
    """Refuse a folder that is no dataset of ours, or has files of others in it to be replaced."""
    if not home.folder.is_dir():
        raise OutputError(
            f"{home.folder}: exists and is no dataset of tersgen; remove it yourself or pass "
            "another --out"
        )
    found = min((path.name for path in home.folder.iterdir()), default=None)
    if found is not None and not is_dataset(home.folder):
        raise OutputError(
            f"{home.folder}: expected a new or an empty folder, found {found!r} in one that is no "
            "dataset of tersgen; move it away or pass another --out"
        )
    if overwrite and has_marker(home.folder):
        there = back_end_of(home.folder)
        if there not in (None, home.format):
            raise OutputError(
                f"{home.folder}: expected a {home.format} dataset to replace, got a {there} one; "
                "pass another --out"
            )
        refuse_foreign(home)


def refuse_foreign(home: DatasetLocation) -> None:
    """Refuse to replace a dataset that has files of others in its folder, however deep.

    Raises
    ------
    OutputError
        If there is one.
    """
    foreign = find_foreign(inventory_of(home))
    if foreign is not None:
        raise OutputError(
            f"{home.folder}: expected a dataset of tersgen, found {foreign!r} in it, which "
            "is no part of one; move it away or pass another --out"
        )


def _refuse_index(home: DatasetLocation) -> None:
    """Refuse an HDF5 file that is not the index over the folder beside it."""
    if home.path == home.folder or not os.path.lexists(home.path):
        return
    if home.path.is_dir():
        raise OutputError(f"{home.path}: expected the path of an HDF5 file, got a folder")
    if not has_marker(home.folder):
        raise OutputError(
            f"{home.path}: exists, and its folder {home.folder.name} holds no dataset; remove it "
            "yourself or pass another --out"
        )
    if not is_index(home.path, home.folder):
        raise OutputError(
            f"{home.path}: expected the index over {home.folder.name}, got another file; move it "
            "away, or, if it is a damaged index, run tersgen repair"
        )


def check_output(home: DatasetLocation, overwrite: bool = False) -> None:
    """Refuse an output that cannot be a dataset of tersgen, before anything is done.

    A dataset whose build goes on may have files of others in it; one to be replaced may not.

    Raises
    ------
    OutputError
        If something else is there, the place is inside another dataset, or it cannot be written.
    """
    out = home.path
    if ":/" in str(out) or str(out) in (".", ""):
        raise OutputError(f"{out}: expected the path of a new dataset, such as data.zarr")
    with in_one_line(home, "cannot be accessed"):
        _check_place(home, overwrite)


def _check_place(home: DatasetLocation, overwrite: bool) -> None:
    for path in {home.path, home.folder}:
        if path.is_symlink():
            raise OutputError(f"{path}: expected a new path, got a link; pass another --out")
    parent = existing_parent(home.folder)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: expected a folder that can be written, got one that cannot")
    around = dataset_around(home.folder)
    if around is not None:
        raise OutputError(
            f"{home.path}: expected a place outside other datasets, got one inside the dataset "
            f"{around}; pass another --out"
        )
    if os.path.lexists(home.folder):
        _refuse_folder(home, overwrite)
    _refuse_index(home)
