"""Calibration of a trained classifier on rows that it was not trained on."""

from collections.abc import Callable, Iterable
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
from ..parts import find, names, plugin_of
from ..planning import identity
from ..tasks.classification.certainty import bin_means, count_bins
from ..tasks.classification.scores import Bin, calibration_error
from .document import COVERAGES, Calibration, Coverage, Foreign
from .measures import fit_temperature, separation, set_threshold
from .novelty import DEFAULT, GROUP, Novelty, fit_novelty, novelty_of
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
    novelty: str | None = None,
) -> tuple[Calibration, Novelty]:
    """Return the calibration of a classifier on a part of a dataset.

    Temperature, sets and the threshold of novelty follow from these rows. Of all scores of novelty,
    the one that detects the foreign rows best is taken; without foreign rows, the energy.

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
    novelty
        Name of the score of novelty to take; by default one is chosen.

    Raises
    ------
    ConfigError
        If it is not a classifier, the datasets do not fit, foreign rows are of its classes,
        there are fewer than 20 rows, or a score of novelty is not there, fails, or needs features
        that the model has not.
    """
    check_classifier(trained)
    check_fits(trained, dataset)
    rows = rows_of_part(dataset, place, part)
    found = outputs_of(
        trained, dataset, rows, ranks, stream, show, labels_by_name(trained.state, dataset)
    )
    n = len(found.labels)
    if n < _FEWEST:
        raise ConfigError(f"{place.path}: expected at least {_FEWEST} rows of {part}, got {n}")
    if novelty is not None and find(GROUP, novelty).needs_features and found.features is None:
        raise ConfigError(
            f"--novelty {novelty}: expected a model with features, got {trained.folder}, which has "
            "none, or too many to keep; use energy"
        )
    temperature = fit_temperature(found.logits, found.labels)
    scaled = found.logits / temperature
    true = scaled.double().softmax(dim=1).gather(1, found.labels[:, None])[:, 0]
    fitted, scores = _fit(found, temperature, names(GROUP) if novelty is None else (novelty,))
    separations: dict[str, list[Foreign]] = {name: [] for name in scores}
    for name, other in foreign.items():
        check_fits(trained, other)
        check_foreign(trained, other)
        strange = outputs_of(trained, other, all_rows(other), ranks, stream, show, None)
        for kind, known in scores.items():
            theirs = novelty_of(kind, fitted[kind], strange.logits / temperature, strange.features)
            auroc, fpr95 = separation(known, theirs)
            digest, _ = identity(other)
            separations[kind].append(
                Foreign(
                    name=name, digest=digest, n_rows=len(strange.labels), auroc=auroc, fpr95=fpr95
                )
            )
    kind = novelty or DEFAULT
    if novelty is None and foreign:
        detected = {one: sum(each.auroc for each in separations[one]) for one in scores}
        kind = max(detected, key=lambda one: (detected[one], one == DEFAULT))
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
        ece_before=expected_calibration_error(found.logits, found.labels),
        ece=expected_calibration_error(scaled, found.labels),
        coverages=tuple(
            Coverage(share=share, probability=set_threshold(true, share)) for share in COVERAGES
        ),
        novelty=kind,
        plugin=plugin_of(GROUP, kind),
        novelty_quantiles=tuple(quantiles),
        foreign=tuple(separations[kind]),
    )
    return calibration, fitted[kind]


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


def _fit(
    found: Outputs, temperature: float, kinds: Iterable[str]
) -> tuple[dict[str, Novelty], dict[str, Tensor]]:
    """Return scores of novelty by name, and their values for known rows."""
    logits, features = found.logits / temperature, found.features
    half = len(logits) // 2
    fitted, scores = dict[str, Novelty](), dict[str, Tensor]()
    for kind in kinds:
        part: type[Novelty] = find(GROUP, kind)
        if part.needs_features and features is None:
            continue
        first, rest = (
            (logits[rows], None if features is None else features[rows])
            for rows in (slice(half), slice(half, None))
        )
        score = fitted[kind] = fit_novelty(kind, part, *first, found.labels[:half])
        # a score that compares rows is judged by rows that it was not fitted on
        values = novelty_of(kind, score, *(rest if score.arrays else (logits, features)))
        if not values.isfinite().all():
            raise ConfigError(f"score of novelty {kind!r}: expected finite numbers, got others")
        scores[kind] = values
    return fitted, scores


def expected_calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Return the calibration error of the most probable class, Eq. (9.8)."""
    probability, predicted = logits.double().softmax(dim=1).max(dim=1)
    bins = bin_means(count_bins(probability, predicted == labels))
    return calibration_error(
        [Bin(samples=n, correct=right, probability=mean) for n, right, mean in bins]
    )
