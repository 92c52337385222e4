"""Generation of the rows of a recipe: its effects, run over tiles of rows."""

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numba.core import event
from numpy.typing import NDArray

from .cpus import available_cpus
from .effects.base import ArraySpec, Effect, Tile
from .effects.chain import field_table, make_effects
from .effects.classes.effect import Classes
from .errors import ConfigError
from .numeric.fixed import decode_rows, round_values
from .recipe import GENERATOR_VERSION, Recipe
from .schema.fields import FieldSpec

Arrays = dict[str, NDArray[np.generic]]

_TILE = 128
"""Most rows that a thread makes at a time: their arrays stay in the cache."""
_TILE_BYTES = 4 << 20
"""Fewer if they are large."""


def _allocate(specs: Mapping[str, ArraySpec], n_rows: int) -> Arrays:
    return {name: np.empty((n_rows, *spec.shape), spec.dtype) for name, spec in specs.items()}


def _as_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return a view of shape (rows, values of a row)."""
    return values.reshape(len(values), -1)


class Buffer:
    """Arrays of a fixed number of rows, into which blocks are generated repeatedly.

    Attributes
    ----------
    arrays
        The fields by name as they are stored, shape (n_rows, ...).
    """

    def __init__(self, table: tuple[FieldSpec, ...], whole: Mapping[str, ArraySpec], n_rows: int):
        self.n_rows = n_rows
        self.arrays: Mapping[str, NDArray[np.generic]] = {
            spec.name: np.empty((n_rows, *spec.shape), spec.dtype) for spec in table
        }
        self.written: Arrays = {
            **_allocate(whole, n_rows),
            **{
                spec.name: values.view(np.uint16) if values.dtype == np.float16 else values
                for spec, values in zip(table, self.arrays.values(), strict=True)
                if spec.fixed_point is None
            },
        }
        """Arrays that effects write: the same memory, float16 as its bits, and scratch arrays.
        Fixed-point fields are not among them: they are rounded from a scratch array."""
        self.scratch = threading.local()


class _Compiling(event.Listener):  # type: ignore[misc]
    """Calls a function once, when Numba starts to compile."""

    def __init__(self, started: Callable[[], None]) -> None:
        self._started: Callable[[], None] | None = started

    def on_start(self, _event: object) -> None:
        """Compiling begins."""
        started, self._started = self._started, None
        if started is not None:
            started()

    def on_end(self, _event: object) -> None:
        """Compiling has ended."""


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Collect garbage seldom: a tenth of the time that Numba needs to compile."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Generator:
    """A resolved recipe, ready to make any of its rows.

    Parameters
    ----------
    recipe
        A resolved recipe: its library is written out and ``fields.n_modes`` is set.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.generator != GENERATOR_VERSION:
            raise ConfigError(
                f"generator: expected {GENERATOR_VERSION}, which this version of tersgen has, got "
                f"{recipe.generator}; make the rows with the version that the recipe is for"
            )
        self.recipe = recipe
        self.table = field_table(recipe)
        effects = make_effects(recipe, recipe.held_library)
        self._of_blocks = [effect for effect in effects if effect.stage == "rows"]
        self._of_tiles = [effect for effect in effects if effect.stage != "rows"]
        self._classes = next(effect for effect in effects if isinstance(effect, Classes))
        self._rounded = {spec.name: spec.fixed_point for spec in self.table if spec.fixed_point}
        stored = {spec.name for spec in self.table} - self._rounded.keys()
        self._whole = self._unstored(self._of_blocks, stored)
        self._scratch = self._unstored(self._of_tiles, stored)
        row_bytes = sum(spec.value_bytes for spec in self.table)
        self._tile = max(1, min(_TILE, _TILE_BYTES // row_bytes))

    def _unstored(self, effects: list[Effect[Any]], stored: set[str]) -> dict[str, ArraySpec]:
        """Return the arrays that effects fill and that are not stored as they fill them."""
        made: dict[str, ArraySpec] = {}
        for effect in effects:
            for spec in effect.fields(self.recipe):
                made[spec.name] = ArraySpec(spec.shape, spec.value_dtype.type)
            made |= effect.scratch()
        return {name: spec for name, spec in made.items() if name not in stored}

    def buffer(self, n_rows: int) -> Buffer:
        """Return arrays for ``n_rows`` rows."""
        return Buffer(self.table, self._whole, n_rows)

    def warm_up(self, on_compile: Callable[[str, int], None]) -> None:
        """Compile the kernels that are not on this machine yet, by making one row.

        Parameters
        ----------
        on_compile
            Called when the kernels of an effect start to compile, with its name and the number of
            effects left, including itself; not called if machine code is cached.
        """
        effects = [*self._of_blocks, *self._of_tiles]
        buffer = self.buffer(1)
        rows = {**buffer.written, **_allocate(self._scratch, 1)}
        tile = Tile(rows, 0, self.recipe.seed)
        with _seldom_collected():
            for k, effect in enumerate(effects):
                watch = _Compiling(partial(on_compile, effect.label(), len(effects) - k))
                with event.install_listener("numba:compile", watch):
                    effect.apply(tile)
        self._round(rows, buffer, 0, 1)
        if self.recipe.effects:
            self._refuse_chance()

    def _refuse_chance(self) -> None:
        """Refuse effects whose rows are not functions of the index: generate one in two ways."""
        block, alone = self.block(0, 4, 1), self.block(2, 3, 1)
        for name, values in alone.items():
            if values.tobytes() != block[name][2:3].tobytes():
                raise ConfigError(
                    f"effects ({', '.join(sorted(self.recipe.effects))}): expected a row that only "
                    f"depends on seed and index, got two for sample 2 that differ in {name}; draw "
                    "with philox and the stream of the effect"
                )

    def labels(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return the classes of rows ``start`` to ``stop``, int32, shape (stop - start,)."""
        labels = np.empty(stop - start, np.int32)
        self._classes.fill_labels(labels, start)
        return labels

    def fill(
        self,
        start: int,
        buffer: Buffer,
        n_rows: int | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Generate rows ``start``, ``start + 1``, ... into the first rows of ``buffer``, or all.

        Kernels run without the GIL: threads of a ``pool`` share the rows, or several threads call
        it, each with a buffer of its own.
        """
        n_rows = buffer.n_rows if n_rows is None else n_rows
        self._begin(start, buffer, n_rows)

        def fill_tile(first: int, last: int) -> None:
            self._fill_tile(first, last, start, buffer)

        self._each_tile(fill_tile, n_rows, pool)

    def _each_tile(
        self, task: Callable[[int, int], None], n_rows: int, pool: ThreadPoolExecutor | None
    ) -> None:
        """Call a task with the first row and the end of each tile."""
        first = range(0, n_rows, self._tile)
        last = (min(n_rows, one + self._tile) for one in first)
        share = map if pool is None else pool.map
        for _ in share(task, first, last):
            pass

    def _begin(self, start: int, buffer: Buffer, n_rows: int) -> None:
        rows = {name: values[:n_rows] for name, values in buffer.written.items()}
        tile = Tile(rows, start, self.recipe.seed)
        for effect in self._of_blocks:
            effect.apply(tile)

    def _fill_tile(self, first: int, last: int, start: int, buffer: Buffer) -> None:
        scratch: Arrays | None = getattr(buffer.scratch, "arrays", None)
        if scratch is None:
            scratch = buffer.scratch.arrays = _allocate(self._scratch, self._tile)
        rows = {name: values[first:last] for name, values in buffer.written.items()}
        for name, values in scratch.items():
            rows[name] = values[: last - first]
        tile = Tile(rows, start + first, self.recipe.seed)
        for effect in self._of_tiles:
            effect.apply(tile)
        self._round(rows, buffer, first, last)

    def _round(self, rows: Arrays, buffer: Buffer, first: int, last: int) -> None:
        """Store the fixed-point fields of a tile."""
        for name, one in self._rounded.items():
            values: NDArray[Any] = rows[name].reshape(-1)
            round_values(
                values,
                np.float32(1 / one.scale),
                np.float32(one.zero + 0.5),
                one.missing,
                buffer.arrays[name][first:last].reshape(-1),
            )

    def block(self, start: int, stop: int, threads: int | None = None) -> Arrays:
        """Return rows ``start`` to ``stop`` as new arrays, by field name, as they are read.

        ``threads`` share the rows; by default one for each processor this process may use.
        """
        buffer = self.buffer(stop - start)
        stored = {name: buffer.arrays[name] for name in self._rounded}
        decoded = {name: np.empty(rows.shape, np.float32) for name, rows in stored.items()}

        def decode_tile(first: int, last: int) -> None:
            rows = np.arange(first, last)
            for name, one in self._rounded.items():
                source, target = _as_rows(stored[name]), _as_rows(decoded[name])
                scale = np.float32(one.scale)
                decode_rows(source, rows, target, rows, scale, one.zero, one.missing)

        with self._pool(buffer.n_rows, threads) as pool:
            self.fill(start, buffer, pool=pool)
            self._each_tile(decode_tile, buffer.n_rows, pool)
        return {**buffer.arrays, **decoded}

    def stored_block(self, start: int, stop: int, threads: int | None = None) -> Arrays:
        """Return rows as ``block`` does, but fixed-point arrays as the integers that are stored."""
        buffer = self.buffer(stop - start)
        with self._pool(buffer.n_rows, threads) as pool:
            self.fill(start, buffer, pool=pool)
        return {**buffer.arrays}

    @contextmanager
    def _pool(self, n_rows: int, threads: int | None) -> Iterator[ThreadPoolExecutor | None]:
        """Give threads to share rows between, or None if one will do."""
        threads = threads or available_cpus()
        if threads == 1 or n_rows <= self._tile:
            yield None
        else:
            with ThreadPoolExecutor(threads, "tersgen-generate") as pool:
                yield pool
