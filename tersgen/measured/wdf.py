"""Positions of the spectra in a Renishaw .wdf, whatever the order in which they were measured."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_X, _Y = 3, 4
_KIND = 0x7FFFFFFF
"""The uppermost bit says whether an origin is an alternative."""
_IN_UM = {3: 1e-3, 5: 1.0, 8: 1e3, 9: 1e6}
_ORIGIN = 24
"""Bytes of kind, unit and name before the numbers of an origin."""


def positions_of_wdf(path: Path) -> NDArray[np.float64] | None:
    """Return x and y of each spectrum in micrometres, shape (n, 2), by the block ORGN.

    The file's blocks must have been checked. None without such a block, without x and y, or if it
    is damaged.
    """
    block = _block(path, b"ORGN")
    if len(block) < 4:
        return None
    (n_origins,) = struct.unpack_from("<I", block)
    size, rest = divmod(len(block) - 4, n_origins) if n_origins else (0, 1)
    if rest or size < _ORIGIN or (size - _ORIGIN) % 8:
        return None
    found: dict[int, NDArray[np.float64]] = {}
    for at in range(4, len(block), size):
        kind, unit = struct.unpack_from("<II", block, at)
        if kind & _KIND in (_X, _Y) and unit in _IN_UM:
            values = np.frombuffer(block, "<f8", (size - _ORIGIN) // 8, at + _ORIGIN)
            found[kind & _KIND] = values * _IN_UM[unit]
    if _X not in found or _Y not in found or not np.isfinite([found[_X], found[_Y]]).all():
        return None
    return np.stack([found[_X], found[_Y]], axis=1)


def _block(path: Path, name: bytes) -> bytes:
    """Return the content of a block, or nothing."""
    with path.open("rb") as file:
        while len(head := file.read(16)) == 16:
            length = int.from_bytes(head[8:], "little")
            if head[:4] == name:
                return file.read(length - 16)
            if length < 16:
                break
            file.seek(length - 16, 1)
    return b""
