"""Where a dataset is: what the user names, and the folder that holds everything.

A Zarr dataset is one folder. An HDF5 dataset is an index file and a folder beside it, of the same
name followed by ``.d``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError, OutputError
from ..schema.contents import Contents
from ..schema.manifest import BESIDE, JOURNAL, LOCK, MANIFEST, RECIPE, Format
from .files import make_folder
from .interface import Store
from .layout import Layout
from .seal_table import dataset_id
from .zarr_store import ZarrStore

_ENDINGS: dict[Format, tuple[str, ...]] = {"zarr": (".zarr",), "hdf5": (".h5", ".hdf5", ".nxs")}
_OTHER: dict[Format, Format] = {"zarr": "hdf5", "hdf5": "zarr"}
INDEX = "index"
"""What the index file of an HDF5 dataset is called in its manifest: users may rename it."""


class DatasetLocation(NamedTuple):
    """The place of a dataset."""

    path: Path
    """What the user names."""
    folder: Path
    """What holds shards, recipe, journal and manifests."""
    format: Format

    def name_of(self, path: Path) -> str:
        """Return what a file is called in the manifest."""
        return INDEX if path == self.path else path.relative_to(self.folder).as_posix()


def own_folder(home: DatasetLocation, name: str) -> Path:
    """Return a folder inside a dataset to be written into, made if need be.

    Raises
    ------
    OutputError
        If it is a link: nothing is written outside the dataset.
    """
    folder = home.folder / name
    for place in (folder, *folder.parents[: name.count("/")]):
        if place.is_symlink():
            raise OutputError(
                f"{place}: expected a folder, got a link, which is not followed; tersgen repair "
                "puts it right"
            )
    make_folder(folder)
    return folder


def guess_format(path: Path) -> Format:
    """Return the back end that a name asks for."""
    return "hdf5" if path.suffix.lower() in _ENDINGS["hdf5"] else "zarr"


def new_home(path: Path, format: Format) -> DatasetLocation:
    """Return where a new dataset goes.

    Raises
    ------
    ConfigError
        If its name ends as one of the other format.
    """
    if path.suffix.lower() in _ENDINGS[_OTHER[format]]:
        raise ConfigError(
            f"{path}: expected a name for the format {format}, such as "
            f"{path.stem}{_ENDINGS[format][0]}, got one that ends in {path.suffix}; change "
            "the name or the format"
        )
    if format == "zarr":
        return DatasetLocation(path, path, format)
    return DatasetLocation(path, path.with_name(path.name + BESIDE), format)


def find_home(path: Path) -> DatasetLocation | None:
    """Return the place of the dataset that a user names; None if nothing there is one."""
    beside = path.with_name(path.name + BESIDE) if path.name else path
    if beside.is_dir() and not path.is_dir():
        return DatasetLocation(path, beside, "hdf5")
    if not path.is_dir():
        return None
    if path.name.endswith(BESIDE) and (path / "shards").is_dir():
        return DatasetLocation(path.with_name(path.name.removesuffix(BESIDE)), path, "hdf5")
    ours = (MANIFEST, RECIPE, LOCK, JOURNAL)
    return (
        DatasetLocation(path, path, "zarr")
        if any((path / name).exists() for name in ours)
        else None
    )


def make_store(home: DatasetLocation, contents: Contents, layout: Layout) -> Store:
    """Return the back end of a dataset."""
    attributes: dict[str, Any] = {"recipe": RECIPE, "manifest": MANIFEST, "journal": JOURNAL}
    identity = dataset_id(contents.recipe_digest, home.format, layout)
    if home.format == "hdf5":
        from .hdf5_store import Hdf5Store  # HDF5 takes a while to load

        text = {"tersgen": json.dumps({**attributes, "folder": home.folder.name})}
        return Hdf5Store(home.path, home.folder, contents, layout, identity, text)
    return ZarrStore(home.folder, contents, layout, identity, {"tersgen": attributes})
