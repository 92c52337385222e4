"""Where rows come from: finished shards on disk, or the generator itself."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..store.blocks import Copies as Copies
from ..store.blocks import ReadTimes as ReadTimes
from ..store.blocks import as_bytes as as_bytes
from ..store.blocks import put_rows
from ..store.row_reader import Part as Part

if TYPE_CHECKING:
    from ..generator import Buffer, Generator
    from ..recipe import Recipe
    from ..schema.fields import FieldSpec

Values = NDArray[np.generic]

_MOST_GENERATED = 1 << 14
_OF_SPECTRA = "params/instrument"
"""Parameters that depend on nothing but spectra."""


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

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""

    def check_files(self) -> None:
        """Refuse rows that are not there; without reading any."""

    def close(self) -> None:
        """Drop what is kept in memory."""


class StoredRows(RowSource, Protocol):
    """Reads rows that are stored."""

    def read_stored(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field as they are stored; not to be written to."""

    def read_part(self, name: str, row: int) -> Part:
        """Return a row as it is stored, and those that had to be decoded with it."""


def narrowed(recipe: "Recipe", names: Iterable[str]) -> "Recipe":
    """Return a recipe that makes some of its fields, with the same values, and few others."""
    from ..effects.chain import computed_table

    names = set(names)
    if not names.isdisjoint(spec.name for spec in computed_table(recipe)):
        recipe = recipe.complete
    wanted = {name.partition("/")[0] for name in names}
    params = {name for name in names if name.startswith("params/")}
    if params - {_OF_SPECTRA}:  # which parameters there are depends on the other fields
        return recipe
    if params:
        wanted.add("spectra")
    switchable = ("spectra", "maps", "cube", "sticks", "tensors", "structure", "scene")
    switches = {name: name in wanted for name in switchable}
    fields = recipe.fields.model_copy(update={**switches, "params": bool(params)})
    return recipe.model_copy(update={"fields": fields})


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

        self._generator = Generator(narrowed(recipe, names))
        self._block_rows = block_rows
        self._local = threading.local()

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows as :class:`BlockSource` says; making them counts as decoding."""
        start = time.perf_counter()
        buffer: Buffer | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = self._generator.buffer(self._block_rows)
        low = min(int(copy.take[0]) for copy in copies)
        high = max(int(copy.take[-1]) for copy in copies)
        self._generator.fill(first + low, buffer, high - low + 1)
        made = time.perf_counter()
        specs = {spec.name: spec for spec in self._generator.table}
        for take, out, put in copies:
            for name, target in out.items():
                rows = as_bytes(buffer.arrays[name])
                put_rows(specs[name], rows, take - low, target, put)
        times.decode += made - start
        times.gather += time.perf_counter() - made


class ParallelBlocks:
    """Rows of some fields from one source, and of some from others."""

    def __init__(self, sources: Sequence[tuple[frozenset[str], BlockSource]]) -> None:
        self._sources = sources

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows as :class:`BlockSource` says."""
        for names, source in self._sources:
            theirs = [
                Copies(take, {name: room for name, room in out.items() if name in names}, put)
                for take, out, put in copies
            ]
            source.read_into(first, theirs, times)


class PartlyComputed:
    """Rows of a stored dataset, some fields of which are computed from its recipe as they are read.

    Parameters
    ----------
    stored
        Where the others are read.
    computed
        Names of those that are computed.
    recipe
        Returns the recipe; asked for when one of them is first read.
    block_rows
        Rows of a block.
    """

    def __init__(
        self,
        stored: StoredRows,
        computed: Iterable[str],
        recipe: "Callable[[], Recipe]",
        block_rows: int,
    ) -> None:
        self._stored = stored
        self._computed = frozenset(computed)
        self._recipe = recipe
        self._block_rows = block_rows

    @cached_property
    def _generated(self) -> "GeneratedRows":
        from ..generator import Generator

        # effects of plug-ins act on signals, which are stored
        recipe = self._recipe().model_copy(update={"effects": {}})
        return GeneratedRows(Generator(narrowed(recipe, self._computed)), self._block_rows)

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""
        return (self._generated if name in self._computed else self._stored).read(name, rows)

    def read_stored(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field that is stored, as it is."""
        return self._stored.read_stored(name, rows)

    def read_part(self, name: str, row: int) -> Part:
        """Return a row of a field that is stored, and those that had to be decoded with it."""
        return self._stored.read_part(name, row)

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        stored = [name for name in names if name not in self._computed]
        found = self._stored.read_many(stored, rows) if stored else {}
        computed = [name for name in names if name in self._computed]
        return {**found, **(self._generated.read_many(computed, rows) if computed else {})}

    def close(self) -> None:
        """Drop what is kept in memory."""
        self._stored.close()

    def blocks(self, names: Iterable[str]) -> BlockSource:
        """Return what copies rows of these fields block by block."""
        wanted = frozenset(names)
        computed = wanted & self._computed
        if not computed:
            return self._stored.blocks(names)
        sources = [(computed, self._generated.blocks(computed))]
        if wanted - computed:
            kept = wanted - computed
            return ParallelBlocks([(kept, self._stored.blocks(kept)), *sources])
        return sources[0][1]

    def check_files(self) -> None:
        """Refuse rows that are not there; those that are computed rest on the others."""
        self._stored.check_files()


class GeneratedRows:
    """Rows that are generated as they are asked for."""

    def __init__(self, generator: "Generator", block_rows: int) -> None:
        self._generator = generator
        self._block_rows = block_rows

    def spec(self, name: str) -> "FieldSpec":
        """Return what a field is like."""
        return next(spec for spec in self._generator.table if spec.name == name)

    def blocks(self, names: Iterable[str]) -> GeneratedBlocks:
        """Return what makes rows of these fields block by block."""
        return GeneratedBlocks(self._generator.recipe, names, self._block_rows)

    def check_files(self) -> None:
        """Do nothing: any row can be made."""

    def close(self) -> None:
        """Do nothing: no row is kept."""

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""
        return self.read_many([name], rows)[name]

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop, rows.step)
        specs = {spec.name: spec for spec in self._generator.table}
        chosen = [specs[name] for name in names]
        out = {spec.name: np.empty((len(rows), *spec.shape), spec.value_dtype) for spec in chosen}
        # runs of neighbouring rows are made together
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for run in np.split(np.arange(len(rows)), breaks):
            for first in range(0, len(run), _MOST_GENERATED):
                part = run[first : first + _MOST_GENERATED]
                start = int(rows[part[0]])
                made = self._generator.block(start, start + len(part))
                for name, values in out.items():
                    values[part] = made[name]
        return out
