"""One shard compared with its record: files, chunks, digests."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from ..schema.manifest import FileFacts, ShardRecord
from ..store.digest import combine, leaf_digests
from ..store.files import facts_of
from ..store.interface import Store, Values
from ..store.layout import leaf_rows
from ..store.sources import open_inside
from .faults import Fault, Kind

_ROOM = 1 << 24


class RecordedFile(NamedTuple):
    """One file of a shard, and what is recorded of it."""

    shard: int
    n_rows: int
    """Rows of the version in it; there may be more when the dataset has grown."""
    path: str
    record: ShardRecord | None
    """What was recorded with just these rows."""
    facts: tuple[FileFacts, ...]
    """What the file may be: as recorded, or as a record with more rows says."""


class Checked(NamedTuple):
    """What a file of a shard turned out to be."""

    file: RecordedFile
    bytes_read: int
    facts: FileFacts | None
    digests: dict[str, str]
    """Logical digest of the rows of each array that could be read."""
    class_counts: dict[int, int]
    faults: list[Fault]


class ShardChecker:
    """Holds files of shards against what is recorded; safe to use from several threads.

    ``records`` are those of each shard, in the order in which they were written.
    """

    def __init__(
        self, folder: Path, store: Store, records: Mapping[int, Sequence[ShardRecord]]
    ) -> None:
        self._folder = folder
        self._store = store
        self._table = table = store.contents.fields
        self._layout = layout = store.layout
        self._records = records
        self._leaf = leaf_rows(table)
        # a file this large holds more than these rows can ever be
        self._largest = 2 * layout.shard_rows * sum(spec.row_bytes for spec in table) + _ROOM
        self._owners = {
            (name, digest): shard
            for shard, known in records.items()
            for record in known
            for name, digest in record.digests.items()
        }

    def files(self, shard: int, n_rows: int) -> Iterator[RecordedFile]:
        """Yield the files of a shard of which a version has ``n_rows`` rows."""
        records = self._records.get(shard, ())
        exact = next((record for record in reversed(records) if record.rows == n_rows), None)
        usable = [record for record in reversed(records) if record.rows >= n_rows]
        for path in self._store.shard_paths(shard):
            facts = tuple(record.files[path] for record in usable if path in record.files)
            yield RecordedFile(shard, n_rows, path, exact, facts)

    def _fault(self, file: RecordedFile, kind: Kind, message: str) -> Fault:
        first = file.shard * self._layout.shard_rows
        arrays = [spec.name for spec in self._arrays_in(file)]
        return Fault(
            kind=kind,
            path=str(self._folder / file.path),
            message=message,
            shard=file.shard,
            array=arrays[0] if len(arrays) == 1 else None,
            rows=(first, first + file.n_rows - 1),
        )

    def check_presence(self, file: RecordedFile) -> Checked:
        """Return what is wrong with a file by its size and its checksum table."""
        try:
            _, stored = open_inside(self._folder, file.path)
            size = stored.size
            faults = self._check_size(file, size) or self._check_tables(file, stored)
        except DamagedDataError as error:
            return Checked(file, 0, None, {}, {}, [self._unreadable(file, error)])
        return Checked(file, size, None, {}, {}, faults)

    def _arrays_in(self, file: RecordedFile) -> list[FieldSpec]:
        """Return the arrays that a file holds."""
        path = self._store.array_path
        return [spec for spec in self._table if path(file.shard, spec) == file.path]

    def _check_tables(self, file: RecordedFile, stored: ByteFile) -> list[Fault]:
        """Return what a checksum table says against the place of a file."""
        for spec in self._arrays_in(file):
            try:
                self._store.chunk_table(stored, spec, file.shard, file.n_rows)
            except DamagedDataError as error:
                return [self._named(self._fault(file, "chunk", str(error)), spec)]
        return []

    def _unreadable(self, file: RecordedFile, error: DamagedDataError) -> Fault:
        there = os.path.lexists(self._folder / file.path)
        message = str(error).removeprefix(f"{self._folder / file.path}: ")
        return self._fault(file, "link" if there else "missing", message)

    def _check_size(self, file: RecordedFile, size: int) -> list[Fault]:
        expected = sorted({facts.bytes for facts in file.facts})
        if size in expected or (not expected and size <= self._largest):
            return []
        wanted = expected[0] if expected else f"at most {self._largest}"
        return [self._fault(file, "size", f"expected {wanted} bytes, got {size}")]

    def check_content(self, file: RecordedFile) -> Checked:
        """Return what is wrong with a file: every byte read, every chunk decoded and hashed."""
        presence = self.check_presence(file)
        if presence.bytes_read > self._largest or any(
            fault.kind in ("missing", "link") for fault in presence.faults
        ):
            return presence
        # what its checksum table says is found again below, array by array
        faults = [one for one in presence.faults if one.kind != "chunk"]
        try:
            _, stored = open_inside(self._folder, file.path)
            data = np.empty(stored.size, np.uint8)
            if len(data):
                stored.read_into(0, data)
            facts = facts_of([data.data])
            if not faults and file.facts and facts not in file.facts:
                text = "its bytes are not those that were recorded"
                faults.append(self._fault(file, "bytes", text))
            digests: dict[str, str] = {}
            counts: dict[int, int] = {}
            for spec in self._arrays_in(file):
                found = self._check_array(file, spec, stored, data)
                faults += found[0]
                if found[1] is not None:
                    digests[spec.name] = found[1]
                    counts.update(found[2])
        except OSError as error:
            faults.append(self._fault(file, "missing", f"cannot be read: {error}"))
            return presence._replace(faults=faults)
        return Checked(file, len(data), facts, digests, counts, _sharpest(faults))

    def _check_array(
        self, file: RecordedFile, spec: FieldSpec, stored: ByteFile, whole: NDArray[np.uint8]
    ) -> tuple[list[Fault], str | None, dict[int, int]]:
        """Return faults of an array, and its digest and class counts if it could be read."""
        try:
            table = self._store.chunk_table(stored, spec, file.shard, file.n_rows)
        except DamagedDataError as error:
            return [self._named(self._fault(file, "chunk", str(error)), spec)], None, {}
        faults = []
        leaves: list[bytes] = []
        waiting: list[Values] = []
        counts: Counter[int] = Counter()
        rows = self._layout.chunk_rows
        first = file.shard * self._layout.shard_rows
        for number, (offset, size, check) in enumerate(table.tolist()):
            here = min(rows, file.n_rows - number * rows)
            try:
                if size < 0:
                    raise DamagedDataError("it is missing")
                encoded = whole[offset : offset + size]
                chunk = self._store.decode_chunk(encoded, check, spec)[:here]
            except DamagedDataError as error:
                start = first + number * rows
                fault = self._fault(file, "chunk", f"chunk {number}: {error}")
                fault = fault.model_copy(update={"rows": (start, start + here - 1)})
                faults.append(self._named(fault, spec))
                continue
            if spec.name == "label":  # whatever the values, this is no larger than the chunk
                labels, numbers = np.unique(chunk, return_counts=True)
                counts.update(dict(zip(labels.tolist(), numbers.tolist(), strict=True)))
            waiting.append(chunk)
            if sum(map(len, waiting)) >= self._leaf:
                leaves += leaf_digests(_joined(waiting), self._leaf)
                waiting = []
        if faults:
            return faults, None, {}
        if waiting:
            leaves += leaf_digests(_joined(waiting), self._leaf)
        digest = combine(leaves).hex()
        if file.record is not None and file.record.digests.get(spec.name) != digest:
            owner = self._owners.get((spec.name, digest))
            whose = "another recipe or dataset" if owner is None else f"shard {owner}"
            text = f"its values are not those that were recorded, but those of {whose}"
            faults.append(self._named(self._fault(file, "digest", text), spec))
        return faults, digest, {label: n for label, n in sorted(counts.items()) if label >= 0}

    @staticmethod
    def _named(fault: Fault, spec: FieldSpec) -> Fault:
        return fault.model_copy(update={"array": spec.name})


def as_record(files: Sequence[Checked]) -> ShardRecord | None:
    """Return what the files of a shard hold, if all of them could be read."""
    if any(one.facts is None or any(f.kind == "chunk" for f in one.faults) for one in files):
        return None
    return ShardRecord(
        shard=files[0].file.shard,
        rows=files[0].file.n_rows,
        files={one.file.path: one.facts for one in files if one.facts is not None},
        digests={name: digest for one in files for name, digest in one.digests.items()},
        class_counts={k: n for one in files for k, n in one.class_counts.items()},
    )


def _joined(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _sharpest(faults: list[Fault]) -> list[Fault]:
    """Leave out what another fault says more precisely."""
    if any(fault.kind in ("chunk", "digest") for fault in faults):
        return [fault for fault in faults if fault.kind != "bytes"]
    return faults
