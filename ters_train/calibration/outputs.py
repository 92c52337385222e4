"""Outputs of a classifier for the rows of a dataset, for calibration and scores."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import StreamConfig
from ..data.rows import RowSet
from ..data.stream import Batch
from ..engine.device import moved
from ..engine.evaluate import every_row
from ..engine.ranks import Ranks
from ..engine.trained import Trained
from .certainty import collect

MOST_ROWS = 50_000
"""Rows of a part that are used, in its shuffled order, at most."""
_MOST_FEATURES = 2048


def check_classifier(trained: Trained) -> None:
    """Refuse a model that does not name one class for each row.

    Raises
    ------
    ConfigError
        If it is one.
    """
    if trained.task.n_classes is None or set(trained.task.outputs) != {"logits"}:
        raise ConfigError(
            f"{trained.folder}: expected a classifier, got a model of {trained.task.description}"
        )


class Outputs(NamedTuple):
    """Outputs of a model for the rows of a dataset."""

    logits: Tensor
    """Shape (n, K)."""
    features: Tensor | None
    """Shape (n, F), of models that have an embedding."""
    labels: Tensor
    """Shape (n,)."""
    rows: Tensor
    """Numbers of the rows in the dataset, shape (n,)."""

    @property
    def correct(self) -> Tensor:
        """Whether the most probable class is the true one, shape (n,)."""
        return self.logits.argmax(dim=1) == self.labels


def outputs_of(
    trained: Trained, dataset: Dataset, rows: RowSet, ranks: Ranks, stream: StreamConfig,
    show: Callable[[int, int], None], labels: Tensor | None,
) -> Outputs:  # fmt: skip
    """Return the outputs for the first rows of a set, in its shuffled order.

    ``labels`` has the model's label of each class of the dataset; None if they are the same.
    """
    batches: Iterable[Batch] = every_row(
        dataset, rows, (*trained.input_fields(dataset), "label"), trained.state.config.order,
        stream, ranks,
    )  # fmt: skip
    total = min(MOST_ROWS, int(rows.counts().sum()))
    has_features = _has_features(trained)
    found: list[tuple[Tensor, Tensor | None]] = []
    true: list[Tensor] = []
    numbers: list[Tensor] = []
    n = 0
    for batch in moved(batches, ranks.device):
        label = batch["label"].long().cpu()
        true.append(label if labels is None else labels[label])
        numbers.append(batch["row"].cpu().clone())
        found.append(collect(trained.model, trained.transforms.prepared(batch), has_features))
        n += len(label)
        show(n, total)
        if n >= MOST_ROWS:
            break
    features = torch.cat([one for _, one in found if one is not None]) if has_features else None
    logits = torch.cat([one for one, _ in found])
    return Outputs(logits, features, torch.cat(true), torch.cat(numbers))


def _has_features(trained: Trained) -> bool:
    shapes = trained.model.shapes
    row = {name: torch.zeros(1, *shape, device=trained.device) for name, shape in shapes.items()}
    try:
        with torch.inference_mode():
            return trained.model.features(row).shape[1] <= _MOST_FEATURES
    except ConfigError:
        return False
