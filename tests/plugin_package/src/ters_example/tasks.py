"""A task: the logarithm of the factor on all widths of a sample."""

from pydantic import BaseModel
from torch import Tensor

from ters_train import Task, TaskScores


class WidthsOptions(BaseModel):
    """What follows from the dataset is filled in by ``plan``; a user may set ``scale``."""

    scale: float = 10.0


class WidthScores(TaskScores):
    """What is logged, reported and printed; the best epoch has the least ``loss``."""

    off: float
    """Mean of |ln(predicted / true)|."""


class Widths(Task):
    """Predicts ``params/width``."""

    Options = WidthsOptions
    fields = ("params/width",)
    outputs = {"log_width": (1,)}  # noqa: RUF012
    sum_shapes = {"off": ()}  # noqa: RUF012

    def error(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        true = batch["params/width"].float().log()
        return outputs["log_width"].float()[:, 0] / self.options.scale - true

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"squared": (self.options.scale * self.error(outputs, batch)) ** 2}

    def sums(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"off": self.error(outputs, batch).abs().sum()}

    def score(self, sums: dict[str, Tensor], n_samples: int, loss: float | None) -> WidthScores:
        return WidthScores(loss=loss, n_samples=n_samples, off=float(sums["off"]) / n_samples)
