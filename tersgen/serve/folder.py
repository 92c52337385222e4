"""The folder that is served: its datasets and runs, and what the server keeps there itself."""

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..dataset.dataset import Dataset
from ..dataset.documents import load_head
from ..dataset.opening import open_version
from ..errors import BusyError, ConfigError, DatasetError, OutputError
from ..files import why
from ..plotting.runs import is_run
from ..schema.manifest import MANIFEST, Manifest
from ..store.location import DatasetLocation, find_location
from ..text import not_among

STATE = ".tersgen"
"""Folder inside the served one for what the server keeps: jobs, recipes, tokens, libraries."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names of datasets, recipes, libraries, runs and tokens: safe as a file's name and in a URL."""
_IS_NAME = re.compile(NAME[1:-1])
_DATASET_ENDINGS = (".zarr", ".h5", ".hdf5", ".nxs")


class UnknownNameError(DatasetError, KeyError):
    """A dataset, recipe, job or run was asked for that the server does not have."""

    __str__ = DatasetError.__str__


@dataclass(frozen=True, eq=False)
class Served:
    """A complete dataset of the folder, opened."""

    name: str
    location: DatasetLocation
    manifest: Manifest
    dataset: Dataset


def is_name(text: str) -> bool:
    """Return whether a text can be the name of something that the server keeps."""
    return _IS_NAME.fullmatch(text) is not None


class Folder:
    """The served folder.

    Parameters
    ----------
    path
        A folder, which need not contain anything.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            found = "a file" if path.exists() else "nothing"
            raise ConfigError(f"{path}: expected a folder with datasets to serve, got {found}")
        if find_location(path) is not None:
            raise ConfigError(
                f"{path}: expected a folder with datasets, got a dataset; serve the folder that "
                f"it is in: {path.absolute().parent}"
            )
        self.path = path.resolve()
        self.state = self.path / STATE
        self.jobs, self.recipes = self.state / "jobs", self.state / "recipes"
        self.tokens, self.libraries = self.state / "tokens", self.state / "libraries"
        try:
            for place in (self.state, self.jobs, self.recipes, self.tokens, self.libraries):
                place.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.state}: cannot be written: {why(error)}") from None
        self._opened: dict[str, tuple[tuple[int, ...], Served]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only server of the folder."""
        descriptor = os.open(self.state / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                raise BusyError(
                    f"{self.path}: process {pid or 'unknown'} serves this folder already; stop it "
                    "first, or serve another folder"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def locations(self) -> dict[str, DatasetLocation]:
        """Return the places of all datasets of the folder, unfinished ones too, by name."""
        return {name: place for name, place in self._places().items() if is_name(name)}

    def left_out(self) -> list[str]:
        """Return the names of datasets that are not served because of their names."""
        return [name for name in self._places() if not is_name(name)]

    def _places(self) -> dict[str, DatasetLocation]:
        found: dict[str, DatasetLocation] = {}
        with suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name == STATE or entry.is_symlink():
                    continue
                with suppress(OSError):
                    location = find_location(self.path / entry.name)
                    if location is not None:
                        found[location.path.name] = location
        return dict(sorted(found.items()))

    def datasets(self) -> dict[str, Served]:
        """Return the complete datasets of the folder by name; damaged ones are left out."""
        found = {}
        for name, location in self.locations().items():
            with suppress(DatasetError, ConfigError):
                served = self._open(name, location)
                if served is not None:
                    found[name] = served
        with self._lock:
            for name in [*self._opened]:
                if name not in found:
                    del self._opened[name]
        return found

    def dataset(self, name: str) -> Served:
        """Return a complete dataset of the folder.

        Raises
        ------
        UnknownNameError
            If there is none of that name; it may be unfinished.
        DatasetError
            If it is damaged.
        """
        locations = self.locations()
        if name not in locations:
            raise UnknownNameError(f"dataset: {not_among(name, locations)}")
        served = self._open(name, locations[name])
        if served is None:
            raise UnknownNameError(f"dataset {name}: expected a complete one, got one being built")
        return served

    def _open(self, name: str, location: DatasetLocation) -> Served | None:
        """Return a dataset, opened again if it has changed; None if it is not complete."""
        try:
            facts = (location.folder / MANIFEST).lstat()
        except OSError:
            return None
        identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        with self._lock:
            known = self._opened.get(name)
        if known is None or known[0] != identity:
            manifest = load_head(location)
            served = Served(name, location, manifest, open_version(location, manifest))
            known = identity, served
            with self._lock:
                self._opened[name] = known
        return known[1]

    def library_files(self) -> dict[str, Path]:
        """Return the uploaded libraries by name."""
        return {
            path.stem: path
            for path in sorted(self.libraries.glob("*.tlib"))
            if is_name(path.stem) and path.is_file()
        }

    def runs(self) -> dict[str, Path]:
        """Return the folders of training runs, here and in ``runs``, by name."""
        found: dict[str, Path] = {}
        for place in (self.path / "runs", self.path):
            with suppress(OSError), os.scandir(place) as entries:
                for entry in entries:
                    path = place / entry.name
                    if is_name(entry.name) and entry.is_dir(follow_symlinks=False) and is_run(path):
                        found[entry.name] = path
        return dict(sorted(found.items()))

    def output(self, name: str) -> Path:
        """Return where a new dataset of a name goes."""
        if not is_name(name) or not name.lower().endswith(_DATASET_ENDINGS):
            raise ConfigError(
                "name: expected at most 64 letters, digits and any of ._- that end in .zarr or "
                f".h5, got {name!r:.80}"
            )
        return self.path / name
