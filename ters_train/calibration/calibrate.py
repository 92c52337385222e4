"""Calibration of a trained classifier on rows that it was not trained on."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import DataConfig, StreamConfig
from ..data.rows import RowSet, all_rows, rows_of_part
from ..data.stream import Batch
from ..engine.device import moved
from ..engine.evaluate import every_row
from ..engine.pretrained import labels_by_name
from ..engine.ranks import Ranks
from ..engine.trained import Trained, check_fits
from ..planning import identity
from ..tasks.classification.certainty import bin_means, count_bins
from ..tasks.classification.scores import Bin, calibration_error
from .certainty import collect
from .document import Calibration, Coverage, Foreign
from .measures import (
    Gaussians,
    distance,
    energy,
    fit_gaussians,
    fit_temperature,
    separation,
    set_threshold,
)

COVERAGES = (0.8, 0.9, 0.95, 0.99)
MOST_ROWS = 50_000
"""Rows of a part that are used, in its shuffled order, at most."""
_FEWEST = 20
_MOST_FEATURES = 2048
_N_QUANTILES = 1001


class Outputs(NamedTuple):
    """Outputs of a model for the rows of a dataset."""

    logits: Tensor
    """Shape (n, K)."""
    features: Tensor | None
    """Shape (n, F), of models that have an embedding."""
    labels: Tensor
    """Shape (n,)."""


def outputs_of(
    trained: Trained, dataset: Dataset, rows: RowSet, ranks: Ranks, threads: int | None,
    show: Callable[[int, int], None], labels: Tensor | None,
) -> Outputs:  # fmt: skip
    """Return the outputs for the first rows of a set, in its shuffled order.

    ``labels`` has the model's label of each class of the dataset; None if they are the same.
    """
    stream: Iterable[Batch] = every_row(
        dataset, rows, (*trained.model.shapes, "label"), trained.state.config.order,
        StreamConfig(threads=threads), ranks,
    )  # fmt: skip
    total = min(MOST_ROWS, int(rows.counts().sum()))
    has_features = _has_features(trained)
    found: list[tuple[Tensor, Tensor | None]] = []
    true: list[Tensor] = []
    n = 0
    for batch in moved(stream, ranks.device):
        label = batch["label"].long().cpu()
        true.append(label if labels is None else labels[label])
        found.append(collect(trained.model, trained.transforms.prepared(batch), has_features))
        n += len(label)
        show(n, total)
        if n >= MOST_ROWS:
            break
    features = torch.cat([one for _, one in found if one is not None]) if has_features else None
    return Outputs(torch.cat([one for one, _ in found]), features, torch.cat(true))


def _has_features(trained: Trained) -> bool:
    shapes = trained.model.shapes
    row = {name: torch.zeros(1, *shape, device=trained.device) for name, shape in shapes.items()}
    try:
        with torch.inference_mode():
            return trained.model.features(row).shape[1] <= _MOST_FEATURES
    except ConfigError:
        return False


def calibrate(
    trained: Trained,
    dataset: Dataset,
    place: DataConfig,
    part: str,
    foreign: dict[str, Dataset],
    ranks: Ranks,
    threads: int | None = None,
    show: Callable[[int, int], None] = lambda _n, _total: None,
) -> tuple[Calibration, Gaussians | None]:
    """Return the calibration of a classifier on a part of a dataset.

    Temperature, sets and the threshold of novelty follow from these rows. Of the two scores of
    novelty, the one that detects the foreign rows better is taken; without foreign rows, the
    energy.

    Parameters
    ----------
    trained
        A classifier whose logits are not scaled.
    dataset, place, part
        The rows: none that it was trained on.
    foreign
        Datasets by name, all rows of which belong to none of its classes.
    ranks
        One process.
    threads
        For reading.
    show
        Called with the number of rows done, and of all.

    Raises
    ------
    ConfigError
        If it is not a classifier, the datasets do not fit, foreign rows are of its classes, or
        there are fewer than 20 rows.
    """
    if trained.task.n_classes is None or set(trained.task.outputs) != {"logits"}:
        raise ConfigError(
            f"{trained.folder}: expected a classifier, got a model of {trained.task.description}"
        )
    check_fits(trained, dataset)
    rows = rows_of_part(dataset, place, part)
    found = outputs_of(
        trained, dataset, rows, ranks, threads, show, labels_by_name(trained.state, dataset)
    )
    n = len(found.labels)
    if n < _FEWEST:
        raise ConfigError(f"{place.path}: expected at least {_FEWEST} rows of {part}, got {n}")
    temperature = fit_temperature(found.logits, found.labels)
    scaled = found.logits / temperature
    true = scaled.double().softmax(dim=1).gather(1, found.labels[:, None])[:, 0]
    gaussians, scores = _novelty(found, temperature, trained.task.n_classes)
    separations: dict[str, list[Foreign]] = {name: [] for name in scores}
    for name, other in foreign.items():
        check_fits(trained, other)
        _check_foreign(trained, other)
        strange = outputs_of(trained, other, all_rows(other), ranks, threads, show, None)
        theirs = {"energy": energy(strange.logits / temperature)}
        if gaussians is not None and strange.features is not None:
            theirs["distance"] = distance(strange.features, gaussians)
        for kind, known in scores.items():
            auroc, fpr95 = separation(known, theirs[kind])
            digest, _ = identity(other)
            separations[kind].append(
                Foreign(
                    name=name, digest=digest, n_rows=len(strange.labels), auroc=auroc, fpr95=fpr95
                )
            )
    kind = max(scores, key=lambda one: sum(each.auroc for each in separations[one]))
    steps = torch.linspace(0, 1, _N_QUANTILES, dtype=torch.float64)
    quantiles = scores[kind].quantile(steps).tolist()
    digest, _ = identity(dataset)
    state = trained.state
    calibration = Calibration(
        checkpoint=trained.folder.name,
        weights=state.files["model.safetensors"].xxh128,
        data=Path(place.path).name,
        digest=digest,
        part=part,
        n_rows=n,
        temperature=temperature,
        ece_before=_ece(found.logits, found.labels),
        ece=_ece(scaled, found.labels),
        coverages=tuple(
            Coverage(share=share, probability=set_threshold(true, share)) for share in COVERAGES
        ),
        novelty=kind,
        novelty_quantiles=tuple(quantiles),
        foreign=tuple(separations[kind]),
    )
    return calibration, gaussians if kind == "distance" else None


def _check_foreign(trained: Trained, other: Dataset) -> None:
    """Refuse a dataset as foreign that has rows of a class of the model."""
    counts = other.manifest.class_counts if other.manifest else (1,) * len(other.classes)
    known = [
        name
        for name, count in zip(other.classes, counts, strict=True)
        if count and name in trained.state.classes
    ]
    if known:
        others = f" and {len(known) - 1} more" if len(known) > 1 else ""
        raise ConfigError(
            f"{other.path}: expected only species that the model does not know, got rows of "
            f"{known[0]}{others}; build it with other species"
        )


def _novelty(
    found: Outputs, temperature: float, n_classes: int
) -> tuple[Gaussians | None, dict[str, Tensor]]:
    """Return normal distributions of the features, and scores of known rows by kind of score."""
    scores = {"energy": energy(found.logits / temperature)}
    if found.features is None:
        return None, scores
    half = len(found.labels) // 2  # distances of rows that the distributions were not fitted to
    gaussians = fit_gaussians(found.features[:half], found.labels[:half], n_classes)
    scores["distance"] = distance(found.features[half:], gaussians)
    return gaussians, scores


def _ece(logits: Tensor, labels: Tensor) -> float:
    probability, predicted = logits.double().softmax(dim=1).max(dim=1)
    bins = bin_means(count_bins(probability, predicted == labels))
    return calibration_error(
        [Bin(samples=n, correct=right, probability=mean) for n, right, mean in bins]
    )
