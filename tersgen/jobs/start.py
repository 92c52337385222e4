"""What a build finds at its output: nothing, an unfinished build, or something else."""

import os
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from ..dataset.basis import StoredBasis, contents_of
from ..dataset.compare import compare_documents, compare_tables
from ..dataset.documents import (
    COPIES,
    LIBRARY_COPY,
    RECIPE_COPY,
    TIP_FIELD_COPY,
    checked_layout,
    load_head,
    load_lock,
    load_stored_basis,
    not_synthetic,
    understood,
)
from ..dataset.versions import newest_version, version_ids
from ..errors import OutputError
from ..library.libraryfile import library_parts
from ..schema.manifest import (
    JOURNAL,
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    TIP_FIELD,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..store.files import Check, file_facts, write_durably
from ..store.journal import read_journal
from ..store.location import DatasetLocation, own_folder
from ..text import command
from ..tipfield.file import npz_bytes
from .commit import is_there
from .inventory import Inventory, remove_files
from .plan import Plan
from .ranges import recorded_in_ranges

_MOST_SHOWN = 12
_PLANNED = (
    *("format", "generator", "seed"),
    *("n_samples", "chunk_rows", "shard_rows", "compression"),
)


def stored_plan(location: DatasetLocation, lock: Lock) -> Plan:
    """Return the plan of a synthetic dataset whose build has started."""
    document = load_stored_basis(location, lock.recipe_digest)
    if document.is_measured:
        raise not_synthetic(location.path, document)
    return plan_of(location, lock, document)


def plan_of(location: DatasetLocation, description: Manifest | Lock, document: StoredBasis) -> Plan:
    """Return the plan of a dataset, from what a version of it or its lock file says."""
    if isinstance(description, Manifest):
        contents = description.contents
    else:
        understood(location.path, document)
        contents = contents_of(document)
    layout = checked_layout(location.path, description, contents.fields)
    return Plan(document, contents, description.n_samples, layout, description.format)


def differences(location: DatasetLocation, lock: Lock, plan: Plan) -> list[str]:
    """Return what a plan would build differently from what is there, field by field."""
    wanted = plan.lock()
    tables = [{name: getattr(one, name) for name in _PLANNED} for one in (lock, wanted)]
    found = compare_tables(*tables)
    if lock.recipe_digest != wanted.recipe_digest:
        if not os.path.lexists(location.folder / RECIPE):  # its builder did not get to it
            digests = [{"recipe": one.recipe_digest[:12]} for one in (lock, wanted)]
            return [str(one) for one in (*compare_tables(*digests), *found)]
        there = load_stored_basis(location, lock.recipe_digest)
        found += [one for one in compare_documents(there, plan.document) if one.field != "seed"]
    return [str(one) for one in found]


def _only_more(location: DatasetLocation, lock: Lock, plan: Plan) -> bool:
    """Return whether a plan is what is there, complete, and more samples of it."""
    same = plan._replace(n_samples=lock.n_samples)
    return (location.folder / MANIFEST).exists() and not differences(location, lock, same)


def check_same(location: DatasetLocation, plan: Plan) -> Manifest | None:
    """Return the manifest if the very dataset is complete already; None if it is to be continued.

    One that is lost, or not written yet, is that of the newest version: it is to be published.

    Raises
    ------
    OutputError
        If what is there was made from another recipe or plan, with the differences; or
        it grows, or is half removed.
    DatasetError
        If its documents are damaged.
    """
    if not (location.folder / LOCK).exists():
        if any((location.folder / name).exists() for name in (MANIFEST, JOURNAL)):
            raise OutputError(
                f"{location}: {LOCK} is missing: damaged, or half replaced; run tersgen repair, "
                "or pass --overwrite to replace it"
            )
        return None
    lock = load_lock(location)
    found = differences(location, lock, plan)
    if found:
        if lock.n_samples < plan.n_samples and _only_more(location, lock, plan):
            more = command("tersgen", "extend", location.path, "--to", plan.n_samples)
            raise OutputError(
                f"{location}: holds the first {lock.n_samples} of these {plan.n_samples} samples; "
                f"to add the others: {more}; to start again, pass --overwrite, or another --out"
            )
        more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise OutputError(
            f"{location}: holds another dataset: {'; '.join(found[:_MOST_SHOWN])}{more}. Run the "
            "command that started it, choose another --out, or replace it (remove it or pass "
            "--overwrite)"
        )
    if os.path.lexists(location.folder / MANIFEST):
        manifest = load_head(location)
    elif version_ids(location):
        newest = newest_version(location)
        if newest is None or newest.n_samples != plan.n_samples:
            raise OutputError(
                f"{location}: {MANIFEST} is missing, and versions are there; run tersgen repair "
                "first"
            )
        return newest
    else:
        return None
    if manifest.n_samples != plan.n_samples:
        raise OutputError(
            f"{location.path}: holds {manifest.n_samples} samples, and an extension to "
            f"{plan.n_samples} samples is under way; finish it: "
            f"{command('tersgen', 'extend', location.path, '--to', plan.n_samples)}"
        )
    return manifest


def remove_started(location: DatasetLocation, plan: Plan, check: Check) -> None:
    """Remove what a build of a plan has written, name by name, but the lock that is held."""
    fields = [spec.name for spec in plan.table]
    axes = [one.name for one in plan.contents.positions]
    remove_files(Inventory(location.folder, fields, axes, plan.n_shards), check)


def write_documents(location: DatasetLocation, plan: Plan, check: Check) -> None:
    """Write what a build needs to be continued: the lock file first, then library and recipe.

    The lock file makes the folder ours, and names the recipe by its digest; what a builder that was
    killed did not get to is written by the next.
    """
    if not (location.folder / LOCK).exists():
        write_lock(location, plan, check)
    own_folder(location, COPIES)
    for name, parts in stored_documents(plan).items():
        if not os.path.lexists(location.folder / name):
            write_durably(location.folder / name, parts, check)


def stored_documents(plan: Plan) -> dict[str, Sequence[bytes]]:
    """Return the documents that rows are made from, in the order in which they are written."""
    files: dict[str, Sequence[bytes]] = {}
    library = plan.document.library
    if library is not None:
        parts = library_parts(library)
        files = {LIBRARY: parts, LIBRARY_COPY: parts}
    field = plan.document.tip_field
    if field is not None:
        content = [npz_bytes(field)]
        files |= {TIP_FIELD: content, TIP_FIELD_COPY: content}
    recipe = [plan.document.text]
    return {**files, RECIPE: recipe, RECIPE_COPY: recipe}


def write_lock(location: DatasetLocation, plan: Plan, check: Check) -> None:
    """Write the lock file of a plan."""
    write_durably(location.folder / LOCK, [plan.lock().text.encode()], check)


def write_metadata(location: DatasetLocation, plan: Plan, check: Check) -> dict[str, FileFacts]:
    """Write what describes the arrays to other software; return what each file is."""
    facts = {RECIPE: file_facts(location.folder / RECIPE)}
    folder = location.folder
    for name, parts in plan.store().metadata_files(plan.n_samples, folder.name).items():
        if "/" in name:
            own_folder(location, name.rpartition("/")[0])
        facts[name] = write_durably(location.file(name), parts, check, folder)
    return facts


def make_folders(location: DatasetLocation, plan: Plan) -> None:
    """Make the folders that shards go into."""
    for inside in plan.store().shard_paths(0):
        own_folder(location, Path(inside).parent.as_posix())


def rows_kept(location: DatasetLocation, plan: Plan, wanted: Container[int] | None = None) -> int:
    """Return how many rows of a plan the journals say are there, before anything is locked.

    Of all shards, or only of the ``wanted`` ones.
    """
    if not (location.folder / LOCK).exists():
        return 0
    check_same(location, plan)
    records = read_journal(location.folder).records + recorded_in_ranges(location.folder)
    return sum(
        record.rows
        for shard, record in plan.recorded(records).items()
        if wanted is None or shard in wanted
    )


def kept_shards(
    location: DatasetLocation, plan: Plan, records: Iterable[ShardRecord]
) -> dict[int, ShardRecord]:
    """Return those of some records whose shards are there as the plan wants them."""
    paths = plan.store().shard_paths
    return {
        shard: record
        for shard, record in plan.recorded(records).items()
        if set(record.files) == set(paths(shard)) and is_there(location.folder, record)
    }
