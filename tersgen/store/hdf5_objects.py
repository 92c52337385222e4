"""What all HDF5 files here have in common: how they are opened, and how arrays are described.

Files are made in memory and read by range. HDF5 itself opens no path: it would follow
links, and refuses a file that the same process has open with another setting of file locking.
"""

import io
import mmap
import os
from collections.abc import Iterable, Sequence
from typing import Any

import h5py
import numpy as np

from ..errors import DamagedDataError
from ..schema.fields import FieldSpec

H5PY_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError)
"""What h5py raises where a file is damaged."""

_NO_PATH = b"a file of tersgen"
"""HDF5 wants a name even where it opens none."""


class SparseImage(io.RawIOBase):
    """A file in memory of at most ``capacity`` bytes; zeros written to its end take up none."""

    def __init__(self, capacity: int) -> None:
        self._map = mmap.mmap(-1, capacity)
        self._at = 0
        self.size = 0

    def __getitem__(self, part: slice) -> bytes:
        """Return some bytes of the file."""
        return self._map[part]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset from the start, from here or from the end."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here on; past the end are zeros."""
        buffer[:] = self._map[self._at : self._at + len(buffer)]
        return len(buffer)

    def write(self, data: Any) -> int:
        """Write from here on."""
        end = self._at + len(data)
        piece = bytes(data)
        if self._at < self.size or piece.count(0) < len(piece):
            self._map[self._at : end] = piece
        self.size = max(self.size, end)
        return len(piece)

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file."""
        self.size = self._at if size is None else size
        return self.size


def _access(file: io.RawIOBase | io.BytesIO) -> h5py.h5p.PropFAID:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    return access


def create_file(image: io.RawIOBase | io.BytesIO) -> h5py.File:
    """Return a new HDF5 file in ``image``, to be closed by the caller.

    All its metadata are checksummed, it is readable from HDF5 1.10 on, and no time is in it.
    """
    access = _access(image)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(_NO_PATH, h5py.h5f.ACC_TRUNC, creation, access))


def open_file(source: io.RawIOBase | io.BytesIO) -> h5py.File:
    """Return the HDF5 file in ``source`` for reading, to be closed by the caller."""
    return h5py.File(h5py.h5f.open(_NO_PATH, h5py.h5f.ACC_RDONLY, _access(source)))


def open_array(file: h5py.File, name: str) -> h5py.h5d.DatasetID:
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


def create_groups(file: h5py.File, names: Iterable[str]) -> None:
    """Create the groups of arrays by these names, without times, which h5py would store."""
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    for group in sorted({name.rpartition("/")[0] for name in names} - {""}):
        h5py.h5g.create(file.id, group.encode(), gcpl=creation)


def set_text(node: h5py.Group | h5py.Dataset, name: str, text: str | Sequence[str]) -> None:
    """Set an attribute to text or a list of texts.

    Of fixed length: those of variable length would lie in a heap that has no checksum.
    """
    encoded = np.char.encode(np.asarray(text, np.str_), "utf-8")
    length = max(1, encoded.dtype.itemsize)
    node.attrs.create(name, encoded, dtype=h5py.string_dtype("utf-8", length))


def describe(dataset: h5py.Dataset, spec: FieldSpec, classes: Sequence[str]) -> None:
    """Set the attributes of an array: unit, meaning, names of classes, how integers are decoded."""
    set_text(dataset, "units", spec.unit)
    set_text(dataset, "long_name", spec.description)
    if spec.is_label:
        set_text(dataset, "classes", classes)
    if spec.fixed_point is not None:
        for name, value in spec.fixed_point.attributes.items():
            dataset.attrs.create(name, value, dtype="<f8")
        dataset.attrs.create(
            "_FillValue", spec.fill_value, dtype=np.dtype(spec.dtype).newbyteorder("<")
        )
