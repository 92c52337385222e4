"""Versions: immutable manifests under their content id, and tags that name them permanently."""

import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import (
    ConfigError,
    DamagedDataError,
    DatasetError,
    IncompleteDatasetError,
    OutputError,
)
from ..files import why
from ..schema.base import FILE_STEM
from ..schema.loading import validate
from ..schema.manifest import (
    BESIDE,
    EVENTS,
    JOURNAL,
    LOCK,
    MANIFEST,
    RECIPE,
    TAGS,
    VERSION_FILE,
    VERSIONS,
    Lock,
    Manifest,
    Tag,
)
from ..store.files import Check, write_durably, write_once
from ..store.links import FollowedFolder
from ..store.location import (
    DatasetLocation,
    check_local,
    find_location,
    guess_format,
    in_one_line,
    own_folder,
)
from ..store.sources import exists_inside, names_inside, read_inside, remote_source
from ..store.writers import range_folders, writers, writers_text
from ..text import command, counted
from ..urls import as_path, is_remote
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
_REFERENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?")
_TAG = re.compile(rf"({FILE_STEM})\.json")
_TAG_COPY = re.compile(rf"tag-({FILE_STEM})\.json")


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def split_reference(path: str | Path) -> tuple[Path, str | None]:
    """Return a dataset's path and the version asked for, from ``data.zarr@v1.0``."""
    path = as_path(path)
    if is_remote(path):
        name, _, reference = path.name.rpartition("@")
        if not name or not _REFERENCE.fullmatch(reference):
            return path, None
        return as_path(path.with_name(name), path.options), reference
    try:
        if "@" not in path.name or path.exists() or find_location(path) is not None:
            return path, None
    except OSError:  # such as a name too long; whoever opens it will say so
        return path, None
    name, _, reference = path.name.rpartition("@")
    if not name or not _REFERENCE.fullmatch(reference):
        return path, None
    return path.with_name(name), reference


def locate(path: Path, follow_links: bool = False) -> DatasetLocation:
    """Return the place of the dataset that a user names; links in it are followed if asked to."""
    path = as_path(path)
    try:
        location = find_location(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be accessed: {why(error)}") from None
    if location is None:
        found = "another folder" if path.is_dir() else "another file"
        if path.is_file() and guess_format(path) == "hdf5":
            found += f"; an index of tersgen needs its folder {path.name}{BESIDE} beside it"
        raise DatasetError(
            f"{path}: expected a dataset of tersgen, got {found}"
            if path.exists()
            else f"{path}: no such dataset"
        )
    if follow_links:
        return location._replace(
            path=FollowedFolder(location.path), folder=FollowedFolder(location.folder)
        )
    return location


def locate_version(
    path: str | Path, follow_links: bool = False
) -> tuple[DatasetLocation, str | None]:
    """Return the place of the dataset that a user names, and the version asked for."""
    path, reference = split_reference(path)
    return locate(path, follow_links), reference


def locate_newest(path: str | Path, action: str) -> DatasetLocation:
    """Return the place of a dataset whose newest version something is to be done with."""
    path, reference = split_reference(path)
    check_local(path)
    if reference is not None:
        raise ConfigError(
            f"{path}@{reference}: versions do not change; {action} {path}, the newest one"
        )
    return locate(path)


def command_to_finish(location: DatasetLocation, lock: Lock) -> str:
    """Return the command that completes a build."""
    if not lock.generator:
        return f"the tersgen ingest command that started it, with --out {location.path}"
    compression = ("--compression", "none") if lock.compression == "none" else ()
    return command(
        *("tersgen", "build", "--config", location.folder / RECIPE, "--n", lock.n_samples),
        *("--format", lock.format, "--chunk-rows", lock.chunk_rows),
        *("--shard-rows", lock.shard_rows, *compression, "--out", location.path),
        *_plugin_options(location, lock),
    )


def command_to_extend(location: DatasetLocation, lock: Lock) -> str:
    """Return the command that completes an extension."""
    return command(
        "tersgen", "extend", location.path, "--to", lock.n_samples, *_plugin_options(location, lock)
    )


def _plugin_options(location: DatasetLocation, lock: Lock) -> list[str]:
    """Return ``--plugin`` for the user's own modules that change the values of a build."""
    try:
        effects = load_stored_basis(location, lock.recipe_digest).effects
    except (ConfigError, DatasetError):  # a damaged recipe is a fault of its own
        return []
    modules = dict.fromkeys(one.module for one in effects if one.package is None)
    files = _plugin_files(location.folder) if modules else {}
    return [word for one in modules for word in ("--plugin", files.get(one, one))]


def _plugin_files(folder: Path) -> dict[str, str]:
    """Return the files that builds imported plug-ins from, by module, as their logs say.

    Files that are not there, and those in the dataset, which may be a stranger's, are left out.
    """
    lines: list[bytes] = []
    for place in (folder, *range_folders(folder)):
        with suppress(DatasetError):
            lines += read_inside(place, EVENTS, LARGEST_DOCUMENT).splitlines()
    found: dict[str, str] = {}
    for line in lines:
        if b'"plugins"' in line:
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                found |= {Path(one).stem: one for one in json.loads(line)["plugins"]}
    inside = folder.resolve()
    return {
        name: file
        for name, file in found.items()
        if Path(file).is_file() and inside not in Path(file).resolve().parents
    }


def explain_incomplete(location: DatasetLocation) -> IncompleteDatasetError:
    """Return the error that says how a dataset without any manifest is finished, or who does it."""
    holders = tuple(
        one for one in writers(location.folder) if not (one.is_here and one.pid == os.getpid())
    )
    if holders:  # others than a repair, which asks with the lock held
        return IncompleteDatasetError(
            f"{location}: incomplete: {writers_text(holders)} is writing it; tersgen info "
            f"{location} says how far"
        )
    try:
        lock = load_lock(location)
    except DatasetError:
        if any(os.path.lexists(location.folder / name) for name in (LOCK, JOURNAL)):
            return IncompleteDatasetError(
                f"{location}: incomplete, and {LOCK} is damaged or missing, so its "
                "build cannot be resumed; build it again with --overwrite"
            )
        return IncompleteDatasetError(
            f"{location}: incomplete: its build did not reach its first shard; run the same "
            "tersgen build command again"
        )
    return IncompleteDatasetError(
        f"{location}: incomplete: its build of {counted(lock.n_samples, 'sample')} did not finish; "
        f"to resume: {command_to_finish(location, lock)}"
    )


def publish(location: DatasetLocation, manifest: Manifest, check: Check) -> None:
    """Make a version the newest: first under its id, then as the manifest, both at once on disk.

    ``check`` is that of the lock that is held.

    Raises
    ------
    OSError
        If the file system refuses; the version before stays the newest.
    LostLockError
        If another builder has taken over.
    """
    _complete_copies(location, check)
    text = [manifest.text]
    name = f"{manifest.version}.json"
    write_durably(own_folder(location, VERSIONS) / name, text, check)
    write_durably(own_folder(location, COPIES) / name, text, check)
    write_durably(location.folder / MANIFEST, text, check)


def _complete_copies(location: DatasetLocation, check: Check) -> None:
    """Copy versions whose writer was killed before it had made their second copies."""
    for version in sorted({*version_ids(location)} - {*version_ids(location, COPIES)}):
        name = f"{version}.json"
        with suppress(DatasetError):  # a damaged one is left for repair
            load_version_file(location, version)
            text = read_inside(location.folder / VERSIONS, name, LARGEST_DOCUMENT)
            write_durably(own_folder(location, COPIES) / name, [text], check)


def _names_in(location: DatasetLocation, place: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the parts of file names that match in a folder of a dataset; none through a link."""
    found = map(pattern.fullmatch, names_inside(location.folder, place))
    return sorted(match.group(1) for match in found if match)


def version_ids(location: DatasetLocation, place: str = VERSIONS) -> list[str]:
    """Return the ids of all versions that are stored, in ``VERSIONS`` or ``COPIES``.

    A web server does not list them: then those that the newest one came from.
    """
    remote = remote_source(location.folder)
    if remote is None or remote.lists:
        return _names_in(location, place, VERSION_FILE)
    found: list[str] = []
    with suppress(DatasetError):
        found += [one.version for one in history(location, load_head(location))]
    return sorted(one for one in found if exists_inside(location.folder, f"{place}/{one}.json"))


def newest_version(location: DatasetLocation) -> Manifest | None:
    """Return the version that no other came from, for when the manifest is lost."""
    versions = []
    for version in version_ids(location):
        with suppress(DatasetError):
            versions.append(load_version_file(location, version))
    parents = {manifest.parent for manifest in versions}
    ends = [manifest for manifest in versions if manifest.version not in parents]
    return max(ends, key=lambda manifest: manifest.created, default=None)


def tag_names(location: DatasetLocation, place: str = TAGS) -> list[str]:
    """Return the names of all tags that are stored, in ``TAGS`` or ``COPIES``."""
    return _names_in(location, place, _TAG if place == TAGS else _TAG_COPY)


def list_tags(location: DatasetLocation) -> list[Tag]:
    """Return all tags, deleted ones too, by name."""
    return [load_tag(location, name) for name in tag_names(location)]


def find_version(location: DatasetLocation, reference: str | None) -> Manifest:
    """Return a version by tag, id or the beginning of an id; the newest by default."""
    remote = remote_source(location.folder)
    if remote is not None:
        remote.open_all([MANIFEST, RECIPE])  # at once: whoever reads rows wants both
    if remote is not None and not exists_inside(location.folder, MANIFEST):
        raise DatasetError(
            f"{location}: expected a dataset of tersgen, found no {MANIFEST} there; a push that "
            "did not finish is resumed by the same command"
        )
    if reference is None:
        if not exists_inside(location.folder, MANIFEST):
            if not version_ids(location):
                raise explain_incomplete(location)
            raise DamagedDataError(
                f"{location.folder / MANIFEST}: missing; tersgen repair restores it"
            )
        return load_head(location)
    if re.fullmatch(FILE_STEM, reference) and is_remote(location.folder):
        with suppress(DamagedDataError):  # a web server lists no tags
            named = load_tag(location, reference)
            if not named.deleted:
                return load_version_file(location, named.version)
    tags = {tag.name: tag for tag in list_tags(location)}
    tag = tags.get(reference)
    if tag is not None and not tag.deleted:
        return load_version_file(location, tag.version)
    found = [one for one in version_ids(location) if one.startswith(reference)]
    if len(reference) >= _SHORTEST_PREFIX and len(found) == 1:
        return load_version_file(location, found[0])
    if tag is not None:
        raise DatasetError(
            f"{location}: the tag {reference!r} was deleted; it named version {tag.version[:12]}"
        )
    known = [name for name, tag in tags.items() if not tag.deleted]
    raise DatasetError(
        f"{location}: expected a tag ({', '.join(known) or 'there are none'}) or the beginning of "
        f"one version's id, got {reference!r}; tersgen log shows them"
    )


def history(location: DatasetLocation, manifest: Manifest) -> list[Manifest]:
    """Return a version and those it came from, newest first."""
    versions = [manifest]
    while versions[-1].parent is not None:
        versions.append(load_version_file(location, versions[-1].parent))
    return versions


def _tag_text(tag: Tag) -> bytes:
    return tag.model_dump_json().encode() + b"\n"


def give_tag(location: DatasetLocation, name: str, reference: str | None) -> Tag:
    """Give a version a name, once."""
    check_local(location.path)
    manifest = find_version(location, reference)
    tag = validate(Tag, {"name": name, "version": manifest.version, "created": now()}, "tag")
    if any(one.startswith(name) for one in version_ids(location)):
        raise ConfigError(f"tag: {name!r} looks like a version's id; choose another name")
    with in_one_line(location, "cannot be tagged"):
        own_folder(location, TAGS)
        is_new = write_once(location.folder / tag_path(name), [_tag_text(tag)])
        known = tag if is_new else load_tag(location, name)
        is_same = known.version == tag.version and not known.deleted
        # whoever gave it first may have been killed before its copy was there
        if is_new or (is_same and name not in tag_names(location, COPIES)):
            own_folder(location, COPIES)
            write_durably(location.folder / tag_path(name, COPIES), [_tag_text(known)])
    if is_same:
        return known
    raise OutputError(
        f"{location}: the tag {name!r} "
        + (
            f"was deleted, and its name is not reused; it named {known.version[:12]}"
            if known.deleted
            else f"names version {known.version[:12]}, and tags do not move"
        )
        + "; choose another name"
    )


def delete_tag(location: DatasetLocation, name: str) -> Tag:
    """Take a name back; it stays known as deleted. One that was taken back stays as it is."""
    check_local(location.path)
    tag = next((tag for tag in list_tags(location) if tag.name == name), None)
    if tag is None:
        raise DatasetError(f"{location}: there is no tag {name!r} to delete")
    gone = tag.model_copy(update={"deleted": True})
    with in_one_line(location, "the tag cannot be deleted"):
        for place in (TAGS, COPIES):
            own_folder(location, place)
            write_durably(location.folder / tag_path(name, place), [_tag_text(gone)])
    return gone
