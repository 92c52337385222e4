"""Where the rows of a build come from: the generator, or another dataset."""

import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..dataset.labels import check_labels
from ..generator import Buffer, Generator
from ..schema.fields import FieldSpec
from ..store.reader import Reader

Values = NDArray[np.generic]


class RowMaker(Protocol):
    """Makes runs of rows in any order, from any thread."""

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field; good until this thread asks for the next."""


class GeneratedRuns:
    """Rows that are generated, each thread into a buffer of its own."""

    def __init__(self, generator: Generator, most_rows: int) -> None:
        self._generator = generator
        self._most_rows = most_rows
        self._local = threading.local()

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field; good until this thread asks for the next."""
        buffer: Buffer | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = self._generator.buffer(self._most_rows)
        self._generator.fill(start, buffer, n_rows)
        return {name: values[:n_rows] for name, values in buffer.arrays.items()}


class StoredRuns:
    """Rows that are read from a dataset of so many species."""

    def __init__(self, reader: Reader, table: tuple[FieldSpec, ...], n_classes: int) -> None:
        self._reader = reader
        self._table = table
        self._n_classes = n_classes

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checks, or a label is that of no species.
        """
        rows = slice(start, start + n_rows, 1)
        made = {spec.name: self._reader.read(spec.name, rows) for spec in self._table}
        check_labels(made["label"], self._n_classes, start)
        return made
