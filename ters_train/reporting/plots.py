"""Pictures of a run as PNG: training curves and the confusion matrix."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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


def _png(figure: "Figure") -> bytes:
    content = io.BytesIO()
    # Without the version of the library in it, the same run gives the same file.
    figure.savefig(content, format="png", dpi=_DPI, metadata={"Software": None})
    return content.getvalue()


def _shown(name: str) -> str:
    """Return a class name short, and in letters that the font has."""
    plain = name.encode("ascii", "backslashreplace").decode()
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in plain)
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 3] + "..."


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
    """Return a picture of loss, scores and learning rate over the steps of a run.

    Parameters
    ----------
    log
        Entries with ``step`` and ``part``: ``train`` with ``loss`` and ``lr``, ``val`` with
        ``loss``, ``macro_f1`` and ``accuracy``, or ``dice`` and ``iou``; what is missing is not
        drawn.

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    for axes, (title, known) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
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
            axes.legend(frameon=False, fontsize="small")
        if title == "loss" and axes.lines and _spans_decades(axes):
            axes.set_yscale("log")
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    return _png(figure)


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
    """Return a picture of the confusion matrix, each row in shares of its class.

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

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, PowerNorm
    from matplotlib.figure import Figure

    matrix = shares(confusion)
    n_classes = len(matrix)
    group = math.ceil(n_classes / _MOST_CELLS)
    side = min(12.0, 4.5 + 0.22 * n_classes)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.subplots()
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
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="share of the true class")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if n_classes <= _MOST_NAMED:
        size = "small" if n_classes <= _MOST_LARGE else 6
        names = [_shown(name) for name in classes]
        axes.set_xticks(range(n_classes), names, rotation=90, fontsize=size, parse_math=False)
        axes.set_yticks(range(n_classes), names, fontsize=size, parse_math=False)
    if n_classes <= _MOST_NUMBERED:
        _write_per_cent(axes, matrix)
    return _png(figure)


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
