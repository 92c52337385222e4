"""A build seen from outside: what it writes down while it runs, read and never written."""

import os
from pathlib import Path
from typing import NamedTuple

from ..dataset.documents import checked_layout, load_head, load_lock, load_recipe_of
from ..dataset.versions import locate
from ..errors import DatasetError
from ..schema.manifest import MANIFEST
from ..store.home import Home
from ..store.lock import Holder, lock_holder
from .events import Watched, logs, watch
from .ranges import range_folders


class BuildSeen(NamedTuple):
    """What is seen of a build."""

    n_samples: int
    is_complete: bool
    holders: tuple[Holder, ...]
    """Those who write now: one for the whole, or one for each range of shards."""
    watched: Watched | None
    """None if there is no log."""


def _is_complete(home: Home, n_samples: int) -> bool:
    """Return whether the newest version has all rows that were wanted."""
    return os.path.lexists(home.folder / MANIFEST) and load_head(home).n_samples >= n_samples


def see_build(path: Path) -> BuildSeen:
    """Return how far the build of a dataset is.

    Raises
    ------
    DatasetError
        If there is none, or its documents are damaged.
    """
    home = locate(path)
    lock = load_lock(home)
    recipe = load_recipe_of(home, lock.recipe_digest)
    n_shards = checked_layout(home.path, lock, recipe).n_shards(lock.n_samples)
    places = [home.folder, *range_folders(home.folder)]
    try:
        watched = watch(logs(home.folder), n_shards)
    except OSError as error:
        raise DatasetError(f"{path}: its log cannot be read: {error.strerror}") from error
    return BuildSeen(
        n_samples=lock.n_samples,
        is_complete=_is_complete(home, lock.n_samples),
        holders=tuple(holder for holder in map(lock_holder, places) if holder is not None),
        watched=watched,
    )
