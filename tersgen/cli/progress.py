"""Progress of a build: a bar on a terminal, a line every 30 s elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from ..jobs.progress import Progress
from .messages import say
from .options import human_bytes, human_time

_EVERY_S = 30.0


def _others(progress: Progress) -> str:
    """Return all that is told beside samples: shards, bytes, workers, retries."""
    parts = [f"{progress.shards_done} of {progress.n_shards} shards"] if progress.n_shards else []
    parts.append(human_bytes(progress.bytes_stored))
    if progress.n_workers is not None:
        parts.append(f"{progress.n_workers} worker{'s' if progress.n_workers != 1 else ''}")
    if progress.n_retries:
        parts.append(f"{progress.n_retries} tried again")
    return ", ".join([*parts, progress.note] if progress.note else parts)


def tell_compiling(effect: str, left: int) -> None:
    """Say on standard error that kernels are compiled, which is done once on a machine."""
    say(
        f"compiling for this machine, once for each kind of recipe: {effect} ({left} to go)",
        err=True,
    )


class Reporter:
    """Shows progress on standard error."""

    def __init__(self, n_samples: int, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = self._last = time.perf_counter()
        self._bar: tqdm[Any] | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = tqdm(total=n_samples, unit=" samples", unit_scale=True, dynamic_ncols=True)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def update(self, progress: Progress) -> None:
        """Show how far the build is."""
        now = time.perf_counter()
        if self._bar is not None:
            self._bar.set_postfix_str(_others(progress), refresh=bool(progress.note))
            self._bar.update(progress.n_done - self._bar.n)
        elif not self._quiet and now - self._last >= _EVERY_S:
            self._last = now
            rate = (progress.n_done - progress.n_kept) / (now - self._start)
            left = (progress.n_samples - progress.n_done) / rate if rate else None
            say(
                f"{progress.n_done} of {progress.n_samples} samples, {rate:.0f} samples/s, "
                f"{_others(progress)}" + (f", {human_time(left)} left" if left is not None else ""),
                err=True,
            )


class Steps:
    """Shows how many of some known number of things are done, on a terminal."""

    def __init__(self, unit: str, quiet: bool = False) -> None:
        self._unit = unit
        self._show = not quiet and sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int) -> None:
        """Show how far it is."""
        if not self._show:
            return
        if self._bar is None:
            self._bar = tqdm(total=total, unit=f" {self._unit}", dynamic_ncols=True)
        self._bar.update(done - self._bar.n)
