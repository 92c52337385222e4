"""Where rows come from: finished shards on disk, or the generator itself."""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..store.blocks import Copies as Copies
from ..store.blocks import ReadTimes as ReadTimes
from ..store.blocks import as_bytes as as_bytes

if TYPE_CHECKING:
    from ..generator import Buffer, Generator
    from ..recipe import Recipe

Values = NDArray[np.generic]

_MOST_GENERATED = 1 << 14


class BlockSource(Protocol):
    """Copies rows of many fields to places of the caller's; safe to use from many threads."""

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows of a block to their places.

        Parameters
        ----------
        first
            A row, from which the rows of ``copies`` are counted.
        copies
            Which rows go where; what they share is read and decoded once.
        times
            Gets the seconds of each step added.

        Raises
        ------
        DamagedDataError
            If stored bytes are missing or fail their checks.
        """


class RowSource(Protocol):
    """Reads rows of a field."""

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""

    def blocks(self, names: Iterable[str]) -> BlockSource:
        """Return what copies rows of these fields block by block."""

    def check_files(self) -> None:
        """Refuse rows that are not there; without reading any."""


class GeneratedBlocks:
    """Rows of some fields of a recipe, made as they are asked for; no other field is made.

    Parameters
    ----------
    recipe
        A resolved recipe.
    names
        The fields.
    block_rows
        Most rows that are asked for at once, from the first to the last.
    """

    def __init__(self, recipe: "Recipe", names: Iterable[str], block_rows: int) -> None:
        from ..generator import Generator  # stored rows are read without Numba

        wanted = {name.partition("/")[0] for name in names}
        if "params" not in wanted:  # which parameters there are depends on the other fields
            switchable = ("spectra", "maps", "cube", "sticks", "tensors", "structure")
            switches = {name: name in wanted for name in switchable}
            fields = recipe.fields.model_copy(update={**switches, "params": False})
            recipe = recipe.model_copy(update={"fields": fields})
        self._generator = Generator(recipe)
        self._block_rows = block_rows
        self._local = threading.local()

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows as :class:`BlockSource` says; making them counts as decoding."""
        from ..numeric.rows import copy_rows

        start = time.perf_counter()
        buffer: Buffer | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = self._generator.buffer(self._block_rows)
        low = min(int(copy.take[0]) for copy in copies)
        high = max(int(copy.take[-1]) for copy in copies)
        self._generator.fill(first + low, buffer, high - low + 1)
        made = time.perf_counter()
        for take, out, put in copies:
            for name, target in out.items():
                copy_rows(as_bytes(buffer.arrays[name]), take - low, target, put)
        times.decode += made - start
        times.gather += time.perf_counter() - made


class GeneratedRows:
    """Rows that are generated as they are asked for."""

    def __init__(self, generator: "Generator", block_rows: int) -> None:
        self._generator = generator
        self._block_rows = block_rows

    def blocks(self, names: Iterable[str]) -> GeneratedBlocks:
        """Return what makes rows of these fields block by block."""
        return GeneratedBlocks(self._generator.recipe, names, self._block_rows)

    def check_files(self) -> None:
        """Do nothing: any row can be made."""

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
