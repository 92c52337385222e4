"""Versions: immutable manifests under their content id, and tags that name them permanently."""

import os
import re
import shlex
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import (
    ConfigError,
    DamagedDataError,
    DatasetError,
    IncompleteDatasetError,
    OutputError,
    TersError,
)
from ..files import why
from ..schema.loading import validate
from ..schema.manifest import (
    BESIDE,
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
from ..store.files import Check, write_durably, write_once
from ..store.links import FollowedFolder
from ..store.location import DatasetLocation, find_home, guess_format, own_folder
from ..store.reader import read_inside
from ..store.writers import writers, writers_text
from .documents import (
    COPIES,
    LARGEST_DOCUMENT,
    load_head,
    load_lock,
    load_stored_basis,
    load_tag,
    load_version_file,
    tag_path,
)

_SHORTEST_PREFIX = 4
_ID = re.compile(r"([0-9a-f]{64})\.json")
_REFERENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?")
_TAG = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json")
_TAG_COPY = re.compile(r"tag-([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.json")


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def split_reference(path: str | Path) -> tuple[Path, str | None]:
    """Return a dataset's path and the version asked for, from ``data.zarr@v1.0``."""
    path = Path(path)
    try:
        if "@" not in path.name or path.exists() or find_home(path) is not None:
            return path, None
    except OSError:  # such as a name too long; whoever opens it will say so
        return path, None
    name, _, reference = path.name.rpartition("@")
    if not name or not _REFERENCE.fullmatch(reference):
        return path, None
    return path.with_name(name), reference


def locate(path: Path, follow_links: bool = False) -> DatasetLocation:
    """Return the place of the dataset that a user names; links in it are followed if asked to.

    Raises
    ------
    DatasetError
        If there is none.
    """
    try:
        home = find_home(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be accessed: {why(error)}") from None
    if home is None:
        found = "another folder" if path.is_dir() else "another file"
        if path.is_file() and guess_format(path) == "hdf5":
            found += f"; an index of tersgen needs its folder {path.name}{BESIDE} beside it"
        raise DatasetError(
            f"{path}: expected a dataset of tersgen, got {found}"
            if path.exists()
            else f"{path}: no such dataset"
        )
    if follow_links:
        return home._replace(path=FollowedFolder(home.path), folder=FollowedFolder(home.folder))
    return home


def command_to_finish(home: DatasetLocation, lock: Lock) -> str:
    """Return the command that completes a build."""
    if not lock.generator:
        return f"the tersgen ingest command that began it, with --out {home.path}"
    return (
        f"tersgen build --config {home.folder / RECIPE} --n {lock.n_samples} "
        f"--format {lock.format} --chunk-rows {lock.chunk_rows} --shard-rows {lock.shard_rows} "
        f"{'--compression none ' if lock.compression == 'none' else ''}--out {home.path}"
        f"{_plugin_options(home, lock)}"
    )


def command_to_extend(home: DatasetLocation, lock: Lock) -> str:
    """Return the command that completes an extension."""
    options = _plugin_options(home, lock)
    return f"tersgen extend {home.path} --to {lock.n_samples}{options}"


def _plugin_options(home: DatasetLocation, lock: Lock) -> str:
    """Return ``--plugin`` for the user's own modules that change the values of a build."""
    try:
        effects = load_stored_basis(home, lock.recipe_digest).effects
    except (ConfigError, DatasetError):  # a damaged recipe is a fault of its own
        return ""
    modules = dict.fromkeys(one.module for one in effects if one.package is None)
    return "".join(f" --plugin {shlex.quote(one)}" for one in modules)


def explain_incomplete(home: DatasetLocation) -> IncompleteDatasetError:
    """Return the error that says how a dataset without any manifest is finished, or who does it."""
    holders = tuple(
        one for one in writers(home.folder) if not (one.is_here and one.pid == os.getpid())
    )
    if holders:  # others than a repair, which asks with the lock held
        return IncompleteDatasetError(
            f"{home.path}: incomplete: {writers_text(holders)} is writing it; tersgen info "
            f"{home.path} says how far"
        )
    try:
        lock = load_lock(home)
    except DatasetError:
        if any(os.path.lexists(home.folder / name) for name in (LOCK, JOURNAL)):
            return IncompleteDatasetError(
                f"{home.path}: incomplete, and {LOCK} is damaged or missing, so its "
                "build cannot be resumed; build it again with --overwrite"
            )
        return IncompleteDatasetError(
            f"{home.path}: incomplete: its build did not reach its first shard; run the same "
            "tersgen build command again"
        )
    return IncompleteDatasetError(
        f"{home.path}: incomplete: its build of {lock.n_samples} samples did not finish; "
        f"to resume: {command_to_finish(home, lock)}"
    )


def publish(home: DatasetLocation, manifest: Manifest, check: Check) -> None:
    """Make a version the newest: first under its id, then as the manifest, both at once on disk.

    ``check`` is that of the lock that is held.

    Raises
    ------
    OSError
        If the file system refuses; the version before stays the newest.
    LostLockError
        If another builder has taken over.
    """
    _complete_copies(home, check)
    text = [manifest.text]
    name = f"{manifest.version}.json"
    write_durably(own_folder(home, VERSIONS) / name, text, check)
    write_durably(own_folder(home, COPIES) / name, text, check)
    write_durably(home.folder / MANIFEST, text, check)


def _complete_copies(home: DatasetLocation, check: Check | None) -> None:
    """Copy versions whose writer was killed before it had made their second copies."""
    for version in sorted({*version_ids(home)} - {*version_ids(home, COPIES)}):
        name = f"{version}.json"
        with suppress(DatasetError):  # a damaged one is left for repair
            load_version_file(home, version)
            text = read_inside(home.folder / VERSIONS, name, LARGEST_DOCUMENT)
            write_durably(own_folder(home, COPIES) / name, [text], check)


def _names_in(home: DatasetLocation, place: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the parts of file names that match in a folder of a dataset; none through a link."""
    folder = home.folder / place
    linked = any(one.is_symlink() for one in (folder, *folder.parents[: place.count("/")]))
    if linked or not folder.is_dir():
        return []
    found = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return sorted(match.group(1) for match in found if match)


def version_ids(home: DatasetLocation, place: str = VERSIONS) -> list[str]:
    """Return the ids of all versions that are stored, in ``VERSIONS`` or ``COPIES``."""
    return _names_in(home, place, _ID)


def newest_version(home: DatasetLocation) -> Manifest | None:
    """Return the version that no other came from, for when the manifest is lost."""
    versions = []
    for version in version_ids(home):
        with suppress(DatasetError):
            versions.append(load_version_file(home, version))
    parents = {manifest.parent for manifest in versions}
    ends = [manifest for manifest in versions if manifest.version not in parents]
    return max(ends, key=lambda manifest: manifest.created, default=None)


def tag_names(home: DatasetLocation, place: str = TAGS) -> list[str]:
    """Return the names of all tags that are stored, in ``TAGS`` or ``COPIES``."""
    return _names_in(home, place, _TAG if place == TAGS else _TAG_COPY)


def list_tags(home: DatasetLocation) -> list[Tag]:
    """Return all tags, deleted ones too, by name.

    Raises
    ------
    DatasetError
        If one cannot be read.
    """
    return [load_tag(home, name) for name in tag_names(home)]


def find_version(home: DatasetLocation, reference: str | None) -> Manifest:
    """Return a version by tag, id or the beginning of an id; the newest by default.

    Raises
    ------
    DatasetError
        If there is no such version, or its manifest is damaged.
    """
    if reference is None:
        if not os.path.lexists(home.folder / MANIFEST):
            if not version_ids(home):
                raise explain_incomplete(home)
            raise DamagedDataError(f"{home.folder / MANIFEST}: missing; tersgen repair restores it")
        return load_head(home)
    tags = {tag.name: tag for tag in list_tags(home)}
    tag = tags.get(reference)
    if tag is not None and not tag.deleted:
        return load_version_file(home, tag.version)
    found = [one for one in version_ids(home) if one.startswith(reference)]
    if len(reference) >= _SHORTEST_PREFIX and len(found) == 1:
        return load_version_file(home, found[0])
    if tag is not None:
        raise DatasetError(
            f"{home.path}: the tag {reference!r} was deleted; it named version {tag.version[:12]}"
        )
    known = [name for name, tag in tags.items() if not tag.deleted]
    raise DatasetError(
        f"{home.path}: expected a tag ({', '.join(known) or 'there are none'}) or the beginning of "
        f"one version's id, got {reference!r}; tersgen log shows them"
    )


def history(home: DatasetLocation, manifest: Manifest) -> list[Manifest]:
    """Return a version and those it came from, newest first.

    Raises
    ------
    DatasetError
        If one of them is missing or damaged.
    """
    versions = [manifest]
    while versions[-1].parent is not None:
        versions.append(load_version_file(home, versions[-1].parent))
    return versions


def _tag_text(tag: Tag) -> bytes:
    return tag.model_dump_json().encode() + b"\n"


def give_tag(home: DatasetLocation, name: str, reference: str | None) -> Tag:
    """Give a version a name, once.

    Raises
    ------
    ConfigError
        If the name cannot be one.
    OutputError
        If the name is given already, or was.
    DatasetError
        If there is no such version.
    """
    manifest = find_version(home, reference)
    tag = validate(Tag, {"name": name, "version": manifest.version, "created": now()}, "tag")
    if any(one.startswith(name) for one in version_ids(home)):
        raise ConfigError(f"tag: {name!r} looks like a version's id; choose another name")
    try:
        own_folder(home, TAGS)
        is_new = write_once(home.folder / tag_path(name), [_tag_text(tag)])
        known = tag if is_new else load_tag(home, name)
        is_same = known.version == tag.version and not known.deleted
        # whoever gave it first may have been killed before its copy was there
        if is_new or (is_same and name not in tag_names(home, COPIES)):
            own_folder(home, COPIES)
            write_durably(home.folder / tag_path(name, COPIES), [_tag_text(known)])
    except OSError as error:
        if isinstance(error, TersError):
            raise
        raise OutputError(f"{home.path}: cannot be tagged: {why(error)}") from error
    if is_same:
        return known
    raise OutputError(
        f"{home.path}: the tag {name!r} "
        + (
            f"was deleted, and its name is not reused; it named {known.version[:12]}"
            if known.deleted
            else f"names version {known.version[:12]}, and tags do not move"
        )
        + "; choose another name"
    )


def delete_tag(home: DatasetLocation, name: str) -> Tag:
    """Take a name back; it stays known as deleted. One that was taken back stays as it is.

    Raises
    ------
    DatasetError
        If there is no such tag.
    """
    tag = next((tag for tag in list_tags(home) if tag.name == name), None)
    if tag is None:
        raise DatasetError(f"{home.path}: there is no tag {name!r} to delete")
    gone = tag.model_copy(update={"deleted": True})
    for place in (TAGS, COPIES):
        own_folder(home, place)
        write_durably(home.folder / tag_path(name, place), [_tag_text(gone)])
    return gone
