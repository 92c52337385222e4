"""Single rows without reading a chunk for each: recent chunks stay in memory, up to a limit."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..cpus import available_cpus
from ..schema.fields import FieldSpec
from .sources import BlockSource, StoredRows, Values

MOST_BYTES = 1 << 28
"""Bytes of chunks that a dataset keeps at most."""
_UNIT = 1 << 18
_MOST_CHUNKS = 64
"""Bytes, and chunks, that are read together of a small field: each read opens its file."""
_ROWS_ALONE = 3
"""Rows of a chunk that are decoded alone before it is kept, if not all chunks fit."""
_MOST_COUNTED = 1 << 16
_SINGLE = 1 << 20
"""Fewer bytes than this are decoded by the calling thread alone: starting others takes longer."""


class CachedRows:
    """Rows of a stored version, which never change: single rows come from chunks that are kept.

    Kept chunks have passed their checks. Integers of fixed-point fields are kept as such, a quarter
    of the bytes, and decoded row by row. Safe to use from many threads.

    Parameters
    ----------
    source
        Reads rows, a chunk as fast as one row of it.
    fields
        The fields that are stored.
    chunk_rows, n_samples
        Rows of a chunk, and of the version.
    most_bytes
        Bytes that are kept at most.
    """

    def __init__(
        self,
        source: StoredRows,
        fields: Sequence[FieldSpec],
        chunk_rows: int,
        n_samples: int,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._source = source
        self._n_samples = n_samples
        self._most_bytes = most_bytes
        # a chunk of which only a few fit would leave no room for those of the other fields
        share = most_bytes // (2 * max(1, len(fields)))
        self._fields = {spec.name: spec for spec in fields}
        self._unit = {
            one.name: chunk_rows * max(1, min(_MOST_CHUNKS, _UNIT // (one.row_bytes * chunk_rows)))
            for one in fields
            if one.row_bytes * chunk_rows <= share
        }
        """Rows that are read together of each field that is kept."""
        is_large = n_samples * sum(self._fields[name].row_bytes for name in self._unit) > most_bytes
        self._large = {name for name, unit in self._unit.items() if unit == chunk_rows and is_large}
        """Fields of which not all chunks can be kept."""
        self._asked: dict[tuple[str, int], int] = {}
        self._kept: OrderedDict[tuple[str, int], Values] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field."""
        row = self._single(rows)
        if row is None or name not in self._unit:
            return self._source.read(name, rows)
        unit, place = divmod(row, self._unit[name])
        stored = self._row(name, row, unit)
        if stored is None:
            stored = self._rows(name, unit)[place : place + 1]
        fixed = self._fields[name].fixed_point
        # a copy: what is kept is nobody's to write to
        return stored.copy() if fixed is None else fixed.decoded(stored)

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        row = self._single(rows)
        if row is None:
            return self._source.read_many(names, rows)
        missing = [
            name
            for name in names
            if name in self._unit and (name, row // self._unit[name]) not in self._kept
        ]
        size = sum(self._fields[name].row_bytes * self._unit[name] for name in missing)
        threads = min(available_cpus(), len(missing))
        found: dict[str, Values] = {}
        if size > _SINGLE and threads > 1:
            with ThreadPoolExecutor(threads, "tersgen-read") as pool:
                found = dict(
                    zip(missing, pool.map(lambda name: self.read(name, rows), missing), strict=True)
                )
        return {name: found[name] if name in found else self.read(name, rows) for name in names}

    def _row(self, name: str, row: int, unit: int) -> Values | None:
        """Return a single row of a chunk with few requests so far; None if it is to be kept."""
        key = name, unit
        with self._lock:
            if key in self._kept or name not in self._large:
                return None
            if len(self._asked) > _MOST_COUNTED:
                self._asked.clear()
            self._asked[key] = asked = self._asked.get(key, 0) + 1
        return None if asked > _ROWS_ALONE else self._source.read_row(name, row)

    def _single(self, rows: slice | NDArray[np.intp]) -> int | None:
        """Return the number of the row if it is one."""
        if isinstance(rows, slice):
            return rows.start if rows.stop - rows.start == 1 else None
        return int(rows[0]) if len(rows) == 1 else None

    def _rows(self, name: str, unit: int) -> Values:
        """Return the rows of some chunks of a field, from memory if they are there."""
        key = name, unit
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        start = unit * self._unit[name]
        stop = min(start + self._unit[name], self._n_samples)
        values = self._source.read_stored(name, slice(start, stop, 1))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = values
                self._bytes += values.nbytes
                while self._bytes > self._most_bytes:
                    _, oldest = self._kept.popitem(last=False)
                    self._bytes -= oldest.nbytes
        return values

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
            self._asked.clear()
            self._bytes = 0
        self._source.close()
