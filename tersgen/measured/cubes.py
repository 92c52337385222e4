"""Cubes: the spectra of a regular map, sorted into rows along y and columns along x."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from .positions import MapGrid, map_grid
from .reader import RowArrays
from .spectrum import Spectrum

Values = NDArray[np.float64]


def cube_of(spectra: Sequence[Spectrum]) -> RowArrays:
    """Return the spectra of one map as one cube.

    Rows rise along y and columns along x, in whatever order the map was measured.
    """
    places = [one.position_um for one in spectra if one.position_um is not None]
    if len(places) < len(spectra):
        raise _no_cube(f"{len(spectra)} spectra of which {len(places)} have positions")
    axis = spectra[0].shift_cm1
    if not all(one.shift_cm1 is axis or np.array_equal(one.shift_cm1, axis) for one in spectra):
        raise _no_cube("spectra over different axes")
    positions, grid, order = _sorted(np.array(places))
    cube = np.stack([spectra[k].intensity for k in order])
    notes = dict.fromkeys(note for one in spectra for note in one.notes)
    return _rows(cube, axis, grid, positions)._replace(notes=tuple(notes))


def cubes_of_arrays(arrays: RowArrays) -> RowArrays:
    """Return arrays of cubes; rows of spectra with positions are one map.

    Raises
    ------
    MeasurementError
        As ``cube_of``; also if rows have different labels, groups or parts, or there are maps.
    """
    if arrays.cubes is not None:
        return arrays
    if arrays.spectra is None or arrays.shift_cm1 is None or arrays.maps is not None:
        raise _no_cube("arrays of maps")
    if arrays.positions_um is None:
        raise _no_cube(f"{arrays.n_rows} spectra without positions (x_um, y_um)")
    known: list[tuple[str, ...] | None] = []
    for names in (arrays.label, arrays.group, arrays.part):
        if names is not None and len(set(names)) > 1:
            raise _no_cube(f"{arrays.n_rows} spectra of {len(set(names))} labels, groups or parts")
        known.append(None if names is None else names[:1])
    positions, grid, order = _sorted(arrays.positions_um)
    rows = _rows(arrays.spectra[order], arrays.shift_cm1, grid, positions)
    return rows._replace(label=known[0], group=known[1], part=known[2])


def _rows(cube: Values, axis: Values, grid: MapGrid, positions: Values) -> RowArrays:
    shape = (1, grid.rows, grid.columns, len(axis))
    return RowArrays(
        1, None, axis, None, None, None, None, cubes=cube.reshape(shape),
        steps_um=(grid.step_y_um, grid.step_x_um), positions_um=positions.min(axis=0)[None],
    )  # fmt: skip


def _sorted(positions_um: Values) -> tuple[Values, MapGrid, NDArray[np.intp]]:
    """Return positions, their grid, and the order of the spectra row by row."""
    grid = map_grid(positions_um)
    if grid is None:
        raise _no_cube(f"{len(positions_um)} positions on no regular grid, or a map with holes")
    if grid.rows < 2 or grid.columns < 2:
        raise _no_cube(f"a line of {len(positions_um)} points")
    # Whole steps, because positions along a row scatter by a part of one.
    y = np.rint((positions_um[:, 1] - positions_um[:, 1].min()) / grid.step_y_um)
    return positions_um, grid, np.lexsort((positions_um[:, 0], y))


def _no_cube(got: str) -> MeasurementError:
    return MeasurementError(
        f"expected the spectra of a whole map on a regular grid, got {got}; keep them as rows with "
        "their positions: --as spectra"
    )


def band_areas(cubes: Values, shift_cm1: Values, low: float, high: float) -> Values:
    """Return the area of a band at each pixel, above the line between its two ends.

    Parameters
    ----------
    cubes
        Intensities, shape (..., L).
    shift_cm1
        Raman shifts, rising, shape (L,).
    low, high
        Ends of the band, cm^-1.

    Returns
    -------
    areas
        Intensity times cm^-1, shape (...); trapezoidal rule.
    """
    inside = (shift_cm1 >= low) & (shift_cm1 <= high)
    x = shift_cm1[inside]
    if low < shift_cm1[0] or high > shift_cm1[-1] or len(x) < 3:
        raise MeasurementError(
            f"expected three points or more in the band {low:g} to {high:g} cm^-1, got {len(x)} of "
            f"an axis from {shift_cm1[0]:g} to {shift_cm1[-1]:g} cm^-1"
        )
    y = cubes[..., inside]
    total = np.trapezoid(y, x, axis=-1)
    return np.asarray(total - 0.5 * (y[..., 0] + y[..., -1]) * (x[-1] - x[0]))
