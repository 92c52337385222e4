"""The task of drawing the structure in a map: masks of atoms by element, and bonds."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register

from ...config import DataConfig, LossConfig, RunConfig, Shape
from ...data.fields import BONDS, STRUCTURE_FIELDS
from ...reporting import Report
from ..scores import Count
from ..task import Task, TaskLoss
from .losses import StructureLoss
from .options import StructureOptions, structure_targets


@register("ters_train.tasks", "structure")
class Structure(Task):
    """Draws masks of atoms, an element a channel, and a map of bonds if the dataset has one.

    Parameters
    ----------
    options
        The targets of the dataset.
    """

    Options = StructureOptions
    options: StructureOptions
    draws = True

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the targets of the dataset."""
        return structure_targets(dataset).model_dump(mode="json")

    def check(self, config: RunConfig) -> None:
        """Refuse losses of classes, and turns of frames that are no squares."""
        for name in ("label_smoothing", "tensor_loss"):
            if getattr(config.loss, name):
                raise ConfigError(
                    f"loss.{name}: expected 0 for structure targets, which are no classes, got "
                    f"{getattr(config.loss, name):g}"
                )
        rows, columns = self.options.frame_angstrom
        if config.transforms.quarter_turns and rows != columns:
            raise ConfigError(
                "transforms.quarter_turns: expected a square frame, as turned atoms keep their "
                f"distances, got {rows:g} x {columns:g} Angstrom; leave it off, or use the flips"
            )

    def check_dataset(self, dataset: Dataset) -> None:
        """Refuse other structure targets than those trained on."""
        targets = structure_targets(dataset)
        if targets != self.options:
            raise ConfigError(
                f"{dataset.path}: expected the structure targets trained on, {self.options}, got "
                f"{targets}; build it with the same elements, shapes and frame"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """Masks, atoms and maybe bonds."""
        return ("label", *STRUCTURE_FIELDS, *((BONDS,) if self.options.bonds else ()))

    @property
    def outputs(self) -> dict[str, Shape]:
        """``masks``, shape (E, H, W), and maybe ``bonds``, shape (H, W): logits."""
        pixels = self.options.pixels
        masks: dict[str, Shape] = {"masks": (len(self.options.elements), *pixels)}
        return {**masks, **({"bonds": pixels} if self.options.bonds else {})}

    @property
    def description(self) -> str:
        """Which elements."""
        bonds = " and bonds" if self.options.bonds else ""
        return f"masks of {', '.join(self.options.elements)}{bonds}"

    def make_loss(self, config: LossConfig, class_weights: Tensor | None) -> TaskLoss:
        """Return the loss of Eqs. (6.4) and (6.5)."""
        return StructureLoss(config)

    def make_count(self) -> Count:
        """Return the count of pixels and atoms."""
        from .counting import StructureCount

        return StructureCount(self.options)

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return logits and probabilities of masks, and probabilities of bonds."""
        bonds = {"bonds": outputs["bonds"].sigmoid()} if "bonds" in outputs else {}
        masks = outputs["masks"]
        return {"logits": masks, "probabilities": masks.sigmoid(), **bonds}

    @property
    def result_names(self) -> tuple[str, ...]:
        """Logits, probabilities and maybe bonds."""
        return ("logits", "probabilities", *(("bonds",) if self.options.bonds else ()))

    def pages(self, report: Report, curves: bytes) -> dict[str, bytes]:
        """Return page and card."""
        from .page import structure_pages

        return structure_pages(report, curves)
