"""Twins: rows as they would be without noise, background and detector.

They are not stored, but made from the recipe as they are read. All else is drawn as before, since
every effect has a random stream of its own: species, orientation, positions and widths of bands,
the resolution of the spectrometer and the errors of its axis.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import FieldSpec
from .sources import BlockSource, Copies, GeneratedRows, ReadTimes, Values, narrowed

if TYPE_CHECKING:
    from ..recipe import Recipe

PREFIX = "clean/"
_ARRAYS = ("spectra", "maps", "cube")


class _CleanBlocks:
    """Blocks of twins, under their names."""

    def __init__(self, source: BlockSource) -> None:
        self._source = source

    def read_into(self, first: int, copies: Sequence[Copies], times: ReadTimes) -> None:
        """Copy rows as :class:`BlockSource` says."""
        theirs = [
            Copies(take, {name.removeprefix(PREFIX): room for name, room in out.items()}, put)
            for take, out, put in copies
        ]
        self._source.read_into(first, theirs, times)


class Twins:
    """Rows of ``clean/spectra``, ``clean/maps`` and ``clean/cube``.

    Parameters
    ----------
    fields
        The arrays of a dataset.
    recipe
        Returns its recipe; asked for when one of them is first used.
    block_rows
        Rows of a block.
    """

    def __init__(
        self, fields: Iterable[FieldSpec], recipe: "Callable[[], Recipe]", block_rows: int
    ) -> None:
        self.names = frozenset(PREFIX + spec.name for spec in fields if spec.name in _ARRAYS)
        self._recipe = recipe
        self._block_rows = block_rows

    @cached_property
    def _generated(self) -> GeneratedRows:
        from ..generator import Generator  # stored rows are read without Numba

        wanted = [name.removeprefix(PREFIX) for name in self.names]
        return GeneratedRows(
            Generator(narrowed(self._recipe().noise_free, wanted)), self._block_rows
        )

    def spec(self, name: str) -> FieldSpec:
        """Return what a field is like."""
        spec = self._generated.spec(name.removeprefix(PREFIX))
        return spec.model_copy(
            update={
                "name": name,
                "description": "the same without noise, background and detector, scaled by itself",
            }
        )

    def read(self, name: str, rows: slice | NDArray[np.intp]) -> Values:
        """Return rows of a field: a slice with positive step, or an array of row numbers."""
        return self._generated.read(name.removeprefix(PREFIX), rows)

    def read_many(self, names: Sequence[str], rows: slice | NDArray[np.intp]) -> dict[str, Values]:
        """Return rows of several fields by name."""
        found = self._generated.read_many([name.removeprefix(PREFIX) for name in names], rows)
        return {PREFIX + name: values for name, values in found.items()}

    def blocks(self, names: Iterable[str]) -> BlockSource:
        """Return what copies rows of these fields block by block."""
        return _CleanBlocks(self._generated.blocks([name.removeprefix(PREFIX) for name in names]))

    def check_files(self) -> None:
        """Do nothing: any row can be made."""

    def close(self) -> None:
        """Do nothing: no row is kept."""
