"""The task of predicting a number of each sample: a column of a dataset, or a component of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field
from tersgen.schema.fields import FieldSpec

from ...config import DataConfig, Shape
from ...data.fields import ELEMENTS, MASKS
from ...data.rows import RowSet, rows_of_part
from ...errors import NotFiniteError
from ...planning import check_fields
from ..scores import TaskScores
from ..task import Predicted, Task

_ROWS_AT_ONCE = 1 << 16
_MOST_GENERATED = 10_000
"""Rows of a recipe that statistics are taken from: none is stored, and each has to be generated."""


class RegressionOptions(Frozen):
    """Which number; mean and deviation are those of the training rows."""

    column: str = field("array of the dataset, such as params/width", "1", max_length=100)
    component: tuple[Annotated[int, Field(ge=0, lt=1 << 20)], ...] = field(
        "which of its values, an index for each of its dimensions; none if it has none", "1", ()
    )
    unit: str = field("unit of the number", "1", max_length=64)
    mean: float = field("mean of the training rows, in its unit", "1")
    deviation: float = field("standard deviation of the training rows, in its unit", "1", gt=0)

    @field_validator("component", mode="before")
    @classmethod
    def _one(cls, component: Any) -> Any:
        return (component,) if isinstance(component, int) else component


class RegressionScores(TaskScores):
    """How far off the numbers are; in the unit of the column."""

    mae: float = field("mean of |predicted - true|", "unit")
    rmse: float = field("root of the mean of (predicted - true)^2", "unit")
    r2: float | None = field(
        "1 - sum (predicted - true)^2 / sum (true - mean)^2; none if all true values are the same",
        "1",
        None,
    )
    unit: str = field("unit of the column", "1")

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return -self.rmse

    @property
    def headline(self) -> str:
        """The scores in a line."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        r2 = "" if self.r2 is None else f", R2 {self.r2:.4f}"
        return f"MAE {self.mae:.4g}{unit}, RMSE {self.rmse:.4g}{unit}{r2}"


@register("ters_train.tasks", "regression")
class Regression(Task):
    """Predicts a number of each sample, scaled by mean and deviation of the training rows.

    Parameters
    ----------
    options
        Which number, and its statistics.
    """

    Options = RegressionOptions
    options: RegressionOptions

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return unit, mean and standard deviation of the column over the training rows.

        Of a recipe, over the first 10,000 of them.
        """
        name = wanted.get("column")
        if not isinstance(name, str):
            specs = [dataset[one].spec for one in dataset.fields]
            numbers = [one.name for one in specs if one.dtype[0] in "fiu" and not _is_category(one)]
            raise ConfigError(
                f"task.options.column: expected the array to predict, one of {', '.join(numbers)}; "
                "set it: --set task.options.column=NAME"
            )
        check_fields(dataset, (name,), "task.options.column")
        component = wanted.get("component", ())
        index = (component,) if isinstance(component, int) else tuple(component)
        _check_component(dataset, name, index)
        rows = rows_of_part(dataset, data, data.train_part)
        values = _column(dataset, name, index, rows)
        mean = math.fsum(values) / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
        if not variance > 0:
            raise ConfigError(
                f"{dataset.path}: {name}: expected different values in {data.train_part}, got "
                f"{mean:g} in all of its rows; predict another array"
            )
        return {
            "unit": dataset[name].spec.unit,
            "mean": mean,
            "deviation": math.sqrt(variance),
        }

    @property
    def fields(self) -> tuple[str, ...]:
        """The column."""
        return (self.options.column,)

    @property
    def outputs(self) -> dict[str, Shape]:
        """``value``, shape (1,): the number less the mean, over the deviation."""
        return {"value": (1,)}

    @property
    def description(self) -> str:
        """Which number."""
        return self.options.column + "".join(f"[{k}]" for k in self.options.component)

    def check_dataset(self, dataset: Dataset) -> None:
        """Refuse a dataset without the column, or with another unit."""
        name = self.options.column
        check_fields(dataset, (name,), "the task")
        _check_component(dataset, name, self.options.component)
        if dataset[name].spec.unit != self.options.unit:
            raise ConfigError(
                f"{dataset.path}: {name}: expected the unit {self.options.unit}, as trained on, "
                f"got {dataset[name].spec.unit}"
            )

    def truth(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the numbers of a batch, scaled, float32, shape (B, 1)."""
        values = batch[self.options.column]
        for k in self.options.component:
            values = values[:, k]
        scaled = (values.double() - self.options.mean) / self.options.deviation
        return scaled.float()[:, None]

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the squared error of each sample, in units of the variance."""
        error = outputs["value"].float() - self.truth(batch)
        return {"squared_error": error.square()[:, 0]}

    @property
    def sum_shapes(self) -> dict[str, Shape]:
        """Sums of errors, their sizes and squares, and of true values and their squares."""
        return dict.fromkeys(("size", "square", "true", "true_square"), ())

    def sums(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a batch adds, of scaled numbers."""
        true = self.truth(batch).double()
        error = outputs["value"].double() - true
        return {
            "size": error.abs().sum(),
            "square": error.square().sum(),
            "true": true.sum(),
            "true_square": true.square().sum(),
        }

    def score(
        self, sums: dict[str, Tensor], n_samples: int, loss: float | None
    ) -> RegressionScores:
        """Return mean absolute error, root of the mean square, and R2."""
        size, square, true, true_square = (float(sums[name]) for name in self.sum_shapes)
        if not math.isfinite(square) or not math.isfinite(true_square):
            what = "predictions" if math.isfinite(true_square) else f"values of {self.description}"
            raise NotFiniteError(
                f"expected finite numbers, got {what} that are not; "
                "take a lower --lr, or another column or part of the dataset"
            )
        n = max(1, n_samples)
        spread = true_square - true**2 / n
        return RegressionScores(
            loss=loss,
            n_samples=n_samples,
            mae=self.options.deviation * size / n,
            rmse=self.options.deviation * math.sqrt(square / n),
            r2=1 - square / spread if spread > 1e-12 * n else None,
            unit=self.options.unit,
        )

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``value``, shape (B, 1), in the unit of the column."""
        return {"value": outputs["value"] * self.options.deviation + self.options.mean}

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the number of each row."""
        unit = "" if self.options.unit == "1" else f" {self.options.unit}"
        values = self.results(outputs)["value"][:, 0].double().cpu().tolist()
        return [
            Predicted(
                f"{self.description} {value:.6g}{unit}",
                {"column": self.description, "value": value, "unit": self.options.unit},
            )
            for value in values
        ]


def _is_category(spec: FieldSpec) -> bool:
    """Return whether the numbers of a field only name something."""
    return spec.is_label or spec.name in (ELEMENTS, MASKS)


def _check_component(dataset: Dataset, name: str, component: tuple[int, ...]) -> None:
    spec = dataset[name].spec
    if spec.dtype[0] not in "fiu":
        raise ConfigError(f"{dataset.path}: {name}: expected numbers, got {spec.dtype}")
    if _is_category(spec):
        raise ConfigError(
            f"{dataset.path}: {name}: expected a quantity, got numbers of classes or elements; "
            "predict another array, or classes with --task classification"
        )
    if len(component) != len(spec.shape) or any(
        not 0 <= k < size for k, size in zip(component, spec.shape, strict=False)
    ):
        raise ConfigError(
            f"task.options.component: expected an index for each dimension of {name}, "
            f"{list(spec.shape)}, got {list(component)}"
        )


def _column(
    dataset: Dataset, name: str, component: tuple[int, ...], rows: RowSet
) -> NDArray[np.float64]:
    """Return the numbers of the rows of a set, float64; of a recipe those of its first rows."""
    stop = rows.stop
    if dataset.manifest is None:
        stop = min(stop, rows.start + _MOST_GENERATED)
    found = []
    for low in range(rows.start, stop, _ROWS_AT_ONCE):
        high = min(stop, low + _ROWS_AT_ONCE)
        values = dataset[name][low:high][(slice(None), *component)].astype(np.float64)
        if rows.parts is not None:
            values = values[rows.parts[low:high] == rows.number]
        found.append(values)
    column = np.concatenate(found)
    if not np.isfinite(column).all():
        raise ConfigError(
            f"{dataset.path}: {name}: expected a number in every row of {rows.name}, got some that "
            "are not finite; predict another array"
        )
    return column
