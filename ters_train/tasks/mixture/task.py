"""The task of estimating the fractions of species in a mixture."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import field
from tersgen.text import counted

from ...config import DataConfig
from ...data.fields import MIXTURE_FIELDS, MIXTURE_LABEL
from ...planning import check_fields
from ..classification.task import Classification, ClassificationOptions, most_probable
from ..scores import Count
from ..task import Predicted

_LEAST_PRESENT = 0.02
"""Smallest fraction from which on a species counts as present."""


class MixtureOptions(ClassificationOptions):
    """What follows from the dataset."""

    present_fraction: float = field(
        "from which fraction on a species counts as present", "1", gt=0, le=1
    )


@register("ters_train.tasks", "mixture")
class Mixture(Classification):
    """Estimates the fraction of each species; the loss is that of classes, with fractions as y."""

    Options = MixtureOptions
    options: MixtureOptions

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the classes, and half of the smallest fraction as what counts as present."""
        check_fields(dataset, MIXTURE_FIELDS, "task 'mixture'")
        if loss.get("tensor_loss"):
            raise ConfigError(
                "loss.tensor_loss: expected 0 for mixtures, whose spectra are of several species, "
                f"got {loss['tensor_loss']:g}"
            )
        mixture = dataset.recipe.mixture
        if mixture is None:
            raise ConfigError(f"{dataset.path}: expected a recipe with a section mixture")
        present = max(_LEAST_PRESENT, 0.5 * mixture.smallest)
        return {**super().plan(dataset, data, loss, wanted), "present_fraction": present}

    def note(self, dataset: Dataset) -> str | None:
        """Say nothing: pure samples are mixtures of one species."""
        return None

    @property
    def fields(self) -> tuple[str, ...]:
        """Label, and labels and fractions of each species."""
        return ("label", *MIXTURE_FIELDS)

    @property
    def optional(self) -> tuple[str, ...]:
        """Labels and fractions; for pure samples the label is enough."""
        return MIXTURE_FIELDS

    @property
    def description(self) -> str:
        """How many classes."""
        return f"fractions of {counted(self.n_classes, 'class')}"

    def relabel(self, batch: dict[str, Tensor], labels: Tensor) -> None:
        """Replace the classes of a dataset by those of the model."""
        super().relabel(batch, labels)
        if MIXTURE_LABEL in batch:
            batch[MIXTURE_LABEL] = labels[batch[MIXTURE_LABEL].long()]

    def make_count(self) -> Count:
        """Return the count of what is present, and of errors of fractions."""
        from .counting import MixtureCount

        return MixtureCount(self.n_classes, self.options.present_fraction)

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the species whose fraction makes them count as present, or the first."""
        found = []
        for best in most_probable(outputs["logits"], classes, top):
            least = self.options.present_fraction
            named = [one for k, one in enumerate(best) if k == 0 or one[1] >= least]
            rest = 1 - sum(share for _, share in named)
            text = ", ".join(f"{name} {share:.1%}" for name, share in named)
            species = [{"name": name, "fraction": share} for name, share in named]
            found.append(Predicted(f"{text} (fractions; others {rest:.1%})", {"species": species}))
        return found
