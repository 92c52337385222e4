"""Current writers of a dataset: one builder of the whole, or jobs that each build a range."""

import re
from pathlib import Path

from ..schema.manifest import RANGES
from .lock import Holder, lock_holder

RANGE_FOLDER = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
"""Name of a job's folder: the first and the last shard of its range."""


def range_folders(folder: Path) -> list[Path]:
    """Return the folders of jobs in a dataset's folder."""
    place = folder / RANGES
    if place.is_symlink() or not place.is_dir():
        return []
    return sorted(
        path
        for path in place.iterdir()
        if RANGE_FOLDER.fullmatch(path.name) and not path.is_symlink() and path.is_dir()
    )


def writers(folder: Path) -> tuple[Holder, ...]:
    """Return all who hold a lock in a dataset's folder; dead ones do not count."""
    places = (folder, *range_folders(folder))
    return tuple(holder for holder in map(lock_holder, places) if holder is not None)


def writers_text(holders: tuple[Holder, ...]) -> str:
    """Return who they are, in words."""
    first = holders[0]
    since = f" since {first.since}" if first.since else ""
    more = f", and {len(holders) - 1} more" if len(holders) > 1 else ""
    return f"process {first.pid} on {first.host}{since}{more}"
