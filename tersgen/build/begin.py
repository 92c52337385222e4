"""What a build finds at its output: nothing, a part of itself, something else."""

import errno
import os
import shutil
import time
from collections.abc import Container, Iterable
from pathlib import Path

from ..dataset.documents import COPIES, RECIPE_COPY, load_basis, load_head, load_lock
from ..dataset.versions import newest_version, version_ids
from ..errors import OutputError
from ..schema.compare import compare_recipes, compare_tables
from ..schema.manifest import (
    JOURNAL,
    LOCK,
    MANIFEST,
    RECIPE,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..store.files import Check, file_facts, make_folder, write_durably
from ..store.home import Home, own_folder
from ..store.journal import read_journal
from ..store.lock import is_lock
from .plan import Plan
from .ranges import recorded_in_ranges
from .seal import is_there

_MOST_SHOWN = 12
_TRIES, _PAUSE_S = 10, 0.1
_PLANNED = (
    *("format", "generator", "seed"),
    *("n_samples", "chunk_rows", "shard_rows", "compression"),
)


def differences(home: Home, lock: Lock, plan: Plan) -> list[str]:
    """Return what a plan would build differently from what was begun, field by field."""
    wanted = plan.lock()
    tables = [{name: getattr(one, name) for name in _PLANNED} for one in (lock, wanted)]
    found = compare_tables(*tables)
    if lock.recipe_digest != wanted.recipe_digest:
        recipe = load_basis(home, lock.recipe_digest)
        found += [one for one in compare_recipes(recipe, plan.recipe) if one.field != "seed"]
    return [str(one) for one in found]


def _only_more(home: Home, lock: Lock, plan: Plan) -> bool:
    """Return whether a plan is what is there, complete, and more samples of it."""
    same = plan._replace(n_samples=lock.n_samples)
    return (home.folder / MANIFEST).exists() and not differences(home, lock, same)


def check_same(home: Home, plan: Plan) -> Manifest | None:
    """Return the manifest if the very dataset is complete already; None if it is to be continued.

    One that is lost, or not written yet, is that of the newest version: it is to be published.

    Raises
    ------
    OutputError
        If what is there was built, or begun, from another recipe or plan, with the differences; or
        it grows, or is half removed.
    DatasetError
        If its documents are damaged.
    """
    if not (home.folder / LOCK).exists():
        if any((home.folder / name).exists() for name in (MANIFEST, JOURNAL)):
            raise OutputError(
                f"{home.path}: {LOCK} is missing: damaged, or half replaced; run tersgen repair, "
                "or pass --overwrite to replace it"
            )
        return None
    lock = load_lock(home)
    found = differences(home, lock, plan)
    if found:
        if lock.n_samples < plan.n_samples and _only_more(home, lock, plan):
            raise OutputError(
                f"{home.path}: holds the first {lock.n_samples} of these {plan.n_samples} samples; "
                f"to add the others: tersgen extend {home.path} --to {plan.n_samples}; to begin "
                "again, pass --overwrite, or another --out"
            )
        more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise OutputError(
            f"{home.path}: holds another dataset: {'; '.join(found[:_MOST_SHOWN])}{more}. Run the "
            "command that began it, pass --overwrite to replace it, or another --out"
        )
    if os.path.lexists(home.folder / MANIFEST):
        manifest = load_head(home)
    elif version_ids(home):
        newest = newest_version(home)
        if newest is None or newest.n_samples != plan.n_samples:
            raise OutputError(
                f"{home.path}: {MANIFEST} is missing, and versions are there; run tersgen repair "
                "first"
            )
        return newest
    else:
        return None
    if manifest.n_samples != plan.n_samples:
        raise OutputError(
            f"{home.path}: holds {manifest.n_samples} samples, and an extension to "
            f"{plan.n_samples} samples is under way; finish it: tersgen extend {home.path} "
            f"--to {plan.n_samples}"
        )
    return manifest


def _remove_folder(folder: Path) -> None:
    """Remove a folder, into which a worker that has not been told yet may still be writing."""
    for _ in range(_TRIES):
        try:
            shutil.rmtree(folder)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            time.sleep(_PAUSE_S)
    shutil.rmtree(folder)


def remove_dataset(home: Home) -> None:
    """Remove everything of a dataset but the lock that is held.

    Raises
    ------
    OutputError
        If something cannot be removed.
    """
    try:
        # first what says that it is a dataset; the journal last: alone, it tells of a half removed
        first = [home.folder / name for name in (MANIFEST, LOCK)]
        last = home.folder / JOURNAL
        others = sorted(set(home.folder.iterdir()) - {*first, last})
        for path in (*first, home.path, *others, last):
            if path.is_dir() and not path.is_symlink():
                if path != home.folder:
                    _remove_folder(path)
            elif not is_lock(path.name):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{home.path}: cannot be replaced ({error.strerror or error}); remove it yourself or "
            "pass another --out"
        ) from error


def write_beginning(home: Home, plan: Plan, check: Check) -> None:
    """Write what a build needs to be continued: recipe, its copy, and the lock file, the last."""
    make_folder(home.folder / COPIES)
    recipe = [plan.recipe.model_dump_json(indent=1).encode() + b"\n"]
    write_durably(home.folder / RECIPE, recipe, check)
    write_durably(home.folder / RECIPE_COPY, recipe, check)
    write_lock(home, plan, check)


def write_lock(home: Home, plan: Plan, check: Check) -> None:
    """Write the lock file of a plan."""
    write_durably(home.folder / LOCK, [plan.lock().text.encode()], check)


def write_metadata(home: Home, plan: Plan, check: Check) -> dict[str, FileFacts]:
    """Write what describes the arrays to other software; return what each file is."""
    facts = {RECIPE: file_facts(home.folder / RECIPE)}
    for path, parts in plan.store(home).metadata_files(plan.n_samples).items():
        if path.parent not in (home.folder, home.path.parent):
            own_folder(home, path.parent.relative_to(home.folder).as_posix())
        facts[home.name_of(path)] = write_durably(path, parts, check, home.folder)
    return facts


def make_folders(home: Home, plan: Plan) -> None:
    """Make the folders that shards go into."""
    for inside in plan.store(home).shard_paths(0):
        own_folder(home, Path(inside).parent.as_posix())


def rows_kept(home: Home, plan: Plan, wanted: Container[int] | None = None) -> int:
    """Return how many rows of a plan the journals say are there, before anything is locked.

    Of all shards, or only of the ``wanted`` ones.

    Raises
    ------
    OutputError, DatasetError
        If another dataset is there, or a damaged one.
    """
    if not (home.folder / LOCK).exists():
        return 0
    check_same(home, plan)
    records = read_journal(home.folder).records + recorded_in_ranges(home.folder)
    newest = {record.shard: record for record in records}
    return sum(
        record.rows
        for shard, record in newest.items()
        if shard < plan.n_shards
        and record.rows == plan.rows_of(shard)
        and (wanted is None or shard in wanted)
    )


def kept_shards(home: Home, plan: Plan, records: Iterable[ShardRecord]) -> dict[int, ShardRecord]:
    """Return those of some records whose shards are there as the plan wants them."""
    newest = {record.shard: record for record in records}
    paths = plan.store(home).shard_paths
    return {
        shard: record
        for shard, record in newest.items()
        if shard < plan.n_shards
        and record.rows == plan.rows_of(shard)
        and set(record.files) == set(paths(shard))
        and is_there(home.folder, record)
    }
