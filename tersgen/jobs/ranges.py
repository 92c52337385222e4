"""Ranges of shards that jobs build without any coordinator, and how they are combined.

Each job has a folder of its own, ``ranges/FIRST-LAST``, with its lock, its journal and its log of
events; shards go where they always do. A build, or ``finalize``, appends these records to the
dataset's journal and removes the folders. Jobs refuse to run beside a builder of the whole, and it
refuses to run beside jobs: each makes its own lock before it looks for those of the others.
"""

import re
from contextlib import suppress
from pathlib import Path

from ..errors import BusyError
from ..schema.manifest import RANGES, ShardRecord
from ..store.files import UNFINISHED
from ..store.journal import read_journal, rewrite_journal
from ..store.location import DatasetLocation
from ..store.lock import TAKE_OVER, BuilderLock, lock_holder
from ..store.writers import range_folders

_FILE = re.compile(
    rf"(?:journal\.jsonl|builder\.[0-9]{{1,16}}\.lock)(?:{UNFINISHED})?"
    r"|events\.jsonl"
)
"""What a job writes into its folder."""


def refuse_live_ranges(folder: Path, take_over: bool) -> None:
    """Refuse to run beside jobs that build ranges of a dataset.

    Raises
    ------
    BusyError
        If there is one; with ``take_over``, only if it runs on this machine.
    """
    for place in range_folders(folder):
        holder = lock_holder(place)
        if holder is None or (take_over and not holder.is_here):
            continue
        hint = "" if holder.is_here else TAKE_OVER
        shards = place.name.replace("-", ":")
        raise BusyError(
            f"{folder}: process {holder.pid} on {holder.host} is building its shards {shards}; "
            f"wait for it, or stop it{hint}"
        )


def recorded_in_ranges(folder: Path) -> list[ShardRecord]:
    """Return the records that jobs have written and that have not been combined yet."""
    return [record for place in range_folders(folder) for record in read_journal(place).records]


def merge_ranges(location: DatasetLocation, lock: BuilderLock, take_over: bool) -> None:
    """Append the records of all jobs to the dataset's journal; call it with the lock held."""
    refuse_live_ranges(location.folder, take_over)
    found = recorded_in_ranges(location.folder)
    if found:
        known = read_journal(location.folder).records
        newest = {record.shard: record for record in known}
        added = [record for record in found if newest.get(record.shard) != record]
        rewrite_journal(location.folder, known + added, lock.check)
    lock.check()
    remove_ranges(location.folder)


def remove_ranges(folder: Path) -> None:
    """Remove what jobs have left: their locks, journals and logs, and folders then empty."""
    for place in range_folders(folder):
        for path in place.iterdir():
            if _FILE.fullmatch(path.name) and not path.is_symlink() and path.is_file():
                with suppress(OSError):
                    path.unlink()
        with suppress(OSError):  # a file of others is in it
            place.rmdir()
    with suppress(OSError):
        (folder / RANGES).rmdir()
