"""NumPy's files, .npy and .npz: no code in them is run, and memory is limited by their size.

A header says how many bytes an array has. No more are read, and no more are allocated than the
bytes in the file can produce: deflate makes at most 1032 bytes from one.
"""

import ast
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cpus import free_memory
from ..errors import MeasurementError
from ..files import open_input, why
from ..text import printable

NPY, ZIP = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")
_LARGEST_HEADER = 1 << 16
_DEFLATE_RATIO = 1032
_PIECE = 1 << 20
_MOST_ARRAYS = 256
_KINDS = "fiubcUS"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Header(NamedTuple):
    """What an array is, and where its values begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class ArrayFile:
    """The arrays in an open file, by name; that of a .npy has the name ``None``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._members: dict[str, zipfile.ZipInfo] = {}
        head = file.read(len(NPY))
        self.is_single = head.startswith(NPY)
        if not head.startswith((NPY, *ZIP)):
            raise MeasurementError(f"expected arrays of NumPy, .npy or .npz, got bytes {head!r}")
        if not self.is_single:
            self._members = self._index()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays of an archive."""
        return tuple(self._members)

    def single(self) -> NDArray[Any]:
        """Return the array of a .npy, mapped."""
        self._file.seek(0)
        header = _header(self._file.read(_LARGEST_HEADER + 12))
        held = self._size - header.offset
        if held != header.n_bytes:
            raise MeasurementError(
                f"expected {header.n_bytes} bytes, as its header says, got {held}"
            )
        if not header.n_bytes:
            return np.empty(header.shape, header.dtype)
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return np.memmap(self._file, header.dtype, "r", header.offset, header.shape, order)

    def read(self, name: str) -> NDArray[Any]:
        """Return an array of an archive."""
        try:
            return self._read(self._members[name])
        except MeasurementError as error:
            raise MeasurementError(f"{printable(name)[:80]}: {error}") from None

    def _index(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self._file) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            reason = " ".join(str(error).split())[:120]
            raise MeasurementError(f"expected an archive of arrays, got: {reason}") from None
        if not 0 < len(infos) <= _MOST_ARRAYS:
            raise MeasurementError(f"expected 1 to {_MOST_ARRAYS} arrays, got {len(infos)}")
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.filename.removesuffix(".npy")
            shown = repr(printable(info.filename)[:80])
            if name == info.filename or not re.fullmatch(r"[^/\\\0]{1,200}", name):
                raise MeasurementError(f"expected arrays NAME.npy, got {shown}")
            if name in members:
                raise MeasurementError(f"expected each array once, got {shown} twice")
            members[name] = info
        if sum(info.compress_size for info in infos) > self._size:
            raise MeasurementError("expected separate arrays, got some that overlap")
        return members

    def _read(self, info: zipfile.ZipInfo) -> NDArray[Any]:
        if info.flag_bits & 0x1:
            raise MeasurementError("expected an array that is not encrypted, got an encrypted one")
        if info.compress_type not in _METHODS:
            raise MeasurementError(
                f"expected an array stored or deflated, got method {info.compress_type} of ZIP; "
                "write it with numpy.savez or savez_compressed"
            )
        if info.file_size > _DEFLATE_RATIO * info.compress_size + 64:
            raise MeasurementError(
                f"expected at most {_DEFLATE_RATIO} times {info.compress_size} bytes, got a claim "
                f"of {info.file_size}"
            )
        pieces = self._pieces(info)
        start = b""
        for piece in pieces:
            start += piece
            if len(start) >= min(info.file_size, _LARGEST_HEADER + 12):
                break
        header = _header(start)
        if header.offset + header.n_bytes != info.file_size:
            raise MeasurementError(
                f"expected {header.n_bytes} bytes, as its header says, got "
                f"{info.file_size - header.offset}"
            )
        free = free_memory()
        if header.n_bytes > free:
            raise MeasurementError(
                f"expected at most {free >> 20} MiB, the memory that is free, got "
                f"{header.n_bytes >> 20} MiB; save it as .npy, which is read in parts"
            )
        room = np.empty(header.n_bytes, np.uint8)
        begun = np.frombuffer(start, np.uint8)[header.offset :]
        room[: len(begun)] = begun
        done = len(begun)
        for piece in pieces:
            room[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return room.view(header.dtype).reshape(header.shape, order=order)

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a member: as many as it claims, of the checksum that it has."""
        pieces = self._stored(info)
        n_bytes = check = 0
        for piece in _inflated(pieces) if info.compress_type == zipfile.ZIP_DEFLATED else pieces:
            n_bytes += len(piece)
            if n_bytes > info.file_size:
                raise MeasurementError(f"expected {info.file_size} bytes, got more")
            check = zlib.crc32(piece, check)
            yield piece
        if n_bytes != info.file_size:
            raise MeasurementError(f"expected {info.file_size} bytes, got {n_bytes}")
        if check != info.CRC:
            raise MeasurementError("expected bytes of their checksum, got damage")

    def _stored(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the bytes of a member as they lie in the file."""
        self._file.seek(info.header_offset)
        local = self._file.read(30)
        if len(local) < 30 or local[:4] != ZIP[0]:
            raise MeasurementError("expected an array in the archive, got none in its place")
        name, extra = struct.unpack("<HH", local[26:30])
        at, left = info.header_offset + 30 + name + extra, info.compress_size
        while left:
            self._file.seek(at)
            piece = self._file.read(min(_PIECE, left))
            if not piece:
                raise MeasurementError("expected more bytes, got the end of the file")
            at, left = at + len(piece), left - len(piece)
            yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield deflated bytes as they were before, no more at a time than a piece."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            waiting = piece
            while True:
                yield inflate.decompress(waiting, _PIECE)
                waiting = inflate.unconsumed_tail
                if not waiting:
                    break
        while not inflate.eof:  # it may keep some until it is asked again
            rest = inflate.decompress(b"", _PIECE)
            if not rest:
                raise MeasurementError("expected more deflated bytes, got the end of them")
            yield rest
    except zlib.error as error:
        raise MeasurementError(f"expected deflated bytes, got damage: {error}") from None
    if inflate.unused_data:
        raise MeasurementError("expected the end of deflated bytes, got more")


@contextmanager
def open_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open a .npy or .npz file.

    Raises
    ------
    MeasurementError
        If it cannot be read or is neither; without its name.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_input(path))
            arrays = ArrayFile(file)
        except MeasurementError:
            raise
        except OSError as error:
            raise MeasurementError(f"cannot be read: {why(error)}") from None
        try:
            yield arrays
        except MeasurementError:
            raise
        except (OSError, MemoryError) as error:  # a place in the file may be none, too
            raise MeasurementError(f"cannot be read: {why(error)}") from None


def _header(start: bytes) -> _Header:
    """Return what the first bytes of a .npy say; they are one literal, which is not run."""
    if len(start) < 10 or not start.startswith(NPY) or start[6] not in (1, 2, 3):
        raise MeasurementError(
            f"expected an array, .npy of version 1 to 3, got bytes {start[:8]!r}"
        )
    skip, code = (10, "<H") if start[6] == 1 else (12, "<I")
    if len(start) < skip:
        raise MeasurementError("expected an array, got the first bytes of one")
    (length,) = struct.unpack(code, start[8:skip])
    if length > _LARGEST_HEADER or skip + length > len(start):
        raise MeasurementError(f"expected a header of an array, got one of {length} bytes")
    try:
        text = start[skip : skip + length].decode("utf-8" if start[6] == 3 else "latin-1")
        table = ast.literal_eval(text.strip())
        dtype, shape, fortran = table["descr"], table["shape"], table["fortran_order"]
        if len(table) != 3 or type(shape) is not tuple or type(fortran) is not bool:
            raise ValueError("expected descr, shape and fortran_order")
        if type(dtype) is not str:
            raise ValueError("expected numbers or texts, got records")
        kind = np.dtype(dtype)
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        reason = printable(" ".join(str(error).split()))[:80]
        raise MeasurementError(f"expected a header of an array, got {reason}") from None
    if kind.kind not in _KINDS or not kind.itemsize:
        raise MeasurementError(f"expected numbers or texts, got {printable(str(kind))[:40]}")
    if any(type(size) is not int or not 0 <= size < 1 << 62 for size in shape) or len(shape) > 32:
        raise MeasurementError(f"expected a shape of an array, got {str(shape)[:80]}")
    if math.prod(shape) * kind.itemsize >= 1 << 62:
        raise MeasurementError(f"expected a shape that fits in memory, got {str(shape)[:80]}")
    return _Header(kind, shape, fortran, skip + length)
