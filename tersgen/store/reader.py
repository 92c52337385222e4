"""Rows of the arrays of a dataset: chunks found, checked and decoded, never a hole.

Works for every back end and for any version: what is read is determined by the manifest, and the
metadata beside the arrays is for other software.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cpus import available_cpus
from ..errors import DamagedDataError, DatasetError
from ..files import is_limit, memory_limit, why
from ..schema.fields import FieldSpec
from .blocks import BlockReader
from .encode import LARGEST_RATIO
from .interface import Store, Values
from .links import REFUSED, follows_links, open_file
from .shard_files import read

_MOST_TABLES = 4096
_MOST_CHUNKS = 64
"""Chunks that a thread reads before it opens the file again."""
_SINGLE = 1 << 20
"""Fewer bytes than this are read by the calling thread alone: starting others takes longer."""


_Identity = tuple[int, int, int]
"""Number, size and time of a file: another shard under the same name has others."""


class _Table(NamedTuple):
    """Where the chunks of a shard of an array lie, and the file that this was read from."""

    identity: _Identity
    chunks: NDArray[np.int64]


class _Part(NamedTuple):
    """Rows to take from one chunk, and where they go."""

    chunk: int
    take: slice | NDArray[np.intp]
    put: slice | NDArray[np.intp]


@contextmanager
def open_inside(folder: Path, inside: str) -> Iterator[tuple[Path, int]]:
    """Open a plain file of a dataset for reading; no link is followed unless the folder says so.

    Raises
    ------
    DamagedDataError
        If it is missing or no plain file, a folder on the way is a link, or it is one itself.
    """
    path = folder / inside
    for parent in list(path.parents)[: len(Path(inside).parts) - 1]:
        if parent.is_symlink():
            raise DamagedDataError(
                f"{parent}: expected a folder, got a link, which is not followed"
            )
    try:
        descriptor = open_file(path, follows_links(folder))
    except OSError as error:
        if isinstance(error, DamagedDataError):
            raise DamagedDataError(f"{path}: {error}") from None
        if error.errno == errno.ELOOP:
            raise DamagedDataError(f"{path}: expected a file, {REFUSED}") from None
        if is_limit(error):
            raise DatasetError(f"{path}: {why(error)}") from None
        reason = "missing" if error.errno == errno.ENOENT else f"cannot be read: {why(error)}"
        raise DamagedDataError(f"{path}: {reason}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedDataError(f"{path}: expected a file, got a folder, pipe or device")
        yield path, descriptor
    finally:
        os.close(descriptor)


def read_inside(folder: Path, inside: str, largest: int) -> bytes:
    """Return the content of a plain file of a dataset of at most ``largest`` bytes.

    Raises
    ------
    DamagedDataError
        If it is missing, no plain file, larger, cannot be read, or is reached through a link.
    """
    with open_inside(folder, inside) as (path, descriptor):
        size = os.fstat(descriptor).st_size
        if size > largest:
            raise DamagedDataError(f"{path}: expected at most {largest} bytes, got {size}")
        try:
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(size)
        except OSError as error:
            raise DamagedDataError(f"{path}: cannot be read: {why(error)}") from None


class Reader:
    """Reads rows of the first ``n_samples`` rows in a dataset's folder; keeps no file open."""

    def __init__(self, folder: Path, store: Store, n_samples: int) -> None:
        self._folder = folder
        self._store = store
        self._specs = {spec.name: spec for spec in store.contents.fields}
        self._layout = store.layout
        self._n_samples = n_samples
        self._tables: dict[tuple[str, int], _Table] = {}
        self._last: dict[str, tuple[int, _Identity, Values]] = {}

    def blocks(self, names: Iterable[str]) -> BlockReader:
        """Return what copies rows of these fields block by block."""
        fields = [self._specs[name] for name in names]
        return BlockReader(self._folder, self._store, fields, self._n_samples)

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of an array: a slice with positive step, or an array of row numbers.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checks.
        DatasetError
            If the rows do not fit in memory.
        """
        spec = self._specs[name]
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
            out = np.empty((count, *spec.shape), spec.dtype)
        except (MemoryError, ValueError):
            raise DatasetError(
                f"{self._folder}: {count} rows of {name}, {spec.row_bytes} bytes each, do not fit "
                f"in memory{memory_limit()}; read fewer at a time"
            ) from None
        parts = list(found)
        by_shard: dict[int, list[_Part]] = {}
        for part in parts:
            by_shard.setdefault(part.chunk // self._layout.chunks_per_shard, []).append(part)

        def gather(some: list[_Part]) -> None:
            self._gather(spec, some, out)

        if len(parts) == 1 or count * spec.row_bytes < _SINGLE:
            for some in by_shard.values():
                gather(some)
            return out
        threads = available_cpus()
        step = max(1, min(_MOST_CHUNKS, -(-len(parts) // threads)))
        jobs = [
            some[first : first + step]
            for some in by_shard.values()
            for first in range(0, len(some), step)
        ]
        with ThreadPoolExecutor(threads, "tersgen-read") as pool:
            for _ in pool.map(gather, jobs):
                pass
        return out

    def check_files(self) -> None:
        """Refuse rows that the files of their shards cannot hold; looks at those of one array.

        Raises
        ------
        DamagedDataError
            If one is missing or too small.
        """
        self._check_files(next(iter(self._specs.values())), slice(0, self._n_samples, 1))

    def _check_files(self, spec: FieldSpec, rows: slice | NDArray[np.intp]) -> None:
        """Refuse rows that their files cannot hold, before anything is allocated for them."""
        for shard in _shards_of(rows, self._layout.shard_rows):
            inside = self._store.array_path(shard, spec)
            try:
                with open_inside(self._folder, inside) as (_, descriptor):
                    size = os.fstat(descriptor).st_size
            except DamagedDataError as error:
                raise DamagedDataError(f"{error}; tersgen verify says more") from None
            least = self._layout.rows_of(shard, self._n_samples) * spec.row_bytes // LARGEST_RATIO
            if size < least:
                raise DamagedDataError(
                    f"{self._folder / inside}: expected at least {least} bytes, got {size}; "
                    "tersgen verify says more"
                )

    def _gather(self, spec: FieldSpec, parts: list[_Part], out: Values) -> None:
        """Copy rows of chunks of one shard into ``out``."""
        shard = parts[0].chunk // self._layout.chunks_per_shard
        inside = self._store.array_path(shard, spec)
        with open_inside(self._folder, inside) as (path, descriptor):
            facts = os.fstat(descriptor)
            identity = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            for part in parts:
                last = self._last.get(spec.name)
                if last is None or last[:2] != (part.chunk, identity):
                    try:
                        values = self._chunk(spec, part.chunk, descriptor, identity)
                    except DamagedDataError as error:
                        first = part.chunk * self._layout.chunk_rows
                        stop = min(first + self._layout.chunk_rows, self._n_samples)
                        raise DamagedDataError(
                            f"{path}: {spec.name}, rows {first} to {stop - 1}: {error}; tersgen "
                            "repair makes them again"
                        ) from None
                    last = self._last[spec.name] = (part.chunk, identity, values)
                out[part.put] = last[2][part.take]

    def _chunk(self, spec: FieldSpec, chunk: int, descriptor: int, identity: _Identity) -> Values:
        shard, number = divmod(chunk, self._layout.chunks_per_shard)
        known = self._tables.get((spec.name, shard))
        if known is None or known.identity != identity:
            rows = self._layout.rows_of(shard, self._n_samples)
            chunks = self._store.chunk_table(descriptor, spec, shard, rows)
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            known = self._tables[spec.name, shard] = _Table(identity, chunks)
        offset, size, check = known.chunks[number].tolist()
        if size < 0:
            raise DamagedDataError("it is missing")
        data = np.empty(size, np.uint8)
        read(descriptor, offset, data)
        return self._store.decode_chunk(data, check, spec)


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
