"""What a build will write, and what it will take: arrays, bytes, files, memory, time."""

import resource
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, OutputError
from ..sampling.block import Generator, available_cpus
from ..schema.base import Frozen, field
from ..schema.fields import FieldSpec
from ..schema.library import Library
from ..store.layout import Layout, choose_layout
from .chunks import ChunkMaker
from .output import existing_parent

LARGEST_N = 2**53
_TRIALS = 4
SHARDS_IN_FLIGHT = 3
"""Shards in memory: one is made, two are flushed to disk."""


class Plan(NamedTuple):
    """A build that is ready to start."""

    generator: Generator
    n_samples: int
    layout: Layout

    @property
    def table(self) -> tuple[FieldSpec, ...]:
        """The table of arrays."""
        return self.generator.table

    @property
    def classes(self) -> tuple[str, ...]:
        """Species names in label order."""
        library = self.generator.recipe.library
        return tuple(one.name for one in library.species) if isinstance(library, Library) else ()

    @property
    def row_bytes(self) -> int:
        """Bytes of a row before compression."""
        return sum(spec.row_bytes for spec in self.table)


class Estimate(Frozen):
    """What a build is expected to take, from a trial in memory."""

    n_samples: int = field("rows", "row")
    arrays: tuple[FieldSpec, ...] = field("the table of arrays", "1")
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


def make_plan(
    generator: Generator,
    n_samples: int,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
) -> Plan:
    """Return the plan of a build of ``n_samples`` rows.

    Raises
    ------
    ConfigError
        If the numbers of rows are not possible.
    """
    if not 1 <= n_samples <= LARGEST_N:
        raise ConfigError(f"n: expected a whole number from 1 to 2^53, got {n_samples:.6g}")
    try:
        layout = choose_layout(generator.table, n_samples, chunk_rows, shard_rows)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return Plan(generator, n_samples, layout)


def estimate(plan: Plan, out: Path, threads: int | None = None) -> Estimate:
    """Make, encode and drop some rows in memory, and say what the whole build will take.

    Nothing is written to disk.
    """
    maker = ChunkMaker(plan.generator, plan.layout, len(plan.classes))
    threads = threads or available_cpus()
    rows = min(plan.n_samples, maker.unit_rows)
    maker.make(0, rows)  # compiles on a first run; not timed
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        runs = list(pool.map(lambda _: maker.make(0, rows), range(_TRIALS * threads)))
        seconds = (time.perf_counter() - start) / (_TRIALS * threads * rows)
    chunks = [chunk for chunks in runs[0].chunks.values() for chunk in chunks]
    stored = sum(chunk.size for chunk in chunks) / rows
    n_shards = plan.layout.n_shards(plan.n_samples)
    n_arrays = len(plan.table)
    shard_bytes = plan.layout.shard_rows * plan.row_bytes
    return Estimate(
        n_samples=plan.n_samples,
        arrays=plan.table,
        row_bytes=plan.row_bytes,
        bytes_stored=int(stored * plan.n_samples),
        n_shards=n_shards,
        shard_rows=plan.layout.shard_rows,
        chunk_rows=plan.layout.chunk_rows,
        n_files=n_shards * n_arrays + n_arrays + 8,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        + SHARDS_IN_FLIGHT * shard_bytes,
        free_bytes=shutil.disk_usage(existing_parent(out)).free,
        samples_per_s=1 / seconds,
        seconds=plan.n_samples * seconds,
    )


def check_space(expected: Estimate, out: Path) -> None:
    """Refuse a build that cannot fit.

    Raises
    ------
    OutputError
        If the estimated size exceeds the free space.
    """
    if expected.bytes_stored > expected.free_bytes:
        raise OutputError(
            f"{out}: expected room for about {expected.bytes_stored / 1e9:.1f} GB, got "
            f"{expected.free_bytes / 1e9:.1f} GB free; lower --n, or write to another disk"
        )
