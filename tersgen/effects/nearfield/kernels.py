"""Near-field maps: the coherent sum over atoms, I_m = (sum_i E_i^T alpha_mi E_i)^2, Eq. (2.6).

The sum is linear in products of field components at the atoms, so a tile of pixels is one matrix
product: (modes x features) by (features x pixels), with 1 feature an atom for a field along z and 6
for all others. Products are our own loops over a tile of fixed width, vectorised over
pixels: each value is summed in one order on every machine, which a BLAS does not promise.

Model: J. Raman Spectrosc. 52, 296 (2021); arXiv 2602.19932. Lengths are in Angstrom. A tile of rows
of ``TILE`` pixels is a flat float32 array, one row after the other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import arctan, exp

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PLANE, GAUSSIAN_Z, RADIAL, DIPOLE, GRID = 0, 1, 2, 3, 4
TILE = 128
"""Pixels of a tile: a constant, so that one loop over a tile serves four rows at once."""

_PI = 3.141592653589793
_EIGHT_LN2 = 5.545177444479562
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_DARK = np.float32(1e-15)


@inlined
def padded(count: int) -> int:
    """Return the next multiple of four: rows are multiplied four at a time."""
    return (count + 3) // 4 * 4


@inlined
def n_features(n_atoms: int, field: int) -> int:
    """Return the products of field components that N atoms have."""
    return 6 * n_atoms if field >= RADIAL else n_atoms


@kernel
def fill_shares(edges: F64, position: float, fwhm: float, shares: F64) -> None:
    """Fill the area of a Lorentzian of area 1 in each channel, shape (C,).

    The integral of (1/pi) g/(x^2 + g^2) with g = FWHM/2 is arctan(x/g)/pi. ``edges`` has shape
    (C, 2), cm^-1 like ``position`` and ``fwhm``; channels that meet share an arctangent.
    """
    half = 0.5 * fwhm
    end, low = -np.inf, 0.0
    for c in range(edges.shape[0]):
        if edges[c, 0] != end:
            low = arctan((edges[c, 0] - position) / half)
        end = edges[c, 1]
        high = arctan((end - position) / half)
        shares[c] = (high - low) / _PI
        low = high


@kernel
def fill_tensor_row(row: F32, atom: int, tensor: F64, field: int) -> None:
    """Write an atom's share of a mode, shape (3, 3), to its features' places in ``row``."""
    if field >= RADIAL:
        row[6 * atom] = tensor[0, 0]
        row[6 * atom + 1] = tensor[1, 1]
        row[6 * atom + 2] = tensor[2, 2]
        row[6 * atom + 3] = tensor[0, 1] + tensor[1, 0]
        row[6 * atom + 4] = tensor[0, 2] + tensor[2, 0]
        row[6 * atom + 5] = tensor[1, 2] + tensor[2, 1]
    else:
        row[atom] = tensor[2, 2]


@kernel
def fill_features(
    features: F32, atoms: F32, tip_x: F32, tip_y: F32, tip_z: float, width: F64, field: int
) -> None:
    """Fill a tile with products of field components at the atoms.

    PLANE: E = z. GAUSSIAN_Z: E = z exp(-4 ln2 [(dx/wx)^2 + (dy/wy)^2]). RADIAL:
    E = d/|d| exp(-4 ln2 sum_k (d_k/w_k)^2). d is the atom from the tip, w the FWHM along each axis.

    Parameters
    ----------
    features
        Flat, ``n_features`` rows of ``TILE`` pixels, or more: more rows are left alone.
    atoms
        Positions, shape (N, 3), Angstrom.
    tip_x, tip_y
        Tip position at each pixel, shape (TILE,), Angstrom.
    tip_z
        Tip height, Angstrom, above all atoms.
    width
        FWHM of the field along x, y, z, shape (3,), Angstrom.
    field
        PLANE, GAUSSIAN_Z or RADIAL.
    """
    slope_x = np.float32(-_EIGHT_LN2 / (width[0] * width[0]))
    slope_y = np.float32(-_EIGHT_LN2 / (width[1] * width[1]))
    slope_z = -_EIGHT_LN2 / (width[2] * width[2])
    for atom in range(atoms.shape[0]):
        x, y = atoms[atom, 0], atoms[atom, 1]
        dz = np.float32(np.float64(atoms[atom, 2]) - tip_z)
        if field == RADIAL:
            squared_z = dz * dz
            exponent_z = np.float32(slope_z * np.float64(squared_z))
            one = features[6 * atom * TILE : (6 * atom + 6) * TILE]
            for p in range(TILE):
                dx, dy = x - tip_x[p], y - tip_y[p]
                xx, yy = dx * dx, dy * dy
                squared = (xx + yy) + squared_z
                g = exp((slope_x * xx + slope_y * yy) + exponent_z) / squared
                one[p] = g * xx
                one[TILE + p] = g * yy
                one[2 * TILE + p] = g * squared_z
                one[3 * TILE + p] = g * (dx * dy)
                one[4 * TILE + p] = g * (dx * dz)
                one[5 * TILE + p] = g * (dy * dz)
        else:
            one = features[atom * TILE : (atom + 1) * TILE]
            for p in range(TILE):
                dx, dy = x - tip_x[p], y - tip_y[p]
                g = exp(slope_x * (dx * dx) + slope_y * (dy * dy))
                one[p] = g if field == GAUSSIAN_Z else _ONE


@kernel
def add_product(left: F32, first: int, count: int, right: F32, out: F32) -> None:
    """Add the product of ``count`` columns of ``left``, from ``first`` on, to ``out``.

    ``right`` has as many rows; ``count`` is a multiple of four. See :func:`multiply_tile`.
    """
    for m in range(0, left.shape[0], 4):
        o = out[m * TILE : (m + 4) * TILE]
        for k in range(first, first + count, 4):
            q = right[(k - first) * TILE : (k - first + 4) * TILE]
            a0, a1, a2, a3 = left[m, k], left[m, k + 1], left[m, k + 2], left[m, k + 3]
            b0, b1, b2, b3 = (
                left[m + 1, k], left[m + 1, k + 1], left[m + 1, k + 2], left[m + 1, k + 3]
            )  # fmt: skip
            c0, c1, c2, c3 = (
                left[m + 2, k], left[m + 2, k + 1], left[m + 2, k + 2], left[m + 2, k + 3]
            )  # fmt: skip
            d0, d1, d2, d3 = (
                left[m + 3, k], left[m + 3, k + 1], left[m + 3, k + 2], left[m + 3, k + 3]
            )  # fmt: skip
            for p in range(TILE):
                q0, q1, q2, q3 = q[p], q[TILE + p], q[2 * TILE + p], q[3 * TILE + p]
                o[p] += (a0 * q0 + a1 * q1) + (a2 * q2 + a3 * q3)
                o[TILE + p] += (b0 * q0 + b1 * q1) + (b2 * q2 + b3 * q3)
                o[2 * TILE + p] += (c0 * q0 + c1 * q1) + (c2 * q2 + c3 * q3)
                o[3 * TILE + p] += (d0 * q0 + d1 * q1) + (d2 * q2 + d3 * q3)


@kernel
def multiply_tile(left: F32, right: F32, out: F32) -> None:
    """Write the matrix product ``left`` (M, K) by ``right`` (K, TILE) to ``out`` (M, TILE).

    M and K are multiples of four; ``right`` and ``out`` are flat. Sums run over four k at a time:
    (0 + 1) + (2 + 3), then onto the sum so far.
    """
    out[:] = _ZERO
    add_product(left, 0, left.shape[1], right, out)


@inlined
def squared(amplitude: np.float32) -> np.float32:
    """Return the square; of what is below 1e-15 it is 0: squares stay normal numbers."""
    size = -amplitude if amplitude < _ZERO else amplitude
    return _ZERO if size < _DARK else amplitude * amplitude


@kernel
def square_tile(values: F32) -> None:
    """Square amplitudes in place."""
    for p in range(values.shape[0]):
        values[p] = squared(values[p])


@kernel
def mix_tile(
    start: int, used: int, of_bands: F32, of_channels: F32, squares: F32, near: Any,
    work: Any,
) -> None:  # fmt: skip
    """Write the bands and channels of ``used`` pixels from ``start`` on, from squared amplitudes.

    ``near`` and ``work`` are those of the effect.
    """
    if near.maps:
        channels = work.channels[: of_bands.shape[0] * TILE]
        multiply_tile(of_bands, squares, channels)
        for c in range(work.bands.shape[0]):
            band, some = work.bands[c, start:], channels[c * TILE :]
            for p in range(used):
                band[p] = some[p]
    if near.cube:
        channels = work.channels[: of_channels.shape[0] * TILE]
        multiply_tile(of_channels, squares, channels)
        for p in range(used):
            spectrum = work.cube[start + p]
            for c in range(spectrum.shape[0]):
                spectrum[c] = channels[c * TILE + p]
