"""Repair: what is damaged is rebuilt from the recipe, and proved by its digest."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.documents import (
    COPIES,
    FILES,
    FOLDERS,
    check_generator,
    load_journal,
    load_lock,
    load_version_file,
)
from ..dataset.faults import Verified
from ..dataset.inspection import metadata_damage
from ..dataset.ownership import is_dataset
from ..dataset.verify import (
    ShardsRead,
    Watch,
    array_roots,
    by_shard,
    check_shards,
    check_traces,
    verify,
)
from ..dataset.versions import (
    explain_incomplete,
    locate_newest,
    version_ids,
)
from ..errors import (
    DamagedDataError,
    DatasetError,
    NotSyntheticError,
)
from ..schema.manifest import (
    JOURNAL,
    LOCK,
    MANIFEST,
    RECIPE,
    VERSIONS,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..store.digest import dataset_digest
from ..store.files import facts_of, file_facts, write_durably
from ..store.interface import INDEX
from ..store.journal import Journal, JournalContent, rewrite_journal
from ..store.layout import Layout
from ..store.location import DatasetLocation, in_one_line
from ..store.lock import BuilderLock
from ..text import counted
from .chunks import Shard
from .commit import ShardCommitter, is_there, remove_leftovers
from .executors.threads import make_shards
from .finish import Origin, make_manifest
from .plan import Plan
from .progress import ProgressCounter, Report
from .restore import (
    Repair,
    clear_files,
    clear_folders,
    restore_history,
    restore_lock,
    restore_manifest,
    restore_recipe,
    restore_splits,
)
from .start import make_folders, plan_of


class Repaired(NamedTuple):
    """What was rebuilt, and what a verification says afterwards."""

    done: list[str]
    verified: Verified


class _ProvingCommitter(ShardCommitter):
    """Commits only shards whose digests are those that were recorded."""

    expected: Mapping[int, ShardRecord]

    def commit(self, shard: Shard) -> ShardRecord:
        """Prove a shard, then put it in the place of the damaged one."""
        record = self.expected.get(shard.number)
        made = shard.digests()
        if record is not None and made != record.digests:
            name = next(name for name in made if made[name] != record.digests.get(name))
            raise DamagedDataError(
                f"shard {shard.number}: this version of tersgen makes other values of {name} than "
                "were recorded, so it was not replaced; repair with the versions in lock.json"
            )
        return super().commit(shard)


def _description(location: DatasetLocation, manifest: Manifest | None) -> Manifest | Lock:
    """Return what says how large the dataset is."""
    if manifest is not None:
        return manifest
    try:
        return load_lock(location)
    except DatasetError:
        raise explain_incomplete(location) from None


def _trusted(
    plan: Plan, manifest: Manifest | None, known: list[ShardRecord], found: ShardsRead
) -> dict[int, ShardRecord]:
    """Return the record of each shard: what is recorded, or what was read if that is proved."""
    newest = plan.recorded(known)
    read = found.records
    if manifest is not None:
        for records in (newest, {**read, **newest}, {**newest, **read}):
            if _proves(manifest, records):
                return records
    return newest


def _proves(manifest: Manifest, records: Mapping[int, ShardRecord]) -> bool:
    """Return whether records make up the digest of a version."""
    if len(records) < Layout.of(manifest).n_shards(manifest.n_samples):
        return False
    roots = array_roots(manifest, records)
    return dataset_digest(manifest.contents, manifest.n_samples, roots) == manifest.digest


def repair(
    path: str | Path,
    threads: int | None = None,
    watch: Watch | None = None,
    report: Report | None = None,
) -> Repaired:
    """Make what is damaged in a dataset again, and nothing else.

    Shards are made from the recipe, and take the place of damaged ones only if their digests are
    those that were recorded. Recipe, manifest, lock file, journal, metadata and splits are restored
    from each other.
    """
    location = locate_newest(path, "repair")
    if not is_dataset(location.folder):
        raise DatasetError(
            f"{location}: expected a dataset of tersgen, found none of its documents whole "
            f"({LOCK}, {MANIFEST}, {VERSIONS}, {JOURNAL}); restore one from a copy of the dataset"
        )
    done: list[str] = []
    with in_one_line(location, "cannot be repaired"), BuilderLock(location.folder) as lock:
        _repair(Repair(location, lock, done), threads or available_cpus(), watch, report)
    return Repaired(done, verify(path, threads=threads))


_ONE_FOR_ALL = ("format", "recipe_digest", "chunk_rows", "shard_rows", "compression", "fields")
"""What is the same in all versions of a dataset: they share its shards."""


def _refuse_contradiction(location: DatasetLocation, manifest: Manifest) -> None:
    """Refuse a newest version whose shards cannot be those of the other versions."""
    for version in version_ids(location):
        try:
            other = load_version_file(location, version)
        except DatasetError:
            continue
        for name in _ONE_FOR_ALL:
            if getattr(other, name) != getattr(manifest, name):
                raise DatasetError(
                    f"{location.folder / MANIFEST}: its {name} are not those of version "
                    f"{version[:12]}, with which it shares its shards, so nothing was repaired; "
                    f"remove the one that is foreign from {VERSIONS}, {COPIES} and {MANIFEST}"
                )


def _repair(repair: Repair, threads: int, watch: Watch | None, report: Report | None) -> None:
    location, done = repair.location, repair.done
    clear_folders(repair, FOLDERS)
    clear_files(repair, FILES)
    restore_history(repair)
    manifest = restore_manifest(repair)
    if manifest is not None:
        _refuse_contradiction(location, manifest)
    description = _description(location, manifest)
    facts = manifest.files.get(RECIPE) if manifest else None
    document = restore_recipe(repair, description.recipe_digest, facts)
    plan = plan_of(location, description, document)
    journal = _journal(location, plan)
    if manifest is None and len(plan.recorded(journal.records)) < plan.n_shards:
        raise explain_incomplete(location)
    store = plan.store()
    check_traces(location, store, plan.n_shards, len(by_shard(journal.records)))
    restore_lock(repair, plan)
    paths = store.shard_paths
    clear_files(repair, [name for shard in range(plan.n_shards) for name in paths(shard)])
    make_folders(location, plan)
    for record in {record.shard: record for record in journal.records}.values():
        if set(record.files) == set(paths(record.shard)):
            is_there(location.folder, record)  # finishes a replacement that was interrupted
    remove_leftovers(location.folder)
    found = check_shards(
        location, store, description, by_shard(journal.records), False, threads, watch
    )
    trusted = _trusted(plan, manifest, journal.records, found)
    newest = {(record.shard, record.rows): record for record in journal.records}
    right = {(record.shard, record.rows): record for record in trusted.values()}
    if journal.bad_lines or any(newest.get(key) != record for key, record in right.items()):
        rewrite_journal(location.folder, list({**newest, **right}.values()), repair.lock.check)
        done.append(f"{JOURNAL} written again")
    broken = {fault.shard for fault in found.faults if fault.kind != "journal"}
    broken |= set(range(plan.n_shards)) - set(trusted)
    todo = sorted(shard for shard in broken if shard is not None)
    replaced = _replace_shards(repair, plan, todo, trusted, threads, report)
    done += [
        f"shard {shard}: {counted(plan.rows_of(shard), 'row')} rebuilt, digests as recorded"
        for shard in sorted(replaced)
    ]
    _publish_again(repair, plan, manifest, {**trusted, **replaced})
    manifest = manifest or restore_manifest(repair)
    if manifest is not None:
        restore_splits(repair, plan, manifest)


def _journal(location: DatasetLocation, plan: Plan) -> JournalContent:
    """Return the journal; one that cannot be read counts for nothing."""
    try:
        return load_journal(location, plan.n_shards, len(plan.classes))
    except DatasetError:
        return JournalContent([], [1])


def _replace_shards(
    repair: Repair,
    plan: Plan,
    todo: list[int],
    trusted: Mapping[int, ShardRecord],
    threads: int,
    report: Report | None,
) -> dict[int, ShardRecord]:
    if not todo:
        return {}
    location = repair.location
    if plan.document.is_measured:
        raise NotSyntheticError(
            f"{location}: shard {todo[0]}{' and others' if len(todo) > 1 else ''}: damaged, and "
            "measured rows cannot be rebuilt; restore the shard from a copy, or read the files "
            "again: tersgen ingest ... --overwrite"
        )
    check_generator(location.path, plan.contents, plan.document)
    store = plan.store()
    counter = ProgressCounter(sum(plan.rows_of(shard) for shard in todo), report, len(todo))
    with Journal(location.folder, repair.lock.check) as journal:
        committer = _ProvingCommitter(location.folder, store, repair.lock, journal)
        committer.expected = trusted
        make_shards(plan, todo, plan.maker(store), committer, threads, counter)
    return {record.shard: record for record in committer.committed}


def _restore_metadata(
    repair: Repair, plan: Plan, known: Mapping[str, FileFacts]
) -> dict[str, FileFacts]:
    """Write what describes the arrays again where it is damaged; return what each file is."""
    location, store, folder = repair.location, plan.store(), repair.location.folder
    files = {RECIPE: file_facts(folder / RECIPE)}
    metadata = store.metadata_files(plan.n_samples, folder.name)
    clear_files(repair, [name for name in metadata if name != INDEX])
    for name, parts in metadata.items():
        facts = known.get(name, facts_of(parts))
        if metadata_damage(location, store, name, parts, facts) is not None:
            path = location.file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            facts = write_durably(path, parts, repair.lock.check, folder)
            repair.done.append(f"{name} written again")
        files[name] = facts
    return files


def _publish_again(
    repair: Repair, plan: Plan, manifest: Manifest | None, records: Mapping[int, ShardRecord]
) -> None:
    """Restore metadata, and prove the dataset's digest; publish a version if need be."""
    files = _restore_metadata(repair, plan, manifest.files if manifest else {})
    check = repair.lock.check
    if manifest is None:
        restored = make_manifest(plan, records, files, Origin("build"), check)
        repair.publish(restored, f"{MANIFEST} rebuilt: digest {restored.digest[:12]}")
        return
    origin = Origin(
        "repair", parent=manifest, splits=lambda _: manifest.splits, digest=manifest.digest
    )
    proved = make_manifest(plan, records, files, origin, check)
    changed = [name for name, facts in files.items() if manifest.files.get(name) != facts]
    if changed or proved.bytes_stored != manifest.bytes_stored:
        repair.publish(proved, "a version with the new sizes of files published")
