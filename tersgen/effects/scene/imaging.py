"""Images of scenes: the sum of each molecule's near-field image, in a window around it.

Molecules scatter incoherently: I = sum over molecules of |M|^2, with M the coherent sum over the
atoms of one. A second apex at s from the first has c times its field. The apexes are further apart
than a field is wide, so that a molecule is in the field of one of them only:
|M(R) + c^2 M(R + s)|^2 = |M(R)|^2 + c^4 |M(R + s)|^2, and each molecule has a ghost.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.tensor import quaternion_to_matrix
from ..nearfield.draws import draw_near_modes
from ..nearfield.effect import fill_tiles, turn_molecule
from ..nearfield.scratch import NearScratch, near_scratch
from ..nearfield.table import NearModes, NearNumbers
from .events import (
    CHANGED,
    DARK,
    LEVEL,
    SECOND_COLUMNS,
    SECOND_FIELD,
    SECOND_ROWS,
    EventNumbers,
    change_modes,
)
from .lattice import Molecules

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_ZERO = np.float32(0.0)


class View(NamedTuple):
    """The windows in which molecules are imaged."""

    near: NearNumbers
    """Of a window with all pixels that a molecule reaches; its last band is all shifts."""
    strip: NearNumbers
    """Of one with fewer rows, for events that last a few lines."""
    n_rows: int
    """Of the whole map."""
    n_columns: int
    reach: float
    """Distance beyond which a molecule is neglected, in widths of the field."""


class Images(NamedTuple):
    """Images of one scene before scaling, and working memory for them."""

    bands: F32
    """Shape (C + 1, P); the last is the sum of all modes."""
    cube: F32
    """Shape (P, channels), or (0, channels)."""
    share: F32
    """Sum of all modes of each species, shape (S, P)."""
    state: I32
    """Bits of the events at each pixel, shape (P,)."""
    cavity: I64
    """Picocavity at each pixel, 0 for none, shape (P,)."""
    nearest: F64
    """Squared distance of each pixel from the nearest atom, Angstrom^2, shape (P,)."""
    tips: F64
    """Field widths along x, y, z, height and amplitude of the tip before and after its change."""
    work: NearScratch


@kernel
def new_images(n_atoms: int, n_modes: int, n_components: int, view: View) -> Images:
    """Return room for images of one scene."""
    n_pixels, near = view.n_rows * view.n_columns, view.near
    return Images(
        np.empty((near.bands.shape[0], n_pixels), np.float32),
        np.empty((n_pixels if near.cube else 0, near.channels.shape[0]), np.float32),
        np.empty((n_components, n_pixels), np.float32),
        np.empty(n_pixels, np.int32),
        np.empty(n_pixels, np.int64),
        np.empty(n_pixels, np.float64),
        np.empty((2, 5), np.float64),
        near_scratch(n_atoms, n_modes, near),
    )


@kernel
def _pixels_within(place: float, reach: float, pixel: float, count: int) -> tuple[int, int]:
    """Return the first pixel whose centre is within ``reach``, and the one after the last."""
    middle = place / pixel + 0.5 * (count - 1)
    first = np.ceil(middle - reach / pixel)
    last = np.floor(middle + reach / pixel)
    return int(min(max(first, 0.0), 1.0 * count)), int(min(max(last + 1.0, 0.0), 1.0 * count))


@kernel
def _is_seen(x: float, y: float, view: View, work: NearScratch) -> bool:
    """Return whether a molecule at (x, y) contributes to any pixel."""
    pixel = view.near.pixel
    first, last = _pixels_within(x, view.reach * work.width[0], pixel[0], view.n_rows)
    left, right = _pixels_within(y, view.reach * work.width[1], pixel[1], view.n_columns)
    return first < last and left < right


@kernel
def _rows_of(state: I32, cavity: I64, changed: int, number: int, width: int) -> tuple[int, int]:
    """Return the first row of pixels under one tip and picocavity, and the one after the last."""
    first = last = -1
    for p in range(state.shape[0]):
        if (state[p] & CHANGED) == changed and cavity[p] == number:
            first = p // width if first < 0 else first
            last = p // width
    return first, last + 1


@kernel
def _add_copy(
    label: int, left: F32, tip_z: float, x: float, y: float, weight: float, component: int,
    changed: int, number: int, rows: tuple[int, int], modes: NearModes, view: View, images: Images,
) -> None:  # fmt: skip
    """Add the image of a rotated molecule at (x, y) where one tip and one picocavity act."""
    near, work = view.near, images.work
    n_rows, n_columns = view.n_rows, view.n_columns
    first, last = _pixels_within(x, view.reach * work.width[0], near.pixel[0], n_rows)
    left_column, end = _pixels_within(y, view.reach * work.width[1], near.pixel[1], n_columns)
    first, last = max(first, rows[0]), min(last, rows[1])
    if first >= last or left_column >= end:
        return
    window = view.strip if last - first <= view.strip.n_rows else near
    height, width = window.n_rows, window.n_columns
    top = min(first, n_rows - height)
    side = min(left_column, n_columns - width)
    apex_x = (top + 0.5 * (height - 1) - 0.5 * (n_rows - 1)) * near.pixel[0] - x
    apex_y = (side + 0.5 * (width - 1) - 0.5 * (n_columns - 1)) * near.pixel[1] - y
    fill_tiles(label, left, tip_z, apex_x, apex_y, modes, window, work)
    factor, n_bands = np.float32(weight), images.bands.shape[0]
    for row in range(first, last):
        for column in range(left_column, end):
            pixel = row * n_columns + column
            if (images.state[pixel] & CHANGED) != changed or images.cavity[pixel] != number:
                continue
            p = (row - top) * width + column - side
            for b in range(n_bands):
                images.bands[b, pixel] += factor * work.bands[b, p]
            images.share[component, pixel] += factor * work.bands[n_bands - 1, p]
            if near.cube:
                spectrum, added = images.cube[pixel], work.cube[p]
                for c in range(spectrum.shape[0]):
                    spectrum[c] += factor * added[c]


@kernel
def _heights(
    species: I32, n_components: int, quaternions: F64, modes: NearModes, view: View,
    work: NearScratch,
) -> F64:  # fmt: skip
    """Return the height of the scene's highest atom over the mean of each species' atoms.

    The lowest atoms of all molecules are in one plane.
    """
    bottoms, highest = np.empty(n_components, np.float64), -1e30
    for c in range(n_components):
        label = species[c]
        quaternion_to_matrix(quaternions[c], work.matrix)
        _, top = turn_molecule(label, work.matrix, work.matrix, modes, view.near, work)
        bottom = 1e30
        for i in range(modes.first_atom[label + 1] - modes.first_atom[label]):
            bottom = min(bottom, np.float64(work.atoms[i, 2]))
        bottoms[c] = bottom
        highest = max(highest, top - bottom)
    return bottoms + highest


@kernel
def _frame_of(image: F64, first: F64, matrix: F64, frame: F64) -> None:
    """Write the frame of a molecule's tensors, with the image dipole that its species has.

    The molecule at rest, ``first``, has the image F; turned about the normal by T, it has T F T^T.
    So the frame is T F T^T T O = matrix O^T F O, with O the rotation of the molecule at rest.
    """
    back = matrix @ first.T
    frame[:] = back @ (image @ first)


@kernel
def image_scene(
    index: int, seed: int, count: int, molecules: Molecules, species: I32, n_components: int,
    quaternions: F64, images_of_dipoles: F64, plasmon: F64, radius: float, shift: np.float32,
    width: np.float32, n_cavities: int, recorded: F32, cavities: F32, events: EventNumbers,
    modes: NearModes, view: View, images: Images,
) -> None:  # fmt: skip
    """Fill the bands, the cube and the intensities of the species of one scene.

    Parameters
    ----------
    index, seed
        Of the sample and the recipe.
    count, molecules
        Where the molecules are.
    species, n_components, quaternions
        Species of the sample, and the orientation of each, shape (S,) and (S, 4).
    images_of_dipoles
        Image dipole of each species, shape (S, 3, 3); empty without a substrate.
    plasmon
        Its parameters, empty without one.
    radius
        Of the tip's dipole; 0 without one.
    shift, width
        Shift of all modes, cm^-1, and factor on their widths.
    n_cavities, recorded, cavities
        Events, as ``draw_events`` fills them.
    events, modes, view
        The recipe's numbers.
    images
        Filled; ``state``, ``cavity`` and ``tips`` are given.
    """
    work = images.work
    images.bands[:] = _ZERO
    images.cube[:] = _ZERO
    images.share[:] = _ZERO
    second = np.float64(recorded[SECOND_FIELD])
    second_x, second_y = np.float64(recorded[SECOND_ROWS]), np.float64(recorded[SECOND_COLUMNS])
    fainter = (second * second) * (second * second)
    first = np.empty((3, 3), np.float64)
    n_apexes = 2 if second > 0.0 else 1
    heights = _heights(species, n_components, quaternions, modes, view, work)
    for c in range(n_components):
        label = species[c]
        n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
        for number in range(n_cavities + 1):
            draw_near_modes(
                index, c, seed, label, shift, width, plasmon, modes, view.near, work.normals,
                work.position, work.fwhm, work.weight, work.anti_weight,
            )  # fmt: skip
            gain = 1.0
            if number > 0:
                change_modes(index, c, number, seed, n_modes, events, work)
                gain = np.float64(cavities[number - 1, 2])
            for tip in range(2):
                changed = CHANGED * tip
                rows = _rows_of(images.state, images.cavity, changed, number, view.n_columns)
                if rows[0] < 0:
                    continue
                work.width[:] = images.tips[tip, :3]
                tip_z = heights[c] + images.tips[tip, 3] + radius
                weight = gain * images.tips[tip, 4]
                for k in range(count):
                    if molecules.component[k] != c:
                        continue
                    x, y = molecules.position[k, 0], molecules.position[k, 1]
                    ghost_x, ghost_y = x - second_x, y - second_y
                    is_seen = _is_seen(x, y, view, work)
                    if not (is_seen or _is_seen(ghost_x, ghost_y, view, work)):
                        continue
                    quaternion_to_matrix(molecules.quaternion[k], work.matrix)
                    work.frame[:] = work.matrix
                    if images_of_dipoles.shape[0] > 0:
                        quaternion_to_matrix(quaternions[c], first)
                        _frame_of(images_of_dipoles[c], first, work.matrix, work.frame)
                    left, _ = turn_molecule(label, work.matrix, work.frame, modes, view.near, work)
                    for apex in range(n_apexes):
                        _add_copy(
                            label, left, tip_z, x if apex == 0 else ghost_x,
                            y if apex == 0 else ghost_y, weight if apex == 0 else weight * fainter,
                            c, changed, number, rows, modes, view, images,
                        )  # fmt: skip
    dimmed = recorded[LEVEL]
    for p in range(images.state.shape[0]):
        if images.state[p] & DARK:
            for b in range(images.bands.shape[0]):
                images.bands[b, p] *= dimmed
            if view.near.cube:
                for k in range(images.cube.shape[1]):
                    images.cube[p, k] *= dimmed


@kernel
def draw_masks(
    count: int, molecules: Molecules, species: I32, labels: I32, radius: float, modes: NearModes,
    view: View, images: Images, instance: I32, kind: I32,
) -> None:  # fmt: skip
    """Fill the masks of molecules and of species, shape (H, W), without the ghosts.

    A pixel belongs to the molecule with the nearest atom, if that is within ``radius``; 0 without
    one. ``labels`` are the classes of the sample's species.
    """
    nearest, work, pixel = images.nearest, images.work, view.near.pixel
    nearest[:] = radius * radius
    instance[:] = 0
    kind[:] = 0
    for k in range(count):
        c = molecules.component[k]
        quaternion_to_matrix(molecules.quaternion[k], work.matrix)
        m = work.matrix
        for i in range(modes.first_atom[species[c]], modes.first_atom[species[c] + 1]):
            r = modes.position[i]
            x = molecules.position[k, 0] + m[0, 0] * r[0] + m[0, 1] * r[1] + m[0, 2] * r[2]
            y = molecules.position[k, 1] + m[1, 0] * r[0] + m[1, 1] * r[1] + m[1, 2] * r[2]
            top, bottom = _pixels_within(x, radius, pixel[0], view.n_rows)
            left, right = _pixels_within(y, radius, pixel[1], view.n_columns)
            for row in range(top, bottom):
                away_x = (row - 0.5 * (view.n_rows - 1)) * pixel[0] - x
                for column in range(left, right):
                    away_y = (column - 0.5 * (view.n_columns - 1)) * pixel[1] - y
                    squared = away_x * away_x + away_y * away_y
                    if squared < nearest[row * view.n_columns + column]:
                        nearest[row * view.n_columns + column] = squared
                        instance[row, column] = k + 1
                        kind[row, column] = labels[c] + 1
