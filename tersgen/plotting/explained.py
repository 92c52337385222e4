"""A spectrum with the bands that decided a prediction, over the lines of the species."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .lines import plot_line, shift_axis
from .style import DOUBLE_IN, INTENSITY, new_figure, picture, shown, styled

_DPI = 150
_ROOM = 0.3
"""Height of the panel of lines below the spectrum, over that of the spectrum."""
_PALEST, _DARKEST = 0.15, 0.6
_LEVELS, _LEVEL = 4, 0.09
"""Labels that would overlap are written one above the other."""
_TEXT_WIDTH = 0.09


def explained_png(
    title: str,
    shift_cm1: NDArray[np.float64],
    intensity: NDArray[np.floating],
    bands: Sequence[tuple[float, float]],
    lines: NDArray[np.float64] | None,
    width_cm1: float,
) -> bytes:
    """Return a picture of a spectrum, a PNG file.

    Parameters
    ----------
    title
        What was predicted.
    shift_cm1, intensity
        The spectrum, shapes (L,).
    bands
        Positions, cm^-1, and weights: those for the class are marked in one colour, those against
        it in another, the stronger the more important.
    lines
        Positions, cm^-1, and relative intensities of the species' lines, shape (M, 2); drawn
        downwards below the spectrum. None where they are not known.
    width_cm1
        Width of the marks.
    """
    low, high = float(intensity.min()), float(intensity.max())
    values = (intensity - low) / ((high - low) or 1.0)
    most = max((abs(weight) for _, weight in bands), default=1.0)
    with styled():
        figure = new_figure(DOUBLE_IN, 2.6)
        axes = figure.subplots()
        apart = _TEXT_WIDTH * float(shift_cm1[-1] - shift_cm1[0])
        level, before = 0, -np.inf
        for place, weight in sorted(bands):
            colour = "C2" if weight > 0 else "C1"
            shade = _PALEST + (_DARKEST - _PALEST) * abs(weight) / most
            half = 0.5 * width_cm1
            axes.axvspan(place - half, place + half, color=colour, alpha=shade, linewidth=0)
            level = (level + 1) % _LEVELS if place - before < apart else 0
            before = place
            axes.annotate(
                f"{place:.0f}: {weight:+.0%}", (place, 1.03 + _LEVEL * level), ha="center",
                va="bottom", fontsize=6, color=colour,
            )  # fmt: skip
        plot_line(axes, shift_cm1, values)
        if lines is not None and len(lines):
            axes.vlines(lines[:, 0], -_ROOM * lines[:, 1], 0, color="C3", linewidth=1.0)
            axes.annotate(
                "lines of the species", (shift_cm1[-1], -_ROOM), ha="right", fontsize=6, color="C3"
            )
        shift_axis(axes, (float(shift_cm1[0]), float(shift_cm1[-1])), f"{INTENSITY}, scaled")
        axes.set_ylim(-_ROOM - 0.05, 1.05 + _LEVEL * _LEVELS)
        axes.set_yticks([])
        axes.set_title(shown(title))
        return picture(figure, "png", _DPI)
