"""Repair: what is damaged is rebuilt from the recipe, and proved by its digest."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.documents import (
    COPIES,
    LIBRARY_COPY,
    RECIPE_COPY,
    check_generator,
    checked_layout,
    load_journal,
    load_lock,
    load_version_file,
    understood,
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
from ..dataset.versions import explain_incomplete, locate, publish, split_reference, version_ids
from ..effects.contents import contents_of
from ..errors import (
    ConfigError,
    DamagedDataError,
    DatasetError,
    NotSyntheticError,
    OutputError,
    TersError,
)
from ..files import why
from ..schema.basis import StoredBasis
from ..schema.manifest import (
    JOURNAL,
    LIBRARY,
    LOCK,
    MANIFEST,
    RECIPE,
    SPLITS,
    TAGS,
    VERSIONS,
    FileFacts,
    Lock,
    Manifest,
    ShardRecord,
)
from ..store.digest import dataset_digest
from ..store.files import facts_of, file_facts, write_durably
from ..store.journal import Journal, JournalContent, rewrite_journal
from ..store.location import DatasetLocation
from ..store.lock import BuilderLock
from .chunks import Shard
from .executors.threads import make_shards
from .finish import Origin, make_manifest
from .plan import Plan
from .progress import ProgressCounter, Report
from .restore import (
    clear_files,
    clear_folders,
    restore_history,
    restore_lock,
    restore_manifest,
    restore_recipe,
    restore_splits,
)
from .seal import Sealer, is_there, remove_leftovers
from .start import make_folders

_FOLDERS = (VERSIONS, COPIES, TAGS, SPLITS)
_DOCUMENTS = (MANIFEST, RECIPE, RECIPE_COPY, LIBRARY, LIBRARY_COPY, LOCK, JOURNAL)


class Repaired(NamedTuple):
    """What was rebuilt, and what a verification says afterwards."""

    done: list[str]
    verified: Verified


class _ProvingSealer(Sealer):
    """Seals only shards whose digests are those that were recorded."""

    expected: Mapping[int, ShardRecord]

    def seal(self, shard: Shard) -> ShardRecord:
        """Prove a shard, then put it in the place of the damaged one."""
        record = self.expected.get(shard.number)
        made = shard.digests()
        if record is not None and made != record.digests:
            name = next(name for name in made if made[name] != record.digests.get(name))
            raise DamagedDataError(
                f"shard {shard.number}: this version of tersgen makes other values of {name} than "
                "were sealed, so it was not replaced; repair with the versions in lock.json"
            )
        return super().seal(shard)


def _plan(home: DatasetLocation, description: Manifest | Lock, document: StoredBasis) -> Plan:
    if isinstance(description, Manifest):
        contents = description.contents
    else:
        understood(home.path, document)
        contents = contents_of(document)
    layout = checked_layout(home.path, description, contents.fields)
    return Plan(document, contents, description.n_samples, layout, description.format)


def _description(home: DatasetLocation, manifest: Manifest | None) -> Manifest | Lock:
    """Return what says how large the dataset is.

    Raises
    ------
    IncompleteDatasetError
        If its build did not get far enough to say so.
    """
    if manifest is not None:
        return manifest
    try:
        return load_lock(home)
    except DatasetError:
        raise explain_incomplete(home) from None


def _trusted(
    plan: Plan, manifest: Manifest | None, known: list[ShardRecord], found: ShardsRead
) -> dict[int, ShardRecord]:
    """Return the record of each shard: what was sealed, or what was read if that is proved."""
    newest = _recorded(plan, known)
    read = found.records
    if manifest is not None:
        for records in (newest, {**read, **newest}, {**newest, **read}):
            if _proves(manifest, records):
                return records
    return newest


def _proves(manifest: Manifest, records: Mapping[int, ShardRecord]) -> bool:
    """Return whether records make up the digest of a version."""
    if len(records) < -(-manifest.n_samples // manifest.shard_rows):
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
    those that were sealed. Recipe, manifest, lock file, journal, metadata and splits are restored
    from each other.

    Raises
    ------
    IncompleteDatasetError
        If the build did not finish: it has to be resumed.
    DatasetError
        If there is no dataset, or what all else is made from is lost.
    DamagedDataError
        If the generator makes other values than those that were sealed.
    BusyError
        If a builder is writing the dataset.
    """
    path, reference = split_reference(path)
    if reference is not None:
        raise ConfigError(f"{path}@{reference}: expected a dataset, got a version; repair {path}")
    home = locate(path)
    if not is_dataset(home.folder):
        raise DatasetError(
            f"{path}: expected a dataset of tersgen, found none of its documents whole ({LOCK}, "
            f"{MANIFEST}, {VERSIONS}, {JOURNAL}); restore one from a copy of the dataset"
        )
    done: list[str] = []
    try:
        with BuilderLock(home.folder) as lock:
            _repair(home, lock, done, threads or available_cpus(), watch, report)
    except OSError as error:
        if isinstance(error, TersError):
            raise
        raise OutputError(f"{path}: cannot be repaired: {why(error)}") from error
    return Repaired(done, verify(path, threads=threads))


_ONE_FOR_ALL = ("format", "recipe_digest", "chunk_rows", "shard_rows", "compression", "fields")
"""What is the same in all versions of a dataset: they share its shards."""


def _refuse_contradiction(home: DatasetLocation, manifest: Manifest) -> None:
    """Refuse a newest version whose shards cannot be those of the other versions.

    Raises
    ------
    DatasetError
        If there is one: to make its shards would destroy those of the others.
    """
    for version in version_ids(home):
        try:
            other = load_version_file(home, version)
        except DatasetError:
            continue
        for name in _ONE_FOR_ALL:
            if getattr(other, name) != getattr(manifest, name):
                raise DatasetError(
                    f"{home.folder / MANIFEST}: its {name} are not those of version "
                    f"{version[:12]}, with which it shares its shards, so nothing was repaired; "
                    f"remove the one that is foreign from {VERSIONS}, {COPIES} and {MANIFEST}"
                )


def _repair(
    home: DatasetLocation,
    lock: BuilderLock,
    done: list[str],
    threads: int,
    watch: Watch | None,
    report: Report | None,
) -> None:
    clear_folders(home, _FOLDERS, done)
    clear_files(home, _DOCUMENTS, done)
    restore_history(home, lock.check, done)
    manifest = restore_manifest(home, lock.check, done)
    if manifest is not None:
        _refuse_contradiction(home, manifest)
    description = _description(home, manifest)
    facts = manifest.files.get(RECIPE) if manifest else None
    document = restore_recipe(home, description.recipe_digest, facts, lock.check, done)
    plan = _plan(home, description, document)
    journal = _journal(home, plan)
    if manifest is None and len(_recorded(plan, journal.records)) < plan.n_shards:
        raise explain_incomplete(home)
    check_traces(home, plan.store(home), plan.n_shards, len(by_shard(journal.records)))
    restore_lock(home, plan, lock.check, done)
    paths = plan.store(home).shard_paths
    clear_files(home, [name for shard in range(plan.n_shards) for name in paths(shard)], done)
    make_folders(home, plan)
    for record in {record.shard: record for record in journal.records}.values():
        if set(record.files) == set(paths(record.shard)):
            is_there(home.folder, record)  # finishes a replacement that was interrupted
    remove_leftovers(home.folder)
    found = check_shards(
        home,
        description,
        plan.contents,
        plan.layout,
        by_shard(journal.records),
        False,
        threads,
        watch,
    )
    trusted = _trusted(plan, manifest, journal.records, found)
    newest = {(record.shard, record.rows): record for record in journal.records}
    right = {(record.shard, record.rows): record for record in trusted.values()}
    if journal.bad_lines or any(newest.get(key) != record for key, record in right.items()):
        rewrite_journal(home.folder, list({**newest, **right}.values()), lock.check)
        done.append(f"{JOURNAL} written again")
    broken = {fault.shard for fault in found.faults if fault.kind != "journal"}
    broken |= set(range(plan.n_shards)) - set(trusted)
    todo = sorted(shard for shard in broken if shard is not None)
    sealed_now = _replace_shards(home, plan, lock, todo, trusted, threads, report)
    done += [f"shard {shard}: {plan.rows_of(shard)} rows rebuilt, digests as sealed"
             for shard in sorted(sealed_now)]  # fmt: skip
    _publish_again(home, plan, lock, manifest, {**trusted, **sealed_now}, done)
    manifest = manifest or restore_manifest(home, lock.check, done)
    if manifest is not None:
        restore_splits(home, plan, manifest, lock.check, done)


def _journal(home: DatasetLocation, plan: Plan) -> JournalContent:
    """Return the journal; one that cannot be read counts for nothing."""
    try:
        return load_journal(home, plan.n_shards, len(plan.classes))
    except DatasetError:
        return JournalContent([], [1])


def _recorded(plan: Plan, records: list[ShardRecord]) -> dict[int, ShardRecord]:
    """Return the newest record of each shard that a plan has."""
    return {
        record.shard: record
        for record in records
        if record.shard < plan.n_shards and record.rows == plan.rows_of(record.shard)
    }


def _replace_shards(
    home: DatasetLocation,
    plan: Plan,
    lock: BuilderLock,
    todo: list[int],
    trusted: Mapping[int, ShardRecord],
    threads: int,
    report: Report | None,
) -> dict[int, ShardRecord]:
    if not todo:
        return {}
    if plan.document.is_measured:
        raise NotSyntheticError(
            f"{home.path}: shard {todo[0]}{' and others' if len(todo) > 1 else ''}: damaged, and "
            "measured rows cannot be rebuilt; restore the shard from a copy, or read the files "
            "again: tersgen ingest ... --overwrite"
        )
    check_generator(home.path, plan.contents, plan.document)
    store = plan.store(home)
    tally = ProgressCounter(sum(plan.rows_of(shard) for shard in todo), report, len(todo))
    with Journal(home.folder, lock.check) as journal:
        sealer = _ProvingSealer(home.folder, store, lock, journal)
        sealer.expected = trusted
        make_shards(plan, todo, plan.maker(store), sealer, threads, tally)
    return {record.shard: record for record in sealer.sealed}


def _restore_metadata(
    home: DatasetLocation,
    plan: Plan,
    lock: BuilderLock,
    known: Mapping[str, FileFacts],
    done: list[str],
) -> dict[str, FileFacts]:
    """Write what describes the arrays again where it is damaged; return what each file is."""
    files = {RECIPE: file_facts(home.folder / RECIPE)}
    store = plan.store(home)
    metadata = store.metadata_files(plan.n_samples)
    clear_files(home, [home.name_of(path) for path in metadata if path != home.path], done)
    for path, parts in metadata.items():
        name = home.name_of(path)
        facts = known.get(name, facts_of(parts))
        if metadata_damage(home, store, path, parts, facts) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            facts = write_durably(path, parts, lock.check, home.folder)
            done.append(f"{name} written again")
        files[name] = facts
    return files


def _publish_again(
    home: DatasetLocation,
    plan: Plan,
    lock: BuilderLock,
    manifest: Manifest | None,
    records: Mapping[int, ShardRecord],
    done: list[str],
) -> None:
    """Put metadata right, and prove the dataset's digest; publish a version if need be."""
    files = _restore_metadata(home, plan, lock, manifest.files if manifest else {}, done)
    if manifest is None:
        restored = make_manifest(plan, records, files, Origin("build"), lock.check)
        publish(home, restored, lock.check)
        done.append(f"manifest.json rebuilt: digest {restored.digest[:12]}")
        return
    origin = Origin(
        "repair", parent=manifest, splits=lambda _: manifest.splits, digest=manifest.digest
    )
    proved = make_manifest(plan, records, files, origin, lock.check)
    changed = [name for name, facts in files.items() if manifest.files.get(name) != facts]
    if changed or proved.bytes_stored != manifest.bytes_stored:
        publish(home, proved, lock.check)
        done.append("a version with the new sizes of files published")
