"""A logger, and a transform of training batches."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ters_train import Callback, Draws, RunInfo


class Lines(Callback):
    """Appends a line for all that it is told to a file in the folder of the run."""

    def __init__(self, name: str = "lines.txt") -> None:
        self.name = name

    def _write(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def on_start(self, run: RunInfo) -> None:
        self.path: Path = run.folder / self.name
        self._write(f"start {run.config.model.name} {run.step} of {run.n_steps}")

    def on_step(self, step: int, values: Mapping[str, float]) -> None:
        self._write(f"step {step} {values['loss']}")

    def on_epoch(self, epoch: int, scores: Mapping[str, float | None]) -> None:
        self._write(f"epoch {epoch} {scores['loss']}")

    def on_end(self, step: int, finished: bool) -> None:
        self._write(f"end {step} {finished}")


class Gain:
    """Multiplies each spectrum by a factor of its own, 1 - ``spread`` to 1."""

    def __init__(self, spread: float = 0.2) -> None:
        self.spread = spread

    def __call__(self, batch: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
        batch["spectra"] = batch["spectra"].float() * (1 - self.spread * draws.uniform(1))
        return batch
