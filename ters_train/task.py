"""What a model is for, classes or structures: its loss and its count of predictions.

The one place that knows both; the engine goes by what it gets from here.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from .config import LossConfig, ModelConfig
from .dice import StructureLoss
from .losses import Loss
from .metrics import Scores
from .structures import StructureScores

AnyLoss = Loss | StructureLoss
AnyScores = Scores | StructureScores


class Count(Protocol):
    """Counts predictions over batches and processes."""

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count a batch: outputs of the model, the batch, and its mean loss."""

    def compute(self) -> AnyScores:
        """Return the scores of what all processes have counted."""

    def to(self, device: torch.device) -> Any:
        """Move it."""


def make_task_loss(
    config: LossConfig, model: ModelConfig, class_weights: Tensor | None = None
) -> AnyLoss:
    """Return the loss of a model; move it to the model's device.

    Raises
    ------
    ConfigError
        If class weights are not K numbers of at least 0.
    """
    if model.structure is not None:
        return StructureLoss(config)
    return Loss(config, class_weights)


def make_count(config: ModelConfig) -> Count:
    """Return what counts the predictions of a model."""
    # of torchmetrics, which takes seconds to import; training begins before
    if config.structure is not None:
        from .structure_counting import StructureCount

        return StructureCount(config.structure)
    if config.present_fraction is not None:
        from .mixture_counting import MixtureCount

        return MixtureCount(config.n_classes, config.present_fraction)
    from .counting import Classification

    return Classification(config.n_classes)
