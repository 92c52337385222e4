"""The response at sites: M_m = sum_ij E_i^T a_mij E_j over the sites i and j of a molecule.

Eq. (2.12). There are P (P + 1) / 2 products of the P field components, thousands for a molecule of
20 atoms, but amplitudes are smooth on the scale of the tip's distance and width: they are computed
at nodes, and interpolated to pixels by Lagrange polynomials of degree five, along x and along y.
Where pixels are as far apart as the nodes would be, the nodes are the pixels.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...schema.library import Library
from .fields import field_at
from .kernels import GAUSSIAN_Z, RADIAL, TILE, add_product, mix_tile, padded, square_tile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NODES_OF_DISTANCE, NODES_OF_WIDTH = 0.15, 0.12
"""Spacing of nodes, as fractions of the tip's distance and of the field's FWHM."""
_BLOCK = 64
"""Products of field components at a time, a multiple of four."""
_TAPS = 6
_ZERO = np.float32(0.0)


class SiteModes(NamedTuple):
    """Sites of all K species, and the response of their modes; empty if not needed."""

    first: I64
    """First site of each species and the end, shape (K + 1,)."""
    position: F64
    """Sites from the mean of the atoms, shape (sites, 3), Angstrom."""
    first_number: I64
    """First number of the response of each species and the end, shape (K + 1,)."""
    response: F32
    """Upper triangles of the matrices of modes, one after the other, Angstrom^2 amu^-1/2."""


def site_modes(library: Library, used: bool, means: F64) -> SiteModes:
    """Return the sites of a library; ``means`` of the atoms have shape (K, 3), Angstrom."""
    if not used:
        nothing = np.zeros(len(library) + 1, np.int64)
        return SiteModes(nothing, np.empty((0, 3)), nothing, np.empty(0, np.float32))
    position, first = library.array("site")
    response, first_number = library.array("site_response")
    centres = np.repeat(means, np.diff(first), axis=0)
    return SiteModes(first, position - centres, first_number, response)


@kernel
def site_matrix(label: int, n_modes: int, sites: SiteModes) -> F32:
    """Return the response of a molecule's modes, shape (n_modes, products), both padded.

    Products off the diagonal count twice.
    """
    size = 3 * (sites.first[label + 1] - sites.first[label])
    n_products = size * (size + 1) // 2
    left = np.zeros((padded(n_modes), padded(n_products)), np.float32)
    at = sites.first_number[label]
    two = np.float32(2.0)
    for m in range(n_modes):
        row, k = left[m], 0
        for p in range(size):
            row[k] = sites.response[at + k]
            for j in range(k + 1, k + size - p):
                row[j] = two * sites.response[at + j]
            k += size - p
        at += n_products
    return left


class Nodes(NamedTuple):
    """Nodes along one axis: two before the first pixel, two after the last."""

    n_nodes: int
    spacing: float
    """Angstrom."""
    intervals: int
    """Intervals from the first pixel to the last."""


@kernel
def node_axis(n_pixels: int, pixel: float, spacing: float) -> Nodes:
    """Return nodes at most ``spacing`` apart for pixels of a width, both Angstrom."""
    intervals = max(n_pixels - 1, 1)
    extent = pixel * intervals
    if spacing > pixel:
        intervals = int(np.ceil(extent / spacing))
    return Nodes(intervals + 5, extent / intervals, intervals)


@kernel
def fill_taps(place: float, intervals: int, weights: F64) -> int:
    """Fill the six weights of a position in intervals; return the number of the first node."""
    base = min(max(int(np.floor(place)), 0), intervals - 1)
    t = place - base
    a, b, c, d, e, f = t + 2.0, t + 1.0, t, t - 1.0, t - 2.0, t - 3.0
    weights[0] = b * c * d * e * f / -120.0
    weights[1] = a * c * d * e * f / 24.0
    weights[2] = a * b * d * e * f / -12.0
    weights[3] = a * b * c * e * f / 12.0
    weights[4] = a * b * c * d * f / -24.0
    weights[5] = a * b * c * d * e / 120.0
    return base


@inlined
def _spacing(distance: float, width: F64, field: int) -> float:
    """Return the largest spacing of nodes, Angstrom."""
    spacing = NODES_OF_DISTANCE * distance
    if field in (GAUSSIAN_Z, RADIAL):
        narrow = NODES_OF_WIDTH * min(width[0], width[1])
        spacing = narrow if field == GAUSSIAN_Z else min(spacing, narrow)
    return spacing


@kernel
def _fill_fields(
    fields: F32, places: F64, matrix: F64, tip_x: F32, tip_y: F32, tip_z: float, field: int,
    width: F64, moment: F64,
) -> None:  # fmt: skip
    """Fill a tile with the field at sites in the frame of the molecule, (3 S x TILE), flat."""
    for s in range(places.shape[0]):
        one = fields[3 * s * TILE : (3 * s + 3) * TILE]
        dz = np.float32(places[s, 2] - tip_z)
        for p in range(TILE):
            dx = np.float32(places[s, 0] - np.float64(tip_x[p]))
            dy = np.float32(places[s, 1] - np.float64(tip_y[p]))
            x, y, z = field_at(dx, dy, dz, field, width, moment)
            for k in range(3):
                one[k * TILE + p] = matrix[0, k] * x + matrix[1, k] * y + matrix[2, k] * z


@kernel
def add_products(left: F32, fields: F32, block: F32, out: F32) -> None:
    """Write the amplitudes of a tile to ``out``, (modes x TILE), from its field components.

    ``fields`` has a row for each component, ``block`` is room for ``_BLOCK`` rows; all flat.
    """
    size = fields.shape[0] // TILE
    out[:] = _ZERO
    done = filled = 0
    for p in range(size):
        one = fields[p * TILE : (p + 1) * TILE]
        for q in range(p, size):
            other = fields[q * TILE : (q + 1) * TILE]
            row = block[filled * TILE : (filled + 1) * TILE]
            for k in range(TILE):
                row[k] = one[k] * other[k]
            filled += 1
            if filled == _BLOCK:
                add_product(left, done, _BLOCK, block, out)
                done += _BLOCK
                filled = 0
    if filled:
        count = padded(filled)
        block[filled * TILE : count * TILE] = _ZERO
        add_product(left, done, count, block, out)


@kernel
def fill_nodes(
    left: F32, places: F64, matrix: F64, x: Nodes, y: Nodes, tip_x: F64, tip_y: F64, tip_z: float,
    room: int, field: int, width: F64, moment: F64,
) -> F32:  # fmt: skip
    """Return amplitudes at nodes, shape (modes padded, x nodes, y nodes and ``room`` zeros).

    Parameters
    ----------
    left
        Of :func:`site_matrix`.
    places
        Sites, turned, shape (S, 3), Angstrom.
    matrix
        From the frame of the response to that of the field, shape (3, 3), with the image dipole.
    x, y
        Nodes along the axes of rows and columns.
    tip_x, tip_y
        Tip at the first pixel along each axis, Angstrom.
    tip_z
        Its height, Angstrom.
    field, width, moment
        Of :func:`tersgen.effects.nearfield.fields.field_at`.
    """
    n_nodes = x.n_nodes * y.n_nodes
    nodes = np.zeros((left.shape[0], x.n_nodes, y.n_nodes + room), np.float32)
    fields = np.empty(3 * places.shape[0] * TILE, np.float32)
    block = np.empty(_BLOCK * TILE, np.float32)
    out = np.empty(left.shape[0] * TILE, np.float32)
    at_x, at_y = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    for start in range(0, n_nodes, TILE):
        for p in range(TILE):  # beyond the last node its position is repeated
            n = min(start + p, n_nodes - 1)
            at_x[p] = tip_x + (n // y.n_nodes - 2) * x.spacing
            at_y[p] = tip_y + (n % y.n_nodes - 2) * y.spacing
        _fill_fields(fields, places, matrix, at_x, at_y, tip_z, field, width, moment)
        add_products(left, fields, block, out)
        for p in range(min(TILE, n_nodes - start)):
            i, j = (start + p) // y.n_nodes, (start + p) % y.n_nodes
            for m in range(left.shape[0]):
                nodes[m, i, j] = out[m * TILE + p]
    return nodes


class Columns(NamedTuple):
    """How the pixels of each tile of a row follow from its nodes."""

    first: I64
    """First node of each tile, shape (tiles,)."""
    weight: F32
    """Flat, shape (tiles, nodes of a tile, TILE)."""
    n_nodes: int
    """Nodes of a tile, a multiple of four."""


@kernel
def column_weights(n_pixels: int, pixel: float, y: Nodes) -> Columns:
    """Return the weights of nodes for the pixels of a row, a tile at a time."""
    n_tiles = (n_pixels + TILE - 1) // TILE
    span = min(TILE, n_pixels) * pixel / y.spacing
    count = padded(int(np.ceil(span)) + _TAPS + 1)
    first = np.zeros(n_tiles, np.int64)
    weights = np.zeros(n_tiles * count * TILE, np.float32)
    taps = np.empty(_TAPS, np.float64)
    for tile in range(n_tiles):
        here = weights[tile * count * TILE : (tile + 1) * count * TILE]
        for p in range(min(TILE, n_pixels - tile * TILE)):
            base = fill_taps((tile * TILE + p) * pixel / y.spacing, y.intervals, taps)
            if p == 0:
                first[tile] = base
            for j in range(_TAPS):
                here[(base - first[tile] + j) * TILE + p] = taps[j]
    return Columns(first, weights, count)


@kernel
def fill_site_tiles(
    label: int, left: F32, tip_z: float, apex_x: float, apex_y: float, modes: Any,
    near: Any, work: Any, of_bands: F32, of_channels: F32,
) -> None:  # fmt: skip
    """Fill the maps and the cube before scaling, without noise and offset.

    ``modes``, ``near`` and ``work`` are those of the effect; ``left`` is of :func:`site_matrix`,
    ``of_bands`` and ``of_channels`` mix modes into bands and channels.
    """
    sites = modes.sites
    first, matrix = sites.first[label], work.matrix
    places = np.empty((sites.first[label + 1] - first, 3), np.float64)
    top = -1e30
    for s in range(places.shape[0]):
        r = sites.position[first + s]
        for k in range(3):
            places[s, k] = matrix[k, 0] * r[0] + matrix[k, 1] * r[1] + matrix[k, 2] * r[2]
        top = max(top, places[s, 2])
    spacing = _spacing(tip_z - top, work.width, near.field)
    x = node_axis(near.n_rows, near.pixel[0], spacing)
    y = node_axis(near.n_columns, near.pixel[1], spacing)
    columns = column_weights(near.n_columns, near.pixel[1], y)
    nodes = fill_nodes(
        left, places, work.frame, x, y, apex_x - 0.5 * (near.n_rows - 1) * near.pixel[0],
        apex_y - 0.5 * (near.n_columns - 1) * near.pixel[1], tip_z, columns.n_nodes, near.field,
        work.width, work.moment,
    )  # fmt: skip
    line = np.empty((left.shape[0], nodes.shape[2]), np.float32)
    amplitudes = work.amplitudes[: left.shape[0] * TILE]
    taps = np.empty(_TAPS, np.float64)
    for row in range(near.n_rows):
        base = fill_taps(row * near.pixel[0] / x.spacing, x.intervals, taps)
        w0, w1, w2 = np.float32(taps[0]), np.float32(taps[1]), np.float32(taps[2])
        w3, w4, w5 = np.float32(taps[3]), np.float32(taps[4]), np.float32(taps[5])
        for m in range(left.shape[0]):
            n = nodes[m, base : base + _TAPS]
            for j in range(line.shape[1]):
                line[m, j] = ((w0 * n[0, j] + w1 * n[1, j]) + (w2 * n[2, j] + w3 * n[3, j])) + (
                    w4 * n[4, j] + w5 * n[5, j]
                )
        for tile in range(columns.first.shape[0]):
            amplitudes[:] = _ZERO
            weights = columns.weight[tile * columns.n_nodes * TILE :]
            add_product(line, columns.first[tile], columns.n_nodes, weights, amplitudes)
            square_tile(amplitudes)
            start = row * near.n_columns + tile * TILE
            used = min(TILE, near.n_columns - tile * TILE)
            mix_tile(start, used, of_bands, of_channels, amplitudes, near, work)
