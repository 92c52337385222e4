"""Recipes from requests: checked, resolved and ready to make rows; the last few are kept."""

import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dataset.basis import StoredBasis, contents_of
from ..dataset.recipes import load_recipe
from ..errors import ConfigError, LibraryError, TersWarning
from ..generator import Generator
from ..library.builtin import GROUPS
from ..library.libraryfile import SUFFIX
from ..recipe import Recipe
from ..resolution import resolve
from ..schema.base import LIBRARY
from ..schema.contents import Contents
from ..schema.loading import validate
from ..text import not_among
from .folder import Folder

_MOST_KEPT = 32
_MOST_SPECIES = 10_000
_MOST_SOURCES = 64
_MOST_RANDOM_MODES = 100_000
"""Take about 5 s to draw."""
_LARGEST_ROW = 32 << 20
_UPLOAD = "upload"
_COUNTED = ("random", "unknown")


@dataclass(frozen=True, eq=False)
class Ready:
    """A recipe that can make any of its rows."""

    recipe: Recipe
    """Resolved."""
    document: StoredBasis
    contents: Contents
    generator: Generator
    """Of the arrays that are stored."""
    whole: Generator
    """Of all arrays, those that are computed as rows are read included."""
    warnings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Digest of the resolved recipe."""
        return self.document.digest

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of all fields."""
        return sum(spec.row_bytes for spec in self.contents.fields)


class ReadyRecipes:
    """Makes recipes ready; those last asked for stay so."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, Ready] = OrderedDict()
        self._lock = threading.Lock()
        self._resolving = threading.Lock()

    def get(self, table: Mapping[str, Any]) -> Ready:
        """Return a recipe that a request contains, resolved."""
        key = key_of(table)
        ready = self.kept(key)
        if ready is None:
            recipe = validate(Recipe, self._safe(table), "recipe")
            _check_random(recipe)
            ready = self._keep(key, self._make(recipe))
        return ready

    def _make(self, recipe: Recipe) -> Ready:
        # catching warnings is of the whole process, so one at a time
        with self._resolving, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", TersWarning)
            full = resolve(recipe)
        if len(full.species) > _MOST_SPECIES:
            raise ConfigError(
                f"library: expected at most {_MOST_SPECIES} species in a request, got "
                f"{len(full.species)}; build it with the command line"
            )
        document = StoredBasis.of(full)
        contents = contents_of(document)
        said = tuple(str(one.message) for one in caught if issubclass(one.category, TersWarning))
        generator = Generator(full)
        whole = Generator(full.complete) if contents.computed else generator
        ready = Ready(full, document, contents, generator, whole, said)
        if ready.row_bytes > _LARGEST_ROW:
            raise ConfigError(
                f"fields: expected at most {_LARGEST_ROW >> 20} MiB for each row in a request, got "
                f"{ready.row_bytes / 2**20:.3g} MiB; build it with the command line"
            )
        return ready

    def _safe(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """Return the table of a recipe whose sources are files of the server's alone."""
        plugins = table.get("plugins", ())
        if not isinstance(plugins, list | tuple) or any(isinstance(one, str) for one in plugins):
            raise ConfigError(
                "recipe: plugins: expected none in a request, got modules; the server's operator "
                "installs plug-ins"
            )
        near = table.get("nearfield")
        if isinstance(near, Mapping) and near.get("grid_field") is not None:
            raise ConfigError(
                "recipe: nearfield.grid_field: expected none in a request, got one; build it with "
                "the command line"
            )
        library = table.get("library", ["builtin"])
        if isinstance(library, Mapping):
            return {**table, "library": self._stored(library)}
        if isinstance(library, list) and len(library) > _MOST_SOURCES:
            raise ConfigError(
                f"recipe: library: expected at most {_MOST_SOURCES} sources in a request, got "
                f"{len(library)}"
            )
        if isinstance(library, list) and all(isinstance(one, str) for one in library):
            return {**table, "library": [self._source(one) for one in library]}
        raise ConfigError(
            "recipe: library: expected a list of sources, or the digest of a library of a dataset "
            f"here, got {type(library).__name__}"
        )

    def _source(self, source: str) -> str:
        kind, _, rest = source.partition(":")
        if source in (*GROUPS, "sites") or (kind in ("builtin", "sites") and rest):
            return source
        if kind in _COUNTED and rest:
            return source
        if kind == _UPLOAD:
            files = self._folder.library_files()
            if rest not in files:
                raise LibraryError(f"library source {source!r}: {not_among(rest, files)}")
            return str(files[rest])
        raise LibraryError(
            f"library: expected {', '.join(GROUPS)}, builtin:NAME, sites, sites:NAME, random:K, "
            f"unknown:K or upload:NAME in a request, got {source!r:.80}; upload files first"
        )

    def _stored(self, library: Mapping[str, Any]) -> dict[str, str]:
        """Return the library of a digest among those of the datasets, jobs and recipes here."""
        digest = library.get("digest")
        for served in self._folder.datasets().values():
            if served.manifest.library_digest == digest and served.dataset.kind == "synthetic":
                return {"digest": str(digest), "file": str(served.location.folder / LIBRARY)}
        for path in sorted(self._folder.recipes.glob("*/recipe.json")):
            if json.loads(path.read_bytes())["library"]["digest"] == digest:
                return {"digest": str(digest), "file": str(path.with_suffix(SUFFIX))}
        raise LibraryError(
            "library: expected the digest of the library of a dataset here, got "
            f"{str(digest)[:12]!r}; upload the library, and name it upload:NAME"
        )

    def load(self, path: Path) -> Ready:
        """Return a resolved recipe that the server has stored itself."""
        key = str(path)
        return self.kept(key) or self._keep(key, self._make(load_recipe(path)))

    def kept(self, key: str) -> Ready | None:
        """Return what is kept under a key: the path of a stored recipe, or that of a table."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: str, ready: Ready) -> Ready:
        with self._lock:
            self._kept[key] = ready
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return ready


def _check_random(recipe: Recipe) -> None:
    """Refuse more random species than can be drawn while a request waits."""
    if not isinstance(recipe.library, tuple):
        return
    counts = [one.partition(":")[2] for one in recipe.library if one.startswith(_COUNTED)]
    digits = [one[:9] for one in counts if one.isascii() and one.isdigit()]  # more are too many
    n_species = sum(map(int, digits))
    most = max(recipe.random.n_modes)
    if n_species * most > _MOST_RANDOM_MODES:
        raise ConfigError(
            f"library: expected at most {_MOST_RANDOM_MODES} modes of random species in a request, "
            f"got {n_species} species of up to {most}; build it with the command line"
        )


def key_of(table: Mapping[str, Any]) -> str:
    """Return the key under which the recipe of a request is kept."""
    return json.dumps(table, sort_keys=True)
