"""Where a dataset may be written."""

import os
from pathlib import Path

from ..errors import OutputError
from ..schema.manifest import JOURNAL, MANIFEST, RECIPE
from ..store.files import PARTIAL
from ..store.metadata import SHIFT_COORDINATE


def existing_parent(path: Path) -> Path:
    """Return the nearest folder above ``path`` that exists."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    return parent


def topmost_new(path: Path) -> Path:
    """Return the highest part of ``path`` that does not exist yet, or ``path`` itself."""
    made = path.absolute()
    while not made.parent.exists():
        made = made.parent
    return made


_OURS = {
    *("zarr.json", RECIPE, MANIFEST, JOURNAL, SHIFT_COORDINATE),
    *("spectra", "maps", "sticks", "tensors", "label", "params"),
}


def _foreign(folder: Path) -> list[str]:
    """Return what is in a folder and not part of a dataset."""
    names = [path.name for path in folder.iterdir()]
    return sorted(name for name in names if name.removesuffix(PARTIAL) not in _OURS)


def check_output(out: Path, overwrite: bool) -> None:
    """Refuse an output that exists or cannot be written, before anything is done.

    Raises
    ------
    OutputError
        If ``out`` exists and may not be replaced, or its folder cannot be written.
    """
    if ":/" in str(out) or str(out) == ".":
        raise OutputError(f"{out}: expected the path of a new folder, such as data.zarr")
    if out.exists() or out.is_symlink():
        if not overwrite:
            raise OutputError(
                f"{out}: exists already; pass --overwrite to replace it, or another --out"
            )
        if out.is_symlink() or not out.is_dir():
            raise OutputError(
                f"{out}: exists and is no dataset of tersgen; remove it yourself or pass "
                "another --out"
            )
        foreign = _foreign(out)
        if foreign:
            raise OutputError(
                f"{out}: expected a dataset to replace, found {foreign[0]!r} in it, which is no "
                "part of one; move it away or pass another --out"
            )
    parent = existing_parent(out)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{parent}: expected a folder that can be written, got one that cannot")
