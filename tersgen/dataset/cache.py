"""Single rows without decoding a chunk for each: the last chunks stay in memory, up to a bound."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..cpus import available_cpus
from .sources import BlockSource, RowSource, Values

MOST_BYTES = 1 << 28
"""Bytes of chunks that a dataset keeps at most."""
_UNIT = 1 << 18
_MOST_CHUNKS = 64
"""Bytes, and chunks, that are read together of a small field: each read opens its file."""
_SINGLE = 1 << 20
"""Fewer bytes than this are decoded by the calling thread alone: starting others takes longer."""


class CachedRows:
    """Rows of a stored version, which never change: single rows come from chunks that are kept.

    What is kept has passed its checks. Safe to use from many threads.

    Parameters
    ----------
    source
        Reads rows, a chunk as fast as one row of it.
    row_bytes
        Bytes of a row of each field.
    chunk_rows, n_samples
        Rows of a chunk, and of the version.
    most_bytes
        Bytes that are kept at most.
    """

    def __init__(
        self,
        source: RowSource,
        row_bytes: Mapping[str, int],
        chunk_rows: int,
        n_samples: int,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._source = source
        self._n_samples = n_samples
        self._most_bytes = most_bytes
        # a chunk of which only a few fit would leave no room for those of the other fields
        share = most_bytes // (2 * max(1, len(row_bytes)))
        self._unit = {
            name: chunk_rows * max(1, min(_MOST_CHUNKS, _UNIT // (size * chunk_rows)))
            for name, size in row_bytes.items()
            if size * chunk_rows <= share
        }
        """Rows that are read together of each field that is kept."""
        self._row_bytes = dict(row_bytes)
        self._kept: OrderedDict[tuple[str, int], Values] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field."""
        row = self._single(rows)
        if row is None or name not in self._unit:
            return self._source.read(name, rows)
        unit, place = divmod(row, self._unit[name])
        # a copy: what is kept is nobody's to write to
        return self._rows(name, unit)[place : place + 1].copy()

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        row = self._single(rows)
        if row is None:
            return self._source.read_many(names, rows)
        units = {name: row // self._unit[name] for name in names if name in self._unit}
        missing = [pair for pair in units.items() if pair not in self._kept]
        size = sum(self._row_bytes[name] * self._unit[name] for name, _ in missing)
        threads = min(available_cpus(), len(missing))
        if size > _SINGLE and threads > 1:
            with ThreadPoolExecutor(threads, "tersgen-read") as pool:
                for _ in pool.map(lambda pair: self._rows(*pair), missing):
                    pass
        return {name: self.read(name, rows) for name in names}

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
        values = self._source.read(name, slice(start, stop, 1))
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
            self._bytes = 0
        self._source.close()
