"""The documents of a dataset: recipe, lock file, manifest; read as untrusted input."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ..errors import ConfigError, DamagedDataError, DatasetError, LibraryError, NotSyntheticError
from ..files import why
from ..library.libraryfile import open_library
from ..recipe import GENERATOR_VERSION, Recipe
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from ..schema.library import Library
from ..schema.loading import parse_json, validate_text
from ..schema.manifest import (
    FORMAT_VERSION,
    JOURNAL,
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    SPLITS,
    TAGS,
    TIP_FIELD,
    VERSIONS,
    Lock,
    Manifest,
    Tag,
    is_genuine,
)
from ..schema.measured import Measured
from ..schema.plugin import check_plugins
from ..schema.tipfield import TipField
from ..store.digest import dataset_digest
from ..store.journal import JournalContent, read_journal
from ..store.layout import Layout, check_layout, leaf_rows
from ..store.location import DatasetLocation
from ..store.sources import exists_inside, open_inside, read_inside
from ..tipfield.file import parse_tip_field
from .basis import Basis, StoredBasis, contents_of

M = TypeVar("M", bound=BaseModel)

LARGEST_DOCUMENT = 1 << 24
_LARGEST_TIP_FIELD = 1 << 31
_LEAST_JOURNAL = 1 << 26
_LONGEST_RECORD = 1 << 16
RECIPE_COPY = f"{VERSIONS}/{RECIPE}"
"""A second copy of the recipe: all else can be rebuilt from it and the library."""
LIBRARY_COPY = f"{VERSIONS}/{LIBRARY}"
COPIES = f"{VERSIONS}/copies"
"""Second copies of versions and tags, which cannot be rebuilt."""
FOLDERS = (VERSIONS, COPIES, TAGS, SPLITS)
TIP_FIELD_COPY = f"{VERSIONS}/{TIP_FIELD}"
SOURCES = (LIBRARY_COPY, LIBRARY, TIP_FIELD_COPY, TIP_FIELD)
"""What a recipe names by digest, and its copies."""
FILES = (MANIFEST, RECIPE, RECIPE_COPY, *SOURCES, LOCK, JOURNAL)
"""Documents of every dataset; folders of versions, tags and splits."""


def load_document(folder: Path, name: str, model: type[M]) -> M:
    """Return the content of a JSON document of a dataset, by its path inside the folder."""
    text, content = _parsed(folder, name, LARGEST_DOCUMENT)
    return _checked(model, text, content, folder / name)


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
                "read it with the version of tersgen that wrote it, or build it again"
            )
    try:
        return validate_text(model, text, str(path))
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def load_head(location: DatasetLocation) -> Manifest:
    """Return the newest version of a dataset."""
    return _genuine(location, MANIFEST)


def load_version_file(location: DatasetLocation, version: str, place: str = VERSIONS) -> Manifest:
    """Return the version of a content id, from ``VERSIONS`` or ``COPIES``."""
    name = f"{place}/{version}.json"
    manifest = _genuine(location, name)
    if manifest.version != version:
        raise DatasetError(
            f"{location.folder / name}: expected version {version[:12]}, got "
            f"{manifest.version[:12]}"
        )
    return manifest


def _genuine(location: DatasetLocation, name: str) -> Manifest:
    path = location.folder / name
    text, content = _parsed(location.folder, name, LARGEST_DOCUMENT)
    manifest = _checked(Manifest, text, content, path)
    if manifest.format != location.format:
        raise DatasetError(
            f"{path}: expected a {location.format} dataset, got a {manifest.format} one"
        )
    if not is_genuine(content, "version"):
        raise DatasetError(
            f"{path}: its content is not what its version {manifest.version[:12]} says: damaged "
            "or edited; tersgen repair restores it"
        )
    return manifest


def load_tag(location: DatasetLocation, name: str, place: str = TAGS) -> Tag:
    """Return the tag of a name, from ``TAGS`` or ``COPIES``."""
    inside = tag_path(name, place)
    tag = load_document(location.folder, inside, Tag)
    if tag.name != name:
        raise DatasetError(
            f"{location.folder / inside}: expected the tag {name!r}, got {tag.name!r}"
        )
    return tag


def tag_path(name: str, place: str = TAGS) -> str:
    """Return the file of a tag, inside the folder."""
    return f"{TAGS}/{name}.json" if place == TAGS else f"{COPIES}/tag-{name}.json"


def load_stored_basis(location: DatasetLocation, digest: str, name: str = RECIPE) -> StoredBasis:
    """Return the document that says what rows rest on, whose digest must be the given one."""
    path = location.folder / name
    _, content = _parsed(location.folder, name, LARGEST_DOCUMENT)
    got = f"a {type(content).__name__}"
    if isinstance(content, dict):
        library, tip_field = _loaders(location, content, name)
        document = StoredBasis(content, library, str(path), tip_field)
        if document.digest == digest:
            return document
        got = document.digest[:12]
    raise DatasetError(
        f"{path}: expected the recipe of digest {digest[:12]}, got {got}; "
        "tersgen repair restores it"
    )


def _loaders(
    location: DatasetLocation, content: dict[str, Any], name: str
) -> tuple[Callable[[], Library] | None, Callable[[], TipField] | None]:
    """Return what opens library and field of a recipe, or of its copy; None if it names none."""
    document = StoredBasis(content, None, name)
    named, field = document.library_digest, document.tip_field_digest
    inside, beside = LIBRARY, TIP_FIELD
    if name == RECIPE_COPY:
        inside, beside = LIBRARY_COPY, TIP_FIELD_COPY
    return (
        (lambda: load_library(location, named, inside)) if named else None,
        (lambda: load_tip_field(location, field, beside)) if field else None,
    )


def load_tip_field(location: DatasetLocation, digest: str, name: str = TIP_FIELD) -> TipField:
    """Return the field on a grid of a dataset, whose digest must be the given one."""
    path = location.folder / name
    content = read_inside(location.folder, name, _LARGEST_TIP_FIELD)
    try:
        field = parse_tip_field(content, path)
    except ConfigError as error:
        raise DamagedDataError(f"{error}; tersgen repair restores it") from None
    if field.digest != digest:
        raise DamagedDataError(
            f"{path}: expected the field of digest {digest[:12]}, got {field.digest[:12]}; "
            "tersgen repair restores it"
        )
    return field


def load_library(location: DatasetLocation, digest: str, name: str = LIBRARY) -> Library:
    """Return the library of a dataset, whose digest must be the given one.

    Its species are proved by their digests as they are read.
    """
    path, file = open_inside(location.folder, name)
    try:
        library = open_library(file, path)
    except LibraryError as error:
        raise DamagedDataError(f"{error}; tersgen repair restores it") from None
    if library.digest != digest:
        raise DamagedDataError(
            f"{path}: expected the library of digest {digest[:12]}, got {library.digest[:12]}; "
            "tersgen repair restores it"
        )
    return library


def understood(path: Path, document: StoredBasis) -> Basis:
    """Return what rows rest on, as this version of tersgen understands it."""
    try:
        return document.basis
    except ConfigError as error:
        raise DatasetError(f"{path}: {error}") from None


def check_generator(path: Path, contents: Contents, document: StoredBasis) -> Recipe:
    """Return the recipe of a dataset whose rows this version of tersgen can make."""
    if document.is_measured:
        raise not_synthetic(path, document)
    if contents.generator != GENERATOR_VERSION:
        raise DatasetError(
            f"{path}: expected rows of generator {GENERATOR_VERSION}, got {contents.generator}: "
            "they can be read, but only the version of tersgen that made them can rebuild them"
        )
    recipe = understood(path, document)
    if isinstance(recipe, Measured) or not recipe.is_resolved:
        raise DatasetError(f"{path}: expected a resolved recipe, got another document")
    try:
        check_plugins("tersgen.effects", document.effects)
    except ConfigError as error:
        raise DatasetError(f"{path}: {error}") from None
    if not contents_of(document).makes(contents):
        raise DatasetError(
            f"{path}: this version of tersgen makes other arrays from its recipe; its rows can be "
            "read, but only the version that made them can rebuild them, with the same plug-ins"
        )
    return recipe


def not_synthetic(path: Path, document: StoredBasis) -> NotSyntheticError:
    """Return what says that a dataset was measured where a recipe is needed."""
    readers = ""
    with suppress(ConfigError):  # of a document that is not understood
        readers = "".join(f", {one.remedy} for the reader {one}" for one in document.plugins)
    return NotSyntheticError(
        f"{path}: expected a synthetic dataset, got a measured one: its rows come from files, and "
        f"no recipe makes them (tersgen ingest makes another{readers})"
    )


def load_lock(location: DatasetLocation) -> Lock:
    """Return the lock file of a dataset."""
    text, content = _parsed(location.folder, LOCK, LARGEST_DOCUMENT)
    lock = _checked(Lock, text, content, location.folder / LOCK)
    if not is_genuine(content, "check") or text != json.dumps(content, indent=1) + "\n":
        raise DatasetError(
            f"{location.folder / LOCK}: its content is not what its check says: damaged or edited; "
            "tersgen repair restores it, or, if the build did not finish, build with --overwrite"
        )
    if lock.format != location.format:
        raise DatasetError(
            f"{location.folder / LOCK}: expected a {location.format} dataset, got a {lock.format} "
            "one"
        )
    return lock


def load_journal(location: DatasetLocation, n_shards: int, n_classes: int) -> JournalContent:
    """Return the journal of a dataset of so many shards."""
    path = location.folder / JOURNAL
    if not exists_inside(location.folder, JOURNAL):
        return JournalContent([], [])
    size = open_inside(location.folder, JOURNAL)[1].size
    largest = _LEAST_JOURNAL + n_shards * (_LONGEST_RECORD + 64 * n_classes)
    if size > largest:
        raise DatasetError(
            f"{path}: expected at most {largest} bytes for {n_shards} shards, got {size}"
        )
    try:
        return read_journal(location.folder)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {why(error)}") from None


def checked_layout(
    path: Path, description: Lock | Manifest, table: tuple[FieldSpec, ...] | None = None
) -> Layout:
    """Return the layout that a lock file or manifest states, if it is possible.

    ``table`` is that of a lock file, which has none of its own.
    """
    if isinstance(description, Manifest):
        table = description.fields
        names = [spec.name for spec in table]
        computed = [spec.name for spec in description.computed]
        twice = len({*names, *computed}) < len(names) + len(computed)
        if twice or set(description.arrays) != {*names}:
            raise DatasetError(f"{path}: the digests are not those of the table of arrays")
        if "label" not in names:
            raise DatasetError(f"{path}: expected an array label, got {', '.join(names)}")
        sizes = [pair for spec in table for pair in zip(spec.dims, spec.shape, strict=True)]
        for one in description.contents.positions:
            if any(name == one.dim and size != one.n for name, size in sizes):
                raise DatasetError(f"{path}: the axis {one.name} does not fit its arrays")
        if description.leaf_rows != leaf_rows(table):
            raise DatasetError(
                f"{path}: expected leaves of {leaf_rows(table)} rows for the table of arrays, got "
                f"{description.leaf_rows}"
            )
        roots = {name: bytes.fromhex(digest) for name, digest in description.arrays.items()}
        digest = dataset_digest(description.contents, description.n_samples, roots)
        if digest != description.digest:
            raise DatasetError(
                f"{path}: the digest of the dataset is not that of its arrays, classes and recipe"
            )
    try:
        return check_layout(
            table or (), description.chunk_rows, description.shard_rows, description.compression
        )
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
