"""What a build finds at its output: nothing, a part of itself, something else."""

import os
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from ..dataset.documents import (
    COPIES,
    LIBRARY_COPY,
    RECIPE_COPY,
    checked_layout,
    load_head,
    load_lock,
    load_stored_basis,
    not_synthetic,
    understood,
)
from ..dataset.versions import newest_version, version_ids
from ..effects.contents import contents_of
from ..errors import OutputError
from ..library.libraryfile import library_parts
from ..schema.compare import compare_documents, compare_tables
from ..schema.manifest import (
    JOURNAL,
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..store.files import Check, file_facts, write_durably
from ..store.journal import read_journal
from ..store.location import DatasetLocation, own_folder
from .inventory import Inventory, remove_files
from .plan import Plan
from .ranges import recorded_in_ranges
from .seal import is_there

_MOST_SHOWN = 12
_PLANNED = (
    *("format", "generator", "seed"),
    *("n_samples", "chunk_rows", "shard_rows", "compression"),
)


def begun_plan(home: DatasetLocation, lock: Lock) -> Plan:
    """Return the plan of a synthetic dataset that was begun.

    Raises
    ------
    DatasetError
        If its recipe is damaged, or this version of tersgen makes other rows.
    NotSyntheticError
        If the dataset was measured.
    """
    document = load_stored_basis(home, lock.recipe_digest)
    if document.is_measured:
        raise not_synthetic(home.path, document)
    understood(home.path, document)
    contents = contents_of(document)
    layout = checked_layout(home.path, lock, contents.fields)
    return Plan(document, contents, lock.n_samples, layout, lock.format)


def differences(home: DatasetLocation, lock: Lock, plan: Plan) -> list[str]:
    """Return what a plan would build differently from what was begun, field by field."""
    wanted = plan.lock()
    tables = [{name: getattr(one, name) for name in _PLANNED} for one in (lock, wanted)]
    found = compare_tables(*tables)
    if lock.recipe_digest != wanted.recipe_digest:
        if not os.path.lexists(home.folder / RECIPE):  # its builder did not get to it
            digests = [{"recipe": one.recipe_digest[:12]} for one in (lock, wanted)]
            return [str(one) for one in (*compare_tables(*digests), *found)]
        there = load_stored_basis(home, lock.recipe_digest)
        found += [one for one in compare_documents(there, plan.document) if one.field != "seed"]
    return [str(one) for one in found]


def _only_more(home: DatasetLocation, lock: Lock, plan: Plan) -> bool:
    """Return whether a plan is what is there, complete, and more samples of it."""
    same = plan._replace(n_samples=lock.n_samples)
    return (home.folder / MANIFEST).exists() and not differences(home, lock, same)


def check_same(home: DatasetLocation, plan: Plan) -> Manifest | None:
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


def remove_begun(home: DatasetLocation, plan: Plan, check: Check) -> None:
    """Remove what a build of a plan has begun, name by name, but the lock that is held.

    Raises
    ------
    OSError
        If something cannot be removed.
    LostLockError
        If another builder has taken over.
    """
    fields = [spec.name for spec in plan.table]
    axes = [axis.name for axis in plan.contents.axes]
    remove_files(Inventory(home.folder, fields, axes, plan.n_shards), check)


def write_beginning(home: DatasetLocation, plan: Plan, check: Check) -> None:
    """Write what a build needs to be continued: the lock file first, then library and recipe.

    The lock file makes the folder ours, and names the recipe by its digest; what a builder that was
    killed did not get to is written by the next.
    """
    if not (home.folder / LOCK).exists():
        write_lock(home, plan, check)
    own_folder(home, COPIES)
    for name, parts in beginning(plan).items():
        if not os.path.lexists(home.folder / name):
            write_durably(home.folder / name, parts, check)


def beginning(plan: Plan) -> dict[str, Sequence[bytes]]:
    """Return the documents that rows are made from, in the order in which they are written."""
    files: dict[str, Sequence[bytes]] = {}
    library = plan.document.library
    if library is not None:
        parts = library_parts(library)
        files = {LIBRARY: parts, LIBRARY_COPY: parts}
    recipe = [plan.document.text]
    return {**files, RECIPE: recipe, RECIPE_COPY: recipe}


def write_lock(home: DatasetLocation, plan: Plan, check: Check) -> None:
    """Write the lock file of a plan."""
    write_durably(home.folder / LOCK, [plan.lock().text.encode()], check)


def write_metadata(home: DatasetLocation, plan: Plan, check: Check) -> dict[str, FileFacts]:
    """Write what describes the arrays to other software; return what each file is."""
    facts = {RECIPE: file_facts(home.folder / RECIPE)}
    for path, parts in plan.store(home).metadata_files(plan.n_samples).items():
        if path.parent not in (home.folder, home.path.parent):
            own_folder(home, path.parent.relative_to(home.folder).as_posix())
        facts[home.name_of(path)] = write_durably(path, parts, check, home.folder)
    return facts


def make_folders(home: DatasetLocation, plan: Plan) -> None:
    """Make the folders that shards go into."""
    for inside in plan.store(home).shard_paths(0):
        own_folder(home, Path(inside).parent.as_posix())


def rows_kept(home: DatasetLocation, plan: Plan, wanted: Container[int] | None = None) -> int:
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


def kept_shards(
    home: DatasetLocation, plan: Plan, records: Iterable[ShardRecord]
) -> dict[int, ShardRecord]:
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
