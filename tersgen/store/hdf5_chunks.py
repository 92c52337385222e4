"""Positions of the chunks of an array in an HDF5 shard file, which is treated as untrusted.

HDF5 only looks the positions up; bytes are read and decoded by the caller, who compares them with
the file's checksum table. Nothing is followed (links, virtual and external storage), and an array
that differs from the table of arrays is refused before any position is looked up.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from ..bytefile import ByteFile, ByteStream, read_range
from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from .checksum_table import Place, read_table
from .hdf5_objects import H5PY_ERRORS, open_array, open_file
from .hdf5_shard import CHECKS, CHECKSUM_BYTES, chunk_bytes, table_words
from .layout import Layout

# HDF5 signature, then version 3 of the superblock: the one whose objects are all checksummed
_START = b"\x89HDF\r\n\x1a\n\x03"
_TYPES = {
    "uint8": h5py.h5t.STD_U8LE,
    "uint16": h5py.h5t.STD_U16LE,
    "float16": h5py.h5t.IEEE_F16LE,
    "float32": h5py.h5t.IEEE_F32LE,
    "int32": h5py.h5t.STD_I32LE,
}


class _Stored(NamedTuple):
    """How an array must be stored."""

    type: h5py.h5t.TypeID
    type_name: str
    chunk: tuple[int, ...]
    largest: tuple[int, ...]
    chunk_bytes: int


def _expect(what: str, expected: object, got: object) -> None:
    if got != expected:
        raise DamagedDataError(f"expected {what} {expected}, got {got}")


def _check_array(array: h5py.h5d.DatasetID, stored: _Stored, n_rows: int) -> int:
    """Refuse an array that is not stored as it must be; return how many rows it has."""
    creation = array.get_create_plist()
    # first of all: the shape alone of a virtual array may make HDF5 open its sources
    if creation.get_layout() != h5py.h5d.CHUNKED or creation.get_external_count():
        raise DamagedDataError("expected chunked storage, found external, virtual or other storage")
    filters = [creation.get_filter(k)[0] for k in range(creation.get_nfilters())]
    _expect("filters", [h5py.h5z.FILTER_FLETCHER32], filters)
    _expect("chunks of shape", stored.chunk, creation.get_chunk())
    if not array.get_type().equal(stored.type):
        raise DamagedDataError(f"expected little-endian {stored.type_name}, got another type")
    space = array.get_space()
    _expect("a largest shape of", stored.largest, space.get_simple_extent_dims(True))
    rows, *shape = space.get_simple_extent_dims()
    _expect("rows of shape", stored.chunk[1:], tuple(shape))
    if rows < n_rows:
        raise DamagedDataError(f"expected at least {n_rows} rows, got {rows}")
    return int(rows)


def _places(
    array: h5py.h5d.DatasetID, stored: _Stored, n_rows: int, file_size: int
) -> NDArray[np.int64]:
    """Return (offset, bytes) of each chunk, having checked that they can be true."""
    size, chunk_rows = stored.chunk_bytes, stored.chunk[0]
    firsts = range(0, n_rows, chunk_rows)
    table = np.empty((len(firsts), 2), np.int64)
    for number, first in enumerate(firsts):
        chunk = array.get_chunk_info_by_coord((first, *[0] * (len(stored.chunk) - 1)))
        if chunk.byte_offset is None:
            raise DamagedDataError(f"chunk {number} is missing")
        _expect(f"chunk {number} to have a filter mask of", 0, chunk.filter_mask)
        _expect(f"chunk {number} to have bytes", size, chunk.size)
        if chunk.byte_offset > file_size - size:
            raise DamagedDataError(
                f"chunk {number} ends at byte {chunk.byte_offset + size} of {file_size}"
            )
        table[number] = chunk.byte_offset, chunk.size
    if len(table) > 1 and np.diff(np.sort(table[:, 0])).min() < size:
        raise DamagedDataError("chunks overlap")
    return table


def _checks(
    file: h5py.File, source: ByteFile, length: int, file_size: int, place: Place, n_rows: int
) -> NDArray[np.uint32]:
    """Return the CRC32C of all chunks from the checksum table of a place and rows."""
    try:
        array = open_array(file, CHECKS)
        size = 4 * length
        shape = (length,)
        stored = _Stored(h5py.h5t.STD_U32LE, "uint32", shape, shape, size + CHECKSUM_BYTES)
        _check_array(array, stored, length)
        [(offset, _)] = _places(array, stored, length, file_size).tolist()
        return read_table(read_range(source, offset, size), place, n_rows)
    except DamagedDataError as error:
        raise DamagedDataError(f"its checksum table ({CHECKS}): {error}") from None


class ShardTables:
    """Looks up where the chunks of arrays lie in one shard file; a context manager.

    Opening a file in HDF5 costs more than looking up an array, so look up all that is wanted.

    Parameters
    ----------
    source
        The shard's file.
    table
        All arrays of the dataset, in order.
    place
        Where the file must belong.
    n_rows
        Rows that are wanted; the shard may hold more.
    layout
        Rows of chunks and shards.
    """

    def __init__(
        self,
        source: ByteFile,
        table: Sequence[FieldSpec],
        place: Place,
        n_rows: int,
        layout: Layout,
    ) -> None:
        self._source = source
        self._size = source.size
        self._table = table
        self._place = place
        self._n_rows = n_rows
        self._layout = layout
        self._checks: dict[int, NDArray[np.uint32]] = {}

    def __enter__(self) -> Self:
        """Open the file.

        Raises
        ------
        DamagedDataError
            If it is damaged; the message has no path.
        """
        if self._size < len(_START) or read_range(self._source, 0, len(_START)) != _START:
            raise DamagedDataError("expected an HDF5 file with superblock 3, found none")
        with _damage():
            self._file = open_file(ByteStream(self._source))
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def chunks(self, spec: FieldSpec) -> NDArray[np.int64]:
        """Return (offset, bytes, CRC32C) of each chunk of the first ``n_rows`` rows of an array.

        Shape (n_chunks, 3).

        Raises
        ------
        DamagedDataError
            If the file is damaged, or the array is not what the table says; the message has no
            path.
        """
        layout = self._layout
        stored = _Stored(
            _TYPES[spec.dtype],
            spec.dtype,
            (layout.chunk_rows, *spec.shape),
            (layout.shard_rows, *spec.shape),
            chunk_bytes(spec, layout),
        )
        with _damage():
            array = open_array(self._file, spec.name)
            rows = _check_array(array, stored, self._n_rows)
            places = _places(array, stored, self._n_rows, self._size)
            if rows not in self._checks:
                length = table_words(self._table, rows, layout)
                self._checks[rows] = _checks(
                    self._file, self._source, length, self._size, self._place, self._n_rows
                )
        checks = self._checks[rows].reshape(len(self._table), -1)
        own = checks[self._table.index(spec), : len(places)]
        return np.column_stack((places, own.astype(np.int64)))


@contextmanager
def _damage() -> Iterator[None]:
    """Raise what HDF5 raises as damage."""
    try:
        yield
    except DamagedDataError:
        raise
    except H5PY_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedDataError(f"HDF5 cannot read it: {reason}") from None
