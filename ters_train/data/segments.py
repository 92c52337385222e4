"""Memory in which batches are assembled: segments of whole batches, reused again and again.

A batch is a view of its segment, not a copy. A segment is refilled only when none of its batches is
referenced any more: a batch that is kept costs memory but never changes.
"""

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]

_ALIGNMENT = 64
ROW = "row"
"""Field of a batch that holds the row numbers of its samples."""


class RowSpec(NamedTuple):
    """One field of a batch."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    def bytes_of(self, n_rows: int) -> int:
        """Return the bytes of so many rows, rounded up so that the next field is aligned."""
        size = n_rows * self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))
        return -(-size // _ALIGNMENT) * _ALIGNMENT


class Pool:
    """Segments of a fixed number of rows; safe to use from several threads.

    Parameters
    ----------
    specs
        Fields of a row.
    n_rows
        Rows of a segment.
    pin
        Whether to lock the memory, so that a GPU copies from it while the CPU continues.
    """

    def __init__(self, specs: Sequence[RowSpec], n_rows: int, pin: bool = False) -> None:
        self._specs = tuple(specs)
        self.n_rows = n_rows
        """Of a segment."""
        self._pin = pin
        self.segment_bytes = sum(spec.bytes_of(n_rows) for spec in specs)
        self._free: list[torch.Tensor] = []
        self._lock = threading.Lock()
        self.n_made = 0

    def take(self) -> Arrays:
        """Return the arrays of a segment that is not in use; what is in them is left over."""
        with self._lock:
            memory = self._free.pop() if self._free else None
            self.n_made += memory is None
        if memory is None:
            memory = self._new()
        # every view of the segment, NumPy's or torch's, keeps this one array alive
        lease = memory.numpy()
        weakref.finalize(lease, self._give_back, memory).atexit = False
        arrays: Arrays = {}
        offset = 0
        for spec in self._specs:
            size = self.n_rows * spec.dtype.itemsize * int(np.prod(spec.shape, dtype=np.int64))
            flat = lease[offset : offset + size].view(spec.dtype)
            arrays[spec.name] = flat.reshape(self.n_rows, *spec.shape)
            offset += spec.bytes_of(self.n_rows)
        return arrays

    def _new(self) -> torch.Tensor:
        if self._pin:
            return torch.empty(self.segment_bytes, dtype=torch.uint8, pin_memory=True)
        # NumPy asks for huge pages, which rows scattered all over need; torch does not
        return torch.from_numpy(np.empty(self.segment_bytes, np.uint8))

    def _give_back(self, memory: torch.Tensor) -> None:
        with self._lock:
            self._free.append(memory)


def views(
    arrays: Mapping[str, NDArray[np.generic]], first: int, last: int
) -> dict[str, torch.Tensor]:
    """Return rows ``first`` to ``last`` of the arrays as tensors that share their memory."""
    return {name: torch.from_numpy(array[first:last]) for name, array in arrays.items()}
