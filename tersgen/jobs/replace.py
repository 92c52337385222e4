"""A dataset in place of another: built beside it, complete, and only then exchanged with it.

The new dataset is built in the staging folder ``.NAME.tersgen-new`` beside the old one, under its
final name, so that the index of an HDF5 dataset is right. When it is complete, its version is noted
in ``replacement.json`` there; then the two are exchanged, and what the old one's own documents
account for is removed, name by name. Whenever a builder is killed, the locations of the two
datasets show how far it was, and the same command resumes from there.
"""

import json
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..dataset.documents import load_head
from ..dataset.ownership import (
    has_marker,
    is_dataset,
    is_empty,
    read_genuine,
    read_lock,
    read_versions,
)
from ..errors import DatasetError, OutputError, TersWarning
from ..schema.digest import canonical_digest
from ..schema.manifest import MANIFEST, Manifest
from ..store import files
from ..store.files import UNFINISHED, make_folder, sync_folder, write_durably
from ..store.location import DatasetLocation, in_one_line
from ..store.lock import BuilderLock, is_lock, is_lock_file, remove_lock_files
from .inventory import inventory_of, remove_files
from .output import is_index, refuse_foreign
from .plan import Plan
from .ranges import refuse_live_ranges
from .start import check_same

_MARKER = "replacement.json"
_PARTIAL = re.compile(re.escape(_MARKER) + UNFINISHED)
_OLD = "old"


def staging_folder(location: DatasetLocation) -> Path:
    """Return where a dataset is built that is to take the place of another."""
    return location.path.with_name(f".{location.path.name}.tersgen-new")


def staged_location(location: DatasetLocation) -> DatasetLocation:
    """Return the place of the new dataset until it is complete."""
    folder = staging_folder(location)
    return DatasetLocation(
        folder / location.path.name, folder / location.folder.name, location.format
    )


def is_staged(location: DatasetLocation) -> bool:
    """Return whether a replacement is built beside ``location``, or is to be."""
    folder = staging_folder(location)
    if not os.path.lexists(folder):
        return has_marker(location.folder)
    if not _is_ours(folder, location):
        raise OutputError(
            f"{folder}: expected the folder of a replacement of {location.path.name}, got another; "
            "move it away or pass another --out"
        )
    return True


def building_location(location: DatasetLocation, plan: Plan, overwrite: bool) -> DatasetLocation:
    """Return where the shards of a dataset go until it is complete.

    A build that has stopped resumes where it is.
    """
    if not overwrite or not is_staged(location):
        return location
    if os.path.lexists(staging_folder(location)) or any(
        True for _ in read_versions(location.folder)
    ):
        return staged_location(location)
    try:
        goes_on = read_lock(location.folder) is not None and check_same(location, plan) is None
    except (OutputError, DatasetError):
        goes_on = False
    return location if goes_on else staged_location(location)


def refuse_interrupted(location: DatasetLocation) -> None:
    """Refuse to resume a dataset that another was about to replace."""
    version = _noted_version(staging_folder(location))
    if version is not None and not _is_version(location.folder, version):
        raise OutputError(
            f"{location}: another dataset is complete and was about to take this place; finish "
            "that: run the command that built it, with --overwrite, again"
        )


def _is_ours(folder: Path, location: DatasetLocation) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    marker = read_genuine(folder, _MARKER, "check")
    if marker is not None:
        return marker.get("replaces") == location.path.name
    # a builder that was killed before its note; or believed dead, and another removed the note
    return all(
        _PARTIAL.fullmatch(path.name) or is_lock_file(path) or _is_part(path, location)
        for path in folder.iterdir()
    )


def _is_part(path: Path, location: DatasetLocation) -> bool:
    """Return whether a path in a staging folder is a dataset, its index, or folders for one."""
    if path.name == location.folder.name:
        return is_dataset(path) or _has_no_files(path)
    return path.name == location.path.name and is_index(path, location.folder)


def _has_no_files(folder: Path) -> bool:
    """Return whether a path is a folder, no link to one, in which there are only folders."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    places = os.walk(folder)
    return not any(names or any((Path(at) / one).is_symlink() for one in folders)
                   for at, folders, names in places)  # fmt: skip


def _clear(folder: Path) -> None:
    """Remove temporary files of a staging folder's own."""
    remove_lock_files(folder)
    for path in folder.iterdir():
        if _PARTIAL.fullmatch(path.name) and not path.is_symlink() and path.is_file():
            path.unlink(missing_ok=True)


def _noted_version(folder: Path) -> str | None:
    """Return the version of the complete dataset that is to be exchanged, if it is that far."""
    marker = read_genuine(folder, _MARKER, "check")
    version = None if marker is None else marker.get("version")
    return version if isinstance(version, str) else None


def _is_version(folder: Path, version: str) -> bool:
    content = read_genuine(folder, MANIFEST, "version")
    return content is not None and content["version"] == version


@contextmanager
def replacing(location: DatasetLocation, plan: Plan, take_over: bool) -> Iterator["Replacement"]:
    """Hold the place of a dataset that is to be replaced; give it back whatever happens."""
    folder = staging_folder(location)
    with in_one_line(location, f"{folder.name}, where the new dataset is built, cannot be made"):
        make_folder(folder)
    try:
        with BuilderLock(folder, take_over, _clear) as lock, ExitStack() as stack:
            replacement = Replacement(location, plan, lock)
            try:
                with in_one_line(location, "cannot be replaced"):
                    replacement.prepare(stack, take_over)
                yield replacement
            except OSError:
                lock.check()  # who has taken over has moved what was to be moved
                raise
            finally:
                replacement.end()
    finally:
        with suppress(OSError):  # not empty: the same command resumes
            folder.rmdir()


class Replacement:
    """A dataset on its way into the place of another."""

    def __init__(self, location: DatasetLocation, plan: Plan, lock: BuilderLock) -> None:
        self._location = location
        self._plan = plan
        self._lock = lock
        self._old_lock: BuilderLock | None = None
        self._folder = staging_folder(location)
        self.staged = staged_location(location)
        self.done: Manifest | None = None
        """The version that is in place already: the same command had got that far."""

    def prepare(self, stack: ExitStack, take_over: bool) -> None:
        """Finish an exchange that was interrupted, and make room for the new dataset."""
        version = _noted_version(self._folder)
        if version is not None:
            with ExitStack() as held:
                self._hold_old(held, take_over)
                self._take_place(version)
            with suppress(OutputError, DatasetError):  # another dataset than this command's
                self.done = check_same(self._location, self._plan)
            if self.done is not None:
                return
        self._note(None)
        self._remove_old()
        if os.path.lexists(self._folder / _OLD):
            raise OutputError(
                f"{self._folder / _OLD}: has files of others, left when {self._location.path.name} "
                "was replaced before; move them away"
            )
        self._hold_old(stack, take_over)
        if self._old_lock is not None:
            refuse_foreign(self._location)
        self._remove_other_plan(take_over)

    def _hold_old(self, stack: ExitStack, take_over: bool) -> None:
        """Keep others from writing the dataset that is to be replaced."""
        if is_dataset(self._location.folder):
            refuse_live_ranges(self._location.folder, take_over)
            self._old_lock = stack.enter_context(BuilderLock(self._location.folder, take_over))

    def _remove_other_plan(self, take_over: bool) -> None:
        """Remove what a command with another plan has written, name by name."""
        staged = self.staged
        if not is_dataset(staged.folder):
            if os.path.lexists(staged.folder) and not _has_no_files(staged.folder):
                raise OutputError(
                    f"{staged.folder}: expected the new dataset, got another folder; move it away"
                )
            return
        with suppress(OutputError, DatasetError):
            check_same(staged, self._plan)
            return
        with BuilderLock(staged.folder, take_over) as lock:
            foreign = remove_files(inventory_of(staged), lock.check)
            if foreign is not None:
                raise OutputError(
                    f"{staged.folder / foreign}: is in the way of the new dataset; move it away"
                )
            if staged.path != staged.folder and is_index(staged.path, staged.folder):
                staged.path.unlink()
        staged.folder.rmdir()

    def check(self) -> None:
        """Make sure that no one has taken over."""
        self._lock.check()
        if self._old_lock is not None:
            self._old_lock.check()

    def finish(self) -> None:
        """Put the new dataset, which is complete, in its place, and remove the old one."""
        doing = "the new dataset is complete, the same command puts it here; now it cannot be done"
        with in_one_line(self._location, doing):
            self.check()
            version = load_head(self.staged).version
            self._note(version)
            self._take_place(version)

    def _take_place(self, version: str) -> None:
        if os.path.lexists(self._location.folder) and not _is_version(
            self._location.folder, version
        ):
            refuse_foreign(self._location)
        self._exchange(version)
        self._remove_old()
        if os.path.lexists(self._folder / _OLD):  # others' files: what is replaced now is done
            self._note(None)

    def _note(self, version: str | None) -> None:
        """Write down which complete dataset is to be exchanged, or that none is yet."""
        name = self._location.path.name
        content: dict[str, Any] = {"format_version": 1, "replaces": name, "version": version}
        text = json.dumps({**content, "check": canonical_digest(content)}) + "\n"
        write_durably(self._folder / _MARKER, [text.encode()], self._lock.check)

    def _exchange(self, version: str) -> None:
        """Exchange the two, from whatever state a kill has left: every step looks before it acts.

        The index of an HDF5 dataset is away while its folder is exchanged, so that no one reads new
        shards through an old index.
        """
        location, staged = self._location, self.staged
        old = self._old_location()
        if not any(_is_version(one.folder, version) for one in (location, staged)):
            raise OutputError(
                f"{location}: expected the complete dataset {version[:12]} to take this place, "
                f"found none in {self._folder}; move that away and run the command again"
            )
        make_folder(old.path.parent)
        has_index = location.path != location.folder
        if has_index and os.path.lexists(staged.path) and os.path.lexists(location.path):
            if not is_index(location.path, location.folder):
                raise OutputError(
                    f"{location}: expected the index over {location.folder.name}, got another "
                    "file; move it away; the same command resumes"
                )
            location.path.replace(old.path)
        if _is_version(staged.folder, version):
            self._move_in(old, version)
        if os.path.lexists(staged.folder):  # by now the old one
            staged.folder.replace(old.folder)
        if has_index and os.path.lexists(staged.path):
            staged.path.replace(location.path)
        for folder in (location.folder.parent, self._folder, old.folder.parent):
            sync_folder(folder)

    def _old_location(self) -> DatasetLocation:
        place, location = self._folder / _OLD, self._location
        return DatasetLocation(
            place / location.path.name, place / location.folder.name, location.format
        )

    def _move_in(self, old: DatasetLocation, version: str) -> None:
        location, staged = self._location, self.staged
        if os.path.lexists(location.folder):
            if not is_empty(location.folder) and not is_dataset(location.folder):
                raise OutputError(
                    f"{location.folder}: expected a dataset to be replaced, got another folder; "
                    "move it away; the same command resumes"
                )
            if files.exchange(staged.folder, location.folder):
                if _is_version(location.folder, version):
                    return
                files.exchange(staged.folder, location.folder)  # slept, and another has taken over
                self._lock.check()
                raise OutputError(
                    f"{staged.folder}: expected version {version[:12]}, got another dataset; the "
                    "same command resumes"
                )
            location.folder.replace(old.folder)
        staged.folder.replace(location.folder)

    def _remove_old(self) -> None:
        """Remove what is left of the old dataset; what is not its own stays, and is named."""
        place = self._folder / _OLD
        if place.is_symlink() or not place.is_dir():
            return
        old = self._old_location()
        if old.folder.is_dir() and not old.folder.is_symlink():
            foreign = remove_files(inventory_of(old))
            if foreign is not None:
                warnings.warn(
                    f"{old.folder / foreign}: is no part of the dataset that was replaced, and "
                    "stays; move it away",
                    TersWarning,
                    stacklevel=2,
                )
            with suppress(OSError):
                old.folder.rmdir()
        if old.path != old.folder and is_index(old.path, old.folder):
            old.path.unlink()
        with suppress(OSError):
            place.rmdir()

    def end(self) -> None:
        """Remove the note if nothing of a replacement is left, so that the folder goes, too."""
        with suppress(OSError):
            self._lock.check()
            names = {path.name for path in self._folder.iterdir() if not is_lock(path.name)}
            if names == {_MARKER}:
                (self._folder / _MARKER).unlink()


Finish = Callable[[Path], object]
"""What is done with a complete dataset before it takes another's place, given its path."""
