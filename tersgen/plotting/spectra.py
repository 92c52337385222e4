"""Spectra from anywhere over each other or one below the other; bands of species as sticks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..schema.species import Species
from .lines import Peak, find_peaks, label_peaks, plot_line, shift_axis
from .style import ANGSTROM, DOUBLE_IN, INTENSITY, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FWHM_CM1 = 15.0
"""Width of modes that have none of their own."""
_POINTS = 4096
_APART = 1.3
"""Distance of spectra that are stacked, in units of their height."""
_TEXT = 1.12


class Line(NamedTuple):
    """A spectrum to draw."""

    name: str
    shift_cm1: NDArray[np.float64]
    """Rising, shape (L,)."""
    intensity: NDArray[np.float64]
    """Shape (L,)."""
    note: str = ""
    """What is written beside it, such as a prediction."""


def draw_lines(
    lines: Sequence[Line],
    title: str = "",
    span_cm1: tuple[float, float] | None = None,
    labels: bool = True,
    width_in: float = DOUBLE_IN,
) -> "Figure":
    """Return spectra in one panel, each scaled to [0, 1], one above the other.

    One spectrum alone keeps its intensities.
    """
    alone = len(lines) == 1
    height = 2.4 if alone else min(9.0, 1.2 + 0.75 * len(lines))
    figure = new_figure(width_in, height)
    axes = figure.subplots()
    low = min(float(one.shift_cm1[0]) for one in lines)
    high = max(float(one.shift_cm1[-1]) for one in lines)
    span = span_cm1 or (low, high)
    for k, one in enumerate(lines):
        inside = (one.shift_cm1 >= span[0]) & (one.shift_cm1 <= span[1])
        seen = one.intensity[inside] if inside.any() else one.intensity
        least, most = float(np.nanmin(seen)), float(np.nanmax(seen))
        values = one.intensity if alone else (one.intensity - least) / ((most - least) or 1.0)
        offset = 0.0 if alone else _APART * (len(lines) - 1 - k)
        plot_line(axes, one.shift_cm1, values + offset, shown(one.name), color=f"C{k % 7}")
        if not alone:
            texts = ((span[0], 3, "left", one.name), (span[1], -3, "right", one.note))
            for place, move, side, text in texts:
                axes.annotate(
                    shown(text), (place, offset + _TEXT), (move, 0), textcoords="offset points",
                    ha=side, va="center", fontsize=6.5, color=f"C{k % 7}",
                )  # fmt: skip
    if alone and labels:
        label_peaks(axes, find_peaks(lines[0].shift_cm1, lines[0].intensity), span)
    ylabel = "intensity as given" if alone else f"{INTENSITY}, scaled"
    shift_axis(axes, span, ylabel)
    if not alone:
        axes.set_yticks([])
        axes.set_ylim(-0.1, _APART * len(lines))
    axes.set_title(shown(title or (lines[0].name if alone else "")))
    return figure


def species_line(species: Species) -> Line:
    """Return the Raman activities of a species' bands, broadened to their widths."""
    from ..library.degeneracy import bands
    from ..numeric.lineshape import GAUSSIAN, add_sticks

    rows = bands(species)
    positions = np.array([band.frequency_cm1 for band in rows])
    activities = np.array([band.activity for band in rows])
    widths = np.array([band.fwhm_cm1 or _FWHM_CM1 for band in rows])
    last = 1.1 * float(positions.max())
    line = np.zeros(_POINTS, np.float32)
    add_sticks(line, 0.0, last / (_POINTS - 1), positions, activities, widths, GAUSSIAN, 0.0)
    scale = float(activities.max()) / (float(line.max()) or 1.0)
    return Line(species.name, np.linspace(0.0, last, _POINTS), scale * line.astype(np.float64))


def draw_species(
    species: Species, span_cm1: tuple[float, float] | None = None, labels: bool = True
) -> "Figure":
    """Return the Raman activities of a species' bands as sticks, and broadened to their widths."""
    from ..library.degeneracy import bands

    rows = bands(species)
    line = species_line(species)
    figure = new_figure(DOUBLE_IN, 2.4)
    axes = figure.subplots()
    plot_line(axes, line.shift_cm1, line.intensity)
    places = [band.frequency_cm1 for band in rows]
    axes.vlines(places, 0, [band.activity for band in rows], color="C1", linewidth=0.9)
    span = span_cm1 or (0.0, float(line.shift_cm1[-1]))
    shift_axis(axes, span, f"Raman activity / {ANGSTROM}$^4$ amu$^{{-1}}$")
    if labels:
        peaks = [
            Peak(one.frequency_cm1, one.activity, f"{one.frequency_cm1:.0f} {one.irrep or ''}")
            for one in rows
        ]
        label_peaks(axes, peaks, span)
    own = "own widths" if any(band.fwhm_cm1 for band in rows) else "FWHM 15 cm$^{-1}$"
    axes.set_title(f"{shown(species.name)} ({own})")
    return figure
