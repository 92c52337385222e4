"""Where the rows of a build come from: the generator, or another dataset."""

import threading
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..dataset.dataset import Dataset
from ..dataset.labels import check_labels
from ..generator import Buffer, Generator
from ..schema.fields import FieldSpec

Values = NDArray[np.generic]


class RowMaker(Protocol):
    """Makes runs of rows in any order, from any thread."""

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field, as stored; good until this thread asks for the next."""


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
    """Rows that are read from a dataset."""

    def __init__(self, dataset: Dataset, names: Iterable[str]) -> None:
        self._dataset = dataset
        self._names = tuple(names)

    def make(self, start: int, n_rows: int) -> Mapping[str, Values]:
        """Return rows by field."""
        rows = slice(start, start + n_rows)
        fields = [self._dataset[name] for name in self._names]
        made = {field.spec.name: _stored(field.spec, field[rows]) for field in fields}
        check_labels(made["label"], len(self._dataset.classes), start)
        return made


def _stored(spec: FieldSpec, values: Values) -> Values:
    """Return values as they are stored: integers, if they were decoded from some."""
    return values if spec.fixed_point is None else spec.fixed_point.encoded(values, spec.dtype)
