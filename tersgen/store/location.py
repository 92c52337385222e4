"""Where a dataset is: what the user names, and the folder that holds everything.

A Zarr dataset is one folder. An HDF5 dataset is an index file and a folder beside it, of the same
name followed by ``.d``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, OutputError, TersError
from ..files import why
from ..schema.manifest import BESIDE, JOURNAL, LOCK, MANIFEST, RECIPE, Format
from ..urls import as_path, is_remote
from .files import make_folder
from .interface import INDEX

_ENDINGS: dict[Format, tuple[str, ...]] = {"zarr": (".zarr",), "hdf5": (".h5", ".hdf5", ".nxs")}
_OTHER: dict[Format, Format] = {"zarr": "hdf5", "hdf5": "zarr"}


class DatasetLocation(NamedTuple):
    """The place of a dataset."""

    path: Path
    """What the user names."""
    folder: Path
    """What holds shards, recipe, journal and manifests."""
    format: Format

    def __str__(self) -> str:
        """Return what the user names."""
        return str(self.path)

    def file(self, name: str) -> Path:
        """Return the file of a name in the manifest."""
        return self.path if name == INDEX else self.folder / name


@contextmanager
def in_one_line(location: DatasetLocation, what: str) -> Iterator[None]:
    """Turn an error of the file system into one that names the dataset."""
    try:
        yield
    except OSError as error:
        if isinstance(error, TersError):
            raise
        raise OutputError(f"{location}: {what}: {why(error)}") from error


def own_folder(location: DatasetLocation, name: str) -> Path:
    """Return a folder inside a dataset to be written into, made if need be."""
    folder = location.folder / name
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


def check_local(path: Path) -> None:
    """Refuse a URL where something is written, or only a folder can tell."""
    if is_remote(path):
        raise ConfigError(
            f"{path}: expected a dataset on this machine, got a URL, which is only read; change "
            "the dataset where it was made, and tersgen push brings the URL up to date"
        )


def new_location(out: str | Path | DatasetLocation, format: Format) -> DatasetLocation:
    """Return where a new dataset goes; a place that is known already is checked alone."""
    if isinstance(out, DatasetLocation):
        if out.format != format:
            raise ConfigError(f"{out}: expected a place for {format}, got one for {out.format}")
        return out
    path = as_path(out)
    check_local(path)
    if path.suffix.lower() in _ENDINGS[_OTHER[format]]:
        raise ConfigError(
            f"{path}: expected a name for the format {format}, such as "
            f"{path.stem}{_ENDINGS[format][0]}, got one that ends in {path.suffix}; change "
            "the name or the format"
        )
    if format == "zarr":
        return DatasetLocation(path, path, format)
    return DatasetLocation(path, path.with_name(path.name + BESIDE), format)


def find_location(path: Path) -> DatasetLocation | None:
    """Return the place of the dataset that a user names; None if nothing there is one.

    At a URL a dataset is taken to be there: whoever opens it finds out.
    """
    if is_remote(path):
        folder = path.with_name(path.name + BESIDE) if guess_format(path) == "hdf5" else path
        return DatasetLocation(path, as_path(folder, path.options), guess_format(path))
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
