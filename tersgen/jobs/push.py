"""A dataset copied to an object store: shards first, at once, and the manifest last.

The lock file goes first, and only if there is none: it says whose place this is. Until the manifest
is there, readers see no dataset. What is there with the same bytes is not sent again, so that the
same command resumes a push that was stopped.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..dataset.documents import load_lock
from ..dataset.versions import find_version, history, locate_newest
from ..errors import ConfigError, DamagedDataError, OutputError
from ..schema.loading import parse_json
from ..schema.manifest import EVENTS, LOCK, MANIFEST, RANGES, FileFacts, Manifest
from ..store.files import file_facts, is_unfinished
from ..store.journal import read_journal
from ..store.location import DatasetLocation
from ..store.lock import is_lock
from ..store.remote_target import RemoteTarget, There
from ..urls import RemotePath, as_path, is_remote
from .commit import NEW
from .inventory import inventory_of

AT_ONCE = 8
"""Files that are under way at once."""


class Sent(NamedTuple):
    """A file that is in the store now."""

    inside: str
    there: There
    is_new: bool


class Pushed(NamedTuple):
    """What a push has done."""

    manifest: Manifest
    n_files: int
    """Files, but for lock file and manifest."""
    n_sent: int
    bytes_sent: int
    seconds: float


Watch = Callable[[int, int], None]
"""Called with files done and their number in all."""


def remote_path(url: str | Path) -> RemotePath:
    """Return the URL that a dataset is pushed to."""
    path = as_path(url)
    if not is_remote(path):
        raise ConfigError(f"{url}: expected a URL such as s3://bucket/data.zarr, got a local path")
    return path


def push(path: str | Path, url: str | Path, watch: Watch | None = None) -> Pushed:
    """Copy a dataset with its versions, tags and splits to an object store.

    A dataset that was pushed before, and has grown or was split since, is brought up to date.

    Parameters
    ----------
    path
        The dataset.
    url
        Where it goes: ``s3://bucket/data.zarr``; gs and az, too.
    watch
        Called after each file.

    Raises
    ------
    ConfigError
        If the URL is none that can be written to.
    OutputError
        If another dataset is there, or it cannot be written; what was sent stays.
    DamagedDataError
        If a shard is not what was recorded.
    DatasetError
        If there is no complete dataset, or the store cannot be read.
    """
    start = time.perf_counter()
    location = locate_newest(path, "push")
    manifest = find_version(location, None)
    if load_lock(location).n_samples != manifest.n_samples:
        raise OutputError(
            f"{location}: expected a complete dataset, got one whose extension is not finished; "
            "finish it with the same tersgen extend command"
        )
    target = RemoteTarget(remote_path(url))
    _check_format(location)
    there = target.files()
    ours = refuse_other(target, there, location, manifest)
    claim(target, there, (location.folder / LOCK).read_bytes(), ours)
    facts = recorded_facts(location)
    paths = dict(files_of(location))
    n_sent = sent = 0
    for done, one in enumerate(send_all(target, there, paths, facts), start=1):
        if one.is_new:
            n_sent, sent = n_sent + 1, sent + one.there.size
        if watch is not None:
            watch(done, len(paths))
    publish_remote(target, there, (location.folder / MANIFEST).read_bytes())
    return Pushed(manifest, len(paths), n_sent, sent, time.perf_counter() - start)


def _check_format(location: DatasetLocation) -> None:
    if location.format == "hdf5":
        raise ConfigError(
            f"{location}: expected a Zarr dataset, got an HDF5 one, whose index names the folder "
            "beside it; tersgen convert makes a Zarr dataset of it"
        )


def refuse_other(
    target: RemoteTarget, there: dict[str, There], location: DatasetLocation, manifest: Manifest
) -> bool:
    """Refuse a place with another dataset; return whether an older version of this one is there."""
    if MANIFEST in there:
        known = parse_json(target.read(MANIFEST).decode())
        version = known.get("version") if isinstance(known, dict) else None
        if version in {one.version for one in history(location, manifest)}:
            return True
        what = "another dataset, or a version that this one does not come from"
        if isinstance(known, dict) and known.get("digest") == manifest.digest:
            what = "the same rows already, as another build made them"
        raise OutputError(f"{target.url}: holds {what}; nothing was sent; push to another URL")
    if there and LOCK not in there:
        raise OutputError(
            f"{target.url}: expected nothing there, found {min(there)}; push to another URL"
        )
    return False


def claim(target: RemoteTarget, there: dict[str, There], lock: bytes, ours: bool = False) -> None:
    """Send the lock file first: it says whose place this is."""
    if ours:  # of an older version, perhaps
        if target.read(LOCK) != lock and not target.replace(LOCK, lock, there[LOCK]):
            raise OutputError(f"{target.url}/{LOCK}: changed by another push; run it again")
        return
    if not target.create(LOCK, lock):
        raise OutputError(
            f"{target.url}: another dataset is being pushed there, or was; push to another URL"
        )


def recorded_facts(location: DatasetLocation) -> dict[str, FileFacts]:
    """Return what is recorded of the files of shards, by path."""
    return {
        name: facts
        for record in read_journal(location.folder).records
        for name, facts in record.files.items()
    }


def files_of(location: DatasetLocation) -> Iterator[tuple[str, Path]]:
    """Yield the files of a complete dataset, but for lock file and manifest; no other's."""
    inventory = inventory_of(location)
    for path in sorted(location.folder.rglob("*")):
        inside = path.relative_to(location.folder).as_posix()
        if path.is_symlink() or not path.is_file() or not inventory.has_file(inside):
            continue
        passing = inside in (LOCK, MANIFEST, EVENTS) or is_lock(path.name)
        passing = passing or is_unfinished(location.folder, path) or inside.endswith(NEW)
        if not passing and not inside.startswith(f"{RANGES}/"):
            yield inside, path


def send_all(
    target: RemoteTarget,
    there: dict[str, There],
    paths: dict[str, Path],
    facts: dict[str, FileFacts],
) -> Iterator[Sent]:
    """Send files that are not there, some at once; yield each that is there."""

    def send(inside: str) -> Sent:
        path = paths[inside]
        wanted = facts.get(inside)
        if wanted is not None and file_facts(path) != wanted:
            raise DamagedDataError(
                f"{path}: its bytes are not those that were recorded; tersgen repair makes them "
                "again"
            )
        if inside in there and target.has(inside, there[inside], path):
            return Sent(inside, there[inside], False)
        return Sent(inside, target.send(inside, path), True)

    with ThreadPoolExecutor(AT_ONCE, "tersgen-push") as pool:
        futures = [pool.submit(send, inside) for inside in paths]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def publish_remote(target: RemoteTarget, there: dict[str, There], text: bytes) -> None:
    """Send the manifest, which makes the dataset one."""
    if MANIFEST in there:
        done = target.read(MANIFEST) == text or target.replace(MANIFEST, text, there[MANIFEST])
    else:
        done = target.create(MANIFEST, text)
    if not done:
        raise OutputError(f"{target.url}: another dataset was put there meanwhile; it stays")
