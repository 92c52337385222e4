"""The documents of a dataset: recipe, lock file, manifest; read with care, whosever they are."""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..errors import ConfigError, DatasetError, NotSyntheticError
from ..schema.digest import model_digest
from ..schema.fields import Basis, field_table
from ..schema.loading import parse_json, validate_text
from ..schema.manifest import (
    FORMAT_VERSION,
    JOURNAL,
    LOCK,
    MANIFEST,
    RECIPE,
    TAGS,
    VERSIONS,
    Lock,
    Manifest,
    Tag,
)
from ..schema.measured import Measured
from ..schema.recipe import Recipe
from ..store.home import Home
from ..store.journal import JournalContent, read_journal
from ..store.layout import Layout, check_layout, leaf_rows
from ..store.reader import open_inside, read_inside

M = TypeVar("M", bound=BaseModel)

LARGEST_DOCUMENT = 1 << 24
LARGEST_RECIPE = 1 << 28
_LEAST_JOURNAL = 1 << 26
_LONGEST_RECORD = 1 << 16
RECIPE_COPY = f"{VERSIONS}/{RECIPE}"
"""A second copy of the recipe: all else can be made again from it."""
COPIES = f"{VERSIONS}/copies"
"""Second copies of versions and tags, which cannot be made again."""


def load_document(folder: Path, name: str, model: type[M], largest: int = LARGEST_DOCUMENT) -> M:
    """Return the content of a JSON document of a dataset, by its path inside the folder.

    Raises
    ------
    DatasetError
        If it is missing, a link, larger than ``largest`` bytes, or not what was expected.
    """
    return _load_with_text(folder, name, model, largest)[0]


def _load_with_text(folder: Path, name: str, model: type[M], largest: int) -> tuple[M, str]:
    """Return the content of a document, and its text."""
    text, content = _parsed(folder, name, largest)
    return _checked(model, text, content, folder / name), text


def _parsed(folder: Path, name: str, largest: int) -> tuple[str, Any]:
    """Return the text of a JSON document, and what it holds."""
    path = folder / name
    try:
        text = read_inside(folder, name, largest).decode()
        return text, parse_json(text)
    except ValueError as error:
        reason = f": {error}" if type(error) is ValueError else ""
        raise DatasetError(f"{path}: expected JSON, got something else{reason}") from None


def _checked(model: type[M], text: str, content: Any, path: Path) -> M:
    """Return the content of a document as a model."""
    wanted = model.model_fields.get("format_version")
    if wanted is not None and isinstance(content, dict):
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise DatasetError(
                f"{path}: expected format version {FORMAT_VERSION}, got {version!r:.40}; "
                "use the version of tersgen that wrote it"
            )
    try:
        return validate_text(model, text, str(path))
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def load_head(home: Home) -> Manifest:
    """Return the newest version of a dataset.

    Raises
    ------
    DatasetError
        If the manifest is missing, damaged or not what was expected.
    """
    return _genuine(home, MANIFEST)


def load_version_file(home: Home, version: str, place: str = VERSIONS) -> Manifest:
    """Return the version of a content id, from ``VERSIONS`` or ``COPIES``.

    Raises
    ------
    DatasetError
        If its manifest is missing, damaged or not what was expected.
    """
    name = f"{place}/{version}.json"
    manifest = _genuine(home, name)
    if manifest.version != version:
        raise DatasetError(
            f"{home.folder / name}: expected version {version[:12]}, got {manifest.version[:12]}"
        )
    return manifest


def _genuine(home: Home, name: str) -> Manifest:
    path = home.folder / name
    manifest = load_document(home.folder, name, Manifest)
    if manifest.format != home.format:
        raise DatasetError(f"{path}: expected a {home.format} dataset, got a {manifest.format} one")
    if not manifest.is_genuine:
        raise DatasetError(
            f"{path}: its content is not what its version {manifest.version[:12]} says: damaged "
            "or edited; tersgen repair restores it"
        )
    return manifest


def load_tag(home: Home, name: str, place: str = TAGS) -> Tag:
    """Return the tag of a name, from ``TAGS`` or ``COPIES``.

    Raises
    ------
    DatasetError
        If it is missing or not what was expected.
    """
    inside = tag_path(name, place)
    tag = load_document(home.folder, inside, Tag)
    if tag.name != name:
        raise DatasetError(f"{home.folder / inside}: expected the tag {name!r}, got {tag.name!r}")
    return tag


def tag_path(name: str, place: str = TAGS) -> str:
    """Return the file of a tag, inside the folder."""
    return f"{TAGS}/{name}.json" if place == TAGS else f"{COPIES}/tag-{name}.json"


def load_basis(home: Home, digest: str, name: str = RECIPE) -> Basis:
    """Return the recipe of a dataset, or what was measured, whose digest must be the given one.

    Raises
    ------
    DatasetError
        If it is missing, damaged, or another one.
    """
    path = home.folder / name
    text, content = _parsed(home.folder, name, LARGEST_RECIPE)
    measured = isinstance(content, dict) and content.get("kind") == "measured"
    recipe: Basis = (
        _checked(Measured, text, content, path)
        if measured
        else _checked(Recipe, text, content, path)
    )
    if not recipe.is_resolved or model_digest(recipe) != digest:
        raise DatasetError(
            f"{path}: expected the recipe of digest {digest[:12]}, got another; "
            "tersgen repair restores it"
        )
    return recipe


def load_recipe_of(home: Home, digest: str) -> Recipe:
    """Return the recipe of a synthetic dataset, whose digest must be the given one.

    Raises
    ------
    DatasetError
        If it is missing, damaged, or another one.
    NotSyntheticError
        If the dataset was measured.
    """
    basis = load_basis(home, digest)
    if isinstance(basis, Measured):
        raise not_synthetic(home.path)
    return basis


def not_synthetic(path: Path) -> NotSyntheticError:
    """Return what says that a dataset was measured where a recipe is needed."""
    return NotSyntheticError(
        f"{path}: expected a synthetic dataset, got a measured one: its rows come from files, and "
        "no recipe makes them (tersgen ingest makes another)"
    )


def load_lock(home: Home) -> Lock:
    """Return the lock file of a dataset.

    Raises
    ------
    DatasetError
        If it is missing or not what was expected, to the byte.
    """
    lock, text = _load_with_text(home.folder, LOCK, Lock, LARGEST_DOCUMENT)
    if not lock.is_genuine or text != lock.text:
        raise DatasetError(
            f"{home.folder / LOCK}: its content is not what its check says: damaged or edited; "
            "tersgen repair restores it, or, if the build did not finish, build with --overwrite"
        )
    if lock.format != home.format:
        raise DatasetError(
            f"{home.folder / LOCK}: expected a {home.format} dataset, got a {lock.format} one"
        )
    return lock


def load_journal(home: Home, n_shards: int, n_classes: int) -> JournalContent:
    """Return the journal of a dataset of so many shards.

    Raises
    ------
    DatasetError
        If it is a link, cannot be read, or is larger than any journal of such a dataset.
    """
    path = home.folder / JOURNAL
    if not path.exists() and not path.is_symlink():
        return JournalContent([], [])
    with open_inside(home.folder, JOURNAL) as (_, descriptor):
        size = os.fstat(descriptor).st_size
    largest = _LEAST_JOURNAL + n_shards * (_LONGEST_RECORD + 64 * n_classes)
    if size > largest:
        raise DatasetError(
            f"{path}: expected at most {largest} bytes for {n_shards} shards, got {size}"
        )
    try:
        return read_journal(home.folder)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None


def checked_layout(path: Path, description: Lock | Manifest, recipe: Basis) -> Layout:
    """Return the layout that a lock file or manifest states, if it fits the recipe.

    Raises
    ------
    DatasetError
        If it does not.
    """
    table = field_table(recipe)
    if isinstance(description, Manifest):
        if description.fields != table or description.leaf_rows != leaf_rows(table):
            raise DatasetError(f"{path}: the table of arrays is not that of {RECIPE}")
        if description.classes != recipe.class_names:
            raise DatasetError(f"{path}: the classes are not those of {RECIPE}")
        if set(description.arrays) != {spec.name for spec in table}:
            raise DatasetError(f"{path}: the digests are not those of the table of arrays")
    try:
        return check_layout(
            table, description.chunk_rows, description.shard_rows, description.compression
        )
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
