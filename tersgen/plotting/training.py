"""Pictures of a training run: curves of its log, and the confusion matrix."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .runs import read_document, read_log
from .spectra import Line, draw_lines
from .style import DOUBLE_IN, SINGLE_IN, new_figure, picture, shown, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = (
    ("loss", (("train", "loss"), ("val", "loss"))),
    (
        "score on val",
        (
            ("val", "macro_f1"),
            ("val", "accuracy"),
            ("val", "present_macro_f1"),
            ("val", "dice"),
            ("val", "iou"),
        ),
    ),
    ("learning rate", (("train", "lr"),)),
)
_LABELS = {
    "macro_f1": "macro-F1",
    "present_macro_f1": "macro-F1 of presence",
    "dice": "mean Dice",
    "iou": "mean IoU",
}
_MOST_POINTS = 1000
_MOST_NUMBERED = 40
_MOST_LARGE = 24
_MOST_NAMED = 64
_MOST_CELLS = 512
_LONGEST_NAME = 28
_PALEST = 0.2
_DPI = 150
_LEAST_SPAN = 0.01


def series(log: Sequence[Mapping[str, Any]], part: str, name: str) -> NDArray[np.float64]:
    """Return steps and values of a logged quantity, shape (2, n), n at most a thousand or so.

    More entries are averaged in groups, so that a long run stays a line and not a smear.
    """
    pairs = [
        (entry["step"], entry[name])
        for entry in log
        if entry.get("part") == part and isinstance(entry.get(name), int | float)
    ]
    values = np.array(sorted(pairs), np.float64).reshape(-1, 2).T
    group = math.ceil(values.shape[1] / _MOST_POINTS) or 1
    if group > 1:
        starts = np.arange(0, values.shape[1], group)
        counts = np.diff([*starts, values.shape[1]])
        values = np.add.reduceat(values, starts, axis=1) / counts
    return values


def curves_png(log: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a picture of loss, scores and learning rate over the steps of a run, a PNG file.

    Parameters
    ----------
    log
        Entries with ``step`` and ``part``: ``train`` with ``loss`` and ``lr``, ``val`` with
        ``loss``, ``macro_f1`` and ``accuracy``, or ``dice`` and ``iou``; what is missing is not
        drawn.
    """
    with styled():
        figure = new_figure(12.0, 3.6)
        draw_curves(list(figure.subplots(1, len(_PANELS))), log)
        return picture(figure, "png", _DPI)


def draw_curves(panels: "Sequence[Axes]", log: Sequence[Mapping[str, Any]]) -> None:
    """Draw loss, scores and learning rate, see ``curves_png``, into three panels."""
    for axes, (title, known) in zip(panels, _PANELS, strict=True):
        lines = _other_scores(log) if title == "score on val" else known
        if any(name in entry for _, name in known for entry in log):
            lines = known
        for part, name in lines:
            steps, values = series(log, part, name)
            if len(steps):
                # A validation is a point, and there may be one only.
                marker = "o" if len(steps) < 40 else ""
                label = part if name in ("loss", "lr") else _LABELS.get(name, name)
                axes.plot(steps, values, label=label, linewidth=1.0, marker=marker, markersize=3)
        if title != "learning rate" and axes.lines:
            axes.legend()
        if title == "loss" and axes.lines and _spans_decades(axes):
            axes.set_yscale("log")
        elif axes.lines:
            low, high = axes.get_ylim()
            least = _LEAST_SPAN * max(abs(low), abs(high))
            if high - low < least:  # scores that are all but equal
                axes.set_ylim(low - least, high + least)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)


def reliability_png(bins: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a reliability diagram: the share that is right over the probability, a PNG file.

    Parameters
    ----------
    bins
        Bins of equal width, with ``samples``, ``correct`` and the mean ``probability`` of each.
    """
    samples, correct, probability = (
        np.array([one[name] for one in bins], np.float64)
        for name in ("samples", "correct", "probability")
    )
    some = samples > 0
    places = (np.arange(len(bins)) + 0.5) / len(bins)
    with styled():
        figure = new_figure(SINGLE_IN, 3.6)
        right, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        right.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="calibrated")
        right.bar(
            places[some], (correct / np.maximum(samples, 1))[some], 0.9 / len(bins),
            color="C0", alpha=0.35,
        )  # fmt: skip
        right.plot(
            probability[some], correct[some] / samples[some], "o", markersize=3, label="this model"
        )
        right.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of correct predictions")
        right.legend(loc="best")
        counts.bar(places, samples, 0.9 / len(bins), color="C0")
        counts.set_yscale("symlog", linthresh=1)
        counts.set(xlabel="probability of the predicted class", ylabel="samples")
        return picture(figure, "png", _DPI)


def spectra_png(title: str, lines: Sequence[Line]) -> bytes:
    """Return spectra one above the other, as wide as a column, a PNG file."""
    with styled():
        return picture(draw_lines(lines, title, width_in=SINGLE_IN), "png", _DPI)


def draw_run(folder: Path) -> "Figure":
    """Return the curves of a run, and its confusion matrix if it has one of few classes."""
    found = read_document(folder / "confusion.json")
    scored = found if isinstance(found, dict) else {}
    classes, confusion = scored.get("classes", []), scored.get("confusion", [])
    is_few = 0 < len(classes) <= _MOST_NAMED
    side = min(7.0, 3.0 + 0.14 * len(classes)) if is_few else 0.0
    figure = new_figure(DOUBLE_IN, 2.3 + side)
    parts = figure.subfigures(1 + is_few, 1, squeeze=False, height_ratios=[2.3, side][: 1 + is_few])
    draw_curves(list(parts[0, 0].subplots(1, len(_PANELS))), read_log(folder))
    if is_few:
        _draw_confusion(parts[1, 0].subplots(), confusion, classes)
    figure.suptitle(shown(folder.name))
    return figure


def draw_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    suggested: float | None,
) -> "Figure":
    """Return the loss over the learning rate, each shape (n,), with the rate that is suggested."""
    figure = new_figure(SINGLE_IN, 2.4)
    axes = figure.subplots()
    axes.plot(rates, losses, linewidth=0.4, alpha=0.6, label="of each batch")
    axes.plot(rates, smoothed, label="smoothed")
    if suggested is not None:
        axes.axvline(suggested, color="0.3", linestyle=":", label=f"suggested: {suggested:.2g}")
    axes.set_xscale("log")
    low, high = min(smoothed), max(smoothed[: int(np.argmin(smoothed)) + 1])
    axes.set_ylim(low - 0.2 * (high - low or 1.0), high + 0.3 * (high - low or 1.0))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend(loc="lower left")
    return figure


def _other_scores(log: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return the scores in a log, of a task whose scores have no place of their own."""
    names = {name: None for entry in log if entry.get("part") == "val" for name in entry}
    return tuple(("val", name) for name in names if name not in ("step", "epoch", "part", "loss"))


def _spans_decades(axes: "Axes") -> bool:
    values = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.lines])
    return bool(values.min() > 0 and values.max() > 100 * values.min())


def shares(confusion: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return C_ij over the samples of class i, Eq. (9.4); NaN where a class has none."""
    counts = np.asarray(confusion, np.float64)
    support = counts.sum(axis=1, keepdims=True)
    return counts / np.where(support > 0, support, np.nan)


def _coarse(matrix: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    """Return the largest of each group x group cells, so that no confusion is lost from sight."""
    size = math.ceil(len(matrix) / group)
    padded = np.full((size * group, size * group), -1.0)
    padded[: len(matrix), : len(matrix)] = np.nan_to_num(matrix, nan=-1.0)
    largest = padded.reshape(size, group, size, group).max(axis=(1, 3))
    return np.where(largest < 0, np.nan, largest)


def confusion_png(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> bytes:
    """Return a picture of the confusion matrix, each row in shares of its class, a PNG file.

    Few classes have their names and per cent in the cells; many have numbers of classes on the
    axes; of more than 512 each cell shows the largest of several. Shares are coloured by their
    square root, and even the least is set off from none, which is white. Grey rows are classes
    without samples.

    Parameters
    ----------
    confusion
        K rows of K counts: true class i predicted as j.
    classes
        Names of the K classes.
    """
    side = min(12.0, 3.0 + 0.16 * len(confusion))
    with styled():
        figure = new_figure(side + 1.0, side)
        _draw_confusion(figure.subplots(), confusion, classes)
        return picture(figure, "png", _DPI)


def _draw_confusion(
    axes: "Axes", confusion: Sequence[Sequence[int]], classes: Sequence[str]
) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, PowerNorm

    matrix = shares(confusion)
    n_classes = len(matrix)
    group = math.ceil(n_classes / _MOST_CELLS)
    blues = colormaps["Blues"](np.linspace(_PALEST, 1.0, 256))
    colours = ListedColormap(blues).with_extremes(bad="0.85", under="white")
    cells = _coarse(matrix, group) if group > 1 else matrix
    drawn = axes.imshow(
        np.where(cells == 0.0, -1.0, cells),
        cmap=colours,
        norm=PowerNorm(0.5, 0.0, 1.0),
        interpolation="nearest",
        extent=(-0.5, len(cells) * group - 0.5, len(cells) * group - 0.5, -0.5),
    )
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(drawn, ax=axes, shrink=0.7, label="share of the true class")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if n_classes <= _MOST_NAMED:
        size = 7 if n_classes <= _MOST_LARGE else 5
        names = [shown(name, _LONGEST_NAME) for name in classes]
        axes.set_xticks(range(n_classes), names, rotation=90, fontsize=size)
        axes.set_yticks(range(n_classes), names, fontsize=size)
    if n_classes <= _MOST_NUMBERED:
        _write_per_cent(axes, matrix)


def _write_per_cent(axes: "Axes", matrix: NDArray[np.float64]) -> None:
    size = 7 if len(matrix) <= _MOST_LARGE else 6
    for (i, j), share in np.ndenumerate(matrix):
        if share > 0:
            # Of 99.96 per cent, "100" would hide the rest.
            text = f"{100 * share:.0f}" if 0.005 <= share < 0.995 or share == 1 else _fine(share)
            colour = "white" if share > 0.4 else "black"
            axes.text(j, i, text, ha="center", va="center", fontsize=size, color=colour)


def _fine(share: float) -> str:
    return "<1" if share < 0.5 else ">99"
