"""Opening datasets, and generating blocks without one."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DatasetError, IncompleteDatasetError
from ..library.sources import resolve
from ..sampling.block import Generator
from ..schema.digest import model_digest
from ..schema.fields import field_table
from ..schema.library import Library
from ..schema.loading import load_recipe, read_text, validate
from ..schema.manifest import FORMAT_VERSION, MANIFEST, RECIPE, Manifest
from ..schema.recipe import Recipe
from ..store.layout import Layout
from ..store.metadata import hierarchy
from ..store.zarr_store import ZarrReader
from .dataset import Dataset
from .sources import GeneratedRows

_RECIPE_FILES = (".toml", ".yaml", ".yml", ".json")
_DEFAULT_ROWS = 100_000


def is_resolved(recipe: Recipe) -> bool:
    """Return whether a recipe needs no other file."""
    return isinstance(recipe.library, Library) and recipe.fields.n_modes is not None


def _load_json(path: Path) -> object:
    try:
        return json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError):
        raise DatasetError(f"{path}: expected JSON, got something else") from None
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def load_manifest(folder: Path) -> Manifest:
    """Return the manifest of a dataset.

    Raises
    ------
    IncompleteDatasetError
        If there is none: the build did not finish.
    DatasetError
        If it is of another format version, or no manifest at all.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if not (folder / RECIPE).is_file():
            raise DatasetError(f"{folder}: expected a dataset of tersgen, got another folder")
        raise IncompleteDatasetError(
            f"{folder}: incomplete: it has no {MANIFEST}, so its build did not finish; build it "
            f"again: tersgen build --config {folder / RECIPE} --n N --out {folder} --overwrite"
        )
    content = _load_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise DatasetError(
            f"{folder}: expected format version {FORMAT_VERSION}, got {version!r}; "
            "use the version of tersgen that wrote it"
        )
    try:
        return validate(Manifest, content, str(path))
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def _open_stored(folder: Path) -> Dataset:
    manifest = load_manifest(folder)
    try:
        recipe = validate(Recipe, _load_json(folder / RECIPE), str(folder / RECIPE))
    except ConfigError as error:
        raise DatasetError(str(error)) from None
    if not is_resolved(recipe) or model_digest(recipe) != manifest.recipe_digest:
        raise DatasetError(
            f"{folder}: {RECIPE} is not the recipe that the manifest names "
            f"({manifest.recipe_digest[:12]})"
        )
    if manifest.fields != field_table(recipe):
        raise DatasetError(f"{folder}: the manifest's table of arrays is not that of {RECIPE}")
    layout = Layout(chunk_rows=manifest.chunk_rows, shard_rows=manifest.shard_rows)
    classes = list(manifest.classes)
    nodes = hierarchy(recipe, manifest.fields, manifest.n_samples, layout, classes, {})
    return Dataset(folder, recipe, manifest.n_samples, ZarrReader(folder, nodes), manifest)


def open(path: str | Path, n_samples: int = _DEFAULT_ROWS) -> Dataset:
    """Open a dataset read-only.

    Parameters
    ----------
    path
        A dataset's folder; or a recipe file (TOML, YAML or JSON), whose rows are generated as they
        are read.
    n_samples
        Rows of a dataset that is generated; a stored one knows its own.

    Raises
    ------
    IncompleteDatasetError
        If the dataset's build did not finish.
    DatasetError
        If there is no dataset, or one that cannot be read.
    ConfigError, LibraryError
        If a recipe file is not what was expected.
    """
    path = Path(path)
    if path.is_dir():
        return _open_stored(path)
    if not path.exists():
        raise DatasetError(f"{path}: no such dataset or recipe file")
    if path.suffix not in _RECIPE_FILES:
        raise DatasetError(
            f"{path}: expected a dataset's folder or a recipe file "
            f"({', '.join(_RECIPE_FILES)}), got another file"
        )
    recipe = load_recipe(path)
    recipe = recipe if is_resolved(recipe) else resolve(recipe)
    return Dataset(path, recipe, n_samples, GeneratedRows(Generator(recipe)))


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
        Arrays by field name, each of ``stop - start`` rows; ``tersgen info`` and the dataset's
        ``fields`` tell dims and units.

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
    recipe = recipe if is_resolved(recipe) else resolve(recipe)
    return Generator(recipe).block(start, stop, threads)
