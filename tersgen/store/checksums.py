"""CRC32C, which every chunk, index and checksum table ends with."""

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from .interface import Bytes

CHECKSUM = 4
"""Bytes of a CRC32C."""


def crc32c(*parts: bytes | NDArray[np.uint8], before: int = 0) -> int:
    """Return the CRC32C of some bytes, given in parts; ``before`` is that of those before them."""
    value = before
    for part in parts:
        value = google_crc32c.extend(value, part)
    return value


def crc32c_up_to(data: NDArray[np.uint8], step: int) -> list[int]:
    """Return the CRC32C of the bytes before each step of ``data``, and at last of all of them."""
    extend, sums = google_crc32c.extend, [0]
    for start in range(0, len(data), step):
        sums.append(extend(sums[-1], data[start : start + step]))
    return sums


def checksum(data: bytes | NDArray[np.uint8]) -> bytes:
    """Return the CRC32C of ``data``, four bytes, little-endian."""
    return crc32c(data).to_bytes(CHECKSUM, "little")


def checked(data: Bytes) -> Bytes:
    """Return what stands before the CRC32C at the end of ``data``."""
    payload, stored = data[:-CHECKSUM], data[-CHECKSUM:]
    if checksum(payload) != bytes(stored):
        raise DamagedDataError("the checksum (CRC32C) does not match")
    return payload
