"""Restoring the documents of a damaged dataset, each from a copy or from others that prove it."""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..dataset.basis import StoredBasis
from ..dataset.documents import (
    COPIES,
    LARGEST_DOCUMENT,
    LIBRARY_COPY,
    RECIPE_COPY,
    TIP_FIELD_COPY,
    load_head,
    load_library,
    load_lock,
    load_stored_basis,
    load_tag,
    load_tip_field,
    load_version_file,
    tag_path,
)
from ..dataset.parts import Parts, load_parts, page_path, page_text, parts_path, store_split
from ..dataset.splits import assign_parts
from ..dataset.versions import newest_version, publish, tag_names, version_ids
from ..errors import DamagedDataError, DatasetError, LibraryError, OutputError
from ..library.libraryfile import library_parts
from ..schema.base import Frozen
from ..schema.library import Library
from ..schema.manifest import (
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    SPLITS,
    TAGS,
    TIP_FIELD,
    VERSIONS,
    FileFacts,
    Manifest,
)
from ..schema.split import Split
from ..schema.tipfield import TipField
from ..store.files import facts_of, has_facts, write_durably
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock
from ..store.sources import read_inside
from ..text import command, counted
from ..tipfield.file import npz_bytes
from .plan import Plan


class Repair(NamedTuple):
    """A repair under way."""

    location: DatasetLocation
    lock: BuilderLock
    done: list[str]
    """A line for each thing that was done."""

    def write(self, name: str, parts: Sequence[bytes], how: str) -> None:
        """Write a document, make its folder if need be, and say so."""
        path = self.location.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, parts, self.lock.check)
        self.done.append(f"{name} {how}")

    def publish(self, manifest: Manifest, text: str) -> None:
        """Publish a version, and say so."""
        publish(self.location, manifest, self.lock.check)
        self.done.append(text)


def clear_folders(repair: Repair, names: Iterable[str]) -> None:
    """Remove links and pipes from where folders of the dataset go."""
    for name in names:
        path = repair.location.folder / name
        if path.is_file() and not path.is_symlink():
            raise OutputError(f"{path}: expected a folder, got a file; move it away")
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            path.unlink()
            repair.done.append(f"{name}: a link or pipe in place of a folder removed")


def clear_files(repair: Repair, names: Collection[str]) -> None:
    """Remove links, pipes and empty folders from where files of the dataset go.

    Folders on the way to them are cleared too, from the top.
    """
    clear_folders(repair, sorted({str(p) for name in names for p in Path(name).parents[:-1]}))
    for name in names:
        path = repair.location.folder / name
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
        repair.done.append(f"{name}: what was in place of the file removed")


def _restore_pair(repair: Repair, pair: tuple[str, str], load: Callable[[str], Frozen]) -> None:
    """Restore a document from its second copy, or the copy from the document."""
    name, copy = pair
    copied = document = None
    with suppress(DatasetError):
        document = load(name)
    with suppress(DatasetError):
        copied = load(copy)
    good, bad = (name, copy) if document is not None else (copy, name)
    if document == copied:
        return  # both sound, or both lost
    clear_files(repair, [bad])
    text = read_inside(repair.location.folder, good, LARGEST_DOCUMENT)
    repair.write(bad, [text], f"restored from {good}")


def restore_history(repair: Repair) -> None:
    """Restore versions and tags from their second copies, and these from them."""
    location = repair.location

    def load(name: str) -> Frozen:
        place, _, file = name.rpartition("/")
        stem = file.removesuffix(".json")
        if name not in pages:
            return load_version_file(location, stem, place)
        tag = load_tag(location, stem.removeprefix("tag-") if place == COPIES else stem, place)
        if tag.version not in version_ids(location):
            raise DatasetError(f"{name}: names a version that is not there")
        return tag

    tags = {*tag_names(location), *tag_names(location, COPIES)}
    pages = {tag_path(tag, place) for tag in tags for place in (TAGS, COPIES)}
    for version in sorted({*version_ids(location), *version_ids(location, COPIES)}):
        _restore_pair(repair, (f"{VERSIONS}/{version}.json", f"{COPIES}/{version}.json"), load)
    for tag in sorted(tags):
        _restore_pair(repair, (tag_path(tag), tag_path(tag, COPIES)), load)


def restore_manifest(repair: Repair) -> Manifest | None:
    """Return the newest version, its manifest and its copy restored; None if there is none."""
    try:
        manifest: Manifest | None = load_head(repair.location)
    except DatasetError:
        manifest = newest_version(repair.location)
        if manifest is not None:
            repair.publish(manifest, f"{MANIFEST} restored: version {manifest.version[:12]}")
    if manifest is not None:
        try:
            load_version_file(repair.location, manifest.version)
        except DatasetError:
            name = f"{VERSIONS}/{manifest.version}.json"
            repair.publish(manifest, f"{name} restored from {MANIFEST}")
    return manifest


def restore_recipe(repair: Repair, digest: str, facts: FileFacts | None) -> StoredBasis:
    """Return the recipe of a digest, restored from its copy, or the copy from it; the library too.

    ``facts`` tells which of two files that say the same is the one that was written.
    """
    location = repair.location
    texts: dict[str, bytes] = {}
    for name in (RECIPE, RECIPE_COPY):
        with suppress(DatasetError):
            load_stored_basis(location, digest, name)
            texts[name] = read_inside(location.folder, name, LARGEST_DOCUMENT)
    if not texts:
        raise DatasetError(
            f"{location}: {RECIPE} and {RECIPE_COPY} are both damaged, and all else is made from "
            f"them; restore the recipe of digest {digest[:12]} from a copy of the dataset"
        )
    exact = [name for name, text in texts.items() if facts_of([text]) == facts]
    good = (exact or list(texts))[0]
    for name in (RECIPE, RECIPE_COPY):
        if texts.get(name) != texts[good]:
            repair.write(name, [texts[good]], f"restored from {good}")
    document = load_stored_basis(location, digest)
    if document.library_digest:
        _restore_library(repair, document.library_digest)
    if document.tip_field_digest:
        _restore_tip_field(repair, document.tip_field_digest)
    return document


def _restore_library(repair: Repair, digest: str) -> None:
    """Restore the library from its copy, or the copy from it."""
    sound: dict[str, Library] = {}
    for name in (LIBRARY, LIBRARY_COPY):
        with suppress(DatasetError, LibraryError):
            library = load_library(repair.location, digest, name)
            library.prove()
            sound[name] = library
    if not sound:
        raise DatasetError(
            f"{repair.location}: {LIBRARY} and {LIBRARY_COPY} are both damaged, and rows are made "
            f"from them; restore the library of digest {digest[:12]} from a copy of the dataset, "
            "or as tersgen library writes it"
        )
    good = next(iter(sound))
    for name in (LIBRARY, LIBRARY_COPY):
        if name not in sound:
            repair.write(name, library_parts(sound[good]), f"restored from {good}")


def _restore_tip_field(repair: Repair, digest: str) -> None:
    """Restore the field on a grid from its copy, or the copy from it."""
    sound: dict[str, TipField] = {}
    for name in (TIP_FIELD, TIP_FIELD_COPY):
        with suppress(DatasetError):
            sound[name] = load_tip_field(repair.location, digest, name)
    if not sound:
        raise DatasetError(
            f"{repair.location}: {TIP_FIELD} and {TIP_FIELD_COPY} are both damaged, and rows are "
            f"made from them; restore the field of digest {digest[:12]} from a copy of the dataset"
        )
    good = next(iter(sound))
    for name in (TIP_FIELD, TIP_FIELD_COPY):
        if name not in sound:
            repair.write(name, [npz_bytes(sound[good])], f"restored from {good}")


def restore_lock(repair: Repair, plan: Plan) -> None:
    """Restore the lock file; one of an extension under way stays."""
    free = {"environment", "n_samples", "check"}
    with suppress(DatasetError):
        lock = load_lock(repair.location)
        same = lock.model_dump(exclude=free) == plan.lock().model_dump(exclude=free)
        if same and lock.n_samples >= plan.n_samples:
            return
    repair.write(LOCK, [plan.lock().text.encode()], "written again")


def _assign_again(repair: Repair, plan: Plan, split: Split) -> tuple[Split, Parts]:
    """Repeat the growth of a split."""
    grown: Split | None = None
    parts: Parts | None = None
    for size in split.sizes:
        dataset = plan.stored_rows(repair.location, size)
        grown, parts = assign_parts(dataset, split.name, split.rule, grown, parts)
    if grown is None or parts is None or grown.digest != split.digest:
        again = ("tersgen", "split", repair.location.path, "--name", split.name, "--overwrite")
        raise DamagedDataError(
            f"{repair.location.folder / SPLITS}: split {split.name!r}: rebuilt, it is another one; "
            "restore its file from a copy of the dataset, or make a new one: "
            f"{command(*again)}"
        )
    return grown, parts


def restore_splits(repair: Repair, plan: Plan, manifest: Manifest) -> None:
    """Make files of splits again that are damaged or missing, in all versions."""
    location = repair.location
    known = {split.digest: split for split in manifest.splits}
    for version in version_ids(location):
        with suppress(DatasetError):
            splits = load_version_file(location, version).splits
            known.update({split.digest: split for split in splits})
    pages = [page_path(split) for split in manifest.splits]
    clear_files(repair, [*map(parts_path, known.values()), *pages])
    for split in known.values():
        try:
            load_parts(location.folder, split)
        except DamagedDataError:
            store_split(location, *_assign_again(repair, plan, split), repair.lock.check)
            repair.done.append(f"split {split.name!r} of {counted(split.n_samples, 'row')} rebuilt")
    for split in manifest.splits:
        text = [page_text(split)]
        if not has_facts(location.folder / page_path(split), facts_of(text)):
            repair.write(page_path(split), text, "written again")
