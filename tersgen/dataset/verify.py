"""Verification: whether a dataset is whole, and every value as it was recorded."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..cpus import available_cpus
from ..errors import DatasetError
from ..schema.manifest import JOURNAL, RECIPE, Lock, Manifest, ShardRecord
from ..store.backends import make_store
from ..store.digest import combine, dataset_digest
from ..store.interface import Store
from ..store.layout import Layout
from ..store.location import DatasetLocation
from ..urls import as_path
from .documents import checked_layout
from .faults import Fault, Verified
from .inspection import check_metadata, check_splits, fault, finished_extension, read_documents
from .shards import Checked, RecordedFile, ShardChecker, as_record
from .versions import locate_version

A = TypeVar("A")
B = TypeVar("B")

_AHEAD = 4
_MOST_LOST = 10_000


class ShardsRead(NamedTuple):
    """What all shards turned out to be."""

    records: dict[int, ShardRecord]
    """What was read of each shard that could be read whole."""
    faults: list[Fault]
    bytes_checked: int


Watch = Callable[[int, int], None]
"""Called with shard files done and their number in all."""


def in_parallel(function: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """Yield ``function`` of each item in order, a few of them at work at a time."""
    left = iter(items)
    with ThreadPoolExecutor(threads, "tersgen-verify") as pool:
        waiting = [pool.submit(function, item) for item in islice(left, _AHEAD * threads)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(left, 1)]
            yield result


def by_shard(records: Iterable[ShardRecord]) -> dict[int, list[ShardRecord]]:
    """Return records by their shard, in order."""
    found: dict[int, list[ShardRecord]] = {}
    for record in records:
        found.setdefault(record.shard, []).append(record)
    return found


def check_shards(
    location: DatasetLocation,
    store: Store,
    description: Manifest | Lock,
    records: dict[int, list[ShardRecord]],
    quick: bool,
    threads: int,
    watch: Watch | None,
) -> ShardsRead:
    """Hold every shard of a dataset against its record."""
    layout, n_samples = store.layout, description.n_samples
    n_shards = layout.n_shards(n_samples)
    check_traces(location, store, n_shards, len(records))
    checker = ShardChecker(location.folder, store, records)
    faults: list[Fault] = []

    def files() -> Iterator[RecordedFile]:
        for shard in range(n_shards):
            rows = layout.rows_of(shard, n_samples)
            known = records.get(shard, [])
            if not any(record.rows >= rows for record in known):
                text = f"has no record of shard {shard}, {rows} rows"
                faults.append(
                    fault("journal", location.folder / JOURNAL, text).model_copy(
                        update={"shard": shard}
                    )
                )
            yield from checker.files(shard, rows)

    check = checker.check_presence if quick else checker.check_content
    per_shard = len(store.shard_paths(0))
    read: dict[int, ShardRecord] = {}
    parts: list[Checked] = []
    n_bytes = 0
    for done, one in enumerate(in_parallel(check, files(), threads), start=1):
        faults += one.faults
        n_bytes += one.bytes_read
        parts.append(one)
        if len(parts) == per_shard:
            record = as_record(parts)
            if record is not None:
                read[record.shard] = record
            parts = []
        if watch is not None:
            watch(done, n_shards * per_shard)
    if isinstance(description, Manifest) and len(read) == n_shards:
        roots = array_roots(description, read)
        if dataset_digest(store.contents, n_samples, roots) == description.digest:
            faults = [_blame_journal(location, one) for one in faults]
    return ShardsRead(read, faults, n_bytes)


def check_traces(location: DatasetLocation, store: Store, n_shards: int, n_recorded: int) -> None:
    """Refuse a dataset of which far more is lost than there is any trace of."""
    folder = (location.folder / store.shard_paths(0)[0]).parent
    n_files = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
    if n_shards - max(n_recorded, n_files) > _MOST_LOST:
        raise DatasetError(
            f"{location}: expected {n_shards} shards, found records of {n_recorded} and at most "
            f"{n_files} files; if it was ever whole, build it again from its {RECIPE}"
        )


def _blame_journal(location: DatasetLocation, found: Fault) -> Fault:
    """Return a fault in the values of a shard as one of its record: the manifest proves them."""
    if found.kind != "digest":
        return found
    text = f"the record of shard {found.shard} is not that of its values, which the manifest proves"
    return fault("journal", location.folder / JOURNAL, text).model_copy(
        update={"shard": found.shard, "array": found.array}
    )


def array_roots(manifest: Manifest, records: Mapping[int, ShardRecord]) -> dict[str, bytes]:
    """Return the logical digest of each array from the records of all shards of a version."""
    n_shards = Layout.of(manifest).n_shards(manifest.n_samples)
    return {
        name: combine([bytes.fromhex(records[shard].digests[name]) for shard in range(n_shards)])
        for name in manifest.arrays
    }


def _check_roots(
    location: DatasetLocation, manifest: Manifest, found: ShardsRead
) -> Iterator[Fault]:
    """Hold the digests of all shards together against those of the manifest."""
    n_shards = Layout.of(manifest).n_shards(manifest.n_samples)
    if len(found.records) < n_shards or any(one.kind == "digest" for one in found.faults):
        return  # a shard is damaged, and reported
    roots = array_roots(manifest, found.records)
    for name, root in roots.items():
        if root.hex() != manifest.arrays[name]:
            text = f"{name}: its values are not those of this version"
            yield fault("digest", location.path, text).model_copy(update={"array": name})
    if dataset_digest(manifest.contents, manifest.n_samples, roots) != manifest.digest:
        yield fault("digest", location.path, "its values are not those of the dataset's digest")
    for label, expected in enumerate(manifest.class_counts):
        count = sum(record.class_counts.get(label, 0) for record in found.records.values())
        if count != expected:
            text = f"expected {expected} rows of class {label}, got {count}"
            yield fault("digest", location.path, text)


def verify(
    path: str | Path,
    quick: bool = False,
    threads: int | None = None,
    watch: Watch | None = None,
    follow_links: bool = False,
) -> Verified:
    """Find out whether a dataset, or one version of it, is complete and as it was written.

    Parameters
    ----------
    path
        The dataset; ``data.zarr@v1.0`` is one version of it.
    quick
        Read no chunk: files, sizes, checksum tables, journal, documents and metadata alone. Else
        every chunk is decoded, and every digest computed again.
    threads
        Threads to use; by default one for each processor.
    watch
        Called as shards are done, with files done and files in all.
    follow_links
        Whether files of the dataset may be links.
    """
    start = time.perf_counter()
    location, reference = locate_version(path, follow_links)
    documents = read_documents(location, reference)
    faults = list(documents.faults)
    manifest, contents = documents.manifest, documents.contents
    description = manifest or documents.lock
    n_shards = n_bytes = 0
    if description is not None and contents is not None:
        layout = checked_layout(location.path, description, contents.fields)
        store = make_store(description.format, contents, layout)
        n_shards = layout.n_shards(description.n_samples)
        records = by_shard(documents.journal.records)
        threads = threads or available_cpus()
        found = check_shards(location, store, description, records, quick, threads, watch)
        n_bytes = found.bytes_checked
        if manifest is None:  # incomplete: what is missing is no damage
            faults += [one for one in found.faults if one.shard in records]
        else:
            faults += found.faults
            n_extended = finished_extension(documents, records)
            if reference is None:
                faults += check_metadata(location, manifest, store, n_extended)
            faults += check_splits(location, manifest, reference is None, n_extended)
            if not quick:
                faults += _check_roots(location, manifest, found)
    return Verified(
        path=str(as_path(path)),
        sound=not faults,
        quick=quick,
        version=manifest.version if manifest else None,
        digest=manifest.digest if manifest else None,
        n_samples=description.n_samples if description else 0,
        n_shards=n_shards,
        bytes_checked=n_bytes,
        seconds=time.perf_counter() - start,
        notes=tuple(documents.notes),
        faults=tuple(faults),
    )
