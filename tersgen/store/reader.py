"""Rows of the arrays of a dataset: chunks found, checked and decoded, never a hole.

Works for every back end and for any version: what is read is determined by the manifest, and the
metadata beside the arrays is for other software.
"""

from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..cpus import available_cpus
from ..errors import DamagedDataError, DatasetError
from ..files import memory_limit
from ..schema.fields import FieldSpec
from .blocks import BlockReader
from .encode import LARGEST_RATIO
from .interface import Store, Values
from .row_reader import Part, RowReader
from .sources import IN_FLIGHT, coalesced, open_inside, remedy, remote_source

_MOST_TABLES = 4096
_MOST_CHUNKS = 64
"""Chunks that a thread reads before it opens the file again."""
_LEAST_AT_ONCE, _MOST_AT_ONCE = 1 << 20, 8 << 20
"""Bytes of chunks that one request to a server fetches, if there are as many; and at most."""
_MOST_OPENED = 256
"""Remote files that are opened at once, before any row of them is asked for."""
_SINGLE = 1 << 20
"""Fewer bytes than this are read by the calling thread alone: starting others takes longer."""


class _Table(NamedTuple):
    """Where the chunks of a shard of an array lie, and the file that this was read from."""

    identity: Hashable
    chunks: NDArray[np.int64]


class _Part(NamedTuple):
    """Rows to take from one chunk, and where they go."""

    chunk: int
    take: slice | NDArray[np.intp]
    put: slice | NDArray[np.intp]


class Reader:
    """Reads rows of the first ``n_samples`` rows in a dataset's folder.

    Files stay open for single rows only.
    """

    def __init__(self, folder: Path, store: Store, n_samples: int) -> None:
        self._folder = folder
        self._store = store
        self._specs = {spec.name: spec for spec in store.contents.fields}
        self._layout = store.layout
        self._n_samples = n_samples
        self._remote = remote_source(folder)
        self._tables: dict[tuple[str, int], _Table] = {}
        self._last: dict[str, tuple[int, Hashable, Values]] = {}
        self._rows = self._row_reader()

    def _row_reader(self) -> RowReader:
        fields = list(self._specs.values())
        return RowReader(self._folder, self._store, fields, self._n_samples)

    def blocks(self, names: Iterable[str]) -> BlockReader:
        """Return what copies rows of these fields block by block."""
        fields = [self._specs[name] for name in names]
        return BlockReader(self._folder, self._store, fields, self._n_samples)

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of an array: a slice with positive step, or an array of row numbers."""
        return self._read(self._specs[name], rows, self._specs[name].value_dtype)

    def read_stored(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows as they are stored, integers of fixed-point arrays; not to be written to."""
        spec = self._specs[name]
        return self._read(spec, rows, np.dtype(spec.dtype))

    def read_part(self, name: str, row: int) -> Part:
        """Return a row as it is stored, and those that had to be decoded with it."""
        spec = self._specs[name]
        chunk, inside = divmod(row, self._layout.chunk_rows)
        if self._remote is not None:  # transfer costs more than decoding
            first = row - inside
            stop = min(first + self._layout.chunk_rows, self._n_samples)
            return Part(first, self.read_stored(name, slice(first, stop, 1)), True)
        try:
            return self._rows.read(spec, row)
        except DamagedDataError as error:
            inside_folder = self._store.array_path(chunk // self._layout.chunks_per_shard, spec)
            raise self._damaged(error, self._folder / inside_folder, spec, chunk) from None

    def _read(
        self, spec: FieldSpec, rows: slice | NDArray[np.intp], dtype: np.dtype[np.generic]
    ) -> Values:
        """Return rows of an array, of the type that is stored or that of its values."""
        self._check_files(spec, rows)
        chunk_rows = self._layout.chunk_rows
        found: Iterator[_Part]
        if isinstance(rows, slice):
            count = len(range(rows.start, rows.stop, rows.step))
            found = _slice_parts(rows, chunk_rows)
        else:
            count = len(rows)
            found = _array_parts(rows, chunk_rows)
        try:
            out = np.empty((count, *spec.shape), dtype)
        except (MemoryError, ValueError):
            raise DatasetError(
                f"{self._folder}: {count} rows of {spec.name}, {spec.value_bytes} bytes each, do "
                f"not fit in memory{memory_limit()}; read fewer at a time"
            ) from None
        parts = list(found)
        if len(parts) == 1 and isinstance(rows, slice) and dtype == spec.dtype:
            ((_, values),) = self._taken(spec, parts)  # a view: chunks are not copied
            return values
        by_shard: dict[int, list[_Part]] = {}
        for part in parts:
            by_shard.setdefault(part.chunk // self._layout.chunks_per_shard, []).append(part)

        def gather(some: list[_Part]) -> None:
            self._gather(spec, some, out)

        is_small = count * spec.row_bytes < _SINGLE and self._remote is None
        if len(parts) == 1 or is_small:
            for some in by_shard.values():
                gather(some)
            return out
        threads = available_cpus() if self._remote is None else IN_FLIGHT
        step = max(1, min(_MOST_CHUNKS, -(-len(parts) // threads)))
        if self._remote is not None:
            chunk_bytes = chunk_rows * spec.row_bytes
            step = max(step, _LEAST_AT_ONCE // chunk_bytes)
            step = max(1, min(step, _MOST_AT_ONCE // chunk_bytes))
        jobs = [
            some[first : first + step]
            for some in by_shard.values()
            for first in range(0, len(some), step)
        ]
        with ThreadPoolExecutor(threads, "tersgen-read") as pool:
            for _ in pool.map(gather, jobs):
                pass
        return out

    def read_many(self, names: Iterable[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several arrays by name; see ``read``."""
        return {name: self.read(name, rows) for name in names}

    def close(self) -> None:
        """Drop what is kept in memory."""
        self._tables.clear()
        self._last.clear()
        self._rows = self._row_reader()  # files stay open until nobody has the other any more

    def check_files(self) -> None:
        """Refuse rows that the files of their shards cannot hold; looks at those of one array."""
        self._check_files(next(iter(self._specs.values())), slice(0, self._n_samples, 1))

    def _check_files(self, spec: FieldSpec, rows: slice | NDArray[np.intp]) -> None:
        """Refuse rows that their files cannot hold, before anything is allocated for them."""
        shards = _shards_of(rows, self._layout.shard_rows)
        if self._remote is not None:
            shards = self._opened(shards, spec)
        for shard in shards:
            inside = self._store.array_path(shard, spec)
            try:
                size = open_inside(self._folder, inside)[1].size
            except DamagedDataError as error:
                raise DamagedDataError(f"{error}; tersgen verify says more") from None
            least = self._layout.rows_of(shard, self._n_samples) * spec.row_bytes // LARGEST_RATIO
            if size < least:
                raise DamagedDataError(
                    f"{self._folder / inside}: expected at least {least} bytes, got {size}; "
                    "tersgen verify says more"
                )

    def _gather(self, spec: FieldSpec, parts: list[_Part], out: Values) -> None:
        """Copy rows of chunks of one shard into ``out``, decoded if that is of another type."""
        for part, rows in self._taken(spec, parts):
            fixed = None if out.dtype == rows.dtype else spec.fixed_point
            out[part.put] = rows if fixed is None else fixed.decoded(rows)

    def _taken(self, spec: FieldSpec, parts: list[_Part]) -> Iterator[tuple[_Part, Values]]:
        """Yield parts of one shard, and their rows as stored."""
        shard = parts[0].chunk // self._layout.chunks_per_shard
        inside = self._store.array_path(shard, spec)
        path, file = open_inside(self._folder, inside)
        identity = file.identity
        fetched = {} if self._remote is None else self._fetched(spec, parts, file)
        for part in parts:
            last = self._last.get(spec.name)
            if last is None or last[:2] != (part.chunk, identity):
                try:
                    values = self._chunk(spec, part.chunk, file, fetched.get(part.chunk))
                except DamagedDataError as error:
                    raise self._damaged(error, path, spec, part.chunk) from None
                last = self._last[spec.name] = (part.chunk, identity, values)
            yield part, last[2][part.take]

    def _damaged(
        self, error: DamagedDataError, path: Path, spec: FieldSpec, chunk: int
    ) -> DamagedDataError:
        """Return an error of a chunk that names its file and rows."""
        first = chunk * self._layout.chunk_rows
        stop = min(first + self._layout.chunk_rows, self._n_samples)
        return type(error)(
            f"{path}: {spec.name}, rows {first} to {stop - 1}: {error}{remedy(error)}"
        )

    def _chunk(
        self, spec: FieldSpec, chunk: int, file: ByteFile, data: NDArray[np.uint8] | None
    ) -> Values:
        """Return the rows of a chunk; ``data`` is what is stored, if it was read already."""
        shard, number = divmod(chunk, self._layout.chunks_per_shard)
        offset, size, check = self._table(spec, shard, file)[number].tolist()
        if size < 0:
            raise DamagedDataError("it is missing")
        if data is None:
            data = np.empty(size, np.uint8)
            file.read_into(offset, data)
        return self._store.decode_chunk(data, check, spec)

    def _table(self, spec: FieldSpec, shard: int, file: ByteFile) -> NDArray[np.int64]:
        identity = file.identity
        known = self._tables.get((spec.name, shard))
        if known is None or known.identity != identity:
            rows = self._layout.rows_of(shard, self._n_samples)
            chunks = self._store.chunk_table(file, spec, shard, rows)
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            known = self._tables[spec.name, shard] = _Table(identity, chunks)
        return known.chunks

    def _opened(self, shards: Iterable[int], spec: FieldSpec) -> Iterator[int]:
        """Yield shards whose remote files of an array are open, some of them at once."""
        left = iter(shards)
        while some := list(islice(left, _MOST_OPENED)):
            if self._remote is not None:
                self._remote.open_all([self._store.array_path(shard, spec) for shard in some])
            yield from some

    def _fetched(
        self, spec: FieldSpec, parts: list[_Part], file: ByteFile
    ) -> dict[int, NDArray[np.uint8]]:
        """Return what is stored of the chunks of parts, neighbours read in one request.

        Chunks that cannot be read are left out: whoever needs them says why.
        """
        per_shard = self._layout.chunks_per_shard
        found: dict[int, NDArray[np.uint8]] = {}
        try:
            table = self._table(spec, parts[0].chunk // per_shard, file)
            known, identity, _ = self._last.get(spec.name, (-1, None, None))
            places = sorted(
                (*table[part.chunk % per_shard, :2].tolist(), part.chunk)
                for part in parts
                if table[part.chunk % per_shard, 1] >= 0
                and (part.chunk, file.identity) != (known, identity)
            )
            for run in coalesced(places, _MOST_AT_ONCE):
                start, (last, size, _) = run[0][0], run[-1]
                data = np.empty(last + size - start, np.uint8)
                file.read_into(start, data)
                for offset, size, chunk in run:
                    found[chunk] = data[offset - start : offset - start + size]
        except DamagedDataError:
            pass
        return found


def _shards_of(rows: slice | NDArray[np.intp], shard_rows: int) -> Iterable[int]:
    """Return the shards of rows, each once; lazily, as a slice may be of any length."""
    if not isinstance(rows, slice):
        return map(int, np.unique(rows // shard_rows))
    numbers = range(rows.start, rows.stop, rows.step)
    if rows.step < shard_rows and numbers:
        return range(numbers[0] // shard_rows, numbers[-1] // shard_rows + 1)
    return (number // shard_rows for number in numbers)


def _slice_parts(rows: slice, chunk_rows: int) -> Iterator[_Part]:
    """Yield the parts of a slice with positive step."""
    numbers = range(rows.start, rows.stop, rows.step)
    done = 0
    while done < len(numbers):
        chunk, first = divmod(numbers[done], chunk_rows)
        count = min(len(numbers) - done, -(-(chunk_rows - first) // rows.step))
        take = slice(first, first + (count - 1) * rows.step + 1, rows.step)
        yield _Part(chunk, take, slice(done, done + count))
        done += count


def _array_parts(rows: NDArray[np.intp], chunk_rows: int) -> Iterator[_Part]:
    """Yield the parts of an array of row numbers in any order."""
    order = np.argsort(rows, kind="stable")
    chunks, inside = np.divmod(rows[order], chunk_rows)
    breaks = np.flatnonzero(np.diff(chunks)) + 1
    for group in np.split(np.arange(len(rows)), breaks):
        if len(group):
            yield _Part(int(chunks[group[0]]), inside[group], order[group])
