"""The documents of a damaged dataset put right: each from a copy, or from what proves it.

``check`` is that of the lock that is held; ``done`` takes a line for each thing done.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from ..dataset.dataset import Dataset
from ..dataset.documents import (
    COPIES,
    LARGEST_DOCUMENT,
    LIBRARY_COPY,
    RECIPE_COPY,
    load_head,
    load_library,
    load_lock,
    load_stored_basis,
    load_tag,
    load_version_file,
    tag_path,
)
from ..dataset.parts import Parts, load_parts, page_path, page_text, parts_path, store_split
from ..dataset.splits import assign_parts
from ..dataset.versions import newest_version, publish, tag_names, version_ids
from ..errors import DamagedDataError, DatasetError, LibraryError, OutputError
from ..library.libraryfile import library_parts
from ..schema.base import Frozen
from ..schema.basis import StoredBasis
from ..schema.library import Library
from ..schema.manifest import (
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    SPLITS,
    TAGS,
    VERSIONS,
    FileFacts,
    Lock,
    Manifest,
)
from ..schema.split import Split
from ..store.files import Check, facts_of, has_facts, write_durably
from ..store.location import DatasetLocation
from ..store.reader import Reader, read_inside
from .plan import Plan
from .start import write_lock


def clear_folders(home: DatasetLocation, names: Iterable[str], done: list[str]) -> None:
    """Remove links and pipes from where folders of the dataset go, and say so in ``done``.

    Raises
    ------
    OutputError
        If a file is in the way: files of others are never removed.
    """
    for name in names:
        path = home.folder / name
        if path.is_file() and not path.is_symlink():
            raise OutputError(f"{path}: expected a folder, got a file; move it away")
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            path.unlink()
            done.append(f"{name}: a link or pipe in place of a folder removed")


def clear_files(home: DatasetLocation, names: Collection[str], done: list[str]) -> None:
    """Remove links, pipes and empty folders from where files of the dataset go, and say so.

    Folders on the way to them are cleared too, from the top.

    Raises
    ------
    OutputError
        If a folder that is not empty is in the way: files of others are never removed.
    """
    clear_folders(home, sorted({str(p) for name in names for p in Path(name).parents[:-1]}), done)
    for name in names:
        path = home.folder / name
        mode = path.lstat().st_mode if os.path.lexists(path) else stat.S_IFREG
        if stat.S_ISREG(mode):
            continue
        if stat.S_ISDIR(mode):
            try:
                path.rmdir()
            except OSError as error:
                raise OutputError(
                    f"{path}: expected a file, got a folder ({error.strerror}); move it away"
                ) from None
        else:
            path.unlink()
        done.append(f"{name}: what was in place of the file removed")


def _restore_pair(
    home: DatasetLocation,
    pair: tuple[str, str],
    load: Callable[[str], Frozen],
    check: Check,
    done: list[str],
) -> None:
    """Put a document right from its second copy, or that from the document."""
    name, copy = pair
    copied = document = None
    with suppress(DatasetError):
        document = load(name)
    with suppress(DatasetError):
        copied = load(copy)
    good, bad = (name, copy) if document is not None else (copy, name)
    if document == copied:
        return  # both sound, or both lost
    clear_files(home, [bad], done)
    text = read_inside(home.folder, good, LARGEST_DOCUMENT)
    (home.folder / bad).parent.mkdir(parents=True, exist_ok=True)
    write_durably(home.folder / bad, [text], check)
    done.append(f"{bad} restored from {good}")


def restore_history(home: DatasetLocation, check: Check, done: list[str]) -> None:
    """Put versions and tags right from their second copies, and these from them."""

    def load(name: str) -> Frozen:
        place, _, file = name.rpartition("/")
        stem = file.removesuffix(".json")
        if name not in pages:
            return load_version_file(home, stem, place)
        tag = load_tag(home, stem.removeprefix("tag-") if place == COPIES else stem, place)
        if tag.version not in version_ids(home):
            raise DatasetError(f"{name}: names a version that is not there")
        return tag

    tags = {*tag_names(home), *tag_names(home, COPIES)}
    pages = {tag_path(tag, place) for tag in tags for place in (TAGS, COPIES)}
    for version in sorted({*version_ids(home), *version_ids(home, COPIES)}):
        pair = (f"{VERSIONS}/{version}.json", f"{COPIES}/{version}.json")
        _restore_pair(home, pair, load, check, done)
    for tag in sorted(tags):
        _restore_pair(home, (tag_path(tag), tag_path(tag, COPIES)), load, check, done)


def restore_manifest(home: DatasetLocation, check: Check, done: list[str]) -> Manifest | None:
    """Return the newest version, its manifest and its copy put right; None if there is none."""
    try:
        manifest: Manifest | None = load_head(home)
    except DatasetError:
        manifest = newest_version(home)
        if manifest is not None:
            publish(home, manifest, check)
            done.append(f"{MANIFEST} restored: version {manifest.version[:12]}")
    if manifest is not None:
        try:
            load_version_file(home, manifest.version)
        except DatasetError:
            publish(home, manifest, check)
            done.append(f"{VERSIONS}/{manifest.version}.json restored from {MANIFEST}")
    return manifest


def restore_recipe(
    home: DatasetLocation, digest: str, facts: FileFacts | None, check: Check, done: list[str]
) -> StoredBasis:
    """Return the recipe of a digest, put right from its copy, or the copy from it; the library too.

    ``facts`` tells which of two files that say the same is the one that was written.

    Raises
    ------
    DatasetError
        If both are lost.
    """
    texts: dict[str, bytes] = {}
    for name in (RECIPE, RECIPE_COPY):
        with suppress(DatasetError):
            load_stored_basis(home, digest, name)
            texts[name] = read_inside(home.folder, name, LARGEST_DOCUMENT)
    if not texts:
        raise DatasetError(
            f"{home.path}: {RECIPE} and {RECIPE_COPY} are both damaged, and all else is made from "
            f"them; restore the recipe of digest {digest[:12]} from a copy of the dataset"
        )
    exact = [name for name, text in texts.items() if facts_of([text]) == facts]
    good = (exact or list(texts))[0]
    for name in (RECIPE, RECIPE_COPY):
        if texts.get(name) != texts[good]:
            (home.folder / name).parent.mkdir(exist_ok=True)
            write_durably(home.folder / name, [texts[good]], check)
            done.append(f"{name} restored from {good}")
    document = load_stored_basis(home, digest)
    if document.library_digest:
        _restore_library(home, document.library_digest, check, done)
    return document


def _restore_library(home: DatasetLocation, digest: str, check: Check, done: list[str]) -> None:
    """Put the library right from its copy, or the copy from it."""
    sound: dict[str, Library] = {}
    for name in (LIBRARY, LIBRARY_COPY):
        with suppress(DatasetError, LibraryError):
            library = load_library(home, digest, name)
            library.prove()
            sound[name] = library
    if not sound:
        raise DatasetError(
            f"{home.path}: {LIBRARY} and {LIBRARY_COPY} are both damaged, and rows are made from "
            f"them; restore the library of digest {digest[:12]} from a copy of the dataset, or as "
            "tersgen library writes it"
        )
    good = next(iter(sound))
    for name in (LIBRARY, LIBRARY_COPY):
        if name not in sound:
            (home.folder / name).parent.mkdir(exist_ok=True)
            write_durably(home.folder / name, library_parts(sound[good]), check)
            done.append(f"{name} restored from {good}")


def restore_lock(home: DatasetLocation, plan: Plan, check: Check, done: list[str]) -> None:
    """Put the lock file right; one of an extension under way stays."""
    free = {"environment", "n_samples", "check"}
    wanted = plan.lock().model_dump(exclude=free)
    try:
        lock: Lock | None = load_lock(home)
    except DatasetError:
        lock = None
    if (
        lock is not None
        and lock.n_samples >= plan.n_samples
        and lock.model_dump(exclude=free) == wanted
    ):
        return
    write_lock(home, plan, check)
    done.append(f"{LOCK} written again")


def _assign_again(home: DatasetLocation, plan: Plan, split: Split) -> tuple[Split, Parts]:
    """Go through the growth of a split once more."""
    grown: Split | None = None
    parts: Parts | None = None
    for size in split.sizes:
        reader = Reader(home.folder, plan.store(home), plan.table, plan.layout, size)
        dataset = Dataset(home.path, plan.document, plan.contents, size, reader)
        grown, parts = assign_parts(dataset, split.name, split.rule, grown, parts)
    if grown is None or parts is None or grown.digest != split.digest:
        raise DamagedDataError(
            f"{home.folder / SPLITS}: split {split.name!r}: rebuilt, it is another one; restore "
            f"its file from a copy of the dataset, or run tersgen split --name {split.name} "
            "--overwrite for a new one"
        )
    return grown, parts


def restore_splits(
    home: DatasetLocation, plan: Plan, manifest: Manifest, check: Check, done: list[str]
) -> None:
    """Make files of splits again that are damaged or missing, in all versions.

    Raises
    ------
    DamagedDataError
        If one cannot be rebuilt.
    """
    known = {split.digest: split for split in manifest.splits}
    for version in version_ids(home):
        try:
            known.update({split.digest: split for split in load_version_file(home, version).splits})
        except DatasetError:
            continue
    pages = [page_path(split) for split in manifest.splits]
    clear_files(home, [*map(parts_path, known.values()), *pages], done)
    for split in known.values():
        try:
            load_parts(home.folder, split)
        except DamagedDataError:
            store_split(home, *_assign_again(home, plan, split), check)
            done.append(f"split {split.name!r} of {split.n_samples} rows rebuilt")
    for split in manifest.splits:
        text = [page_text(split)]
        if not has_facts(home.folder / page_path(split), facts_of(text)):
            write_durably(home.folder / page_path(split), text, check)
            done.append(f"{page_path(split)} written again")
