"""Library files: the arrays of a library in one file, read in parts.

The layout is that of safetensors: eight bytes with the length of a header, the header (JSON: type,
shape and place of each array), then the arrays without gaps, little-endian. Beside the arrays of
:data:`tersgen.schema.columns.ARRAYS` there are ``NAME.end``, where the rows of each species end,
and ``digest``, the BLAKE3 digest of each species.
"""

import json
import os
import stat
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..bytefile import ByteFile, LocalFile
from ..errors import DamagedDataError, LibraryError
from ..files import why
from ..schema.columns import ARRAYS, PAGE, Column, Rows, Values
from ..schema.library import Library
from ..schema.species import SYMMETRY_TOLERANCE, LibraryDocument, triangle

SUFFIX = ".tlib"
"""Ending of a library file."""
FORMAT = "tersgen-library-1"
LARGEST_HEADER = 1 << 16
_LENGTH_BYTES = 8
_PIECE_BYTES = 4 << 20
_DIGEST = "digest"
_END = ".end"
_CODES = {"U8": "|u1", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
_NAMES = {kind: code for code, kind in _CODES.items()}


class FileRows:
    """Rows of an array in a file, read as they are sliced."""

    def __init__(
        self, file: "_File", name: str, offset: int, kind: str, shape: tuple[int, ...]
    ) -> None:
        self._file = file
        self._name = name
        self._offset = offset
        self.dtype = np.dtype(kind)
        self.shape = shape

    def __getitem__(self, key: slice) -> Values:
        """Return some rows, from the first to the last."""
        start, stop, _ = key.indices(self.shape[0])
        shape = (max(stop - start, 0), *self.shape[1:])
        row = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        out = np.empty(shape[0] * row, np.uint8)
        self._file.read(self._offset + start * row, out)
        return out.view(self.dtype).reshape(shape)


class _File:
    """What a library is read from, with the path that messages name."""

    def __init__(self, file: ByteFile, path: Path) -> None:
        self._file = file
        self._path = path

    def read(self, offset: int, room: Values) -> None:
        """Fill ``room``, bytes, from ``offset`` on."""
        if not len(room):
            return
        try:
            self._file.read_into(offset, room)
        except DamagedDataError as error:
            raise LibraryError(f"{self._path}: {error}") from None


def read_library(path: Path) -> Library:
    """Open a library file; species are read when they are asked for.

    Raises
    ------
    LibraryError
        If it is missing, no library file, or damaged.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read: {why(error)}") from None
    file = LocalFile(descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise LibraryError(f"{path}: expected a library file, got a folder, pipe or device")
    return open_library(file, path)


def open_library(file: ByteFile, path: Path) -> Library:
    """Return the library in an open file; ``path`` is for messages."""
    try:
        arrays = _arrays(_File(file, path), file.size)
        columns, digests = _columns(arrays)
        return Library.of_columns(columns, digests)
    except LibraryError:
        raise
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        text = " ".join(str(error).split())[:200]
        raise LibraryError(f"{path}: expected a library file, got a damaged one: {text}") from None


def has_library(path: Path) -> bool:
    """Return whether there is a file that begins as a library file does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return regular and FORMAT.encode() in os.pread(descriptor, 256, _LENGTH_BYTES)
    finally:
        os.close(descriptor)


def check_library(library: Library, path: Path) -> None:
    """Refuse impossible species in a library file of unknown origin."""
    library.prove(look=partial(_check_modes, path=path))


def _check_modes(library: Library, path: Path) -> None:
    frequency, first = library.array("frequency")
    tensor, of_tensor = library.array("tensor")
    fwhm, of_fwhm = library.array("fwhm")
    atoms = library.array("position")[1]
    n_modes, n_atoms = np.diff(first), np.diff(atoms)
    with np.errstate(invalid="ignore"):
        skew = np.abs(tensor - tensor.swapaxes(1, 2)).max(axis=(1, 2), initial=0.0)
    largest = np.abs(tensor).max(axis=(1, 2), initial=0.0)
    for wrong, what in (
        (not n_modes.all(), "a species without modes"),
        ((of_tensor != first).any(), "other numbers of tensors than of frequencies"),
        (((np.diff(of_fwhm) != 0) & (np.diff(of_fwhm) != n_modes)).any(), "widths of some modes"),
        (not (np.isfinite(frequency) & (frequency > 0)).all(), "frequencies of 0 or less"),
        (not np.isfinite(tensor).all(), "tensors that are not finite"),
        ((skew > SYMMETRY_TOLERANCE * largest).any(), "tensors that are not symmetric"),
        ((fwhm <= 0).any() or np.isinf(fwhm).any(), "widths of 0 or less"),
        (not np.isfinite(library.array("position")[0]).all(), "positions that are not finite"),
        (np.isinf(library.array("atom_tensor")[0]).any(), "atom tensors that are not finite"),
        *(
            (not np.isfinite(library.array(name)[0]).all(), f"{name} that is not finite")
            for name in ("site", "site_response", "image_tip", "image")
        ),
    ):
        if wrong:
            raise LibraryError(f"{path}: expected possible modes, got {what}")
    shares = np.diff(library.array("atom_tensor")[1])
    if ((shares != 0) & (shares != n_modes * n_atoms)).any():
        wrong = int(np.flatnonzero((shares != 0) & (shares != n_modes * n_atoms))[0])
        raise LibraryError(
            f"{path}: expected {(n_modes * n_atoms)[wrong]} atom tensors of species {wrong}, got "
            f"{shares[wrong]}"
        )
    sites, tips = library.counts("site"), library.counts("image_tip")
    for name, wanted in (
        ("site_response", n_modes * triangle(3 * sites)),
        ("image", n_modes * tips),
    ):
        for k in np.flatnonzero(library.counts(name) != wanted)[:1]:
            raise LibraryError(
                f"{path}: expected {wanted[k]} rows of {name} of species {k}, got "
                f"{library.counts(name)[k]}"
            )
    for page, n in zip(library.pages, n_atoms.tolist(), strict=True):
        symbols = page.get("symbols", [])
        if not isinstance(symbols, list) or len(symbols) != n:
            raise LibraryError(f"{path}: {page['name']!r:.80}: expected a symbol for each atom")


def _arrays(file: _File, size: int) -> dict[str, FileRows]:
    """Return the arrays that the header lists, having checked that they fill the file."""
    length = np.empty(_LENGTH_BYTES, np.uint8)
    if size < _LENGTH_BYTES:
        raise ValueError(f"{size} bytes")
    file.read(0, length)
    n_header = int(length.view("<u8")[0])
    if n_header > min(LARGEST_HEADER, size - _LENGTH_BYTES):
        raise ValueError(f"a header of {n_header} bytes")
    text = np.empty(n_header, np.uint8)
    file.read(_LENGTH_BYTES, text)
    header = json.loads(text.tobytes().decode())
    if header.pop("__metadata__")["format"] != FORMAT:
        raise ValueError("another format")
    first = _LENGTH_BYTES + n_header
    arrays, at = {}, 0
    for name, entry in header.items():
        kind, shape = np.dtype(_CODES[entry["dtype"]]), tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        if not all(type(n) is int and 0 <= n < 2**48 for n in (*shape, begin, end)) or not shape:
            raise ValueError(f"{name}: impossible sizes")
        n_bytes = kind.itemsize
        for n in shape:
            n_bytes *= n
        if (begin, end) != (at, at + n_bytes):
            raise ValueError(f"{name}: expected bytes {at} to {at + n_bytes}, got {begin} to {end}")
        arrays[name] = FileRows(file, name, first + begin, kind.str, shape)
        at = end
    if first + at != size:
        raise ValueError(f"expected {first + at} bytes, got {size}")
    return arrays


def _columns(arrays: Mapping[str, FileRows]) -> tuple[dict[str, Column], Values]:
    digests = arrays[_DIGEST]
    if digests.dtype != np.uint8 or digests.shape[1:] != (32,):
        raise ValueError("digest: expected 32 bytes for each species")
    columns = {}
    for name, rows in arrays.items():
        if name == _DIGEST or name.endswith(_END):
            continue
        kind, shape = ARRAYS.get(name, (rows.dtype.str, rows.shape[1:]))
        end = arrays[name + _END]
        if rows.dtype.str != kind or rows.shape[1:] != shape or end.dtype != np.int64:
            raise ValueError(f"{name}: expected rows of type {kind} and shape {shape}")
        ends = end[:]
        if (
            ends.shape != digests.shape[:1]
            or (np.diff(ends, prepend=0) < 0).any()
            or ends[-1] != rows.shape[0]
        ):
            raise ValueError(f"{name}: expected rising ends of the rows of each species")
        columns[name] = Column(rows, np.concatenate([[0], ends]))
    if PAGE not in columns or "frequency" not in columns or "tensor" not in columns:
        raise ValueError("expected pages, frequencies and tensors")
    return columns, digests[:]


def library_json(library: Library) -> bytes:
    """Return a library as JSON, without what is not known."""
    document = LibraryDocument(species=tuple(library))
    return document.model_dump_json(indent=1, exclude_none=True).encode() + b"\n"


class Pieces(Sequence[bytes]):
    """The pieces of a library file; rows are read when theirs is asked for."""

    def __init__(self, head: bytes, arrays: Sequence[Rows]) -> None:
        self._head = head
        self._slices: list[tuple[Rows, int, int]] = []
        for rows in arrays:
            n_rows = rows.shape[0]
            row_bytes = int(np.prod(rows.shape[1:], dtype=np.int64)) * rows.dtype.itemsize
            step = max(1, _PIECE_BYTES // row_bytes)
            self._slices += [(rows, at, min(n_rows, at + step)) for at in range(0, n_rows, step)]

    def __len__(self) -> int:
        """Return the number of pieces."""
        return 1 + len(self._slices)

    @overload
    def __getitem__(self, key: int) -> bytes: ...

    @overload
    def __getitem__(self, key: slice) -> list[bytes]: ...

    def __getitem__(self, key: int | slice) -> bytes | list[bytes]:
        """Return a piece, or some of them."""
        if isinstance(key, slice):
            return [self[k] for k in range(*key.indices(len(self)))]
        if not 0 <= key < len(self):
            raise IndexError(f"expected a piece from 0 to {len(self) - 1}, got {key}")
        if key == 0:
            return self._head
        rows, start, stop = self._slices[key - 1]
        return np.ascontiguousarray(rows[start:stop]).tobytes()


def parts_for(library: Library, path: Path) -> Sequence[bytes]:
    """Return the pieces of a library file, or of JSON if its name ends in .json."""
    is_json = path.suffix.lower() == ".json"
    return [library_json(library)] if is_json else library_parts(library)


def library_parts(library: Library) -> Pieces:
    """Return the pieces of the file of a library, which are the same whenever it is written."""
    arrays: dict[str, Rows] = {_DIGEST: library.digests}
    for name, column in sorted(library.columns.items()):
        arrays[name] = column.rows
        arrays[name + _END] = column.first[1:]
    header: dict[str, Any] = {"__metadata__": {"format": FORMAT, "digest": library.digest}}
    at = 0
    for name, rows in arrays.items():
        n_bytes = int(np.prod(rows.shape, dtype=np.int64)) * rows.dtype.itemsize
        header[name] = {
            "dtype": _NAMES[rows.dtype.str],
            "shape": list(rows.shape),
            "data_offsets": [at, at + n_bytes],
        }
        at += n_bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return Pieces(len(text).to_bytes(_LENGTH_BYTES, "little") + text, list(arrays.values()))
