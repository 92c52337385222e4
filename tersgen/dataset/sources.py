"""Where rows come from: sealed shards on disk, or the generator itself."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..sampling.block import Generator

Values = NDArray[np.generic]

_MOST_GENERATED = 1 << 14


class RowSource(Protocol):
    """Reads rows of a field."""

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""


class GeneratedRows:
    """Rows that are generated as they are asked for."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop, rows.step)
        spec = next(spec for spec in self._generator.table if spec.name == name)
        out = np.empty((len(rows), *spec.shape), spec.dtype)
        # runs of neighbouring rows are made together
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for run in np.split(np.arange(len(rows)), breaks):
            for first in range(0, len(run), _MOST_GENERATED):
                part = run[first : first + _MOST_GENERATED]
                start = int(rows[part[0]])
                out[part] = self._generator.block(start, start + len(part))[name]
        return out
