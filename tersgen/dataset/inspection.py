"""What is wrong with the documents of a dataset: each compared with its digest or a copy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import DamagedDataError, DatasetError, TersError
from ..schema.contents import Contents
from ..schema.manifest import (
    JOURNAL,
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    TIP_FIELD,
    VERSIONS,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..schema.split import Split
from ..store.files import facts_of
from ..store.interface import INDEX, Store
from ..store.journal import JournalContent
from ..store.layout import Layout
from ..store.location import DatasetLocation
from ..store.lock import lock_holder
from ..store.sources import exists_inside, read_inside
from ..text import command, counted
from .basis import StoredBasis, contents_of
from .documents import (
    COPIES,
    FOLDERS,
    LARGEST_DOCUMENT,
    LIBRARY_COPY,
    RECIPE_COPY,
    TIP_FIELD_COPY,
    load_document,
    load_head,
    load_journal,
    load_library,
    load_lock,
    load_stored_basis,
    load_tag,
    load_tip_field,
    load_version_file,
    tag_path,
)
from .faults import Fault, Kind
from .parts import load_parts, page_path, page_text, parts_path
from .versions import (
    command_to_extend,
    command_to_finish,
    find_version,
    newest_version,
    tag_names,
    version_ids,
)

_IN_BOTH = (
    *("recipe_digest", "library_digest", "generator", "seed"),
    *("format", "chunk_rows", "shard_rows", "compression"),
)
"""What lock file and manifest both state."""


class Documents(NamedTuple):
    """The documents of a dataset, as far as they can be trusted, and what is wrong with them."""

    contents: Contents | None
    """What the manifest says, or for an incomplete dataset the recipe."""
    lock: Lock | None
    manifest: Manifest | None
    journal: JournalContent
    faults: list[Fault]
    notes: list[str]


def fault(kind: Kind, path: Path, message: str) -> Fault:
    """Return what is wrong with a file, without repeating its path in the message."""
    text = message.removeprefix(f"{path}: ")
    return Fault(kind=kind, path=str(path), message=text)


def read_documents(location: DatasetLocation, reference: str | None = None) -> Documents:
    """Read recipe, lock file, manifest, versions, tags and journal, and note what is wrong."""
    faults: list[Fault] = []
    notes: list[str] = []
    manifest = lock = None
    try:
        manifest = find_version(location, reference) if reference else load_head(location)
    except DatasetError as error:
        if reference:
            raise
        if exists_inside(location.folder, MANIFEST) or version_ids(location):
            faults.append(fault("manifest", location.folder / MANIFEST, str(error)))
            manifest = newest_version(location)
    try:
        lock = load_lock(location)
    except DatasetError as error:
        faults.append(fault("lock", location.folder / LOCK, str(error)))
    digest = manifest.recipe_digest if manifest else lock.recipe_digest if lock else None
    document = _check_recipes(location, digest, manifest, faults) if digest else None
    contents = manifest.contents if manifest else None
    if contents is None and document is not None:
        try:
            contents = contents_of(document)
        except (TersError, ValueError) as error:
            faults.append(fault("recipe", location.folder / RECIPE, str(error)))
    if manifest is None and not any(one.kind == "manifest" for one in faults):
        text = "incomplete: its build did not finish"
        if lock is not None:
            text += f"; to resume: {command_to_finish(location, lock)}"
        faults.append(fault("incomplete", location.path, text))
    if manifest is not None and lock is not None:
        faults += _check_lock(location, lock, manifest, reference is None)
        if reference is None and lock.n_samples > manifest.n_samples:
            notes.append(
                f"an extension to {counted(lock.n_samples, 'sample')} is under way; to finish it: "
                f"{command_to_extend(location, lock)}"
            )
    faults += _check_links(location)
    faults += _check_history(location)
    faults += _check_tags(location)
    try:
        size = manifest or lock
        n_shards = Layout.of(size).n_shards(size.n_samples) if size else 0
        journal = load_journal(location, n_shards, len(contents.classes) if contents else 0)
    except DatasetError as error:
        journal = JournalContent([], [])
        faults.append(fault("journal", location.folder / JOURNAL, str(error)))
    for number in journal.bad_lines:
        text = f"line {number} is no whole record; it counts for nothing"
        faults.append(fault("journal", location.folder / JOURNAL, text))
    holder = lock_holder(location.folder)
    if holder is not None:
        notes.append(f"process {holder.pid} on {holder.host} is writing it now")
    return Documents(contents, lock, manifest, journal, faults, notes)


def _check_recipes(
    location: DatasetLocation, digest: str, manifest: Manifest | None, faults: list[Fault]
) -> StoredBasis | None:
    """Return the recipe, or its copy; note what is wrong with either, and with the library."""
    document = None
    for name, library, field in (
        (RECIPE_COPY, LIBRARY_COPY, TIP_FIELD_COPY),
        (RECIPE, LIBRARY, TIP_FIELD),
    ):
        try:
            document = load_stored_basis(location, digest, name)
            known = manifest.files.get(RECIPE) if manifest else None
            if known not in (
                None,
                facts_of([read_inside(location.folder, name, LARGEST_DOCUMENT)]),
            ):
                faults.append(fault("recipe", location.folder / name, "not what was written"))
        except DatasetError as error:
            faults.append(fault("recipe", location.folder / name, str(error)))
        if document is not None and not document.is_measured:
            faults += _check_library(location, document, library)
            faults += _check_tip_field(location, document, field)
    return document


def _check_library(location: DatasetLocation, document: StoredBasis, name: str) -> Iterator[Fault]:
    """Compare every species of a library file with its digest."""
    try:
        load_library(location, document.library_digest, name).prove()
    except TersError as error:
        yield fault("recipe", location.folder / name, str(error))


def _check_tip_field(
    location: DatasetLocation, document: StoredBasis, name: str
) -> Iterator[Fault]:
    """Compare the field on a grid, if there is one, with its digest."""
    try:
        if document.tip_field_digest:
            load_tip_field(location, document.tip_field_digest, name)
    except TersError as error:
        yield fault("recipe", location.folder / name, str(error))


def _check_lock(
    location: DatasetLocation, lock: Lock, manifest: Manifest, newest: bool
) -> Iterator[Fault]:
    wrong = [name for name in _IN_BOTH if getattr(lock, name) != getattr(manifest, name)]
    if newest and lock.n_samples < manifest.n_samples:
        wrong.append("n_samples")
    if wrong:
        text = f"{', '.join(wrong)}: not what the manifest says"
        yield fault("lock", location.folder / LOCK, text)


def _check_links(location: DatasetLocation) -> Iterator[Fault]:
    for name in FOLDERS:
        path = location.folder / name
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            yield fault("link", path, "expected a folder, got a link or a file")


def _check_history(location: DatasetLocation) -> Iterator[Fault]:
    """Hold all versions against their ids, and their second copies against them.

    A process that publishes a version may be killed before it has written the second copy: that is
    a version whose parent is the newest one, and no fault.
    """
    ids = version_ids(location)
    copies = version_ids(location, COPIES)
    wanted = {*ids, *copies}
    parents: dict[str, str | None] = {}
    for place, names in ((VERSIONS, ids), (COPIES, copies)):
        for version in names:
            try:
                parents[version] = load_version_file(location, version, place).parent
            except DatasetError as error:
                path = location.folder / place / f"{version}.json"
                yield fault("version", path, str(error))
    wanted |= {parent for parent in parents.values() if parent is not None}
    head = None
    with suppress(DatasetError):  # reported as such
        head = load_head(location).version
        wanted.add(head)
    for place, names in ((VERSIONS, ids), (COPIES, copies)):
        for version in sorted(wanted - {*names}):
            if place == COPIES and head is not None and parents.get(version) == head:
                continue
            yield fault("version", location.folder / place / f"{version}.json", "missing")


def _check_tags(location: DatasetLocation) -> Iterator[Fault]:
    """Hold all tags against the versions they name, and their second copies against them."""
    ids = version_ids(location)
    for name in sorted({*tag_names(location), *tag_names(location, COPIES)}):
        path = location.folder / tag_path(name)
        try:
            tag = load_tag(location, name)
        except DatasetError as error:
            yield fault("tag", path, str(error))
            continue
        if tag.version not in ids:
            yield fault("tag", path, f"names version {tag.version[:12]}, which is missing")
        copy = location.folder / tag_path(name, COPIES)
        try:
            if load_tag(location, name, COPIES) != tag:
                yield fault("tag", copy, f"not the same as {tag_path(name)}")
        except DatasetError as error:
            yield fault("tag", copy, str(error))


def finished_extension(
    documents: Documents, records: Mapping[int, Sequence[ShardRecord]]
) -> int | None:
    """Return the rows of an extension that has finished every shard, and published no version yet.

    Until it does, metadata and pages of splits may be of the larger dataset already. None if there
    is no such extension.
    """
    lock, manifest = documents.lock, documents.manifest
    if lock is None or manifest is None or lock.n_samples <= manifest.n_samples:
        return None
    if any(one.kind == "lock" for one in documents.faults):
        return None
    layout, n_samples = Layout.of(lock), lock.n_samples
    n_shards = layout.n_shards(n_samples)
    if n_shards > len(records):  # never a loop over what a document says alone
        return None
    for shard in range(n_shards):
        rows = layout.rows_of(shard, n_samples)
        if not any(record.rows == rows for record in records.get(shard, ())):
            return None
    return n_samples


def check_metadata(
    location: DatasetLocation, manifest: Manifest, store: Store, n_extended: int | None
) -> Iterator[Fault]:
    """Hold what describes the arrays to other software against the manifest.

    It may be that of an extension to ``n_extended`` rows, if there is one.
    """
    folder = location.folder.name
    extended = store.metadata_files(n_extended, folder) if n_extended else {}
    for name, parts in store.metadata_files(manifest.n_samples, folder).items():
        text = metadata_damage(location, store, name, parts, manifest.files.get(name))
        grown = extended.get(name)
        if text is None or (
            grown and metadata_damage(location, store, name, grown, facts_of(grown)) is None
        ):
            continue
        yield fault("metadata", location.file(name), text)


def metadata_damage(
    location: DatasetLocation, store: Store, name: str, parts: list[bytes], facts: FileFacts | None
) -> str | None:
    """Return what is wrong with a file that describes the arrays; None if nothing is.

    ``parts`` would be written in its place; ``facts`` is what it must be.
    """
    path = location.file(name)
    top = path.parent if name == INDEX else location.folder
    # the index grows with the number of shards; under another name it may be a little longer
    largest = max(LARGEST_DOCUMENT, 2 * sum(map(len, parts)))
    text = None
    try:
        data = read_inside(top, path.relative_to(top).as_posix(), largest)
    except DamagedDataError:
        text = "missing, or no plain file"
    else:
        if facts_of([data]) != facts:
            text = "not what was written"
    if text is None:
        try:
            store.check_sources(data, location.folder.name)
        except DamagedDataError as error:
            text = f"{error}; {command('tersgen', 'repair', location.path)} makes it again"
    if text is not None and name == INDEX:
        text += "; plain HDF5 programs cannot use it, tersgen can"
    return text


def _is_text(location: DatasetLocation, inside: str, text: bytes) -> bool:
    """Return whether a small file of a dataset is there, and is just this text."""
    try:
        return read_inside(location.folder, inside, LARGEST_DOCUMENT) == text
    except DamagedDataError:
        return False


def _is_page_of_extension(location: DatasetLocation, split: Split, n_extended: int) -> bool:
    """Return whether the page of a split shows it as an extension has grown it."""
    try:
        page = load_document(location.folder, page_path(split), Split)
        load_parts(location.folder, page)
    except DatasetError:
        return False
    grown = (split.name, split.rule, (*split.sizes, n_extended))
    return (page.name, page.rule, page.sizes) == grown


def check_splits(
    location: DatasetLocation, manifest: Manifest, newest: bool, n_extended: int | None
) -> Iterator[Fault]:
    """Hold the files of splits against the manifest, pages only for the newest version.

    These may be of an extension to ``n_extended`` rows, if there is one.
    """
    for split in manifest.splits:
        try:
            load_parts(location.folder, split)
        except DamagedDataError as error:
            yield fault("split", location.folder / parts_path(split), str(error))
        if (
            newest
            and not _is_text(location, page_path(split), page_text(split))
            and not (n_extended and _is_page_of_extension(location, split, n_extended))
        ):
            text = "not what the manifest says, or missing"
            yield fault("split", location.folder / page_path(split), text)
