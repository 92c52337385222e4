"""Scores of predictions for a task, with 95 % intervals."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..dataset.dataset import Dataset
from ..dataset.opening import open as open_dataset
from ..errors import ConfigError, LibraryError
from ..separation import auroc, false_positives_at_95
from ..text import did_you_mean
from . import metrics
from .making import Made, load_images, open_made
from .metrics import Floats, Ints
from .predictions import Found, check_integers, check_numbers, load_arrays, load_found

_ROUNDING = 1e-3
"""By how much the sum of fractions may exceed 1, as they may be rounded."""


class Score(NamedTuple):
    """A score, and the 95 % interval by the bootstrap over rows (modes for responses)."""

    value: float
    low: float
    high: float


class Result(NamedTuple):
    """Scores of one set of predictions."""

    task: str
    version: int
    size: str
    metric: str
    """The score that ranks models."""
    scores: dict[str, Score]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        scores = {name: one._asdict() for name, one in self.scores.items()}
        return {**self._asdict(), "scores": scores}


def score(folder: str | Path, predictions: str | Path, foreign: str | Path | None = None) -> Result:
    """Score predictions for the task whose data are in a folder.

    Parameters
    ----------
    folder
        What :func:`make` made.
    predictions
        For every row of ``test.zarr``: a table as ``ters-train predict --out`` writes it (.csv,
        .jsonl, .parquet); for structures and responses an ``.npz``.
    foreign
        For the task on foreign spectra: predictions for every row of ``foreign.zarr``.

    Raises
    ------
    ConfigError
        If a file is not what the task expects; the message says what is.
    """
    made = open_made(folder)
    kind = made.task.kind
    if (foreign is not None) != (kind == "open_set"):
        expected = (
            "predictions for foreign.zarr, too (--foreign FILE)"
            if kind == "open_set"
            else "no --foreign, which only open_set has"
        )
        raise ConfigError(f"task {made.task.name}: expected {expected}")
    path = Path(predictions)
    if foreign is not None and path.absolute() == Path(foreign).absolute():
        raise ConfigError(f"{path}: expected two files of predictions, got one for both datasets")
    if kind == "response":
        scores = _response(path)
    else:
        dataset = open_dataset(made.folder / "test.zarr")
        if kind == "structure":
            scores = _structure(dataset, path)
        else:
            found = load_found(path, len(dataset))
            _check_names(path, found, _classes(made, dataset))
            is_mixture = kind == "mixture"
            scores = _mixture(dataset, found, path) if is_mixture else _species(dataset, found)
            if foreign is not None:
                scores |= _open_set(made, found, Path(foreign), _classes(made, dataset))
    task = made.task
    return Result(task.name, task.version, made.size, task.metric, scores)


def _with_interval(statistic: Callable[[Ints], float], n_rows: int) -> Score:
    return Score(statistic(np.arange(n_rows)), *metrics.interval(statistic, n_rows))


def _of_rows(values: Floats, function: Callable[[Floats], float] = np.mean) -> Score:
    return _with_interval(lambda rows: float(function(values[rows])), len(values))


def _labels(names: list[str], classes: tuple[str, ...]) -> Ints:
    """Return the classes of names; -1 for a name that is none."""
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number.get(name, -1) for name in names], np.int64)


def _classes(made: Made, test: Dataset) -> tuple[str, ...]:
    """Return the species of a task: those of the test rows, then others that are trained on."""
    train = made.folder / "train.zarr"
    trained = open_dataset(train).classes if train.exists() else ()
    return tuple(dict.fromkeys((*test.classes, *trained)))


def _check_names(path: Path, found: list[Found], classes: tuple[str, ...]) -> None:
    """Refuse names that are no species of the task: a misspelt one would count as wrong."""
    known = frozenset(classes)
    for row, one in enumerate(found):
        for name, _ in one.species:
            if name not in known:
                raise ConfigError(
                    f"{path}: row {row}: expected species of the task ({', '.join(classes[:5])}, "
                    f"...), got {name!r:.80}{did_you_mean(name, classes)}"
                )


def _species(dataset: Dataset, found: list[Found]) -> dict[str, Score]:
    truth = np.asarray(dataset["label"][:], np.int64)
    predicted = _labels([one.species[0][0] for one in found], dataset.classes)
    return {
        "accuracy": _of_rows((truth == predicted).astype(float)),
        "macro_f1": _with_interval(
            lambda rows: metrics.macro_f1(truth[rows], predicted[rows]), len(truth)
        ),
    }


def _mixture(dataset: Dataset, found: list[Found], path: Path) -> dict[str, Score]:
    classes = dataset.classes
    truth = np.zeros((len(dataset), len(classes)))
    labels, fractions = dataset["mixture/label"][:], dataset["mixture/fraction"][:]
    counts = dataset["mixture/count"][:]
    for row, count in enumerate(counts):
        truth[row, labels[row, :count]] = fractions[row, :count]
    predicted = np.zeros_like(truth)
    for row, one in enumerate(found):
        for k, (_, fraction) in zip(
            _labels([name for name, _ in one.species], classes), one.species, strict=True
        ):
            if k >= 0:
                predicted[row, k] = fraction
        total = sum(fraction for _, fraction in one.species)
        if total > 1 + _ROUNDING:
            raise ConfigError(
                f"{path}: row {row}: expected fractions with a sum of at most 1, got {total:.4g}"
            )
    least = 0.5 * min(fractions[fractions > 0])
    exact = ((truth >= least) == (predicted >= least)).all(axis=1)
    return {
        "composition_error": _of_rows(metrics.composition_errors(truth, predicted)),
        "exact": _of_rows(exact.astype(float)),
    }


def _open_set(
    made: Made, found: list[Found], path: Path, classes: tuple[str, ...]
) -> dict[str, Score]:
    n_foreign = len(open_dataset(made.folder / "foreign.zarr"))
    found_foreign = load_found(path, n_foreign)
    _check_names(path, found_foreign, classes)
    if found[0].measure != found_foreign[0].measure:
        raise ConfigError(
            f"{path}: expected {found[0].measure} as in the predictions for test.zarr, got "
            f"{found_foreign[0].measure}; novelty must be measured in one way"
        )
    known = np.array([one.novelty for one in found])
    foreign = np.array([one.novelty for one in found_foreign])

    def both(statistic: Callable[[Floats, Floats], float]) -> Score:
        n = len(known)

        def resampled(rows: Ints) -> float:  # known and foreign rows are drawn in their shares
            return statistic(known[rows[rows < n]], foreign[rows[rows >= n] - n])

        return _with_interval(resampled, n + n_foreign)

    return {
        "auroc": both(auroc),
        "false_positives_at_95": both(false_positives_at_95),
    }


def _structure(dataset: Dataset, path: Path) -> dict[str, Score]:
    names = ("symbols", "atom_rows", "atom_elements", "atom_positions")
    given = load_arrays(path, names)
    n = given["atom_rows"].size
    symbols = np.atleast_1d(given["symbols"])
    if symbols.ndim > 1 or (n and not symbols.size):
        raise ConfigError(
            f"{path}: symbols: expected a list of chemical symbols, got shape {symbols.shape}"
        )
    elements = check_integers(
        path, "atom_elements", given["atom_elements"], (n,), len(symbols), "places in symbols"
    )
    numbers = _atomic_numbers(path, symbols)[elements]
    places = check_numbers(path, "atom_positions", given["atom_positions"], (n, 2), "x and y")
    atom_rows = check_integers(
        path, "atom_rows", given["atom_rows"], (n,), len(dataset), "rows of test.zarr"
    )
    rows = []
    for row in range(len(dataset)):
        count = int(dataset["structure/count"][row])
        elements = dataset["structure/elements"][row][:count]
        true = dataset["structure/positions"][row][:count, :2]
        found, kinds = places[atom_rows == row], numbers[atom_rows == row]
        near = [
            metrics.matched_atoms(found[kinds == z], true[elements == z].astype(float))
            for z in np.unique(elements)
        ]
        distances = np.concatenate(near)
        rows.append((len(distances), len(found), count, np.square(distances).sum()))
    table = np.array(rows, float)

    def f1(chosen: Ints) -> float:
        hits, found, true, _ = table[chosen].sum(axis=0)
        return float(2 * hits / max(1.0, found + true))

    def rms(chosen: Ints) -> float:
        hits, _, _, squares = table[chosen].sum(axis=0)
        return float(np.sqrt(squares / hits)) if hits else metrics.MATCH_ANGSTROM

    scores = {"atom_f1": _with_interval(f1, len(table))}
    if table[:, 0].any():
        scores["position_rms_angstrom"] = _with_interval(rms, len(table))
    return scores


def _atomic_numbers(path: Path, symbols: Any) -> Ints:
    from ..library.geometry import atomic_number

    try:
        return np.array([atomic_number(str(symbol)) for symbol in symbols], np.int64)
    except LibraryError as error:
        raise ConfigError(f"{path}: symbols: {error}") from None


def _response(path: Path) -> dict[str, Score]:
    images: Mapping[str, Any] = load_images()
    names = sorted({name.partition("/")[0] for name in images})
    given = load_arrays(path, tuple(names))
    errors, cosines = [], []
    for name in names:
        truth = images[f"{name}/images"]
        amplitudes = check_numbers(path, name, given[name], truth.shape, "amplitudes (tips, modes)")
        error, cosine = metrics.amplitude_errors(truth, amplitudes)
        errors.append(error)
        cosines.append(cosine)
    return {
        "median_error": _of_rows(np.concatenate(errors), np.median),
        "cosine_above_0.9": _of_rows((np.concatenate(cosines) > 0.9).astype(float)),
    }
