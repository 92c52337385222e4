"""A folder for files that can run code when they are read: no other user can write to it.

Numba's cache is machine code, and its index is a pickle. Anyone who can write a file there, or can
rename a folder above it, can run code as this user.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_STEPS = 400


def private_folder(folder: Path, user: int | None = None) -> str:
    """Return a folder's real path, made if need be, once it is this user's alone all the way down.

    Each folder above it, and each link on the way, must belong to this user or root; no other user
    may be able to write to any of them, except for one like ``/tmp``, where nobody can rename
    what belongs to others. The folder itself has the mode 0700.

    Parameters
    ----------
    folder
        The folder.
    user
        Number of this user; by default that of the process.

    Raises
    ------
    OSError
        If it cannot be made, or somebody else could write to it; the text says why.
    """
    if not hasattr(os, "geteuid"):  # Windows: the user's folders are private already
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)
    user = os.geteuid() if user is None else user
    place = Path(folder.anchor or os.sep)
    facts = _checked(place, place.lstat(), user)
    for place, facts in _way(folder.absolute(), user):
        _checked(place, facts, user)
    if facts.st_uid != user:
        raise PermissionError(f"{place} belongs to user {facts.st_uid}")
    if stat.S_IMODE(facts.st_mode) & 0o022:  # sticky or not: it may hold files of others by now
        raise PermissionError(f"others can write to {place}")
    if stat.S_IMODE(facts.st_mode) != 0o700:
        place.chmod(0o700)
    return str(place)


def _way(path: Path, user: int) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the folders down to a path, links followed, each made if it is missing."""
    place = Path(path.anchor)
    names = list(reversed(path.parts[1:]))
    for _ in range(_MOST_STEPS):
        if not names:
            return
        name = names.pop()
        if name == "..":
            place = place.parent
            continue
        inside = place / name
        try:
            facts = inside.lstat()
        except FileNotFoundError:
            inside.mkdir(0o700, exist_ok=True)
            facts = inside.lstat()  # whatever has been made there by now
        if not stat.S_ISLNK(facts.st_mode):
            place = inside
            yield place, facts
            continue
        if facts.st_uid not in (0, user):
            raise PermissionError(f"{inside} is a link of user {facts.st_uid}")
        target = inside.readlink()
        place = Path(target.anchor) if target.is_absolute() else place
        names += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    raise OSError(f"{path}: too many links")


def _checked(place: Path, facts: os.stat_result, user: int) -> os.stat_result:
    """Return what is known of a folder in which no other user can exchange what is not theirs."""
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISDIR(facts.st_mode):
        raise NotADirectoryError(f"{place} is no folder")
    if facts.st_uid not in (0, user):
        raise PermissionError(f"{place} belongs to user {facts.st_uid}")
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise PermissionError(f"others can write to {place}")
    return facts
