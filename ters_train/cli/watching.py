"""How a run is shown while it trains: a bar on a terminal, lines elsewhere.

Elsewhere there is a line at the start, one for each epoch and one about every 30 s, of steps or of
what is scored.
"""

import sys
import time
from typing import Any

from tqdm import tqdm

from tersgen.schema.loading import printable

from ..engine.checkpoint import Position
from ..tasks.task import TaskScores
from .messages import say
from .stopping import Stop

_BAR_EVERY_S = 0.5


def human_time(seconds: float) -> str:
    """Return a duration.

    >>> human_time(3720)
    '1 h 2 min'
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Watcher:
    """Shows loss, rate, time left and the share of the time spent waiting for data.

    Parameters
    ----------
    stop
        Whether a signal asks to stop.
    quiet
        Whether nothing but notes is shown.
    every_s
        Seconds between lines where there is no terminal.
    """

    def __init__(self, stop: Stop, quiet: bool = False, every_s: float = 30.0) -> None:
        self._stop = stop
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._n_steps = self._first = 0
        self._every_s = every_s
        self._start = self._last = time.perf_counter()

    @property
    def stop(self) -> int:
        """Number of the signal that asks to stop, or 0."""
        return self._stop.signal

    @property
    def is_due(self) -> bool:
        """Whether it is time to show a step."""
        return not self._quiet and time.perf_counter() - self._last >= self._every_s

    def begin(self, about: str, n_steps: int, position: Position, notes: list[str]) -> None:
        """Start."""
        if not self._quiet:
            say(about, err=True)
        for note in notes:
            say(f"Note: {note}", err=True)
        if position.step:
            say(f"resuming from step {position.step} of {n_steps}", err=True)
        self._n_steps, self._first = n_steps, position.step
        self._start = self._last = time.perf_counter()
        if not self._quiet and sys.stderr.isatty():
            self._every_s = _BAR_EVERY_S
            self._bar = tqdm(
                total=n_steps, initial=position.step, unit=" steps", dynamic_ncols=True
            )

    def step(self, step: int, loss: float, samples_per_s: float, waiting: float) -> None:
        """Show a step."""
        text = f"loss {loss:.4g}, {samples_per_s:.0f} samples/s, {waiting:.0%} waiting for data"
        now = time.perf_counter()
        if self._bar is not None:
            self._last = now
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(step - self._bar.n)
        elif not self._quiet and now - self._last >= self._every_s:
            self._last = now
            left = (now - self._start) / (step - self._first) * (self._n_steps - step)
            say(f"step {step} of {self._n_steps}: {text}, {human_time(left)} left", err=True)

    def score(self, batch: int, n_batches: int) -> None:
        """Show how far the scoring of a part is."""
        now = time.perf_counter()
        if self._quiet or now - self._last < self._every_s:
            return
        self._last = now
        text = f"scoring: batch {batch} of {n_batches}"
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            say(text, err=True)

    def epoch(self, epoch: int, scores: TaskScores) -> None:
        """Show the scores of an epoch."""
        if self._quiet:
            return
        self._last = time.perf_counter()
        text = f"epoch {epoch + 1}: {scores.headline}"
        if self._bar is not None:
            self._bar.write(printable(text), file=sys.stderr)
        else:
            say(text, err=True)

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
