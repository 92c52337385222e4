"""Scores of a model on some rows, and what counts predictions to get them."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from pydantic import Field
from torch import Tensor

from tersgen.schema.base import Frozen, field


class TaskScores(Frozen):
    """Scores of a model on some rows; those of a task are fields of a subclass."""

    loss: float | None = Field(
        None,
        description="mean loss of a sample; none if it was not given, null in JSON if not finite",
        json_schema_extra={"unit": "1"},
        allow_inf_nan=True,
    )
    n_samples: int = field("samples", "row")

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return float("-inf") if self.loss is None else -self.loss

    @property
    def logged(self) -> dict[str, float | None]:
        """What of it goes into the log of a run: all single numbers."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values.pop("n_samples")
        return {name: value for name, value in values.items() if value is None or _is_number(value)}

    @property
    def best(self) -> str:
        """The scores of the best epoch, in a line."""
        return self.headline

    @property
    def headline(self) -> str:
        """The scores in a line."""
        numbers = {name: value for name, value in self.logged.items() if value is not None}
        return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())

    def details(self, classes: Sequence[str], limit: int = 5) -> tuple[str, ...]:
        """Return lines that say more; ``classes`` are the model's."""
        return ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Count(Protocol):
    """Counts predictions over batches and processes."""

    def count(self, outputs: dict[str, Tensor], batch: dict[str, Tensor], loss: Tensor) -> None:
        """Count a batch: outputs of the model, the batch, and its mean loss."""

    def compute(self) -> TaskScores:
        """Return the scores of what all processes have counted."""

    def to(self, device: torch.device) -> Any:
        """Move it."""
