"""How a run is shown while it trains: a bar on a terminal, lines elsewhere.

Elsewhere there is a line at the start, one for each epoch and one about every ten seconds, of steps
or of what is scored.
"""

from tersgen.cli.common.messages import say
from tersgen.cli.common.progress import EVERY_S, Display
from tersgen.cli.common.stopping import Stop
from tersgen.text import human_time

from ..engine.checkpoint import Position
from ..engine.cost import Forecast
from ..tasks.scores import TaskScores


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

    def __init__(self, stop: Stop, quiet: bool = False, every_s: float = EVERY_S) -> None:
        self._stop = stop
        self._quiet = quiet
        self._display = Display("steps", quiet, every_s)
        self._n_steps = self._first = 0

    @property
    def stop(self) -> int:
        """Number of the signal that asks to stop, or 0."""
        return self._stop.signal

    @property
    def is_due(self) -> bool:
        """Whether it is time to show a step."""
        return self._display.is_due

    def begin(self, about: str, n_steps: int, position: Position, notes: list[str]) -> None:
        """Start."""
        if not self._quiet:
            say(about, err=True)
        for note in notes:
            say(f"Note: {note}", err=True)
        if position.step:
            say(f"resuming from step {position.step} of {n_steps}", err=True)
        self._n_steps, self._first = n_steps, position.step
        self._display.begin(n_steps, position.step)

    def step(self, step: int, loss: float, samples_per_s: float, waiting: float) -> None:
        """Show a step."""
        text = f"loss {loss:.4g}, {samples_per_s:.0f} samples/s, {waiting:.0%} waiting for data"
        self._display.show(step, self._n_steps, lambda: text, self._first)

    def forecast(self, forecast: Forecast) -> None:
        """Show what the run is expected to take."""
        flops = forecast.flops_per_row
        cost = "" if flops is None else f", {flops / 1e6:.3g} MFLOP a row"
        self._display.line(
            f"forecast: {forecast.rows_per_s:.0f} rows/s, {human_time(forecast.seconds)} to the "
            f"end{cost}, threads: {forecast.threads}"
        )

    def score(self, batch: int, n_batches: int) -> None:
        """Show how far the scoring of a part is."""
        self._display.note(f"scoring: batch {batch} of {n_batches}")

    def epoch(self, epoch: int, scores: TaskScores) -> None:
        """Show the scores of an epoch."""
        self._display.line(f"epoch {epoch + 1}: {scores.headline}")

    def close(self) -> None:
        """Close the bar."""
        self._display.close()
