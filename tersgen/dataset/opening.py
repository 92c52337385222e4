"""Opening datasets, and generating blocks without one."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..effects.contents import contents_of
from ..errors import ConfigError, DatasetError
from ..generator import Generator
from ..library.sources import resolve
from ..schema.basis import StoredBasis
from ..schema.loading import load_recipe
from ..schema.manifest import Manifest
from ..schema.recipe import Recipe
from ..store.layout import leaf_rows
from ..store.location import DatasetLocation, make_store
from ..store.reader import Reader
from .dataset import Dataset
from .documents import checked_layout, load_stored_basis
from .sources import GeneratedRows
from .versions import find_version, locate, split_reference

_RECIPE_FILES = (".toml", ".yaml", ".yml", ".json")
_DEFAULT_ROWS = 100_000


def open_version(home: DatasetLocation, manifest: Manifest) -> Dataset:
    """Return one version of a stored dataset, read-only.

    Raises
    ------
    DatasetError
        If its recipe is damaged, or the manifest contradicts itself.
    """
    document = load_stored_basis(home, manifest.recipe_digest)
    layout, contents = checked_layout(home.path, manifest), manifest.contents
    store = make_store(home, contents, layout)
    reader = Reader(home.folder, store, manifest.fields, layout, manifest.n_samples)
    return Dataset(home.path, document, contents, manifest.n_samples, reader, manifest, home.folder)


def open(path: str | Path, n_samples: int = _DEFAULT_ROWS, follow_links: bool = False) -> Dataset:
    """Open a dataset read-only.

    Parameters
    ----------
    path
        A dataset, ``data.zarr`` or ``data.h5``; a version of one, ``data.zarr@v1.0``, by tag or by
        the beginning of its id; or a recipe file (TOML, YAML or JSON), whose rows are generated as
        they are read.
    n_samples
        Rows of a dataset that is generated; a stored one knows its own.
    follow_links
        Whether files of the dataset may be links, as git-annex and the cache of Hugging Face keep
        them; they are checked as always.

    Raises
    ------
    IncompleteDatasetError
        If the dataset's build did not finish.
    DatasetError
        If there is no dataset, or one that cannot be read.
    ConfigError, LibraryError
        If a recipe file is not what was expected.
    """
    path, reference = split_reference(path)
    if path.suffix not in _RECIPE_FILES or not path.is_file():
        if reference is None and path.suffix in _RECIPE_FILES and not path.exists():
            raise DatasetError(f"{path}: no such dataset or recipe file")
        home = locate(path, follow_links)
        return open_version(home, find_version(home, reference))
    return open_recipe(path, n_samples)


def open_recipe(path: Path, n_samples: int) -> Dataset:
    """Return the dataset that a recipe file describes, whose rows are generated as they are read.

    Raises
    ------
    ConfigError, LibraryError
        If the recipe is not what was expected.
    """
    recipe = resolve(load_recipe(path))
    document = StoredBasis.of(recipe)
    contents = contents_of(document)
    rows = GeneratedRows(Generator(recipe), leaf_rows(contents.fields))
    return Dataset(path, document, contents, n_samples, rows)


def generate(
    recipe: Recipe | str | Path, start: int, stop: int, threads: int | None = None
) -> dict[str, NDArray[np.generic]]:
    """Return rows ``start`` to ``stop`` of the dataset that a recipe describes, in memory.

    Parameters
    ----------
    recipe
        A recipe or the path of a recipe file.
    start, stop
        Rows; any from 0 to 2^53.
    threads
        Threads to use; by default one for each processor.

    Returns
    -------
    dict
        Arrays by field name, each of ``stop - start`` rows; ``tersgen info`` and
        ``open(recipe)[name].spec`` tell dims and units.

    Raises
    ------
    ConfigError, LibraryError
        If the recipe or its library is not what was expected, or the rows are not.
    """
    if not (isinstance(start, (int, np.integer)) and isinstance(stop, (int, np.integer))):
        raise ConfigError(f"rows: expected whole numbers, got {start!r} and {stop!r}")
    if not isinstance(recipe, (Recipe, str, Path)):
        raise ConfigError(f"recipe: expected a Recipe or a file, got {type(recipe).__name__}")
    if not 0 <= start <= stop <= 2**53:
        raise ConfigError(f"rows: expected 0 <= start <= stop <= 2^53, got {start} and {stop}")
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    return Generator(resolve(recipe)).block(start, stop, threads)
