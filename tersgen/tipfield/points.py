"""From fields at points, or on grids with uneven steps, to fields on the regular grid of a tip."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..schema.tipfield import MOST_POINTS

F64 = NDArray[np.float64]

_SAME = 1e-4
"""Coordinates are equal within this fraction of a step."""
_MOST_FINER = 4
"""Most points of a regular axis for each one of an uneven axis."""


class Sampled(NamedTuple):
    """A field on a grid of rising positions, Angstrom."""

    axes: tuple[F64, F64, F64]
    field: NDArray[Any]
    """Complex, shape (3, nx, ny, nz)."""


def from_points(points: F64, field: NDArray[Any]) -> Sampled:
    """Return the grid that points, shape (n, 3), Angstrom, make in any order.

    Parameters
    ----------
    points
        Positions.
    field
        The field at each, shape (n, 3).

    Raises
    ------
    ConfigError
        If they are not all points of a grid, each once.
    """
    axes, places = [], []
    for k in range(3):
        axis, place = _levels(points[:, k])
        axes.append(axis)
        places.append(place)
    shape = tuple(len(axis) for axis in axes)
    if np.prod(shape, dtype=float) != len(points) or min(shape) < 2:
        raise ConfigError(
            f"expected every point of a grid once, got {len(points)} points with {shape[0]}, "
            f"{shape[1]} and {shape[2]} positions along x, y and z; export the field on a regular "
            "grid"
        )
    whole = np.full((3, *shape), np.nan, np.complex128)
    whole[:, places[0], places[1], places[2]] = field.T
    if np.isnan(whole).any():
        raise ConfigError("expected every point of a grid once, got some twice or without a value")
    return Sampled((axes[0], axes[1], axes[2]), whole)


def _levels(values: F64) -> tuple[F64, NDArray[np.intp]]:
    """Return the distinct values of a coordinate, and which of them each point has."""
    order = np.argsort(values, kind="stable")
    rising = values[order]
    steps = np.diff(rising)
    typical = steps[steps > _SAME * steps.max(initial=0.0)]
    limit = _SAME * float(np.median(typical)) if len(typical) else 0.0
    starts = np.concatenate([[0], np.flatnonzero(steps > limit) + 1])
    numbers = np.zeros(len(values), np.intp)
    numbers[order] = np.repeat(np.arange(len(starts)), np.diff([*starts, len(values)]))
    return rising[starts], numbers


def regular(sampled: Sampled) -> Sampled:
    """Return a field at evenly spaced positions: as it is, or linear between uneven ones.

    Raises
    ------
    ConfigError
        If an axis is so uneven that its finest step makes too many points.
    """
    axes, field = list(sampled.axes), sampled.field
    for k, axis in enumerate(sampled.axes):
        if len(axis) < 2 or (np.diff(axis) <= 0).any():
            raise ConfigError(
                f"{'xyz'[k]}: expected at least 2 rising positions, got {len(axis)}; export the "
                "field in a volume, not in a plane"
            )
        steps = np.diff(axis)
        if np.ptp(steps) <= 1e-3 * steps.mean():
            continue
        n = int(np.ceil((axis[-1] - axis[0]) / steps.min())) + 1
        if n > _MOST_FINER * len(axis) + 1:
            raise ConfigError(
                f"{'xyz'[k]}: expected steps within a factor of {_MOST_FINER}, got "
                f"{steps.min():.4g} to {steps.max():.4g} Angstrom; export the field on a regular "
                "grid"
            )
        axes[k] = np.linspace(axis[0], axis[-1], n)
        field = _along(field, k + 1, axis, axes[k])
    if np.prod([len(axis) for axis in axes], dtype=float) > MOST_POINTS:
        raise ConfigError(f"expected at most {MOST_POINTS} grid points, got more; export fewer")
    return Sampled((axes[0], axes[1], axes[2]), field)


def _along(field: NDArray[Any], axis: int, old: F64, new: F64) -> NDArray[Any]:
    """Return a field interpolated linearly along one of its axes."""
    at = np.clip(np.searchsorted(old, new, "right") - 1, 0, len(old) - 2)
    share = (new - old[at]) / (old[at + 1] - old[at])
    shape = [1] * field.ndim
    shape[axis] = len(new)
    share = share.reshape(shape)
    return np.take(field, at, axis) * (1 - share) + np.take(field, at + 1, axis) * share


def numbers(text: str, name: str, counts: Sequence[int]) -> F64:
    """Return numbers separated by commas.

    >>> numbers("1,2,3.5", "--tip", (3,)).tolist()
    [1.0, 2.0, 3.5]
    """
    try:
        values = np.array([float(one) for one in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if len(values) not in counts or not np.isfinite(values).all():
        wanted = " or ".join(str(count) for count in counts)
        raise ConfigError(
            f"{name}: expected {wanted} numbers separated by commas, got {text!r:.60}"
        )
    return values
