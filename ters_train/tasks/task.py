"""What a task is: the targets of a dataset, a loss, scores, and how they are shown."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import DataConfig, LossConfig, PartConfig, RunConfig, Shape
from ..parts import NoOptions, find, options_of
from .scores import Count, TaskScores

if TYPE_CHECKING:
    from ..reporting import Report

GROUP: Final = "ters_train.tasks"


class Predicted(NamedTuple):
    """The prediction for one row."""

    text: str
    """In a line."""
    content: dict[str, Any]
    """As JSON takes it."""


class Task:
    """Base of tasks. A subclass is registered: ``@register("ters_train.tasks", "mine")``.

    It must have ``fields``, ``outputs``, ``terms``, ``sums`` and ``score``; the rest has defaults.

    Parameters
    ----------
    options
        An instance of ``Options``.
    """

    Options: ClassVar[type[BaseModel]] = NoOptions
    """Its options, a pydantic model."""
    draws: ClassVar[bool] = False
    """Whether ``predict`` writes images of structures."""

    def __init__(self, options: BaseModel) -> None:
        self.options = options

    # --- from a dataset to a run

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the options that follow from the dataset, by name.

        Parameters
        ----------
        dataset
            What it is trained on.
        data
            Which parts of it.
        loss
            What the user sets of the loss.
        wanted
            What the user sets of the options.

        Raises
        ------
        ConfigError
            If the dataset has not what the task needs.
        """
        return {}

    def check(self, config: RunConfig) -> None:
        """Refuse settings of a run that do not suit the task.

        Raises
        ------
        ConfigError
            If one does not.
        """

    def check_dataset(self, dataset: Dataset) -> None:
        """Refuse a dataset that a trained model cannot be scored on.

        Raises
        ------
        ConfigError
            If its targets are not those trained on.
        """

    def note(self, dataset: Dataset) -> str | None:
        """Return what a user should know of the scores on a dataset, if anything."""
        return None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the dataset that are read as targets, in addition to the inputs."""
        raise NotImplementedError

    @property
    def optional(self) -> tuple[str, ...]:
        """Those of them that a dataset may lack on which a trained model is scored."""
        return ()

    @property
    def outputs(self) -> dict[str, Shape]:
        """Outputs that it asks a model for, and the shape of a row of each."""
        raise NotImplementedError

    @property
    def n_classes(self) -> int | None:
        """Number of species K that the model distinguishes; None if it predicts none."""
        return None

    @property
    def description(self) -> str:
        """What is predicted, in a few words."""
        return ", ".join(self.outputs)

    # --- training

    def make_loss(self, config: LossConfig, class_weights: Tensor | None) -> "TaskLoss":
        """Return the loss; move it to the device of the model.

        Parameters
        ----------
        config
            Weights of the terms of our tasks.
        class_weights
            w_c of Eq. (8.2), shape (K,), or None.
        """
        return TaskLoss(self)

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms of the loss by name, each for each sample, shape (B,), float32."""
        raise NotImplementedError

    def relabel(self, batch: dict[str, Tensor], labels: Tensor) -> None:
        """Replace classes of a dataset by those of the model, ``labels``, shape (K,), in place."""

    # --- scores

    def make_count(self) -> Count | None:
        """Return what counts predictions; None to score by sums, see ``sums``."""
        return None

    @property
    def sum_shapes(self) -> dict[str, Shape]:
        """Names and shapes of the sums over samples that scores follow from."""
        return {}

    def sums(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a batch adds to each of the sums."""
        return {}

    def score(self, sums: dict[str, Tensor], n_samples: int, loss: float | None) -> TaskScores:
        """Return the scores that follow from the sums over all samples, float64."""
        return TaskScores(n_samples=n_samples, loss=loss)

    # --- use

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what an exported model gives, by name, traced: by default the outputs."""
        return outputs

    @property
    def result_names(self) -> tuple[str, ...]:
        """Names of ``results``, in order."""
        return tuple(self.outputs)

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the prediction for each row of a batch, for ``predict``.

        Parameters
        ----------
        outputs
            Of the model.
        classes
            Names of the K classes.
        top
            How many of them to name.
        """
        lists = {
            name: value.float().cpu().tolist() for name, value in self.results(outputs).items()
        }
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        return [
            Predicted(", ".join(f"{name} {value}" for name, value in row.items()), row)
            for row in rows
        ]

    def pages(self, report: "Report", curves: bytes) -> dict[str, bytes]:
        """Return the files that describe a run, by name: page, card, pictures.

        Parameters
        ----------
        report
            What to show.
        curves
            Picture of the training, PNG.
        """
        from ..reporting.page import plain_pages

        return plain_pages(report, curves)


class TaskLoss(nn.Module):
    """The sum of a task's terms, each a plain mean over the batch.

    Processes that share a batch equally may average their gradients, and get those of the whole.
    """

    def __init__(self, task: Task | None = None) -> None:
        super().__init__()
        self._task = task

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return each term for each sample, shape (B,), float32."""
        if self._task is None:
            raise NotImplementedError
        return self._task.terms(outputs, batch)

    def forward(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``"loss"`` and the means of its terms: numbers, float32."""
        means = {name: term.mean() for name, term in self.terms(outputs, batch).items()}
        return {"loss": torch.stack([*means.values()]).sum(), **means}


def task_class(name: str) -> type[Task]:
    """Return the class of a task."""
    part = find(GROUP, name)
    if not (inspect.isclass(part) and issubclass(part, Task)):
        raise ConfigError(
            f"task {name!r}: expected a class that derives from ters_train.Task, got {part!r}"
        )
    return part


def make_plain_task(config: PartConfig) -> Task:
    """Return a task by name and options, whatever the rest of the run."""
    return task_class(config.name)(options_of(task_class(config.name), GROUP, config.options))


def make_task(config: RunConfig) -> Task:
    """Return the task of a run."""
    task = make_plain_task(config.task)
    if config.model.outputs != task.outputs:
        raise ConfigError(
            f"model.outputs: expected {task.outputs}, as the task {config.task.name} has it, got "
            f"{dict(config.model.outputs)}"
        )
    if config.exposure.share and task.fields != ("label",):
        raise ConfigError(
            "exposure.share: expected 0 for a task with other targets than classes, got "
            f"{config.exposure.share:g} for {config.task.name} with {', '.join(task.fields)}"
        )
    task.check(config)
    return task
