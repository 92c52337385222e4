"""Spectra as lines: gaps where nothing was measured, sticks, and labels of peaks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .style import SHIFT, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 8.0
"""Steps of an axis, in units of their median, from which a line is broken."""
_LEAST_HEIGHT = 0.04
_LEAST_DISTANCE = 0.045
_MOST_LABELS = 14


class Peak(NamedTuple):
    """A place to be labelled."""

    shift_cm1: float
    height: float
    """Where its label begins."""
    text: str
    strength: float = 0.0
    """What is compared to choose which are labelled; 0 for the height."""


def plot_line(
    axes: "Axes", shift_cm1: NDArray[Any], intensity: NDArray[Any], label: str = "", **style: Any
) -> None:
    """Draw a spectrum; the line is broken at NaN, and where the axis has a gap.

    Parameters
    ----------
    axes
        Where.
    shift_cm1
        Raman shifts, rising, cm^-1, shape (L,).
    intensity
        Shape (L,).
    label
        For the legend.
    style
        Of matplotlib's lines.
    """
    x, y = np.asarray(shift_cm1, np.float64), np.asarray(intensity, np.float64)
    steps = np.diff(x)
    usual = float(np.median(steps)) if len(steps) else 0.0
    breaks = np.flatnonzero(steps > _GAP * usual) + 1
    x = np.insert(x, breaks, np.nan)
    axes.plot(x, np.insert(y, breaks, np.nan), label=label or None, **style)


def repeated_ends(intensity: NDArray[Any], least: int = 8) -> tuple[int, int]:
    """Return how many points at each end repeat the outermost value; 0 if fewer than ``least``.

    That is how rows of datasets show what was not measured.
    """
    values = np.asarray(intensity)
    moves = np.flatnonzero(values[1:] != values[:-1])
    if not len(moves):
        return 0, 0
    left, right = int(moves[0]) + 1, len(values) - 1 - int(moves[-1])
    return (left if left >= least else 0), (right if right >= least else 0)


def label_peaks(axes: "Axes", peaks: Sequence[Peak], span: tuple[float, float]) -> None:
    """Write the texts of the highest peaks above them, as far as they do not overlap."""
    inside = [one for one in peaks if span[0] <= one.shift_cm1 <= span[1]]
    if not inside:
        return
    highest = max(one.height for one in inside)
    strengths = {id(one): one.strength or one.height for one in inside}
    least = _LEAST_HEIGHT * max(strengths.values())
    chosen: list[Peak] = []
    for one in sorted(inside, key=lambda one: -strengths[id(one)]):
        near = any(
            abs(one.shift_cm1 - other.shift_cm1) < _LEAST_DISTANCE * (span[1] - span[0])
            for other in chosen
        )
        if strengths[id(one)] >= least and not near and len(chosen) < _MOST_LABELS:
            chosen.append(one)
    for one in chosen:
        axes.annotate(
            shown(one.text), (one.shift_cm1, one.height), (0, 2), textcoords="offset points",
            rotation=90, ha="center", va="bottom", fontsize=6, annotation_clip=True,
        )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, highest + 0.4 * (highest - min(low, 0.0))))


def find_peaks(shift_cm1: NDArray[Any], intensity: NDArray[Any]) -> list[Peak]:
    """Return the maxima of a spectrum that stand out from their surroundings and its noise."""
    y = np.asarray(intensity, np.float64)
    if len(y) < 5 or not np.isfinite(y).all():
        return []
    noise = 1.4826 * float(np.median(np.abs(np.diff(y, 2)))) / np.sqrt(6.0)
    span = float(np.ptp(y))
    higher = (y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:])
    found = []
    reach = max(3, len(y) // 100)
    for k in (np.flatnonzero(higher) + 1).tolist():
        around = y[max(0, k - reach) : k + reach + 1]
        prominence = y[k] - max(y[max(0, k - reach) : k + 1].min(), y[k : k + reach + 1].min())
        if y[k] == around.max() and prominence > max(0.04 * span, 6 * noise):
            found.append(Peak(float(shift_cm1[k]), float(y[k]), f"{shift_cm1[k]:.0f}"))
    return found


def shift_axis(axes: "Axes", span: tuple[float, float], ylabel: str) -> None:
    """Label both axes of a panel of spectra, and cut it to a range of shifts, cm^-1."""
    axes.set_xlabel(SHIFT)
    axes.set_ylabel(ylabel)
    axes.set_xlim(*span)
