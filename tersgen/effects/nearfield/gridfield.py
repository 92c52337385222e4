"""The user's field on a grid: M = sum_i E_out^T alpha_mi E_in, complex, at each tip position.

The field is interpolated trilinearly. Real and imaginary part of the products of components are
separate features, so M is two products of real matrices.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...schema.tipfield import TipField
from .kernels import TILE

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_TILE = np.uint64(TILE)
_ONE, _HALF, _ZERO = np.float32(1.0), np.float32(0.5), np.float32(0.0)


class GridField(NamedTuple):
    """Fields at grid points, as the kernel reads them."""

    incident: F32
    """At the laser, shape (nx, ny, nz, 6): real x, y, z, then imaginary; the largest is 1."""
    scattered: F32
    """At scattered wavelengths, the same shape."""
    low: F64
    """First grid point from the tip's apex, shape (3,), Angstrom."""
    per_step: F64
    """Grid points per Angstrom, shape (3,)."""
    is_complex: bool
    is_separate: bool
    """Whether the two differ."""


def _values(field: NDArray[np.complex64]) -> F32:
    """Return a field, (3, nx, ny, nz), as real and imaginary parts, over its largest modulus."""
    scaled = field / np.abs(field).max()  # first, as squares of large or small ones overflow
    scaled /= np.sqrt((np.abs(scaled) ** 2).sum(axis=0)).max()
    both = np.concatenate([scaled.real, scaled.imag])
    return np.ascontiguousarray(np.moveaxis(both, 0, -1), dtype=np.float32)


def grid_field(field: TipField | None) -> GridField:
    """Return what the kernel reads of a field; nothing without one."""
    if field is None:
        empty = np.empty((0, 0, 0, 6), np.float32)
        return GridField(empty, empty, np.zeros(3), np.zeros(3), False, False)
    incident = _values(field.e_in)
    scattered = incident if field.e_out is None else _values(field.e_out)
    return GridField(
        incident=incident,
        scattered=scattered,
        low=np.array([axis[0] for axis in field.axes]) - np.array(field.tip),
        per_step=1.0 / np.array(field.steps),
        is_complex=bool(incident[..., 3:].any() or scattered[..., 3:].any()),
        is_separate=field.e_out is not None,
    )


@inlined
def _cell(place: np.float32, n: int) -> tuple[int, np.float32]:
    """Return the grid cell of a position in grid steps, and the fractional position in it."""
    at = min(max(int(place), 0), n - 2)
    return at, min(max(place - np.float32(at), _ZERO), _ONE)


@inlined
def _interpolate(
    values: F32, first: int, along_x: int, along_y: int, n_parts: int, weights: F32, out: F32
) -> None:
    """Write the trilinear mean of a cell's corners, ``n_parts`` values of each, to ``out``.

    ``values`` is flat, ``first`` the first value of the cell's lowest corner, ``along_x`` and
    ``along_y`` the strides to its neighbours along x and y, ``weights`` those of its corners.
    """
    c000 = np.uint64(first)
    c010, c100 = np.uint64(first + along_y), np.uint64(first + along_x)
    c110 = np.uint64(first + along_x + along_y)
    for n in range(n_parts):
        q, r = np.uint64(n), np.uint64(n + 6)
        low = weights[0] * values[c000 + q] + weights[1] * values[c000 + r]
        low += weights[2] * values[c010 + q] + weights[3] * values[c010 + r]
        high = weights[4] * values[c100 + q] + weights[5] * values[c100 + r]
        high += weights[6] * values[c110 + q] + weights[7] * values[c110 + r]
        out[q] = low + high


@inlined
def _product(one: F32, other: F32, a: int, b: int) -> tuple[np.float32, np.float32]:
    """Return real and imaginary part of component a of one field times component b of another."""
    real = one[a] * other[b] - one[3 + a] * other[3 + b]
    return real, one[a] * other[3 + b] + one[3 + a] * other[b]


@kernel
def fill_grid_features(
    real: F32, imaginary: F32, atoms: F32, tip_x: F32, tip_y: F32, tip_z: float, grid: GridField
) -> None:
    """Fill two tiles with the products E_out,a E_in,b at the atoms: xx, yy, zz, xy, xz, yz.

    For two different components it is the mean of both orders, as tensors are symmetric.

    Parameters
    ----------
    real, imaginary
        Flat, 6 N rows of ``TILE`` pixels, or more: further rows are unchanged.
    atoms
        Positions, shape (N, 3), Angstrom.
    tip_x, tip_y
        Position of the tip's apex at each pixel, shape (TILE,), Angstrom.
    tip_z
        Its height, Angstrom.
    grid
        The field; atoms outside get that at the edge.
    """
    nx, ny, nz = grid.incident.shape[0], grid.incident.shape[1], grid.incident.shape[2]
    along_x, along_y = 6 * ny * nz, 6 * nz
    at_laser = grid.incident.reshape(grid.incident.size)
    at_shift = grid.scattered.reshape(grid.scattered.size)
    incident, other_field = np.zeros(6, np.float32), np.zeros(6, np.float32)
    scattered = other_field if grid.is_separate else incident
    n_parts = 6 if grid.is_complex else 3  # imaginary parts are 0 otherwise
    weights = np.empty(8, np.float32)
    for atom in range(atoms.shape[0]):
        x, y = np.float64(atoms[atom, 0]), np.float64(atoms[atom, 1])
        z = np.float64(atoms[atom, 2])
        k, w = _cell(np.float32((z - tip_z - grid.low[2]) * grid.per_step[2]), nz)
        one = real[6 * atom * TILE : (6 * atom + 6) * TILE]
        other = imaginary[6 * atom * TILE : (6 * atom + 6) * TILE]
        for p in range(TILE):
            dx, dy = x - np.float64(tip_x[p]), y - np.float64(tip_y[p])
            i, u = _cell(np.float32((dx - grid.low[0]) * grid.per_step[0]), nx)
            j, v = _cell(np.float32((dy - grid.low[1]) * grid.per_step[1]), ny)
            low, high = _ONE - u, u
            weights[0], weights[1] = low * (_ONE - v) * (_ONE - w), low * (_ONE - v) * w
            weights[2], weights[3] = low * v * (_ONE - w), low * v * w
            weights[4], weights[5] = high * (_ONE - v) * (_ONE - w), high * (_ONE - v) * w
            weights[6], weights[7] = high * v * (_ONE - w), high * v * w
            first = i * along_x + j * along_y + 6 * k
            _interpolate(at_laser, first, along_x, along_y, n_parts, weights, incident)
            if grid.is_separate:
                _interpolate(at_shift, first, along_x, along_y, n_parts, weights, scattered)
            at = np.uint64(p)
            for a in range(3):
                one[at], other[at] = _product(scattered, incident, a, a)
                at += _TILE
            for a in range(2):
                for b in range(a + 1, 3):
                    re, im = _product(scattered, incident, a, b)
                    more, another = _product(scattered, incident, b, a)
                    one[at], other[at] = _HALF * (re + more), _HALF * (im + another)
                    at += _TILE
