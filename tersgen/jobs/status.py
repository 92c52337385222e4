"""A build seen from outside: its log is read while it runs, and nothing is written."""

from pathlib import Path
from typing import NamedTuple

from ..dataset.documents import load_head, load_journal, load_lock
from ..dataset.versions import command_to_extend, command_to_finish, locate
from ..errors import DatasetError
from ..files import why
from ..schema.manifest import MANIFEST, Lock
from ..store.layout import Layout
from ..store.location import DatasetLocation, check_local
from ..store.lock import Holder
from ..store.sources import exists_inside
from ..store.writers import writers
from ..urls import is_remote
from .events import Watched, logs, watch
from .ranges import recorded_in_ranges

_MOST_CLASSES = 1 << 17
"""More than any library has: the size of a journal is bounded by the number of its classes."""


class BuildSeen(NamedTuple):
    """What is seen of a build."""

    n_samples: int
    """Wanted."""
    n_complete: int
    """Of the newest version; 0 if there is none yet."""
    n_shards: int
    shards: frozenset[int]
    """Those that are finished."""
    n_done: int
    """Samples in them."""
    holders: tuple[Holder, ...]
    """Those who write now: one for the whole, or one for each range of shards."""
    watched: Watched | None
    """None if there is no log."""
    command: str
    """What resumes it once nobody writes."""

    @property
    def is_complete(self) -> bool:
        """Whether the newest version has all rows that were wanted."""
        return self.n_complete >= self.n_samples


def see_build(path: Path, follow_links: bool = False) -> BuildSeen:
    """Return how far the build of a dataset is, or its extension."""
    location = locate(path, follow_links)
    check_local(location.path)
    return _seen(location, load_lock(location))


def see_unfinished(path: Path, follow_links: bool = False) -> BuildSeen | None:
    """Return how far a build or extension is that is under way, or was stopped; None without one.

    None, too, for what is no dataset or says nothing of its build: whoever opens it says more.
    """
    try:
        location = locate(path, follow_links)
        if is_remote(location.folder):  # only finished versions are pushed
            return None
        lock = load_lock(location)
    except DatasetError:
        return None
    if _n_complete(location) >= lock.n_samples and not writers(location.folder):
        return None
    return _seen(location, lock)


def _n_complete(location: DatasetLocation) -> int:
    """Return the rows of the newest version, or 0."""
    return load_head(location).n_samples if exists_inside(location.folder, MANIFEST) else 0


def _seen(location: DatasetLocation, lock: Lock) -> BuildSeen:
    n_shards = Layout.of(lock).n_shards(lock.n_samples)
    holders = writers(location.folder)  # before all else: what they finish meanwhile is seen too
    n_complete = _n_complete(location)
    try:
        watched = watch(logs(location.folder), n_shards)
    except OSError as error:
        raise DatasetError(f"{location}: its log cannot be read: {why(error)}") from error
    shards = frozenset(watched.shards if watched else _recorded(location, lock, n_shards))
    short = n_shards * lock.shard_rows - lock.n_samples if n_shards - 1 in shards else 0
    return BuildSeen(
        n_samples=lock.n_samples,
        n_complete=n_complete,
        n_shards=n_shards,
        shards=shards,
        n_done=len(shards) * lock.shard_rows - short,
        holders=holders,
        watched=watched,
        command=(
            command_to_extend(location, lock) if n_complete else command_to_finish(location, lock)
        ),
    )


def _recorded(location: DatasetLocation, lock: Lock, n_shards: int) -> set[int]:
    """Return the shards that are recorded with all their rows, from the journals."""
    layout = Layout.of(lock)
    records = load_journal(location, n_shards, _MOST_CLASSES).records
    return {
        one.shard
        for one in records + recorded_in_ranges(location.folder)
        if one.rows == layout.rows_of(one.shard, lock.n_samples)
    }
