"""The task of finding the species at each pixel of a scene: semantic segmentation."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ...config import DataConfig, RunConfig, Shape, Size
from ...data.fields import INSTANCE_MAP, SPECIES_MAP
from ...planning import check_fields
from ..scores import TaskScores
from ..task import Predicted, Task
from .instances import match_instances

_PIXELS = ("right", "predicted", "true")
_MOLECULES = ("matched", "matched_iou", "regions", "molecules")
_BEST = ("best_matched_iou", "best_regions")
_SUMS = (*_PIXELS, *_MOLECULES, *_BEST)


def _mean_share(sums: Tensor, counts: Tensor) -> float | None:
    """Return the mean of 2 s/c over the species with c > 0; None if there is none.

    With c the number of regions and molecules together, 2 TP/c is 2 TP/(2 TP + FP + FN).
    """
    known = counts > 0
    return float((2.0 * sums[known] / counts[known]).mean()) if known.any() else None


class SegmentationOptions(Frozen):
    """What follows from the dataset."""

    n_classes: int = field("number of species K", "1", ge=1)
    pixels: tuple[Size, Size] = field("rows and columns of a map", "pixel")


class SegmentationScores(TaskScores):
    """Scores of pixels, where bare surface is a class of its own, and of molecules.

    Molecules are found as connected regions of one species, so touching ones of a species are not
    separated: see ``best_panoptic_quality``.
    """

    accuracy: float = field("fraction of pixels that are correct", "1", ge=0, le=1)
    mean_iou: float = field("mean of ``iou`` over those that are not none", "1", ge=0, le=1)
    iou: tuple[float | None, ...] = Field(
        description="intersection over union of each class, Eq. (9.6): bare surface, then each "
        "species; none for a class that is neither present nor predicted",
        json_schema_extra={"unit": "1"},
    )

    panoptic_quality: float | None = field(
        "mean over species of the panoptic quality of molecules, Eq. (9.12); none without any",
        "1",
        None,
        ge=0,
        le=1,
    )
    recognition_quality: float | None = field(
        "mean over species of 2 TP/(2 TP + FP + FN) of molecules; none without any",
        "1",
        None,
        ge=0,
        le=1,
    )
    best_panoptic_quality: float | None = field(
        "panoptic quality of the true species of all pixels, below 1 if molecules touch; none "
        "without any",
        "1",
        None,
        ge=0,
        le=1,
    )

    @property
    def chosen_by(self) -> float:
        """What the best epoch has most of."""
        return self.mean_iou

    @property
    def headline(self) -> str:
        """The scores in a line."""
        text = f"pixel accuracy {self.accuracy:.4f}, mean IoU {self.mean_iou:.4f}"
        if self.panoptic_quality is None or self.best_panoptic_quality is None:
            return text
        best = f"at most {self.best_panoptic_quality:.4f}, as molecules touch"
        return f"{text}, panoptic quality {self.panoptic_quality:.4f} ({best})"

    def details(self, classes: Sequence[str], limit: int = 5) -> tuple[str, ...]:
        """Return the worst classes."""
        named = zip(("bare", *classes), self.iou, strict=False)
        known = sorted((iou, name) for name, iou in named if iou is not None)
        return tuple(f"{name}: IoU {iou:.4f}" for iou, name in known[:limit])


@register("ters_train.tasks", "segmentation")
class Segmentation(Task):
    """Predicts the species at each pixel of a scene, or bare surface.

    Parameters
    ----------
    options
        Classes and pixels.
    """

    Options = SegmentationOptions
    options: SegmentationOptions

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return classes and pixels."""
        check_fields(dataset, (SPECIES_MAP, INSTANCE_MAP), "task 'segmentation'")
        rows, columns = dataset[SPECIES_MAP].shape[1:]
        return {"n_classes": len(dataset.classes), "pixels": [rows, columns]}

    def check(self, config: RunConfig) -> None:
        """Refuse losses of whole samples."""
        for name in ("label_smoothing", "tensor_loss"):
            if getattr(config.loss, name):
                raise ConfigError(
                    f"loss.{name}: expected 0 for segmentation, whose loss is the cross-entropy "
                    f"of pixels, got {getattr(config.loss, name):g}"
                )

    def check_dataset(self, dataset: Dataset) -> None:
        """Refuse maps of other sizes."""
        check_fields(dataset, (SPECIES_MAP, INSTANCE_MAP), "the task")
        pixels = tuple(dataset[SPECIES_MAP].shape[1:])
        if pixels != self.options.pixels:
            raise ConfigError(
                f"{dataset.path}: expected maps of {self.options.pixels} pixels, as trained on, "
                f"got {pixels}"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """The maps of species and of molecules."""
        return ("label", SPECIES_MAP, INSTANCE_MAP)

    @property
    def n_classes(self) -> int:
        """Number of species K."""
        return self.options.n_classes

    @property
    def outputs(self) -> dict[str, Shape]:
        """``species``, shape (K + 1, H, W): logits of bare pixels and of each species."""
        return {"species": (self.options.n_classes + 1, *self.options.pixels)}

    @property
    def description(self) -> str:
        """How many classes."""
        return f"{self.options.n_classes} species, pixel by pixel"

    def relabel(self, batch: dict[str, Tensor], labels: Tensor) -> None:
        """Replace the classes of a dataset by those of the model."""
        batch["label"] = labels[batch["label"].long()]
        after = functional.pad(labels + 1, (1, 0))  # bare pixels stay
        batch[SPECIES_MAP] = after[batch[SPECIES_MAP].long()]

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean cross-entropy of the pixels of each sample."""
        logits, truth = outputs["species"].float(), batch[SPECIES_MAP].long()
        entropy = functional.cross_entropy(logits, truth, reduction="none")
        return {"cross_entropy": entropy.mean(dim=(1, 2))}

    @property
    def sum_shapes(self) -> dict[str, Shape]:
        """Pixels of each class that are right, predicted and true; molecules of each species."""
        n = self.options.n_classes
        pixels, molecules = (n + 1,), (n,)
        return {name: pixels if name in _PIXELS else molecules for name in _SUMS}

    def sums(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a batch adds."""
        n = self.options.n_classes + 1
        found, truth = outputs["species"].argmax(dim=1), batch[SPECIES_MAP].long()

        def counts(classes: Tensor) -> Tensor:
            return torch.bincount(classes.flatten(), minlength=n).double()

        instances = batch[INSTANCE_MAP]
        matched = match_instances(found, truth, instances, n - 1)
        best = match_instances(truth, truth, instances, n - 1)
        return {
            "right": counts(truth[found == truth]),
            "predicted": counts(found),
            "true": counts(truth),
            **matched,
            **{name: best[name.removeprefix("best_")] for name in _BEST},
        }

    def score(
        self, sums: dict[str, Tensor], n_samples: int, loss: float | None
    ) -> SegmentationScores:
        """Return accuracy and intersections over unions, of pixels and of molecules."""
        right, predicted, true = (sums[name].tolist() for name in _PIXELS)
        either = [p + t - r for r, p, t in zip(right, predicted, true, strict=True)]
        iou = tuple(r / e if e > 0 else None for r, e in zip(right, either, strict=True))
        known = [one for one in iou if one is not None]
        matched, matched_iou, regions, molecules = (sums[name] for name in _MOLECULES)
        best_iou, best_regions = (sums[name] for name in _BEST)
        return SegmentationScores(
            loss=loss,
            n_samples=n_samples,
            accuracy=sum(right) / max(1.0, sum(true)),
            mean_iou=sum(known) / max(1, len(known)),
            iou=iou,
            panoptic_quality=_mean_share(matched_iou, regions + molecules),
            recognition_quality=_mean_share(matched, regions + molecules),
            best_panoptic_quality=_mean_share(best_iou, best_regions + molecules),
        )

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return logits, and probabilities of each pixel, shape (B, K + 1, H, W)."""
        logits = outputs["species"]
        return {"logits": logits, "probabilities": logits.softmax(dim=1)}

    @property
    def result_names(self) -> tuple[str, ...]:
        """Logits and probabilities."""
        return ("logits", "probabilities")

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the fraction of pixels of each species, and the map of each row."""
        rows = []
        for found in outputs["species"].argmax(dim=1).cpu():
            counts = torch.bincount(found.flatten(), minlength=len(classes) + 1)
            shares = (counts / found.numel())[1:]
            order = shares.argsort(descending=True, stable=True).tolist()
            named = [(classes[k], float(shares[k])) for k in order[:top]]
            text = ", ".join(f"{name} {share:.1%}" for name, share in named if share > 0)
            species = [{"name": name, "share": share} for name, share in named]
            rows.append(
                Predicted(
                    f"{text or 'no molecules'} of the pixels",
                    {"species": species, "map": found.tolist()},
                )
            )
        return rows
