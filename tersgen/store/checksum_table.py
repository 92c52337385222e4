"""The checksum table of a shard's file: where the file belongs, and the CRC32C of each chunk.

A checksum in a chunk proves that its bytes belong together, not that it is the expected chunk. So
every shard file contains a table: its dataset, array and shard, the number of rows, the CRC32C of
every chunk, and last that of the table itself. A reader compares what it reads with this table, and
the table with what it expects.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.digest import canonical_json
from ..schema.fields import FieldSpec
from ..schema.manifest import Format
from .checksums import crc32c
from .layout import Layout

ID_BYTES = 16
_HEAD = np.dtype(
    [
        ("dataset", "V16"),
        ("arrays", "<u4"),
        ("n_entries", "<u4"),
        ("shard", "<u8"),
        ("n_rows", "<u8"),
    ]
)
_ENTRY = 4
HEAD_WORDS = _HEAD.itemsize // _ENTRY
"""32-bit words before the entries."""


class Place(NamedTuple):
    """Where a file belongs."""

    dataset: bytes
    """Id of the dataset, 16 bytes."""
    arrays: int
    """Which arrays it holds, see ``arrays_check``."""
    shard: int


def dataset_id(recipe_digest: str, format: Format, layout: Layout) -> bytes:
    """Return 16 bytes that distinguish the files of a dataset from those of all other datasets.

    It follows from what decides the bytes of its shards, whatever their number.
    """
    content = {
        "chunk_rows": layout.chunk_rows,
        "compression": layout.compression,
        "format": format,
        "recipe": recipe_digest,
        "shard_rows": layout.shard_rows,
    }
    found: bytes = blake3(canonical_json(content).encode()).digest(ID_BYTES)
    return found


def arrays_check(table: Iterable[FieldSpec]) -> int:
    """Return what distinguishes the arrays of a file from others: of another name, form or unit."""
    content = [[*spec.form, spec.unit] for spec in table]
    return crc32c(canonical_json(content).encode())


def table_bytes(n_entries: int) -> int:
    """Return the size of a checksum table with so many entries."""
    return _HEAD.itemsize + _ENTRY * (n_entries + 1)


def make_table(place: Place, n_rows: int, entries: NDArray[np.uint32]) -> bytes:
    """Return the checksum table of a file with ``n_rows`` rows whose chunks have these CRC32C."""
    head = np.zeros(1, _HEAD)
    head["dataset"] = np.void(place.dataset)
    head["arrays"] = place.arrays
    head["n_entries"] = len(entries)
    head["shard"], head["n_rows"] = place.shard, n_rows
    data = head.tobytes() + entries.astype("<u4").tobytes()
    return data + crc32c(data).to_bytes(_ENTRY, "little")


def read_table(data: bytes, place: Place, n_rows: int) -> NDArray[np.uint32]:
    """Return the CRC32C of each chunk from the table of a file that must have a place and rows."""
    if crc32c(data[:-_ENTRY]) != int.from_bytes(data[-_ENTRY:], "little"):
        raise DamagedDataError("its checksum (CRC32C) does not match")
    head = np.frombuffer(data, _HEAD, 1)[0]
    entries = np.frombuffer(data[:-_ENTRY], "<u4", offset=_HEAD.itemsize)
    if head["n_entries"] != len(entries):
        raise DamagedDataError(f"expected {len(entries)} entries, got {head['n_entries']}")
    if head["dataset"].tobytes() != place.dataset:
        raise DamagedDataError(
            "the file is of another dataset: put there by mistake, or the dataset was replaced "
            "after it was opened; open it again"
        )
    if head["arrays"] != place.arrays:
        raise DamagedDataError("the file is of another array, or of another type, shape or unit")
    if head["shard"] != place.shard:
        raise DamagedDataError(f"the file is of shard {head['shard']}, not {place.shard}")
    if head["n_rows"] < n_rows:
        raise DamagedDataError(
            f"expected at least {n_rows} rows, got {head['n_rows']}, as before the dataset grew"
        )
    return entries
