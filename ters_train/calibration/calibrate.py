"""Calibration of a trained classifier on rows that it was not trained on."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError

from ..config import DataConfig, StreamConfig
from ..data.rows import all_rows, rows_of_part
from ..engine.pretrained import labels_by_name
from ..engine.ranks import Ranks
from ..engine.trained import Trained, check_fits
from ..planning import identity
from ..tasks.classification.certainty import bin_means, count_bins
from ..tasks.classification.scores import Bin, calibration_error
from .document import COVERAGES, Calibration, Coverage, Foreign, NoveltyKind
from .measures import (
    Reference,
    energy,
    fit_gaussians,
    fit_temperature,
    neighbours_of,
    novelty_of,
    separation,
    set_threshold,
)
from .outputs import Outputs, check_classifier, outputs_of

_FEWEST = 20
_N_QUANTILES = 1001


def calibrate(
    trained: Trained,
    dataset: Dataset,
    place: DataConfig,
    part: str,
    foreign: dict[str, Dataset],
    ranks: Ranks,
    stream: StreamConfig,
    show: Callable[[int, int], None] = lambda _n, _total: None,
) -> tuple[Calibration, Reference | None]:
    """Return the calibration of a classifier on a part of a dataset.

    Temperature, sets and the threshold of novelty follow from these rows. Of the three scores of
    novelty, the one that detects the foreign rows best is taken; without foreign rows, the energy.

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
    stream
        How rows are read.
    show
        Called with the number of rows done, and of all.

    Raises
    ------
    ConfigError
        If it is not a classifier, the datasets do not fit, foreign rows are of its classes, or
        there are fewer than 20 rows.
    """
    check_classifier(trained)
    assert trained.task.n_classes is not None
    check_fits(trained, dataset)
    rows = rows_of_part(dataset, place, part)
    found = outputs_of(
        trained, dataset, rows, ranks, stream, show, labels_by_name(trained.state, dataset)
    )
    n = len(found.labels)
    if n < _FEWEST:
        raise ConfigError(f"{place.path}: expected at least {_FEWEST} rows of {part}, got {n}")
    temperature = fit_temperature(found.logits, found.labels)
    scaled = found.logits / temperature
    true = scaled.double().softmax(dim=1).gather(1, found.labels[:, None])[:, 0]
    references, scores = _novelty(found, temperature, trained.task.n_classes)
    separations: dict[str, list[Foreign]] = {name: [] for name in scores}
    for name, other in foreign.items():
        check_fits(trained, other)
        check_foreign(trained, other)
        strange = outputs_of(trained, other, all_rows(other), ranks, stream, show, None)
        for kind, known in scores.items():
            reference = references.get(kind)
            if reference is None or strange.features is None:
                theirs = energy(strange.logits / temperature)
            else:
                theirs = novelty_of(strange.features, reference)
            auroc, fpr95 = separation(known, theirs)
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
    return calibration, references.get(kind)


def check_foreign(trained: Trained, other: Dataset) -> None:
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
) -> tuple[dict[NoveltyKind, Reference], dict[NoveltyKind, Tensor]]:
    """Return what features are compared with, and the scores of known rows, by kind of score."""
    scores: dict[NoveltyKind, Tensor] = {"energy": energy(found.logits / temperature)}
    if found.features is None:
        return {}, scores
    half = len(found.labels) // 2  # scores of rows that the references were not made of
    features, labels = found.features[:half], found.labels[:half]
    references: dict[NoveltyKind, Reference] = {
        "distance": fit_gaussians(features, labels, n_classes),
        "nearest": neighbours_of(features),
    }
    for kind, reference in references.items():
        scores[kind] = novelty_of(found.features[half:], reference)
    return references, scores


def _ece(logits: Tensor, labels: Tensor) -> float:
    probability, predicted = logits.double().softmax(dim=1).max(dim=1)
    bins = bin_means(count_bins(probability, predicted == labels))
    return calibration_error(
        [Bin(samples=n, correct=right, probability=mean) for n, right, mean in bins]
    )
