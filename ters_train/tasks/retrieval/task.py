"""The task of embedding spectra so that those of one species are near each other.

The loss is the supervised contrastive one of P. Khosla et al., "Supervised Contrastive Learning",
NeurIPS 2020, arXiv:2004.11362, Eq. (2): a row is drawn towards all rows of its class in the batch,
and away from all others. Species that were not trained on are found, too: an embedding is compared
with those of a library.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.plugins import register
from tersgen.schema.base import Frozen, field

from ...config import DataConfig, RunConfig, Shape
from ..scores import Count
from ..task import Predicted, Task


class RetrievalOptions(Frozen):
    """Size of embeddings, and temperature of the loss."""

    size: int = field("numbers of an embedding", "1", 64, gt=1, le=4096)
    temperature: float = field("temperature of the loss", "1", 0.1, gt=0, le=10)


@register("ters_train.tasks", "retrieval")
class Retrieval(Task):
    """Predicts an embedding of length 1 for each row.

    Parameters
    ----------
    options
        Size and temperature.
    """

    Options = RetrievalOptions
    options: RetrievalOptions

    def __init__(self, options: RetrievalOptions) -> None:
        super().__init__(options)
        self._gallery: tuple[Sequence[str], Tensor] | None = None

    @classmethod
    def plan(
        cls, dataset: Dataset, data: DataConfig, loss: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Refuse a dataset of one species."""
        if len(dataset.classes) < 2:
            raise ConfigError(
                f"{dataset.path}: expected several species for retrieval, got "
                f"{', '.join(dataset.classes)}"
            )
        return {}

    def check(self, config: RunConfig) -> None:
        """Refuse losses of classes."""
        for name in ("label_smoothing", "tensor_loss"):
            if getattr(config.loss, name):
                raise ConfigError(
                    f"loss.{name}: expected 0 for retrieval, got {getattr(config.loss, name):g}"
                )

    @property
    def fields(self) -> tuple[str, ...]:
        """The species."""
        return ("label",)

    @property
    def outputs(self) -> dict[str, Shape]:
        """``embedding``, shape (E,), of any length."""
        return {"embedding": (self.options.size,)}

    @property
    def description(self) -> str:
        """Size of the embedding."""
        return f"embeddings of {self.options.size} numbers"

    def relabel(self, batch: dict[str, Tensor], labels: Tensor) -> None:
        """Leave classes as they are: only which rows are of one class matters."""

    def embedded(self, outputs: dict[str, Tensor]) -> Tensor:
        """Return embeddings of length 1, shape (B, E), float32."""
        return functional.normalize(outputs["embedding"].float(), dim=1)

    def terms(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the contrastive loss of each sample; 0 for one whose class has no other row."""
        embedding, labels = self.embedded(outputs), batch["label"]
        likeness = embedding @ embedding.T / self.options.temperature
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        log_share = likeness - likeness.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
        same = (labels[:, None] == labels[None, :]) & ~itself
        total = torch.where(same, log_share, 0.0).sum(dim=1)
        return {"contrastive": -total / same.sum(dim=1).clamp_min(1)}

    def make_count(self) -> Count:
        """Return what keeps embeddings."""
        from .counting import RetrievalCount

        return RetrievalCount()

    def results(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return ``embedding``, shape (B, E), of length 1."""
        return {"embedding": self.embedded(outputs)}

    def search_in(self, names: Sequence[str], embeddings: Tensor) -> None:
        """Have predictions name the nearest species of a library.

        Parameters
        ----------
        names
            Of the K species.
        embeddings
            Of length 1, shape (K, E).
        """
        self._gallery = (tuple(names), embeddings)

    def predicted(
        self, outputs: dict[str, Tensor], classes: Sequence[str], top: int
    ) -> list[Predicted]:
        """Return the nearest species of the library with their cosines, or the embeddings."""
        embedding = self.embedded(outputs)
        if self._gallery is None:
            rows = embedding.cpu().tolist()
            return [
                Predicted(
                    f"embedding of {len(row)} numbers (--library FILE names the nearest species)",
                    {"embedding": row},
                )
                for row in rows
            ]
        names, library = self._gallery
        best = (embedding @ library.to(embedding).T).topk(min(top, len(names)), dim=1)
        found = []
        for cosines, labels in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            species = [
                {"name": names[k], "cosine": cosine}
                for k, cosine in zip(labels, cosines, strict=True)
            ]
            text = ", ".join(f"{one['name']} {one['cosine']:.3f}" for one in species)
            found.append(Predicted(f"{text} (cosine)", {"species": species}))
        return found
