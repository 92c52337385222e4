"""Generated blocks of rows for virtual datasets: made once for all who wait, the last few kept."""

import threading
from collections import OrderedDict
from concurrent.futures import Future

from ..cpus import available_cpus
from ..generator import Arrays
from .ready import Ready

_BLOCK_BYTES = 6 << 20
_MOST_ROWS = 1024
Key = tuple[str, int]


def block_rows(ready: Ready) -> int:
    """Return the rows of a block, which are those of a chunk: a power of two, by their bytes."""
    rows = max(1, min(_MOST_ROWS, _BLOCK_BYTES // ready.row_bytes))
    return 1 << (rows.bit_length() - 1)


class BlockCache:
    """Makes blocks of rows and keeps those used last, up to a number of bytes.

    As many are made at a time as there are processors; who asks for one that is being made waits
    for it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, tuple[Arrays, int]] = OrderedDict()
        self._making: dict[Key, Future[Arrays]] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(available_cpus())

    def kept(self, ready: Ready, number: int) -> Arrays | None:
        """Return a block that is kept, or None."""
        key = ready.digest, number
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        return None

    def get(self, ready: Ready, number: int) -> Arrays:
        """Return all fields of a block of a recipe, as they are stored."""
        key = ready.digest, number
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            waiting = self._making.get(key)
            if waiting is None:
                made = self._making[key] = Future()
        if waiting is not None:
            return waiting.result()
        try:
            with self._turns:
                rows = block_rows(ready)
                arrays = ready.generator.stored_block(number * rows, (number + 1) * rows, 1)
        except BaseException as error:
            made.set_exception(error)
            with self._lock:
                del self._making[key]
            raise
        size = sum(values.nbytes for values in arrays.values())
        with self._lock:
            del self._making[key]
            self._kept[key] = arrays, size
            self._bytes += size
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        made.set_result(arrays)
        return arrays
