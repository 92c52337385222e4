"""A task for measured rows whose label stands for a number, such as a concentration.

A dataset of measured rows keeps classes, and no other numbers, so each value is a class here and
the task has the list of values.
"""

import statistics

import numpy as np
import torch
from torch import Tensor

from ters_train.tasks.regression import Regression, RegressionOptions
from tersgen.plugins import register


class LabelledOptions(RegressionOptions):
    """The value of each class; mean and deviation are those of the training rows."""

    values: tuple[float, ...]


@register("ters_train.tasks", "labelled_number")
class LabelledNumber(Regression):
    """Predicts the value that the class of a row stands for."""

    Options = LabelledOptions
    options: LabelledOptions

    @classmethod
    def plan(cls, dataset, data, loss, wanted):  # noqa: ARG003 - of every task
        """Return mean and deviation of the values of the training rows."""
        rows = dataset.select(part=data.train_part)["label"][:]
        values = np.asarray(wanted["values"])[rows].tolist()
        deviation = statistics.pstdev(values) or 1.0
        mean = statistics.fmean(values)
        return {"column": "label", "unit": "1", "mean": mean, "deviation": deviation}

    def check_dataset(self, dataset) -> None:
        """Take any dataset with classes."""

    def truth(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the values of a batch, scaled, float32, shape (B, 1)."""
        label = batch["label"].long()
        values = torch.tensor(self.options.values, dtype=torch.float64, device=label.device)[label]
        return ((values - self.options.mean) / self.options.deviation).float()[:, None]
