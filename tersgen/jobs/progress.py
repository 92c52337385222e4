"""The progress of a build, counted and reported, and its cancellation."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import NamedTuple

from ..errors import CancelledError
from ..schema.manifest import ShardRecord


class Progress(NamedTuple):
    """How far a build is."""

    n_done: int
    n_samples: int
    bytes_stored: int
    n_kept: int = 0
    """Rows that were there before."""
    n_shards: int = 0
    """Shards in all."""
    shards_done: int = 0
    n_workers: int | None = None
    """Worker processes there are now; None where threads of this process do the work."""
    n_retries: int = 0
    """Shards that were started again."""
    note: str = ""
    """What the build waits for, if it does."""


Report = Callable[[Progress], None]


class ProgressCounter:
    """Counts what is finished, and reports it."""

    def __init__(
        self,
        n_samples: int,
        report: Report | None,
        n_shards: int = 0,
        cancel: Event | None = None,
    ) -> None:
        self.progress = Progress(0, n_samples, 0, n_shards=n_shards)
        self._report = report
        self._cancel = cancel
        self._n_added = 0

    def check(self) -> None:
        """Stop here if the build was cancelled; executors call it in the main thread, often."""
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError("cancelled")

    def keep(self, records: Sequence[ShardRecord]) -> None:
        """Count shards that were there before."""
        for record in records:
            self._count(record)
        self.progress = self.progress._replace(n_kept=self.progress.n_done)

    def add(self, records: Sequence[ShardRecord]) -> None:
        """Count those of all shards finished now that are not counted yet, and report."""
        for record in records[self._n_added :]:
            self._n_added += 1
            self._count(record)
            self.report()

    def workers(self, n_workers: int, n_retries: int, note: str = "") -> None:
        """Take down how the workers are, and report."""
        new = self.progress._replace(n_workers=n_workers, n_retries=n_retries, note=note)
        if new != self.progress:
            self.progress = new
            self.report()

    def report(self) -> None:
        """Report how far the build is."""
        if self._report is not None:
            self._report(self.progress)

    def _count(self, record: ShardRecord) -> None:
        self.progress = self.progress._replace(
            n_done=self.progress.n_done + record.rows,
            bytes_stored=self.progress.bytes_stored + record.bytes_stored,
            shards_done=self.progress.shards_done + 1,
        )
