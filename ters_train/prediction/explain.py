"""Which bands decided a prediction: integrated gradients from the spectrum without its bands.

M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError, DatasetError

from ..engine.trained import Trained
from ..models.baseline import smoothed, snip

N_BANDS = 5
"""Bands that are named."""
MOST_ROWS = 512
"""Rows of a part that are explained to score explanations."""
N_STEPS = 32
"""Steps of the integral."""
_WINDOW_CM1 = 60.0
_SMOOTHING_CM1 = 8.0
_LEAST_WEIGHT = 0.01
TOLERANCE_CM1 = 15.0
"""How far from a line of the species a band may be to be right."""
LEAST_LINE = 0.02
"""Intensity, over that of the strongest, from which a line of a species counts."""
_ROWS_OF_CLASS = 32


class Band(NamedTuple):
    """A band, and how much it speaks for the predicted class."""

    shift_cm1: float
    weight: float
    """Share of all that speaks for the class; negative for a band that speaks against it."""


class Explanation(NamedTuple):
    """Why a row was predicted as it was."""

    predicted: int
    """Label of the predicted class."""
    bands: tuple[Band, ...]
    """The most important first."""
    attribution: NDArray[np.float32]
    """Of each point, shape (L,); their sum is the difference that the bands make to the logit."""
    spectrum: NDArray[np.float32]
    """As the model is fed it, shape (L,)."""
    highest: tuple[float, ...]
    """Positions of the highest bands, cm^-1, whatever the model makes of them."""


def check_explainable(trained: Trained) -> None:
    """Refuse a model whose predictions cannot be explained by bands.

    Raises
    ------
    ConfigError
        If it is no classifier of spectra alone.
    """
    if set(trained.model.shapes) != {"spectra"} or set(trained.task.outputs) != {"logits"}:
        raise ConfigError(
            f"--explain: expected a classifier of spectra, got {trained.state.config.data.input} "
            f"to {trained.task.description}"
        )


def attributions(trained: Trained, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return predicted labels (B,), attributions (B, L) and bands (B, L): spectra less baselines.

    What is explained is the logit of the predicted class minus the mean of all. The path goes from
    the baseline (SNIP) of the spectrum, which has no bands, to the spectrum.

    Parameters
    ----------
    trained
        A classifier of spectra.
    batch
        ``spectra`` as the model is fed them, shape (B, L), and what was measured.
    """
    with torch.inference_mode(False), torch.enable_grad():
        fed = {name: values.detach().clone() for name, values in batch.items()}
        x = fed["spectra"]
        step = float(trained.shift_cm1[1] - trained.shift_cm1[0])
        smooth = smoothed(x, _SMOOTHING_CM1 / step)
        baseline = torch.minimum(snip(smooth, max(2, round(_WINDOW_CM1 / step))), x)
        bands = x - baseline
        with torch.no_grad():
            predicted = trained.model(fed)["logits"].argmax(dim=1)
        total = torch.zeros_like(x)
        for k in range(N_STEPS):
            at = (baseline + (k + 0.5) / N_STEPS * bands).requires_grad_()
            logits = trained.model({**fed, "spectra": at})["logits"].float()
            margin = logits.gather(1, predicted[:, None])[:, 0] - logits.mean(dim=1)
            (gradient,) = torch.autograd.grad(margin.sum(), at)
            total += gradient
        return predicted, total / N_STEPS * bands, smooth - baseline


def explain(
    trained: Trained, batch: Mapping[str, Tensor], n_bands: int = N_BANDS
) -> list[Explanation]:
    """Return why each row of a batch was predicted as it was."""
    predicted, weights, heights = attributions(trained, batch)
    shift = trained.shift_cm1
    rows = (one.cpu().numpy() for one in (predicted, weights, heights, batch["spectra"]))
    return [
        Explanation(
            int(label),
            bands_of(shift, each, height, n_bands),
            each,
            row,
            tuple(band.shift_cm1 for band in bands_of(shift, height, height, n_bands)),
        )
        for label, each, height, row in zip(*rows, strict=True)
    ]


def bands_of(
    shift_cm1: NDArray[np.float64],
    weights: NDArray[np.floating[Any]],
    heights: NDArray[np.floating[Any]],
    n_bands: int,
) -> tuple[Band, ...]:
    """Return the bands with the largest weights, in units of all that is positive.

    A band reaches from one minimum of the smoothed spectrum to the next.

    Parameters
    ----------
    shift_cm1
        Axis, shape (L,).
    weights
        Attribution of each point, shape (L,).
    heights
        Smoothed spectrum without its baseline, shape (L,).
    n_bands
        How many, at most; those of less than 1 % are left out.
    """
    turns = (heights[1:-1] <= heights[:-2]) & (heights[1:-1] < heights[2:])
    starts = np.concatenate([[0], np.flatnonzero(turns) + 1])
    sums = np.add.reduceat(weights.astype(np.float64), starts)
    positive = float(sums[sums > 0].sum())
    if not positive > 0:
        return ()
    ends = [*starts[1:], len(heights)]
    found = []
    for k in np.argsort(-np.abs(sums), kind="stable")[:n_bands].tolist():
        if abs(sums[k]) < _LEAST_WEIGHT * positive:
            break
        top = int(starts[k]) + int(np.argmax(heights[starts[k] : ends[k]]))
        found.append(Band(round(float(shift_cm1[top]), 1), round(float(sums[k]) / positive, 4)))
    return tuple(found)


Lines = Mapping[str, NDArray[np.float64]]
"""Positions, cm^-1, and intensities over that of the strongest, shape (M, 2), of each species."""


def library_lines(dataset: Dataset) -> Lines:
    """Return the lines of each class of a synthetic dataset that are strong enough to be seen.

    They are means over rows of its recipe without perturbations. A measured dataset has none.
    """
    if dataset.kind == "measured":
        return {}
    from ..models.library_search import noise_free_rows

    names = ("sticks/position", "sticks/intensity", "sticks/count", "label")
    made = noise_free_rows(dataset, names, _ROWS_OF_CLASS)
    found = {}
    axis = dataset.shift_cm1
    for label, name in enumerate(dataset.classes):
        rows = made["label"] == label
        if not rows.any():
            continue
        n = int(made["sticks/count"][rows].max())
        intensity = made["sticks/intensity"][rows].astype(np.float64)[:, :n].mean(axis=0)
        position = made["sticks/position"][rows].astype(np.float64)[0, :n]
        strongest = float(intensity.max()) if n else 0.0
        kept = (intensity >= LEAST_LINE * strongest) & (strongest > 0)
        kept &= (position >= axis[0]) & (position <= axis[-1])
        found[name] = np.column_stack([position[kept], intensity[kept] / (strongest or 1.0)])
    return found


class Precision(NamedTuple):
    """How many of the bands that decided are lines of the species."""

    n_rows: int
    k: int
    precision: float
    """Fraction of the first k bands within ``TOLERANCE_CM1`` of a line."""
    highest: float
    """The same for as many of the highest bands."""
    chance: float
    """The same for places that are drawn at random."""

    @property
    def text(self) -> str:
        """The result in a line."""
        return (
            f"of the first {self.k} bands that decided, {self.precision:.1%} are lines of the "
            f"species (of the highest bands {self.highest:.1%}, by chance {self.chance:.1%}; "
            f"{self.n_rows} rows)"
        )


def explained_part(
    trained: Trained, dataset: Dataset, rows: NDArray[np.intp]
) -> tuple[Precision, ...]:
    """Return the precision at 1, 3 and 5 of the explanations of rows, at most ``MOST_ROWS``.

    Raises
    ------
    ConfigError
        If the model cannot be explained, or the dataset is not synthetic.
    """
    check_explainable(trained)
    lines = library_lines(dataset)
    if not lines:
        raise ConfigError(
            f"{dataset.path}: --explain: expected a synthetic dataset, whose lines are known, got "
            "measured rows; ters-train predict --explain shows the bands of those"
        )
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.intp)]
    found: list[Explanation] = []
    for batch in trained.batches(trained.inputs_of(dataset, chosen)):
        found += explain(trained, batch)
    known = trained.classes
    return tuple(precision_at(found, known, lines, dataset.shift_cm1, k) for k in (1, 3, N_BANDS))


def picture_of(trained: Trained, one: Explanation, title: str, lines: Lines) -> bytes:
    """Return a picture of a spectrum, the bands that decided, and the lines of the class, PNG."""
    from tersgen.plotting.explained import explained_png

    return explained_png(
        title, trained.shift_cm1, one.spectrum, one.bands,
        lines.get(trained.classes[one.predicted]), 2 * TOLERANCE_CM1,
    )  # fmt: skip


def lines_of_run(trained: Trained) -> Lines:
    """Return the lines of the species that a model was trained on; none if its data are gone."""
    from ..planning import open_data

    try:
        return library_lines(open_data(trained.state.config.data))
    except (ConfigError, DatasetError):
        return {}


def precision_at(
    explanations: Sequence[Explanation], names: Sequence[str], lines: Lines, axis: NDArray[Any],
    k: int,
) -> Precision:  # fmt: skip
    """Return how many of the first k bands that speak for a class are lines of it.

    Parameters
    ----------
    explanations
        Of some rows.
    names
        Classes in the order of labels: the bands of a row are compared with the lines of the class
        that was predicted.
    lines
        Lines of each class.
    axis
        Raman shifts, cm^-1.
    k
        Bands of each row.
    """
    hits = total = highest = n_highest = 0
    chances = []
    n_rows = 0
    for one in explanations:
        known = lines.get(names[one.predicted])
        bands = [band.shift_cm1 for band in one.bands if band.weight > 0][:k]
        if known is None or not len(known) or not bands:
            continue
        n_rows += 1
        total += len(bands)
        hits += int((_distance(np.array(bands), known[:, 0]) <= TOLERANCE_CM1).sum())
        top = np.array(one.highest[: len(bands)])
        n_highest += len(top)
        highest += int((_distance(top, known[:, 0]) <= TOLERANCE_CM1).sum()) if len(top) else 0
        chances.append(float((_distance(axis, known[:, 0]) <= TOLERANCE_CM1).mean()))
    chance = float(np.mean(chances)) if chances else 0.0
    return Precision(n_rows, k, hits / max(1, total), highest / max(1, n_highest), chance)


def _distance(places: NDArray[Any], lines: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(places[:, None] - lines).min(axis=1), np.float64)
