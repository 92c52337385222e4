"""Where the chunks of an array lie in an HDF5 shard file, which nobody need have written for us.

HDF5 only looks the places up; bytes are read and decoded by the caller. Nothing is followed on the
way (links, virtual and external storage), and an array that is not exactly what the table says is
refused before any place is asked for.
"""

import os

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.fields import FieldSpec
from .hdf5_objects import DescriptorFile, open_file
from .hdf5_shard import chunk_bytes
from .layout import Layout

# HDF5 signature, then version 3 of the superblock: the one whose objects are all checksummed
_START = b"\x89HDF\r\n\x1a\n\x03"
_TYPES = {
    "float16": h5py.h5t.IEEE_F16LE,
    "float32": h5py.h5t.IEEE_F32LE,
    "int32": h5py.h5t.STD_I32LE,
}
_H5PY_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError)


def _expect(what: str, expected: object, got: object) -> None:
    if got != expected:
        raise DamagedDataError(f"expected {what} {expected}, got {got}")


def _open_array(file: h5py.File, name: str) -> h5py.h5d.DatasetID:
    """Return an array reached through hard links only."""
    node = h5py.h5g.open(file.id, b"/")
    for part in name.encode().split(b"/"):
        if not isinstance(node, h5py.h5g.GroupID) or not node.links.exists(part):
            raise DamagedDataError("expected an array of this name, found none")
        if node.links.get_info(part).type != h5py.h5l.TYPE_HARD:
            raise DamagedDataError("expected the array itself, found a link to it")
        node = h5py.h5o.open(node, part)
    if not isinstance(node, h5py.h5d.DatasetID):
        raise DamagedDataError("expected an array of this name, found something else")
    return node


def _check_array(array: h5py.h5d.DatasetID, spec: FieldSpec, n_rows: int, layout: Layout) -> None:
    """Refuse an array that is not what the table and the layout say."""
    creation = array.get_create_plist()
    # first of all: the shape alone of a virtual array may make HDF5 open its sources
    if creation.get_layout() != h5py.h5d.CHUNKED or creation.get_external_count():
        raise DamagedDataError("expected chunked storage, found external, virtual or other storage")
    filters = [creation.get_filter(k)[0] for k in range(creation.get_nfilters())]
    _expect("filters", [h5py.h5z.FILTER_FLETCHER32], filters)
    _expect("chunks of shape", (layout.chunk_rows, *spec.shape), creation.get_chunk())
    if not array.get_type().equal(_TYPES[spec.dtype]):
        raise DamagedDataError(f"expected little-endian {spec.dtype}, got another type")
    space = array.get_space()
    largest = space.get_simple_extent_dims(True)
    _expect("a largest shape of", (layout.shard_rows, *spec.shape), largest)
    shape = space.get_simple_extent_dims()
    _expect("rows of shape", spec.shape, shape[1:])
    if shape[0] < n_rows:
        raise DamagedDataError(f"expected at least {n_rows} rows, got {shape[0]}")


def _places(
    array: h5py.h5d.DatasetID, spec: FieldSpec, n_rows: int, layout: Layout, file_size: int
) -> NDArray[np.int64]:
    """Return (offset, bytes) of each chunk, having checked that they can be true."""
    size = chunk_bytes(spec, layout)
    firsts = range(0, n_rows, layout.chunk_rows)
    table = np.empty((len(firsts), 2), np.int64)
    for number, first in enumerate(firsts):
        chunk = array.get_chunk_info_by_coord((first, *[0] * len(spec.shape)))
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


def chunk_table(descriptor: int, spec: FieldSpec, n_rows: int, layout: Layout) -> NDArray[np.int64]:
    """Return (offset, bytes) of each chunk of the first ``n_rows`` rows, shape (n_chunks, 2).

    Raises
    ------
    DamagedDataError
        If the file is damaged, or the array is not what the table says; the message has no path.
    """
    if os.pread(descriptor, len(_START), 0) != _START:
        raise DamagedDataError("expected an HDF5 file with superblock 3, found none")
    source = DescriptorFile(descriptor)
    try:
        with open_file(source) as file:
            array = _open_array(file, spec.name)
            _check_array(array, spec, n_rows, layout)
            return _places(array, spec, n_rows, layout, source.size)
    except DamagedDataError:
        raise
    except _H5PY_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedDataError(f"HDF5 cannot read it: {reason}") from None
