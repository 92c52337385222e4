"""Where the spectra of a map were measured, and the grid on which they lie."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_IN_UM = {
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micrometer", "micron"), 1.0),
    "nm": 1e-3,
    "mm": 1e3,
}
_STEP_TOLERANCE = 0.05
"""Part of a step by which the positions of a regular map may be off."""


COORDINATE = re.compile(
    r"(?:pos(?:ition)?[ _-]?)?([xy])(?:[ _-]?pos(?:ition)?)?\s*(?:[\[(/_]\s*(\S+?)\s*[\])]?)?",
    re.IGNORECASE,
)
"""Heading of a coordinate, and its unit: ``x``, ``Y [um]``, ``pos_x``."""


def are_coordinates(headings: Sequence[str]) -> bool:
    """Return whether two headings are those of x and y, in any order.

    >>> are_coordinates(["Y (um)", "X (um)"]), are_coordinates(["x", "intensity"])
    (True, False)
    """
    found = [COORDINATE.fullmatch(one.strip()) for one in headings]
    return {one[1].lower() for one in found if one} == {"x", "y"}


class PlaceAxis(NamedTuple):
    """An axis of a map, along which spectra were measured."""

    name: str
    unit: str
    values: NDArray[np.float64]


def in_um(unit: str) -> float | None:
    """Return a unit of length in micrometres, or None."""
    return _IN_UM.get(unit.strip())


def grid_positions(axes: Sequence[PlaceAxis]) -> NDArray[np.float64] | None:
    """Return the positions of the points of a grid, the last axis fastest, or None without lengths.

    Parameters
    ----------
    axes
        Axes of the grid. The coordinate x is the axis whose name begins so, or else the last one
        in a unit of length; y likewise, or else the one before.

    Returns
    -------
    positions_um
        x and y in micrometres, shape (n, 2); 0 for a coordinate that has no axis.
    """
    scales = {k: scale for k, axis in enumerate(axes) if (scale := in_um(axis.unit)) is not None}
    if not scales:
        return None
    named = {axes[k].name[:1].lower(): k for k in scales}
    others = [k for k in scales if k not in (named.get("x"), named.get("y"))]
    grid = np.meshgrid(*[axis.values for axis in axes], indexing="ij")
    positions = np.zeros((grid[0].size, 2))
    for column, name in enumerate(("x", "y")):
        place = named[name] if name in named else others.pop() if others else None
        if place is not None:
            positions[:, column] = grid[place].ravel() * scales[place]
    return positions


def starts_of_spectra(places: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where spectra begin in a table that has a row for each point of each spectrum.

    A spectrum ends where the place changes, or the axis turns back to its beginning.

    Parameters
    ----------
    places
        Where each point was measured, shape (n, any).
    axis
        Spectral axis, shape (n,).
    """
    steps = np.sign(np.diff(axis))
    direction = next((step for step in steps if step), 1.0)
    breaks = np.any(np.diff(places, axis=0) != 0, axis=1) | (steps == -direction)
    return np.concatenate(([0], np.flatnonzero(breaks) + 1)).astype(np.int64)


class MapGrid(NamedTuple):
    """A regular map: rows along y and columns along x."""

    rows: int
    columns: int
    step_x_um: float
    step_y_um: float

    def __str__(self) -> str:
        """Return the size and the steps."""
        return (
            f"{self.rows} rows x {self.columns} columns, step x {self.step_x_um:g} um, "
            f"y {self.step_y_um:g} um"
        )


def map_grid(positions_um: NDArray[np.float64]) -> MapGrid | None:
    """Return the grid on which every point was measured once, or None if there is no such grid.

    Parameters
    ----------
    positions_um
        Positions in any order, micrometres, shape (n, 2).
    """
    columns, step_x = _levels(positions_um[:, 0])
    rows, step_y = _levels(positions_um[:, 1])
    if not columns or not rows or columns * rows != len(positions_um) or len(positions_um) < 2:
        return None
    places = [
        np.rint((values - values.min()) / (step or 1.0)).astype(np.int64)
        for values, step in zip(positions_um.T, (step_x, step_y), strict=True)
    ]
    if len(np.unique(places[1] * columns + places[0])) < len(positions_um):
        return None
    return MapGrid(rows, columns, step_x, step_y)


def _levels(values: NDArray[np.float64]) -> tuple[int, float]:
    """Return the number of evenly spaced levels of a coordinate and their step; 0 if uneven."""
    ordered = np.sort(values)
    if not np.isfinite(ordered).all():
        return 0, 0.0
    gaps = np.diff(ordered)
    jumps = gaps[gaps > _STEP_TOLERANCE * gaps.max(initial=0.0)]
    if not len(jumps):
        return 1, 0.0
    if np.ptp(jumps) > _STEP_TOLERANCE * jumps.mean():
        return 0, 0.0
    return len(jumps) + 1, float((ordered[-1] - ordered[0]) / len(jumps))
