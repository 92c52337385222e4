"""The task of removing noise and background, learnt from twins of the same rows without them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.twins import PREFIX
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ...config import INPUT_FIELDS, DataConfig, RunConfig, Shape
from ...data.measured import measured
from ...errors import NotFiniteError
from ...planning import check_fields
from ..scores import TaskScores
from ..task import Predicted, Task

_LEAST_RANGE = 1e-6
_MOVES = ("roll_bins", "shift_bins", "stretch")


class DenoisingOptions(Frozen):
    """What follows from the dataset."""

    array: str = field("array whose twin is predicted", "1", max_length=100)
    shape: Shape = field("shape of a row", "1")


class DenoisingScores(TaskScores):
    """How far predictions are from the twins, in units of their range."""

    rmse: float = field("root of the mean of (predicted - twin)^2", "1", ge=0)
    input_rmse: float = field("the same for what the model was given", "1", ge=0)

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return -self.rmse

    @property
    def headline(self) -> str:
        """The scores in a line."""
        gain = 20 * math.log10(self.input_rmse / self.rmse) if self.rmse and self.input_rmse else 0
        compared = f"{abs(gain):.1f} dB {'worse' if gain < 0 else 'better'}"
        return f"RMSE {self.rmse:.4f}, of the input {self.input_rmse:.4f}: {compared}"


@register("ters_train.tasks", "denoising")
class Denoising(Task):
    """Predicts rows as they are without noise, background and detector; the loss is squared error.

    Parameters
    ----------
    options
        Which array.
    """

    Options = DenoisingOptions
    options: DenoisingOptions

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the array that the model sees, and its shape."""
        names = INPUT_FIELDS[data.input]
        if len(names) > 1:
            raise ConfigError(
                f"task denoising: expected one input, spectrum or map, got {data.input}"
            )
        _check(dataset, names[0])
        return {"array": names[0], "shape": dataset[names[0]].shape[1:]}

    def check(self, config: RunConfig) -> None:
        """Refuse transforms that move spectra, as twins stay where they are."""
        moved = [name for name in _MOVES if getattr(config.transforms, name)]
        if moved and self.options.array == "spectra":
            raise ConfigError(
                f"transforms.{moved[0]}: expected 0 for denoising, whose targets are not moved, "
                f"got {getattr(config.transforms, moved[0]):g}"
            )

    def check_dataset(self, dataset: Dataset) -> None:
        """Refuse a dataset without twins, or with other shapes."""
        _check(dataset, self.options.array)
        shape = dataset[self.options.array].shape[1:]
        if shape != self.options.shape:
            raise ConfigError(
                f"{dataset.path}: expected {self.options.array} of shape {self.options.shape}, as "
                f"trained on, got {shape}"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """The twin."""
        return (PREFIX + self.options.array,)

    @property
    def outputs(self) -> dict[str, Shape]:
        """``clean``: the row without noise, background and detector."""
        return {"clean": self.options.shape}

    @property
    def description(self) -> str:
        """What is cleaned."""
        return f"{self.options.array} without noise and background"

    def truth(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the twins as numbers from 0 to 1, and 1 where a row was measured, else 0.

        Both have the shape of the rows, float32. What was not measured does not count: neither in
        the scores nor in the range by which a twin is scaled.
        """
        twin = batch[self.fields[0]].float()
        if self.options.array != "spectra":
            return twin, torch.ones_like(twin)
        mask = measured(batch).to(twin)
        return _scaled(twin, mask), mask

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean squared error of each sample, over what was measured."""
        twin, mask = self.truth(batch)
        return {"squared_error": _mean_square(outputs["clean"].float() - twin, mask)}

    @property
    def sum_shapes(self) -> dict[str, Shape]:
        """Sums of squared errors of rows, predicted and as they were given."""
        return {"square": (), "input_square": ()}

    def sums(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a batch adds."""
        twin, mask = self.truth(batch)
        # inputs were taken to [-1, 1]; only their shape counts, so each is scaled as twins are
        given = _scaled(batch[self.options.array].float(), mask)
        errors = {"square": outputs["clean"].float() - twin, "input_square": given - twin}
        return {name: _mean_square(one, mask).double().sum() for name, one in errors.items()}

    def score(self, sums: dict[str, Tensor], n_samples: int, loss: float | None) -> DenoisingScores:
        """Return root mean squares."""
        square, given = (float(sums[name]) for name in self.sum_shapes)
        if not math.isfinite(square):
            raise NotFiniteError(
                "expected finite numbers, got predictions that are not; take a lower --lr"
            )
        n = max(1, n_samples)
        return DenoisingScores(
            loss=loss,
            n_samples=n_samples,
            rmse=math.sqrt(square / n),
            input_rmse=math.sqrt(given / n),
        )

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the clean row."""
        rows = outputs["clean"].float().cpu()
        return [
            Predicted(
                f"{self.options.array} without noise and background: values from {row.min():.3f} "
                f"to {row.max():.3f} (--out FILE.jsonl has them)",
                {"clean": row.tolist()},
            )
            for row in rows
        ]


def _mean_square(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of squares of each row, shape (B,), where it was measured."""
    error, mask = error.flatten(1), mask.flatten(1)
    return (error.square() * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)


def _scaled(rows: Tensor, mask: Tensor) -> Tensor:
    """Return rows whose measured part goes from 0 to 1."""
    flat, inside = rows.flatten(1), mask.flatten(1) > 0
    low = flat.masked_fill(~inside, torch.inf).amin(dim=1, keepdim=True)
    high = flat.masked_fill(~inside, -torch.inf).amax(dim=1, keepdim=True)
    return ((flat - low) / (high - low).clamp_min(_LEAST_RANGE)).view_as(rows)


def _check(dataset: Dataset, name: str) -> None:
    if dataset.kind == "measured":
        raise ConfigError(
            f"{dataset.path}: expected synthetic rows for denoising, whose twins without noise are "
            "made from the recipe, got measured ones; train on a synthetic dataset"
        )
    check_fields(dataset, (name, PREFIX + name), "task 'denoising'")
