"""Measured spectra on the axis of a model or a dataset."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NoBandError, NotCoveredError
from .spectrum import Spectrum

_EPS = 1e-12
_GAP_POINTS, _GAP_STEPS = 8.0, 2.0
"""A gap is wider than so many times the median distance of the measured points, and than so many
steps of the grid."""


def resample(
    spectrum: Spectrum,
    grid_shift_cm1: NDArray[np.floating[Any]],
    *,
    low: float = 0.0,
    allow_extrapolation: bool = False,
) -> NDArray[np.float32]:
    """Return a spectrum on a model's axis, min-max scaled by Eq. (1.5) as in training.

    Between measured points the spectrum is a straight line. Where they lie wider than the grid's it
    is taken at the grid's points; where they lie closer, its mean over each point's cell is taken,
    so that a narrow band between two points keeps its area.

    Parameters
    ----------
    spectrum
        Measured spectrum.
    grid_shift_cm1
        Raman shifts of the model, cm^-1, evenly spaced and ascending, Eq. (1.1), shape (L,), L > 1.
    low
        Lower end of the range that the model was trained on: 0, or -1 for symmetric data.
    allow_extrapolation
        Whether to repeat the outermost intensities where nothing was measured.

    Returns
    -------
    NDArray
        Intensities in [low, 1], float32, shape (L,).

    Raises
    ------
    MeasurementError
        If more than half a step of the grid lies beyond the measured axis, unless extrapolation is
        allowed; if none of the grid was measured; or if the spectrum is constant there.
    """
    grid = np.asarray(grid_shift_cm1, np.float64)
    check_range(spectrum.name, spectrum.shift_cm1, grid, allow_extrapolation)
    # Scaled before anything is subtracted, so that no measured number is too large.
    y = spectrum.intensity / (float(np.abs(spectrum.intensity).max()) or 1.0)
    on_grid = interpolated(spectrum.shift_cm1, y - y.min(), grid)
    span = float(np.ptp(on_grid))
    if span <= _EPS * max(1.0, float(np.abs(on_grid).max())):
        raise NoBandError(
            f"{spectrum.name}: expected a spectrum with bands, got one that is constant over "
            f"{grid[0]:g} to {grid[-1]:g} cm^-1"
        )
    scaled = (on_grid - on_grid.min()) / (span + _EPS)
    return np.asarray(low + (1.0 - low) * scaled, np.float32)


def check_range(
    name: str,
    shift_cm1: NDArray[np.float64],
    grid: NDArray[np.float64],
    allow_extrapolation: bool = False,
) -> None:
    """Refuse a spectrum that does not cover a grid, see ``resample``."""
    x, step = shift_cm1, float(grid[-1] - grid[0]) / (len(grid) - 1)
    ranges = (
        f"{name}: expected a spectrum over {grid[0]:g} to {grid[-1]:g} cm^-1, the axis "
        f"wanted, got {x[0]:g} to {x[-1]:g} cm^-1"
    )
    if x[-1] < grid[0] or x[0] > grid[-1]:
        raise NotCoveredError(f"{ranges}, which is none of it")
    covers = x[0] <= grid[0] + 0.5 * step and x[-1] >= grid[-1] - 0.5 * step
    if not covers and not allow_extrapolation:
        raise NotCoveredError(f"{ranges}; --allow-extrapolation repeats its edges")


def interpolated(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return intensities y at shifts x on a grid, shape (L,), as ``resample`` says; not scaled."""
    step = float(grid[-1] - grid[0]) / (len(grid) - 1)
    edges = np.concatenate([grid - 0.5 * step, grid[-1:] + 0.5 * step])
    means = np.diff(_area(x, y, edges)) / step
    # not a hair less than the step: the same axis is taken point by point
    denser = _spacing(x, grid) < step * (1 - 1e-6)
    return np.where(denser, means, np.interp(grid, x, y))


def measured_points(
    shift_cm1: NDArray[np.floating[Any]], grid_shift_cm1: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Return which points of a grid were measured, shape (L,), from the axes alone.

    They are those less than a step of the grid from a measured point, and all between two measured
    points without a gap between them. Elsewhere ``resample`` repeats the edges, and bridges gaps by
    straight lines.

    Parameters
    ----------
    shift_cm1
        Raman shifts that were measured, cm^-1, rising, shape (N,), N > 1.
    grid_shift_cm1
        Those of the grid, cm^-1, evenly spaced and rising, shape (L,), L > 1.
    """
    x = np.asarray(shift_cm1, np.float64)
    grid = np.asarray(grid_shift_cm1, np.float64)
    step = float(grid[-1] - grid[0]) / (len(grid) - 1)
    measured: NDArray[np.bool_] = (grid > x[0] - step) & (grid < x[-1] + step)
    for low, high in _gaps(x, step):
        measured &= (grid < low + step) | (grid > high - step)
    return measured


def extrapolated(
    shift_cm1: NDArray[np.floating[Any]], grid_shift_cm1: NDArray[np.floating[Any]]
) -> float:
    """Return the share of a grid, from its first point to its last, that was not measured.

    That is what lies beyond the ends of the measured axis, or in its gaps: see ``measured_points``.
    """
    x = np.asarray(shift_cm1, np.float64)
    low, high = float(grid_shift_cm1[0]), float(grid_shift_cm1[-1])
    beyond = max(0.0, float(x[0]) - low) + max(0.0, high - float(x[-1]))
    gaps = np.clip(_gaps(x, (high - low) / (len(grid_shift_cm1) - 1)), low, high)
    return float(min(1.0, (beyond + float(np.diff(gaps, axis=1).sum())) / (high - low)))


def _gaps(x: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return the ends of the gaps of an axis, for a grid of that step, shape (n, 2)."""
    distance = np.diff(x)
    is_gap = distance > max(_GAP_POINTS * float(np.median(distance)), _GAP_STEPS * step)
    return np.stack([x[:-1][is_gap], x[1:][is_gap]], axis=1)


def _spacing(x: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of the two measured points around each point of the grid."""
    behind = np.clip(np.searchsorted(x, grid), 1, len(x) - 1)
    return x[behind] - x[behind - 1]


def _area(
    x: NDArray[np.float64], y: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the area under the lines between points, edges repeated, from x[0] up to places."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (y[1:] + y[:-1]) * np.diff(x))])
    inside = np.clip(places, x[0], x[-1])
    left = np.clip(np.searchsorted(x, inside, side="right") - 1, 0, len(x) - 2)
    height = np.interp(inside, x, y)
    area = total[left] + 0.5 * (y[left] + height) * (inside - x[left])
    beyond = (places - inside) * np.where(places < x[0], y[0], y[-1])
    return np.asarray(area + beyond)
