"""How rows are divided into chunks and shards, from the number of bytes per row."""

from typing import Self

from ..schema.base import Frozen, field
from ..schema.fields import FieldSpec
from ..schema.manifest import Compression, Lock, Manifest

_LARGEST_CHUNK = 2 << 20
_LARGEST_POSSIBLE_CHUNK = 1 << 30
_LARGEST_POSSIBLE_SHARD = 1 << 34
_SHARD_BYTES = 64 << 20
_MANY_SHARD_BYTES = 256 << 20
_MANY_SAMPLES = 5_000_000
_MOST_CHUNK_ROWS = 256
_MOST_SHARD_ROWS = 65536


def _power_of_two_below(limit: int) -> int:
    return 1 << max(0, limit.bit_length() - 1)


class Layout(Frozen):
    """Rows of a chunk and of a shard, and compression; they change no value and no digest."""

    chunk_rows: int = field("rows of an inner chunk: what one read decodes", "row", gt=0)
    shard_rows: int = field("rows of a shard: one file for each array", "row", gt=0)
    compression: Compression = field("of signals and targets in Zarr", "1", "lz4")

    @classmethod
    def of(cls, document: Lock | Manifest) -> Self:
        """Return what a document states; ``check_layout`` says whether it is possible."""
        return cls(
            chunk_rows=document.chunk_rows,
            shard_rows=document.shard_rows,
            compression=document.compression,
        )

    def n_shards(self, n_samples: int) -> int:
        """Return how many shards hold ``n_samples`` rows."""
        return -(-n_samples // self.shard_rows)

    def rows_of(self, shard: int, n_samples: int) -> int:
        """Return how many of ``n_samples`` rows a shard holds."""
        return min(self.shard_rows, n_samples - shard * self.shard_rows)

    @property
    def chunks_per_shard(self) -> int:
        """Chunks of each array in a full shard."""
        return self.shard_rows // self.chunk_rows


def leaf_rows(table: tuple[FieldSpec, ...]) -> int:
    """Return the rows of a digest's leaf: a power of two decided by the recipe alone.

    Values of fixed-point arrays count two bytes at least: they are read as four.
    """
    largest = max(max(spec.row_bytes, spec.value_bytes // 2) for spec in table)
    return min(_MOST_CHUNK_ROWS, _power_of_two_below(_LARGEST_CHUNK // largest))


def choose_layout(
    table: tuple[FieldSpec, ...],
    n_samples: int,
    chunk_rows: int | None = None,
    shard_rows: int | None = None,
    compression: Compression = "lz4",
) -> Layout:
    """Return the layout for an array table, from the bytes of a row.

    Chunks of at most 2 MiB and 256 rows; shards of at most 64 MiB, or 256 MiB from five million
    samples on, to keep the number of files down. All are powers of two.
    """
    leaf = leaf_rows(table)
    chunk = chunk_rows or leaf
    if shard_rows is None:
        row = sum(spec.row_bytes for spec in table)
        room = _MANY_SHARD_BYTES if n_samples >= _MANY_SAMPLES else _SHARD_BYTES
        wanted = min(_MOST_SHARD_ROWS, _power_of_two_below(room // row))
        shard_rows = max(wanted, leaf, chunk)
    return check_layout(table, chunk, shard_rows, compression)


def check_layout(
    table: tuple[FieldSpec, ...],
    chunk_rows: int,
    shard_rows: int,
    compression: Compression = "lz4",
) -> Layout:
    """Return a layout, if it is possible for an array table."""
    for name, rows in (("chunk", chunk_rows), ("shard", shard_rows)):
        if rows != _power_of_two_below(rows):
            raise ValueError(
                f"{name} rows: expected a power of two, got {rows}; try {_power_of_two_below(rows)}"
            )
    least = max(chunk_rows, leaf_rows(table))
    if shard_rows < least:
        raise ValueError(f"shard rows: expected at least {least}, got {shard_rows}")
    for name, rows, limit in (
        ("chunk", chunk_rows, _LARGEST_POSSIBLE_CHUNK),
        ("shard", shard_rows, _LARGEST_POSSIBLE_SHARD),
    ):
        row = (max if name == "chunk" else sum)(spec.row_bytes for spec in table)
        if rows > 1 and rows * row > limit:
            raise ValueError(
                f"{name} rows: expected at most {_power_of_two_below(limit // row)}, which is "
                f"{limit >> 20} MiB, got {rows}"
            )
    return Layout(chunk_rows=chunk_rows, shard_rows=shard_rows, compression=compression)
