"""The task of naming the species, and of predicting Raman tensors, too, if requested."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field
from tersgen.text import counted

from ...config import DataConfig, LossConfig, RunConfig, Shape, Size
from ...data.fields import MIXTURE_LABEL, TENSOR_FIELDS
from ...planning import check_fields
from ...reporting import Report
from ..scores import Count
from ..task import Predicted, Task, TaskLoss
from .losses import Loss


class ClassificationOptions(Frozen):
    """What follows from the dataset and the loss; nothing that a user sets."""

    n_classes: Size = field("classes K", "1")
    tensor_modes: int | None = Field(
        None,
        description="modes M whose Raman tensors are predicted, (M, 3, 3); none for none",
        json_schema_extra={"unit": "1"},
        gt=0,
        le=1 << 16,
    )


@register("ters_train.tasks", "classification")
class Classification(Task):
    """Names the species of a sample.

    Parameters
    ----------
    options
        Number of classes, and modes if tensors are predicted.
    """

    Options = ClassificationOptions
    options: ClassificationOptions

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the classes, and the modes if there is a loss on tensors."""
        planned: dict[str, Any] = {"n_classes": len(dataset.classes)}
        if loss.get("tensor_loss"):
            check_fields(dataset, TENSOR_FIELDS, "tensor_loss")
            planned["tensor_modes"] = dataset["tensors"].shape[1]
        return planned

    def note(self, dataset: Dataset) -> str | None:
        """Say that mixtures are scored as pure samples."""
        if MIXTURE_LABEL not in dataset:
            return None
        return (
            "these are mixtures, the model is for pure samples: scored is the species with the "
            "largest fraction"
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Label, and tensors if they are predicted."""
        return ("label", *(TENSOR_FIELDS if self.options.tensor_modes is not None else ()))

    @property
    def outputs(self) -> dict[str, Shape]:
        """``logits``, shape (K,), and maybe ``tensors``, shape (M, 3, 3)."""
        modes = self.options.tensor_modes
        tensors: dict[str, Shape] = {} if modes is None else {"tensors": (modes, 3, 3)}
        return {"logits": (self.options.n_classes,), **tensors}

    @property
    def n_classes(self) -> int:
        """Classes K."""
        return self.options.n_classes

    @property
    def description(self) -> str:
        """How many classes."""
        return counted(self.n_classes, "class")

    def check(self, config: RunConfig) -> None:
        """Refuse a loss on tensors that the model does not predict."""
        if config.loss.tensor_loss and self.options.tensor_modes is None:
            raise ConfigError(
                "loss.tensor_loss: expected 0 for a task without tensors, got "
                f"{config.loss.tensor_loss:g}; leave it out, or start a new run with it"
            )

    def make_loss(self, config: LossConfig, class_weights: Tensor | None) -> TaskLoss:
        """Return the loss of Eq. (6.3)."""
        return Loss(config, class_weights)

    def relabel(self, batch: dict[str, Tensor], labels: Tensor) -> None:
        """Replace the classes of a dataset by those of the model."""
        batch["label"] = labels[batch["label"].long()]

    def make_count(self) -> Count:
        """Return the count of the confusion matrix."""
        from .counting import ConfusionCount

        return ConfusionCount(self.n_classes)

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return logits, probabilities and maybe tensors."""
        return {
            "logits": outputs["logits"],
            "probabilities": outputs["logits"].softmax(dim=1),
            **{name: value for name, value in outputs.items() if name != "logits"},
        }

    @property
    def result_names(self) -> tuple[str, ...]:
        """Logits, probabilities and maybe tensors."""
        return ("logits", "probabilities", *(name for name in self.outputs if name != "logits"))

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the most probable species of each row."""
        return [
            Predicted(
                ", ".join(f"{name} {share:.1%}" for name, share in best),
                {"species": [{"name": name, "probability": share} for name, share in best]},
            )
            for best in most_probable(outputs["logits"], classes, top)
        ]

    def pages(self, report: Report, curves: bytes) -> dict[str, bytes]:
        """Return page, card, confusion matrix, and the reliability diagram of probabilities."""
        from tersgen.plotting.training import confusion_png, reliability_png, spectra_png

        from .page import class_pages

        pictures = {"confusion.png": confusion_png(report.scores["confusion"], report.classes)}
        if report.scores.get("reliability"):
            pictures["reliability.png"] = reliability_png(report.scores["reliability"])
        examples = {one.title: spectra_png(*one) for one in report.examples}
        return {**pictures, **class_pages(report, curves, pictures, examples)}


def most_probable(
    logits: Tensor, classes: Sequence[str], top: int
) -> list[list[tuple[str, float]]]:
    """Return names and shares of the first ``top`` classes of each row, most first.

    Parameters
    ----------
    logits
        Shape (B, K).
    classes
        K names.
    top
        How many.
    """
    shares = logits.float().softmax(dim=1).cpu()
    best = shares.topk(min(top, shares.shape[1]), dim=1)
    return [
        [(classes[label], float(share)) for label, share in zip(labels, values, strict=True)]
        for labels, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
