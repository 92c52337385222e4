"""Bytes of a binary file; every length stated in it is compared with the bytes it has."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .measurement import check_count
from .reader import read_beginning

LARGEST_FILE = 1 << 28
"""Larger files are refused."""


class Content:
    """The bytes of a file.

    Parameters
    ----------
    path
        The file, of at most 256 MiB.

    Raises
    ------
    MeasurementError
        If it cannot be read, or is larger; from each method, if the file ends before.
    """

    def __init__(self, path: Path) -> None:
        self.data = read_beginning(path, LARGEST_FILE, LARGEST_FILE)

    def __len__(self) -> int:
        """Return the number of bytes."""
        return len(self.data)

    def part(self, at: int, length: int, what: str) -> bytes:
        """Return some bytes; ``what`` names them in the error."""
        if at < 0 or length < 0 or at + length > len(self.data):
            raise MeasurementError(
                f"expected {what} of {length} bytes at {at}, got a file of {len(self.data)}; is "
                "it whole?"
            )
        return self.data[at : at + length]

    def unpack(self, layout: str, at: int, what: str) -> tuple[Any, ...]:
        """Return numbers by a layout of ``struct``."""
        return struct.unpack(layout, self.part(at, struct.calcsize(layout), what))

    def values(self, kind: str, count: int, at: int, what: str) -> NDArray[np.float64]:
        """Return numbers of a type of NumPy as float64, shape (count,)."""
        dtype = np.dtype(kind)
        content = self.part(at, max(count, -1) * dtype.itemsize, what)
        check_count(count)
        return np.frombuffer(content, dtype).astype(np.float64)

    def text(self, at: int, length: int, what: str) -> str:
        """Return a text in Latin-1 up to the first NUL, safe to print."""
        raw = self.part(at, length, what).split(b"\0", 1)[0]
        return printable(raw.decode("latin-1").strip())
