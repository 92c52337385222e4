"""Single rows without decoding for each: what was decoded last stays in memory, up to a limit."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import FieldSpec
from .sources import BlockSource, Part, StoredRows, Values

MOST_BYTES = 1 << 28
"""Bytes of rows that a dataset keeps at most."""
_UNIT = 1 << 18
_MOST_CHUNKS = 64
"""Bytes, and chunks, that are read together of a small field: each read opens its file."""


class CachedRows:
    """Rows of a stored version, which never change: single rows come from what is kept.

    Rows are kept that were read or decoded together with one that was asked for: some chunks of a
    small field, or the part of a chunk that is compressed as one. They have passed their checks.
    Integers of fixed-point fields are kept as such, a quarter of the bytes. Safe to use from many
    threads.

    Parameters
    ----------
    source
        Reads rows.
    fields
        The fields that are stored.
    chunk_rows, n_samples
        Rows of a chunk, and of the version.
    most_bytes
        Bytes that are kept at most.
    threads
        How many fields of a row are read at once: several where each waits for a server.
    """

    def __init__(
        self,
        source: StoredRows,
        fields: Sequence[FieldSpec],
        chunk_rows: int,
        n_samples: int,
        most_bytes: int = MOST_BYTES,
        threads: int = 1,
    ) -> None:
        self._source = source
        self._n_samples = n_samples
        self._most_bytes = most_bytes
        self._threads = threads
        # what leaves room for only a few others would drive out those of the other fields
        self._largest = most_bytes // (2 * max(1, len(fields)))
        self._fixed = {spec.name: spec.fixed_point for spec in fields}
        self._chunk_rows = chunk_rows
        self._unit = {
            one.name: chunk_rows * max(1, min(_MOST_CHUNKS, _UNIT // (one.row_bytes * chunk_rows)))
            for one in fields
        }
        """Rows of each field that are kept under one number."""
        self._kept: OrderedDict[tuple[str, int], tuple[Part, ...]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field."""
        return self.read_many([name], rows)[name]

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        row = _single(rows)
        if row is None:
            return self._source.read_many(names, rows)
        found = self._find(names, row)
        missing = [name for name in names if name not in found]
        computed = [name for name in missing if name not in self._unit]
        if computed:
            found |= self._source.read_many(computed, rows)
            missing = [name for name in missing if name in self._unit]
        if self._threads > 1 and len(missing) > 1:
            with ThreadPoolExecutor(min(self._threads, len(missing)), "tersgen-read") as pool:
                arrived = pool.map(lambda name: self._row(name, row), missing)
                found |= dict(zip(missing, arrived, strict=True))
        else:
            for name in missing:
                found[name] = self._row(name, row)
        return {name: found[name] for name in names}

    def _find(self, names: Sequence[str], row: int) -> dict[str, Values]:
        """Return a row of those fields of which it is kept."""
        found = {}
        kept, unit, fixed = self._kept, self._unit, self._fixed
        with self._lock:
            for name in names:
                if name not in unit:
                    continue
                key = name, row // unit[name]
                for first, values, _ in kept.get(key, ()):
                    if first <= row < first + len(values):
                        kept.move_to_end(key)
                        stored, one = values[row - first : row - first + 1], fixed[name]
                        # a copy: what is kept is nobody's to write to
                        found[name] = stored.copy() if one is None else one.decoded(stored)
                        break
        return found

    def _row(self, name: str, row: int) -> Values:
        """Return a row of a field that is not kept yet."""
        part = self._read(name, row)
        if part.is_decoded and part.values.nbytes <= self._largest:
            self._keep((name, row // self._unit[name]), part)
        stored, fixed = part.values[row - part.first : row - part.first + 1], self._fixed[name]
        return stored.copy() if fixed is None else fixed.decoded(stored)

    def _read(self, name: str, row: int) -> Part:
        """Return a row of a field, and others that are read with it."""
        unit = self._unit[name]
        if unit == self._chunk_rows:
            return self._source.read_part(name, row)
        start = row // unit * unit
        stop = min(start + unit, self._n_samples)
        return Part(start, self._source.read_stored(name, slice(start, stop, 1)), True)

    def _keep(self, key: tuple[str, int], part: Part) -> None:
        with self._lock:
            parts = self._kept.get(key, ())
            if any(one.first == part.first for one in parts):  # another thread was faster
                return
            self._kept[key] = (*parts, part)
            self._bytes += part.values.nbytes
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= sum(one.values.nbytes for one in oldest)

    def blocks(self, names: Iterable[str]) -> BlockSource:
        """Return what copies rows of these fields block by block."""
        return self._source.blocks(names)

    def check_files(self) -> None:
        """Refuse rows that are not there; without reading any."""
        self._source.check_files()

    def close(self) -> None:
        """Drop what is kept in memory."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
        self._source.close()


def _single(rows: slice | NDArray[np.intp]) -> int | None:
    """Return the number of the row if it is one."""
    if isinstance(rows, slice):
        return rows.start if rows.stop - rows.start == 1 else None
    return int(rows[0]) if len(rows) == 1 else None
