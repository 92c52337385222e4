"""What a build will write, and what it will take: arrays, bytes, files, memory, time."""

import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

from ..cpus import available_cpus
from ..dataset.basis import Basis, StoredBasis, contents_of
from ..dataset.dataset import Dataset
from ..effects.precision import Rounding, roundings
from ..errors import ConfigError, NotSyntheticError, OutputError
from ..files import peak_memory
from ..generator import Generator
from ..recipe import Recipe
from ..schema.base import Frozen, field
from ..schema.contents import Contents
from ..schema.fields import FieldSpec
from ..schema.manifest import LARGEST_N, Compression, Format, Lock, ShardRecord
from ..schema.measured import Measured
from ..store.backends import make_store
from ..store.interface import Store
from ..store.layout import Layout, choose_layout
from ..store.location import DatasetLocation
from ..store.reader import Reader
from ..text import human_bytes
from .chunks import ChunkMaker, unit_rows
from .commit import STAGED_BYTES
from .environment import environment
from .output import existing_parent
from .rows import GeneratedRuns, RowMaker

_TRIALS = 4
SHARDS_IN_FLIGHT = 3
"""Shards in memory: one is made, two are flushed to disk."""


class Plan(NamedTuple):
    """What a build makes; nothing in it changes a value but the recipe."""

    document: StoredBasis
    """The recipe, or what was measured, as it is stored."""
    contents: Contents
    n_samples: int
    layout: Layout
    format: Format

    @property
    def recipe(self) -> Basis:
        """The recipe, or what was measured."""
        return self.document.basis

    @property
    def table(self) -> tuple[FieldSpec, ...]:
        """The table of arrays."""
        return self.contents.fields

    @property
    def classes(self) -> tuple[str, ...]:
        """Species names in label order."""
        return self.contents.classes

    @property
    def row_bytes(self) -> int:
        """Bytes of a row before compression."""
        return sum(spec.row_bytes for spec in self.table)

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return self.layout.n_shards(self.n_samples)

    def rows_of(self, shard: int) -> int:
        """Return how many rows a shard holds."""
        return self.layout.rows_of(shard, self.n_samples)

    def recorded(self, records: Iterable[ShardRecord]) -> dict[int, ShardRecord]:
        """Return the newest record of each shard that has all its rows."""
        return {
            record.shard: record
            for record in records
            if record.shard < self.n_shards and record.rows == self.rows_of(record.shard)
        }

    def lock(self) -> Lock:
        """Return the lock file of the build."""
        return Lock.sealed(
            format=self.format,
            recipe_digest=self.contents.recipe_digest,
            library_digest=self.contents.library_digest,
            generator=self.contents.generator,
            seed=self.contents.seed,
            n_samples=self.n_samples,
            chunk_rows=self.layout.chunk_rows,
            shard_rows=self.layout.shard_rows,
            compression=self.layout.compression,
            plugins=self.document.plugins,
            environment=environment(),
        )

    def store(self) -> Store:
        """Return the back end."""
        return make_store(self.format, self.contents, self.layout)

    def maker(self, store: Store, rows: RowMaker | None = None) -> ChunkMaker:
        """Return what makes and encodes runs of rows; they are generated unless given."""
        if rows is None:
            rows = GeneratedRuns(_generator(self.document), unit_rows(self.table, self.layout))
        return ChunkMaker(rows, store)

    def stored_rows(self, location: DatasetLocation, n_samples: int) -> Dataset:
        """Return the first rows of an unfinished dataset, whose shards must be there."""
        rows = Reader(location.folder, self.store(), n_samples)
        return Dataset(location.path, self.document, self.contents, n_samples, rows)


def _synthetic(document: StoredBasis) -> Recipe:
    if isinstance(document.basis, Measured):
        raise NotSyntheticError(
            "expected a recipe to make rows from, got measured rows; read them from their "
            "files again: tersgen ingest"
        )
    return document.basis


@lru_cache(maxsize=1)
def _generator(document: StoredBasis) -> Generator:
    """Return the generator of a recipe; the estimate and the build share its tables."""
    return Generator(_synthetic(document))


class Estimate(Frozen):
    """What a build is expected to take, from a trial in memory."""

    n_samples: int = field("rows", "row")
    arrays: tuple[FieldSpec, ...] = field("the table of arrays", "1")
    roundings: tuple[Rounding, ...] = field("error of each fixed-point array", "1")
    row_bytes: int = field("bytes of a row before compression", "byte")
    bytes_stored: int = field("bytes on disk", "byte")
    n_shards: int = field("shards", "1")
    shard_rows: int = field("rows of a shard", "row")
    chunk_rows: int = field("rows of an inner chunk", "row")
    n_files: int = field("files", "1")
    peak_memory_bytes: int = field("peak resident memory", "byte")
    free_bytes: int = field("free space where the output goes", "byte")
    samples_per_s: float = field("samples made and encoded per second in the trial", "1/s")
    seconds: float = field("estimated time", "s")


def check_compression(format: Format, compression: Compression | None) -> Compression:
    """Return how a back end is to compress."""
    if format == "hdf5" and compression == "lz4":
        raise ConfigError(
            "compression: expected none for HDF5, which any program can then read, got lz4; leave "
            "it out"
        )
    # of HDF5 there is no choice to record
    return "lz4" if compression is None or format == "hdf5" else compression


def make_plan(
    recipe: Basis,
    n_samples: int,
    format: Format = "zarr",
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression | None = None,
) -> Plan:
    """Return the plan of ``n_samples`` rows of a resolved recipe, or of measured rows."""
    if not 1 <= n_samples <= LARGEST_N:
        raise ConfigError(f"n: expected a whole number from 1 to 2^53, got {n_samples:.6g}")
    try:
        document = StoredBasis.of(recipe)
        contents, packed = contents_of(document), check_compression(format, compression)
        layout = choose_layout(contents.fields, n_samples, chunk_rows, shard_rows, packed)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return Plan(document, contents, n_samples, layout, format)


def _silent(_effect: str, _left: int) -> None:
    """Say nothing of kernels that are compiled."""


def estimate(
    plan: Plan,
    location: DatasetLocation,
    threads: int | None = None,
    compiling: Callable[[str, int], None] = _silent,
) -> Estimate:
    """Make, encode and drop some rows in memory, and say what the whole build will take.

    Nothing is written to disk. Kernels that are not compiled yet are compiled first, of which
    ``compiling`` is called: see ``Generator.warm_up``.
    """
    _generator(plan.document).warm_up(compiling)
    store = plan.store()
    maker = plan.maker(store)
    threads = threads or available_cpus()
    rows = min(plan.n_samples, maker.unit_rows)
    maker.make(0, rows)  # compiles on a first run; not timed
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        runs = list(pool.map(lambda _: maker.make(0, rows), range(_TRIALS * threads)))
        seconds = (time.perf_counter() - start) / (_TRIALS * threads * rows)
    chunks = [chunk for chunks in runs[0].chunks.values() for chunk in chunks]
    stored = sum(chunk.size for chunk in chunks) / rows
    files_per_shard = len(store.shard_paths(0))
    shard_bytes = plan.layout.shard_rows * plan.row_bytes
    return Estimate(
        n_samples=plan.n_samples,
        arrays=plan.table,
        roundings=roundings(plan.table, _synthetic(plan.document)),
        row_bytes=plan.row_bytes,
        bytes_stored=int(stored * plan.n_samples),
        n_shards=plan.n_shards,
        shard_rows=plan.layout.shard_rows,
        chunk_rows=plan.layout.chunk_rows,
        n_files=plan.n_shards * files_per_shard + files_per_shard + 12,
        peak_memory_bytes=peak_memory()
        + SHARDS_IN_FLIGHT * shard_bytes
        + (SHARDS_IN_FLIGHT - 1) * STAGED_BYTES,
        free_bytes=shutil.disk_usage(existing_parent(location.folder)).free,
        samples_per_s=1 / seconds,
        seconds=plan.n_samples * seconds,
    )


def check_space(expected: Estimate, location: DatasetLocation, n_kept: int = 0) -> None:
    """Refuse a build that cannot fit, ``n_kept`` samples of which are there already."""
    wanted = expected.bytes_stored * (1 - n_kept / expected.n_samples)
    if wanted > expected.free_bytes:
        raise OutputError(
            f"{location}: expected room for about {human_bytes(wanted)}, got "
            f"{human_bytes(expected.free_bytes)} free; lower --n, or write to another disk"
        )
