"""Threads that read, decode and shuffle blocks ahead of the training.

Blocks are taken in the order of training, but finished in any; a segment is delivered when all its
rows are present. How far the threads run ahead is bounded by the segments in flight.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tersgen.dataset.sources import Copies, ReadTimes, as_bytes

from .segments import Arrays, Pool

Rows = dict[str, NDArray[np.uint8]]
"""Rows of bytes of the arrays of a segment."""

_MOST_THREADS = 128
_MOSTLY = 0.5
"""Share of the threads' time in reads from which more threads are of use."""
_NOTICEABLE = 0.05
"""Share of the consumer's time spent waiting from which more threads are worth their price."""
_LOOK = 0.05
"""Seconds of waiting after which it is looked where the threads' time goes."""
_MOST_GROWTH = 4


class Piece(NamedTuple):
    """Rows of a block that go to one segment."""

    segment: int
    take: NDArray[np.intp]
    """Rows, counted from the first of the block, rising."""
    put: NDArray[np.intp]
    """Their places in the segment."""


class Task(NamedTuple):
    """A block to read, and where its rows go."""

    block: int
    pieces: list[Piece]


class Fill(Protocol):
    """Copies rows of a block into the arrays of a segment."""

    def __call__(self, block: int, copies: list[Copies], times: ReadTimes) -> None:
        """Copy rows of ``block``."""


@dataclass
class _Segment:
    arrays: Arrays
    rows: Rows
    """The same memory, as rows of bytes."""
    missing: int
    """Rows that are not there yet."""


@dataclass
class PrefetchTimes:
    """Where the time of a prefetcher went, in seconds."""

    threads: ReadTimes = field(default_factory=ReadTimes)
    """Of all threads together."""
    waited: float = 0.0
    """The consumer's, for segments that were not ready."""
    n_threads: int = 0


class Prefetcher:
    """Fills segments in order; use it as a context, and take each segment once, in order.

    Parameters
    ----------
    tasks
        What is to be done, in order; a task's segments do not come before those of earlier ones by
        more than ``window``.
    sizes
        Returns how many rows a segment has in all.
    fill
        Copies the rows of a block.
    pool
        Where segments come from.
    window
        Segments that may be in work or waiting at once; at least 2.
    threads
        How many threads; None for ``at_first``, and more while they mostly wait for reads.
    cores
        Processors of this process.
    at_first
        Threads to start with; by default one for each of ``cores``.
    """

    def __init__(
        self,
        tasks: Iterator[Task],
        sizes: Callable[[int], int],
        fill: Fill,
        pool: Pool,
        window: int,
        threads: int | None,
        cores: int,
        at_first: int | None = None,
    ) -> None:
        self._tasks = tasks
        self._sizes = sizes
        self._fill = fill
        self._pool = pool
        self._window = window
        self._adaptive = threads is None
        self._cores = cores
        self._n_wanted = threads or at_first or cores
        self._state = threading.Condition()
        self._drawing = threading.Lock()
        self._segments: dict[int, _Segment] = {}
        self._next = 0
        self._error: BaseException | None = None
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._times: list[ReadTimes] = []
        self._waited = 0.0
        self._since = time.perf_counter()
        self._before = PrefetchTimes()

    @property
    def times(self) -> PrefetchTimes:
        """Where time went so far."""
        return PrefetchTimes(sum(self._times, ReadTimes()), self._waited, len(self._threads))

    def __enter__(self) -> Self:
        """Start the threads, or as many as the system starts."""
        self._start()
        return self

    def _start(self) -> None:
        while len(self._threads) < self._n_wanted:
            times = ReadTimes()
            thread = threading.Thread(
                target=self._work, args=(times,), name="ters-train-read", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # memory or processes are limited
                if not self._threads:
                    raise
                self._n_wanted, self._adaptive = len(self._threads), False
                return
            self._times.append(times)
            self._threads.append(thread)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the threads, each after the block that it has in hand."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        for thread in self._threads:
            thread.join()
        self._segments.clear()

    def _work(self, times: ReadTimes) -> None:
        try:
            while (found := self._draw()) is not None:
                task, found_rows = found
                copies = [
                    Copies(piece.take, rows, piece.put)
                    for piece, rows in zip(task.pieces, found_rows, strict=True)
                ]
                self._fill(task.block, copies, times)
                self._done(task)
        except BaseException as error:  # noqa: BLE001 (handed to the consumer, whatever it is)
            with self._state:
                self._error = self._error or error
                self._state.notify_all()

    def _draw(self) -> tuple[Task, list[Rows]] | None:
        """Return the next task once there is room for its rows; None when all is done."""
        with self._drawing:
            task = next(self._tasks, None)
            if task is None:
                return None
            last = max(piece.segment for piece in task.pieces)
            with self._state:
                self._state.wait_for(
                    lambda: self._stopping or self._error or last < self._next + self._window
                )
                if self._stopping or self._error:
                    return None
                return task, [self._segment(piece.segment).rows for piece in task.pieces]

    def _segment(self, number: int) -> _Segment:
        if number not in self._segments:
            arrays = self._pool.take()
            rows = {name: as_bytes(values) for name, values in arrays.items()}
            self._segments[number] = _Segment(arrays, rows, self._sizes(number))
        return self._segments[number]

    def _done(self, task: Task) -> None:
        with self._state:
            for piece in task.pieces:
                segment = self._segments[piece.segment]
                segment.missing -= len(piece.take)
                if not segment.missing:
                    self._state.notify_all()

    def take(self, number: int) -> Arrays:
        """Return the arrays of a segment when all its rows are there."""
        start = time.perf_counter()

        def ready() -> bool:
            known = self._segments.get(number)
            return known is not None and not known.missing

        with self._state:
            if not self._sizes(number):  # no task has rows for it
                self._segment(number)
            while not self._state.wait_for(lambda: ready() or self._error is not None, _LOOK):
                now = time.perf_counter()
                self._waited += now - start
                start = now
                self._adapt()
            if not ready() and self._error is not None:
                raise self._error
            segment = self._segments.pop(number)
            self._next = number + 1
            self._state.notify_all()
        self._waited += time.perf_counter() - start
        self._adapt()
        return segment.arrays

    def _adapt(self) -> None:
        """Start more threads if the consumer waits because most of their time goes into reads.

        So many that the processors have work while the others wait for their reads.
        """
        if not self._adaptive:
            return
        now, times = time.perf_counter(), self.times
        passed = now - self._since
        waited = times.waited - self._before.waited
        read = times.threads.read - self._before.threads.read
        n_threads = len(self._threads)
        if waited > _NOTICEABLE * passed and read > _MOSTLY * n_threads * passed:
            work = times.threads.decode + times.threads.gather
            wanted = self._cores * (1 + times.threads.read / max(work, 1e-9))
            self._n_wanted = int(min(wanted, _MOST_GROWTH * n_threads, _MOST_THREADS))
            self._start()
        self._since, self._before = now, times
