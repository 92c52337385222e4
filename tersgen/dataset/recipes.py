"""Recipes in files; a resolved one has its library beside it."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError
from ..files import why
from ..library.libraryfile import SUFFIX, library_parts
from ..recipe import Recipe
from ..schema.digest import without_defaults
from ..schema.library import Library
from ..schema.loading import load_table, validate
from ..schema.presets import PRESETS
from ..store.files import write_durably
from ..text import did_you_mean
from ..tipfield.file import npz_bytes
from ..urls import as_path

RecipeLike = Recipe | Mapping[str, Any] | str | Path
"""A recipe, a mapping of its settings, the path of a recipe file, or the name of a preset."""
RECIPE_FILES = (".toml", ".yaml", ".yml", ".json")


def load_recipe(path: str | Path) -> Recipe:
    """Return the recipe in a TOML, YAML or JSON file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not well formed or does not describe a recipe.
    """
    path = as_path(path)
    return validate(Recipe, load_table(path), str(path))


def as_recipe(given: RecipeLike) -> Recipe:
    """Return the recipe that is given in any of the forms of ``RecipeLike``."""
    if isinstance(given, Recipe):
        return given
    if isinstance(given, Mapping):
        return validate(Recipe, dict(given), "recipe")
    if not isinstance(given, (str, Path)):
        raise ConfigError(
            "recipe: expected a Recipe, a mapping, a file or the name of a preset, got "
            f"{type(given).__name__}"
        )
    if isinstance(given, str) and given in PRESETS:
        return validate(Recipe, copy.deepcopy(PRESETS[given]), f"preset {given!r}")
    path = Path(given)
    if path.suffix in RECIPE_FILES or path.exists():
        return load_recipe(path)
    raise ConfigError(
        f"recipe: expected a file ({', '.join(RECIPE_FILES)}) or a preset "
        f"({', '.join(sorted(PRESETS))}), got {str(given)!r}{did_you_mean(str(given), PRESETS)}"
    )


def save_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe as JSON, for ``--config`` and :func:`tersgen.load_recipe`.

    The library of a resolved recipe goes into a file beside it, with the ending ``.tlib``, and a
    field on a grid into one with the ending ``.npz``.

    Raises
    ------
    ConfigError
        If the name does not end in ``.json``.
    OutputError
        If the file system refuses.
    """
    path = as_path(path)
    if path.suffix != ".json":
        raise ConfigError(f"{path}: expected a name that ends in .json")
    try:
        if isinstance(recipe.library, Library):
            content = recipe.document
            beside = path.with_suffix(SUFFIX)
            write_durably(beside, library_parts(recipe.library))
            content["library"]["file"] = beside.name
        else:
            content = {"generator": recipe.generator, **without_defaults(recipe)}
        if recipe.tip_field is not None:
            beside = path.with_suffix(".npz")
            write_durably(beside, [npz_bytes(recipe.tip_field)])
            content["nearfield"]["grid_field"]["file"] = beside.name
        write_durably(path, [json.dumps(content, indent=1).encode() + b"\n"])
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {why(error)}") from error
