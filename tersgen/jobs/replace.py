"""A dataset in place of another: built beside it, complete, and only then exchanged with it.

The new dataset is built in the staging folder ``.NAME.tersgen-new`` beside the old one, under its
final name, so that the index of an HDF5 dataset is right. When it is complete, its version is noted
in ``replacement.json`` there; then the two are exchanged, and what the old one's own documents
account for is removed, name by name. Whatever the moment at which a builder is killed, what lies
where says how far it was, and the same command resumes from there.
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
from ..store.files import make_folder, sync_folder, write_durably
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock, is_lock, is_lock_file, remove_lock_files
from .inventory import inventory_of, remove_files
from .output import in_one_line, is_index, refuse_foreign
from .plan import Plan
from .ranges import refuse_live_ranges
from .start import check_same

_MARKER = "replacement.json"
_PARTIAL = re.compile(r"replacement\.json\.[0-9]{1,10}\.partial")
_OLD = "old"


def staging_folder(home: DatasetLocation) -> Path:
    """Return where a dataset is built that is to take the place of another."""
    return home.path.with_name(f".{home.path.name}.tersgen-new")


def staged_home(home: DatasetLocation) -> DatasetLocation:
    """Return the place of the new dataset until it is complete."""
    folder = staging_folder(home)
    return DatasetLocation(folder / home.path.name, folder / home.folder.name, home.format)


def is_staged(home: DatasetLocation) -> bool:
    """Return whether an overwriting build goes on beside ``home``, or begins there.

    Raises
    ------
    OutputError
        If something else lies where it would.
    """
    folder = staging_folder(home)
    if not os.path.lexists(folder):
        return has_marker(home.folder)
    if not _is_ours(folder, home):
        raise OutputError(
            f"{folder}: expected the folder of a replacement of {home.path.name}, got another; "
            "move it away or pass another --out"
        )
    return True


def building_home(home: DatasetLocation, plan: Plan, overwrite: bool) -> DatasetLocation:
    """Return where the shards of a dataset go until it is complete.

    A build that has stopped goes on where it is.
    """
    if not overwrite or not is_staged(home):
        return home
    if os.path.lexists(staging_folder(home)) or any(True for _ in read_versions(home.folder)):
        return staged_home(home)
    try:
        goes_on = read_lock(home.folder) is not None and check_same(home, plan) is None
    except (OutputError, DatasetError):
        goes_on = False
    return home if goes_on else staged_home(home)


def refuse_interrupted(home: DatasetLocation) -> None:
    """Refuse to resume a dataset that another was about to replace.

    Raises
    ------
    OutputError
        If a builder was killed between the two renames.
    """
    version = _noted_version(staging_folder(home))
    if version is not None and not _is_version(home.folder, version):
        raise OutputError(
            f"{home.path}: another dataset is complete and was about to take this place; finish "
            "that: run the command that built it, with --overwrite, again"
        )


def _is_ours(folder: Path, home: DatasetLocation) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    marker = read_genuine(folder, _MARKER, "check")
    if marker is not None:
        return marker.get("replaces") == home.path.name
    # a builder that was killed before its note; or believed dead, and another removed the note
    return all(
        _PARTIAL.fullmatch(path.name) or is_lock_file(path) or _is_begun(path, home)
        for path in folder.iterdir()
    )


def _is_begun(path: Path, home: DatasetLocation) -> bool:
    """Return whether a path in a staging folder is a dataset, its index, or folders for one."""
    if path.name == home.folder.name:
        return is_dataset(path) or _has_no_files(path)
    return path.name == home.path.name and is_index(path, home.folder)


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
def replacing(home: DatasetLocation, plan: Plan, take_over: bool) -> Iterator["Replacement"]:
    """Hold the place of a dataset that is to be replaced; give it back whatever happens.

    Raises
    ------
    BusyError
        If another process is writing either of the two.
    OutputError
        If the old one has files of others in it, or the place cannot be written.
    """
    folder = staging_folder(home)
    with in_one_line(home, f"{folder.name}, where the new dataset is built, cannot be made"):
        make_folder(folder)
    try:
        with BuilderLock(folder, take_over, _clear) as lock, ExitStack() as stack:
            replacement = Replacement(home, plan, lock)
            try:
                with in_one_line(home, "cannot be replaced"):
                    replacement.begin(stack, take_over)
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

    def __init__(self, home: DatasetLocation, plan: Plan, lock: BuilderLock) -> None:
        self._home = home
        self._plan = plan
        self._lock = lock
        self._old_lock: BuilderLock | None = None
        self._folder = staging_folder(home)
        self.staged = staged_home(home)
        self.done: Manifest | None = None
        """The version that is in place already: the same command had got that far."""

    def begin(self, stack: ExitStack, take_over: bool) -> None:
        """Finish an exchange that was interrupted, and make room for the new dataset."""
        version = _noted_version(self._folder)
        if version is not None:
            with ExitStack() as held:
                self._hold_old(held, take_over)
                self._take_place(version)
            with suppress(OutputError, DatasetError):  # another dataset than this command's
                self.done = check_same(self._home, self._plan)
            if self.done is not None:
                return
        self._note(None)
        self._remove_old()
        if os.path.lexists(self._folder / _OLD):
            raise OutputError(
                f"{self._folder / _OLD}: has files of others, left when {self._home.path.name} was "
                "replaced before; move them away"
            )
        self._hold_old(stack, take_over)
        if self._old_lock is not None:
            refuse_foreign(self._home)
        self._remove_other_plan(take_over)

    def _hold_old(self, stack: ExitStack, take_over: bool) -> None:
        """Keep others from writing the dataset that is to be replaced."""
        if is_dataset(self._home.folder):
            refuse_live_ranges(self._home.folder, take_over)
            self._old_lock = stack.enter_context(BuilderLock(self._home.folder, take_over))

    def _remove_other_plan(self, take_over: bool) -> None:
        """Remove what a command with another plan has begun, name by name."""
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
        """Make sure that nobody has taken over.

        Raises
        ------
        LostLockError
            If somebody has.
        """
        self._lock.check()
        if self._old_lock is not None:
            self._old_lock.check()

    def finish(self) -> None:
        """Put the new dataset, which is complete, in its place, and remove the old one.

        Raises
        ------
        OutputError
            If files of others came into the old one, or the file system refuses.
        """
        doing = "the new dataset is complete, the same command puts it here; now it cannot be done"
        with in_one_line(self._home, doing):
            self.check()
            version = load_head(self.staged).version
            self._note(version)
            self._take_place(version)

    def _take_place(self, version: str) -> None:
        if os.path.lexists(self._home.folder) and not _is_version(self._home.folder, version):
            refuse_foreign(self._home)
        self._exchange(version)
        self._remove_old()
        if os.path.lexists(self._folder / _OLD):  # others' files: what is replaced now is done
            self._note(None)

    def _note(self, version: str | None) -> None:
        """Write down which complete dataset is to be exchanged, or that none is yet."""
        name = self._home.path.name
        content: dict[str, Any] = {"format_version": 1, "replaces": name, "version": version}
        text = json.dumps({**content, "check": canonical_digest(content)}) + "\n"
        write_durably(self._folder / _MARKER, [text.encode()], self._lock.check)

    def _exchange(self, version: str) -> None:
        """Exchange the two, from whatever state a kill has left: every step looks before it acts.

        The index of an HDF5 dataset is away while its folder is exchanged, so that nobody reads
        new shards through an old index.
        """
        home, staged = self._home, self.staged
        old = self._old_home()
        if not any(_is_version(one.folder, version) for one in (home, staged)):
            raise OutputError(
                f"{home.path}: expected the complete dataset {version[:12]} to take this place, "
                f"found none in {self._folder}; move that away and run the command again"
            )
        make_folder(old.path.parent)
        has_index = home.path != home.folder
        if has_index and os.path.lexists(staged.path) and os.path.lexists(home.path):
            if not is_index(home.path, home.folder):
                raise OutputError(
                    f"{home.path}: expected the index over {home.folder.name}, got another file; "
                    "move it away; the same command resumes"
                )
            home.path.replace(old.path)
        if _is_version(staged.folder, version):
            self._move_in(old, version)
        if os.path.lexists(staged.folder):  # by now the old one
            staged.folder.replace(old.folder)
        if has_index and os.path.lexists(staged.path):
            staged.path.replace(home.path)
        for folder in (home.folder.parent, self._folder, old.folder.parent):
            sync_folder(folder)

    def _old_home(self) -> DatasetLocation:
        place, home = self._folder / _OLD, self._home
        return DatasetLocation(place / home.path.name, place / home.folder.name, home.format)

    def _move_in(self, old: DatasetLocation, version: str) -> None:
        home, staged = self._home, self.staged
        if os.path.lexists(home.folder):
            if not is_empty(home.folder) and not is_dataset(home.folder):
                raise OutputError(
                    f"{home.folder}: expected a dataset to be replaced, got another folder; move "
                    "it away; the same command resumes"
                )
            if files.exchange(staged.folder, home.folder):
                if _is_version(home.folder, version):
                    return
                files.exchange(staged.folder, home.folder)  # slept, and another has taken over
                self._lock.check()
                raise OutputError(
                    f"{staged.folder}: expected version {version[:12]}, got another dataset; the "
                    "same command resumes"
                )
            home.folder.replace(old.folder)
        staged.folder.replace(home.folder)

    def _remove_old(self) -> None:
        """Remove what is left of the old dataset; what is not its own stays, and is named."""
        place = self._folder / _OLD
        if place.is_symlink() or not place.is_dir():
            return
        old = self._old_home()
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
