"""The response at sites: M_m = sum_ij E_i^T a_mij E_j over the sites i and j of a molecule.

Eq. (2.12). There are P (P + 1) / 2 products of the P field components, thousands for a molecule of
20 atoms, but amplitudes are smooth on the scale of the tip's distance and width: they are computed
at nodes, and interpolated to pixels by Lagrange polynomials of degree seven, along x and along y.
Nodes are evenly spaced in u = x/sqrt(1 + (x/b)^2), with x the tip from the molecule's centre: the
further away, the smoother. If there are as few pixels as nodes, the nodes are the pixels.
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

NODES_OF_DISTANCE, NODES_OF_WIDTH = 0.15, 0.13
"""Spacing of nodes, as fractions of the tip's distance and of the field's FWHM."""
_BEND_OF_WIDTH = 1.5
_EDGE = 0.98
"""Largest u of a node, as a fraction of b."""
_STRAIGHT = 1e30
_BLOCK = 64
"""Products of field components at a time, a multiple of four."""
_TAPS = 8
_DENOMINATORS = (-5040.0, 720.0, -240.0, 144.0, -144.0, 240.0, -720.0, 5040.0)
"""Products of j - l over all l from 0 to 7 but j."""
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
    """Nodes along one axis, evenly spaced in u = x/sqrt(1 + (x/b)^2)."""

    n_nodes: int
    first: float
    """u of the first node, Angstrom."""
    spacing: float
    """In u, Angstrom."""
    bend: float
    """b, Angstrom."""


@inlined
def bent(x: float, bend: float) -> float:
    """Return u of a position x, both Angstrom."""
    return x / np.sqrt(1.0 + (x / bend) * (x / bend))


@inlined
def unbent(u: float, bend: float) -> float:
    """Return the position x of u, both Angstrom."""
    return u / np.sqrt(1.0 - (u / bend) * (u / bend))


@kernel
def node_axis(first: float, n_pixels: int, pixel: float, spacing: float, bend: float) -> Nodes:
    """Return nodes at most ``spacing`` apart in u, one beyond each end where there is room.

    Parameters
    ----------
    first
        Tip at the first pixel from the molecule's centre, Angstrom.
    n_pixels, pixel
        Pixels, and the width of one, Angstrom.
    spacing, bend
        Largest distance of nodes, and b, Angstrom.
    """
    low, high = bent(first, bend), bent(first + pixel * (n_pixels - 1), bend)
    intervals = max(int(np.ceil((high - low) / spacing)), _TAPS - 1)
    if intervals + 3 >= n_pixels:
        return Nodes(max(n_pixels, _TAPS), first, pixel, _STRAIGHT)
    step = (high - low) / intervals
    before = 1 if low - step > -_EDGE * bend else 0
    after = 1 if high + step < _EDGE * bend else 0
    return Nodes(intervals + 1 + before + after, low - before * step, step, bend)


@kernel
def fill_taps(x: float, nodes: Nodes, weights: F64) -> int:
    """Fill the eight weights of a position, Angstrom; return the number of the first node."""
    place = (bent(x, nodes.bend) - nodes.first) / nodes.spacing
    base = min(max(int(np.floor(place)) - (_TAPS // 2 - 1), 0), nodes.n_nodes - _TAPS)
    t = place - base
    below = 1.0
    for j in range(_TAPS):  # the product over all nodes before j
        weights[j] = below
        below *= t - j
    above = 1.0
    for j in range(_TAPS - 1, -1, -1):  # times that over all after it
        weights[j] *= above / _DENOMINATORS[j]
        above *= t - j
    return base


@inlined
def _spacing(distance: float, width: F64, field: int) -> float:
    """Return the largest spacing of nodes, Angstrom."""
    spacing = NODES_OF_DISTANCE * distance
    if field in (GAUSSIAN_Z, RADIAL):
        narrow = NODES_OF_WIDTH * min(width[0], width[1])
        spacing = narrow if field == GAUSSIAN_Z else min(spacing, narrow)
    return spacing


@inlined
def _smooth_length(distance: float, width: F64, field: int) -> float:
    """Return how far beyond the molecule amplitudes become smooth, Angstrom."""
    if field in (GAUSSIAN_Z, RADIAL):
        return _BEND_OF_WIDTH * min(width[0], width[1])
    return distance


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
    left: F32, places: F64, matrix: F64, x: Nodes, y: Nodes, tip_z: float, room: int, field: int,
    width: F64, moment: F64,
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
    tip_z
        Height of the tip, Angstrom.
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
            at_x[p] = unbent(x.first + (n // y.n_nodes) * x.spacing, x.bend)
            at_y[p] = unbent(y.first + (n % y.n_nodes) * y.spacing, y.bend)
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
def column_weights(start: float, n_pixels: int, pixel: float, y: Nodes) -> Columns:
    """Return the weights of nodes for the pixels of a row from ``start`` on, a tile at a time."""
    n_tiles = (n_pixels + TILE - 1) // TILE
    span = min(TILE, n_pixels) * pixel / y.spacing
    count = padded(int(np.ceil(span)) + _TAPS + 1)
    first = np.zeros(n_tiles, np.int64)
    weights = np.zeros(n_tiles * count * TILE, np.float32)
    taps = np.empty(_TAPS, np.float64)
    for tile in range(n_tiles):
        here = weights[tile * count * TILE : (tile + 1) * count * TILE]
        for p in range(min(TILE, n_pixels - tile * TILE)):
            base = fill_taps(start + (tile * TILE + p) * pixel, y, taps)
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
    top, reach = -1e30, 0.0
    for s in range(places.shape[0]):
        r = sites.position[first + s]
        for k in range(3):
            places[s, k] = matrix[k, 0] * r[0] + matrix[k, 1] * r[1] + matrix[k, 2] * r[2]
        top = max(top, places[s, 2])
        reach = max(reach, places[s, 0] * places[s, 0] + places[s, 1] * places[s, 1])
    spacing = _spacing(tip_z - top, work.width, near.field)
    bend = np.sqrt(reach) + _smooth_length(tip_z - top, work.width, near.field)
    start_x = apex_x - 0.5 * (near.n_rows - 1) * near.pixel[0]
    start_y = apex_y - 0.5 * (near.n_columns - 1) * near.pixel[1]
    x = node_axis(start_x, near.n_rows, near.pixel[0], spacing, bend)
    y = node_axis(start_y, near.n_columns, near.pixel[1], spacing, bend)
    columns = column_weights(start_y, near.n_columns, near.pixel[1], y)
    nodes = fill_nodes(
        left, places, work.frame, x, y, tip_z, columns.n_nodes, near.field, work.width, work.moment
    )
    line = np.empty((left.shape[0], nodes.shape[2]), np.float32)
    amplitudes = work.amplitudes[: left.shape[0] * TILE]
    taps = np.empty(_TAPS, np.float64)
    for row in range(near.n_rows):
        base = fill_taps(start_x + row * near.pixel[0], x, taps)
        w0, w1, w2, w3 = (
            np.float32(taps[0]), np.float32(taps[1]), np.float32(taps[2]), np.float32(taps[3])
        )  # fmt: skip
        w4, w5, w6, w7 = (
            np.float32(taps[4]), np.float32(taps[5]), np.float32(taps[6]), np.float32(taps[7])
        )  # fmt: skip
        for m in range(left.shape[0]):
            n = nodes[m, base : base + _TAPS]
            for j in range(line.shape[1]):
                line[m, j] = ((w0 * n[0, j] + w1 * n[1, j]) + (w2 * n[2, j] + w3 * n[3, j])) + (
                    (w4 * n[4, j] + w5 * n[5, j]) + (w6 * n[6, j] + w7 * n[7, j])
                )
        for tile in range(columns.first.shape[0]):
            amplitudes[:] = _ZERO
            weights = columns.weight[tile * columns.n_nodes * TILE :]
            add_product(line, columns.first[tile], columns.n_nodes, weights, amplitudes)
            square_tile(amplitudes)
            start = row * near.n_columns + tile * TILE
            used = min(TILE, near.n_columns - tile * TILE)
            mix_tile(start, used, of_bands, of_channels, amplitudes, near, work)
