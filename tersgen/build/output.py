"""Where a dataset may be written."""

import os
from pathlib import Path

from ..errors import OutputError
from ..schema.manifest import (
    EVENTS,
    JOURNAL,
    LOCK,
    MANIFEST,
    RANGES,
    RECIPE,
    SPLITS,
    TAGS,
    VERSIONS,
)
from ..store.files import is_unfinished
from ..store.home import Home
from ..store.lock import is_lock
from ..store.metadata import SHIFT_COORDINATE


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    return parent


_OURS = {
    *("zarr.json", RECIPE, MANIFEST, JOURNAL, LOCK, SPLITS, TAGS, VERSIONS, SHIFT_COORDINATE),
    *(EVENTS, RANGES),
    *("raw", "source", "spectra", "maps", "cube", "sticks", "tensors", "label", "mixture"),
    *("params", "structure", "shards"),
}


def _foreign(folder: Path) -> list[str]:
    """Return what is in a folder and not part of a dataset."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in _OURS and not is_lock(path.name) and not is_unfinished(folder, path)
    )


def check_output(home: Home, overwrite: bool = False) -> None:
    """Refuse an output that cannot be a dataset of tersgen, before anything is done.

    A dataset whose build goes on may have files of others in it; one to be replaced may not.

    Raises
    ------
    OutputError
        If something else is there, or the place cannot be written.
    """
    out = home.path
    if ":/" in str(out) or str(out) in (".", ""):
        raise OutputError(f"{out}: expected the path of a new dataset, such as data.zarr")
    for path in {home.path, home.folder}:
        if path.is_symlink():
            raise OutputError(f"{path}: expected a new path, got a link; pass another --out")
    if home.folder.exists():
        if not home.folder.is_dir():
            raise OutputError(
                f"{home.folder}: exists and is no dataset of tersgen; remove it yourself or pass "
                "another --out"
            )
        foreign = _foreign(home.folder)
        if foreign and (overwrite or not (home.folder / LOCK).exists()):
            raise OutputError(
                f"{home.folder}: expected a dataset of tersgen, found {foreign[0]!r} in it, which "
                "is no part of one; move it away or pass another --out"
            )
    if home.path != home.folder and home.path.exists() and not home.folder.exists():
        raise OutputError(
            f"{out}: exists, and its folder {home.folder.name} does not; remove it yourself or "
            "pass another --out"
        )
    if home.path != home.folder and home.path.is_dir():
        raise OutputError(f"{out}: expected the path of an HDF5 file, got a folder")
    parent = existing_parent(home.folder)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: expected a folder that can be written, got one that cannot")
