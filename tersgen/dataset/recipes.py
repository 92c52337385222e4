"""Recipes in files; a resolved one has its library beside it."""

import json
from pathlib import Path

from ..errors import ConfigError, OutputError
from ..files import why
from ..library.libraryfile import SUFFIX, library_parts
from ..recipe import Recipe
from ..schema.digest import without_defaults
from ..schema.library import Library
from ..schema.loading import load_table, validate
from ..store.files import write_durably


def load_recipe(path: str | Path) -> Recipe:
    """Return the recipe in a TOML, YAML or JSON file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not well formed or does not describe a recipe.
    """
    path = Path(path)
    return validate(Recipe, load_table(path), str(path))


def save_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe as JSON, for ``--config`` and :func:`tersgen.load_recipe`.

    The library of a resolved recipe goes into a file beside it, with the ending ``.tlib``.

    Raises
    ------
    ConfigError
        If the name does not end in ``.json``.
    OutputError
        If the file system refuses.
    """
    path = Path(path)
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
        write_durably(path, [json.dumps(content, indent=1).encode() + b"\n"])
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {why(error)}") from error
