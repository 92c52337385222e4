"""Recipes by name: the presets, and those that users have stored."""

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ..dataset.recipes import save_recipe
from ..errors import ConfigError, OutputError
from ..files import why
from ..schema.loading import parse_json
from ..schema.manifest import LARGEST_N
from ..schema.presets import PRESETS
from ..store.files import write_durably
from ..text import not_among
from .folder import Folder, UnknownNameError, is_name
from .ready import Ready, ReadyRecipes, key_of

N_VIRTUAL = 10**9
"""Rows of a virtual dataset, unless its recipe was stored with another number."""
_REQUEST = "request.json"
RESOLVED = "recipe.json"
"""The resolved recipe, in the folder of a recipe or job."""


class StoredRecipe(NamedTuple):
    """A recipe of a name."""

    name: str
    origin: Literal["preset", "user"]
    table: dict[str, Any]
    """The recipe as it was given."""
    n_virtual: int
    """Rows of its virtual dataset."""


class RecipeStore:
    """The recipes of a server; one that was stored under a name does not change."""

    def __init__(self, folder: Folder, ready: ReadyRecipes) -> None:
        self._folder = folder.recipes
        self._ready = ready
        self._known = {
            name: StoredRecipe(name, "preset", table, N_VIRTUAL) for name, table in PRESETS.items()
        }
        for path in sorted(self._folder.glob(f"*/{_REQUEST}")):
            content = parse_json(path.read_text("utf-8"))
            name = path.parent.name
            self._known[name] = StoredRecipe(name, "user", content["recipe"], content["n_virtual"])

    def all(self) -> dict[str, StoredRecipe]:
        """Return all recipes by name, presets first."""
        return dict(self._known)

    def get(self, name: str) -> StoredRecipe:
        """Return the recipe of a name."""
        if name not in self._known:
            raise UnknownNameError(f"recipe: {not_among(name, self._known)}")
        return self._known[name]

    def ready(self, recipe: StoredRecipe) -> Ready:
        """Return a recipe ready to make rows."""
        if recipe.origin == "preset":
            return self._ready.get(recipe.table)
        return self._ready.load(self._folder / recipe.name / RESOLVED)

    def kept(self, recipe: StoredRecipe) -> Ready | None:
        """Return a recipe that is ready already, or None."""
        return self._ready.kept(self._key(recipe))

    def _key(self, recipe: StoredRecipe) -> str:
        path = self._folder / recipe.name / RESOLVED
        return str(path) if recipe.origin == "user" else key_of(recipe.table)

    def put(self, name: str, table: Mapping[str, Any], n_virtual: int) -> tuple[StoredRecipe, bool]:
        """Store a recipe under a new name, and return it, and whether it is new."""
        if not is_name(name):
            raise ConfigError(
                "name: expected at most 64 letters, digits and any of ._- with a letter or digit "
                f"first, got {name!r:.80}"
            )
        if not 1 <= n_virtual <= LARGEST_N:
            raise ConfigError(f"n_virtual: expected 1 to 2^53, got {n_virtual}")
        ready = self._ready.get(table)
        known = self._known.get(name)
        if known is not None:
            if self.ready(known).digest == ready.digest and known.n_virtual == n_virtual:
                return known, False
            raise TakenError(
                f"name: expected a new one, got {name!r}, which has another recipe; recipes do "
                "not change, so that what was generated from them stays valid"
            )
        self._write(name, table, n_virtual, ready)
        new = self._known[name] = StoredRecipe(name, "user", dict(table), n_virtual)
        return new, True

    def _write(self, name: str, table: Mapping[str, Any], n_virtual: int, ready: Ready) -> None:
        partial = self._folder / f".{name}.{os.urandom(8).hex()}.partial"
        request = json.dumps({"recipe": table, "n_virtual": n_virtual}).encode() + b"\n"
        try:
            partial.mkdir()
            save_recipe(ready.recipe, partial / RESOLVED)
            write_durably(partial / _REQUEST, [request])
            partial.rename(self._folder / name)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"recipe {name}: cannot be written: {why(error)}") from None


class TakenError(OutputError):
    """A name has something else already."""
