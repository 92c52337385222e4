"""The files of shards, opened once for many reads."""

import resource
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile
from ..errors import DatasetError, TersError
from ..files import is_limit, why
from ..schema.fields import FieldSpec
from . import bus_errors
from .interface import Store
from .mapping import mapped
from .sources import source_of

_MOST_FILES = 4096


class OpenFile:
    """An open file of a shard, and where its chunks lie; closed when nobody has it any more."""

    def __init__(self, file: ByteFile) -> None:
        self.bytes = file
        self.tables: dict[str, list[list[int]]] = {}
        self.looking_up = threading.Lock()
        self.read: set[tuple[str, int]] = set()
        """Chunks that were read, by array and number: they are likely to be in memory."""
        self._content: NDArray[np.uint8] | None = None
        self._may_map = True

    def mapped(self) -> NDArray[np.uint8] | None:
        """Return the file mapped into memory, or None; see ``mapping.mapped``."""
        if self._may_map and self._content is None:
            with self.looking_up:
                if self._may_map and self._content is None:
                    self._content = mapped(self.bytes)
                    self._may_map = self._content is not None
        return self._content if bus_errors.is_ours() else None

    def unmap(self) -> None:
        """Read the file from now on."""
        self._may_map, self._content = False, None


def _most_files() -> int:
    """Return how many files may stay open: there may be a few readers in a process."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if allowed == resource.RLIM_INFINITY else min(_MOST_FILES, allowed // 4)


class ShardFiles:
    """The open files of the first rows of a dataset; safe to use from many threads."""

    def __init__(
        self, folder: Path, store: Store, fields: Sequence[FieldSpec], n_samples: int
    ) -> None:
        self._folder = folder
        self._store = store
        self._fields = fields
        self._n_samples = n_samples
        self._source = source_of(folder)
        self._files: dict[str, OpenFile] = {}
        self._most_files = _most_files()
        self._lock = threading.Lock()

    def chunks(self, spec: FieldSpec, shard: int) -> tuple[OpenFile, list[list[int]]]:
        """Return the file of a shard's array, and (offset, bytes, check) of each of its chunks.

        The table has been checked: no chunk in it is larger than its rows justify; a chunk that is
        missing has -1 bytes. The file stays open as long as it is used.
        """
        inside = self._store.array_path(shard, spec)
        file = self._files.get(inside) or self._open(inside)
        return file, file.tables.get(spec.name) or self._table(spec, shard, file)

    def forget(self, spec: FieldSpec, shard: int) -> bool:
        """Open a file again at its next use; return whether it was open."""
        return self._files.pop(self._store.array_path(shard, spec), None) is not None

    def _open(self, inside: str) -> OpenFile:
        try:
            file = OpenFile(self._source_file(inside))
        except OSError as error:
            if isinstance(error, TersError):
                raise
            raise DatasetError(f"{self._folder / inside}: {why(error)}") from None
        with self._lock:
            if len(self._files) >= self._most_files:
                del self._files[next(iter(self._files))]  # closed when no thread has it any more
            self._files[inside] = file
        return file

    def _source_file(self, inside: str) -> ByteFile:
        """Open a file; if too many are open, those that are kept are closed first."""
        try:
            return self._source.open(inside)
        except OSError as error:
            if not is_limit(error):
                raise
        with self._lock:
            self._files.clear()
        return self._source.open(inside)

    def _table(self, spec: FieldSpec, shard: int, file: OpenFile) -> list[list[int]]:
        """Look up the chunks of an array, and of all others in its file that are wanted."""
        with file.looking_up:
            if spec.name not in file.tables:
                rows = self._store.layout.rows_of(shard, self._n_samples)
                inside = self._store.array_path(shard, spec)
                together = [
                    other
                    for other in self._fields
                    if self._store.array_path(shard, other) == inside
                ]
                found = self._store.chunk_tables(file.bytes, together, shard, rows)
                if spec.name not in found:  # say why
                    found[spec.name] = self._store.chunk_table(file.bytes, spec, shard, rows)
                file.tables |= {name: chunks.tolist() for name, chunks in found.items()}
        return file.tables[spec.name]
