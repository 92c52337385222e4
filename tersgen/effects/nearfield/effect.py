"""Maps and cubes of a molecule under a tip, Eqs. (2.6) and (2.7): a tile of pixels at a time.

The amplitude of a mode at a pixel is sum_i E_i^T alpha_i E_i over the atoms i, each with its share
alpha_i of the mode's Raman tensor, in the tip's field E_i there; its square, times the mode's
weight in a band or channel, adds up to the map or cube.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.tensor import quaternion_to_matrix, rotate, unpack
from ...random import streams
from ...random.normal import normal_pair
from ...random.philox import philox
from ...schema.fields import Axis, Coordinate, FieldSpec, band_limits
from ...schema.library import Library
from ..base import Array, ArraySpec, Effect, Tile, spec
from ..image import finish, has_clean_image, image_numbers, map_fields, noise_level
from ..plasmon.effect import plasmons_of
from ..scaling import signal
from ..sections import Sections
from ..substrate.effect import images_of
from ..substrate.kernels import turn_with_image
from .dipole import fill_dipole_features
from .draws import add_light, draw_dipole, draw_near_modes, drawn
from .gridfield import fill_grid_features
from .kernels import (
    DIPOLE,
    GRID,
    TILE,
    fill_features,
    fill_shares,
    fill_tensor_row,
    mix_tile,
    multiply_tile,
    n_features,
    padded,
    square_tile,
)
from .product import Passes, multiply_squared, plan_passes
from .scratch import NearScratch, near_scratch
from .settings import NearField as Section
from .sites import fill_site_tiles, site_matrix
from .table import NearModes, NearNumbers, near_numbers, near_table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_ZERO = np.float32(0.0)


def _pixels(name: str, extent: float, n: int) -> Axis:
    """Return the axis of pixels along one side of a frame."""
    edge = 0.5 * extent * (1.0 - 1.0 / n)
    text = f"centre of each {name} from the frame's centre"
    return Axis(name=name, unit="Angstrom", description=text, start=-edge, stop=edge, n=n)


class NearField(Effect[Section]):
    """Fills ``maps`` and ``cube``; or clean ones, ``image`` and ``volume``, if others act after."""

    stage = "image"
    section = "nearfield"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self._table = near_table(recipe, library)
        self._numbers = near_numbers(recipe, self.settings)
        self._image = image_numbers(recipe)
        self._is_clean = has_clean_image(recipe)

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are maps or cubes under a tip."""
        return super().is_part_of(recipe) and recipe.has_image and recipe.scene is None

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return maps and cubes, as asked for, and what is drawn of the tip."""
        near = cls.settings_of(recipe)
        made = map_fields(recipe, len(near.bands))
        if recipe.fields.cube:
            width = f"{near.channel_cm1:g} cm^-1"
            how = "clipped"
            if recipe.counts_cubes:
                how = "counted by the detector, min-max scaled over all"
            text = f"spectrum at each pixel with noise, in channels {width} wide, {how}"
            rows, columns = recipe.map.height, recipe.map.width
            sizes = {"row": rows, "column": columns, "shift_channel": recipe.n_channels}
            made.append(signal(recipe, "cube", text, **sizes))
        text = "FWHM of the field; aspect comes on top"
        apex = "frame's centre from the atoms' mean"
        made.append(spec("params/tip_height", "float32", "Angstrom", "tip above the highest atom"))
        if near.tip_field not in ("dipole", "grid"):  # which have no width that is drawn
            made.append(spec("params/tip_width", "float32", "Angstrom", text))
        made.append(spec("params/apex", "float32", "Angstrom", apex, axis=2))
        if near.tip_field == "dipole":
            text = "unit vector along the tip's dipole"
            made.append(spec("params/tip_dipole", "float32", "1", text, cartesian=3))
            text = "radius of the apex"
            made.append(spec("params/tip_radius", "float32", "Angstrom", text))
        for name, wanted in (("map", recipe.fields.maps), ("cube", recipe.fields.cube)):
            if wanted:
                text = f"value of the {name} per intensity, noise and offset apart; Eq. (2.7)"
                made.append(spec(f"params/{name}_scale", "float32", "amu Angstrom^-4", text))
        return made

    @classmethod
    def axes(cls, recipe: Sections) -> list[Axis]:
        """Return where pixels and channels lie."""
        near, image = cls.settings_of(recipe), recipe.map
        rows, columns = near.frame_angstrom
        made = [_pixels("row", rows, image.height), _pixels("column", columns, image.width)]
        if recipe.n_channels:
            first = recipe.grid.start_cm1 + 0.5 * near.channel_cm1
            made.append(
                Axis(
                    name="shift_channel",
                    unit="cm^-1",
                    description="Raman shift at the centre of each channel",
                    start=first,
                    stop=first + (recipe.n_channels - 1) * near.channel_cm1,
                    n=recipe.n_channels,
                )
            )
        return made

    @classmethod
    def coordinates(cls, recipe: Sections) -> list[Coordinate]:
        """Return the limits of the bands of maps."""
        return band_limits(cls.settings_of(recipe).bands)

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the scales, and clean maps and cubes if they are wanted."""
        recipe, numbers = self.recipe, self._numbers
        one = ArraySpec((), np.float32)
        drawn = ("map_scale", "cube_scale", "tip_width", "tip_radius")
        made = {f"params/{name}": one for name in drawn}
        made["params/tip_dipole"] = ArraySpec((3,), np.float32)
        size = (recipe.map.height, recipe.map.width)
        if self._is_clean and numbers.maps:
            made["image"] = ArraySpec((len(numbers.bands), *size), np.float32)
        if self._is_clean and numbers.cube:
            made["volume"] = ArraySpec((*size, recipe.n_channels), np.float32)
        return made

    def apply(self, tile: Tile) -> None:
        """Draw maps and cubes."""
        clean, numbers = self._is_clean, self._numbers
        n_rows, height, width = len(tile["species"]), numbers.n_rows, numbers.n_columns
        maps: Array = np.empty((0, 0, 0), np.uint16)
        cubes = maps
        if numbers.maps:
            maps = tile["image" if clean else "maps"].reshape(n_rows, -1, height * width)
        if numbers.cube:
            cubes = tile["volume" if clean else "cube"].reshape(n_rows, height, -1)
        draw_images(
            tile.index, tile.seed, self._table, numbers, *self._image, tile["species"],
            tile["quaternion"], images_of(tile), plasmons_of(tile), tile["params/shift"],
            tile["params/width"], tile["params/tip_height"], tile["params/tip_width"],
            tile["params/apex"], tile["params/tip_dipole"], tile["params/tip_radius"],
            tile["params/background"], tile["params/map_noise"], tile["params/map_scale"],
            tile["params/cube_scale"], maps, cubes,
        )  # fmt: skip


@kernel
def turn_molecule(
    label: int, matrix: F64, frame: F64, modes: NearModes, near: NearNumbers, work: NearScratch
) -> tuple[F32, float]:
    """Turn atoms and their tensors; return the tensors' matrix and the height of the top atom."""
    first = modes.first_atom[label]
    n_atoms = modes.first_atom[label + 1] - first
    n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
    top = -1e30
    for i in range(n_atoms):
        r = modes.position[first + i]
        for k in range(3):
            work.atoms[i, k] = matrix[k, 0] * r[0] + matrix[k, 1] * r[1] + matrix[k, 2] * r[2]
        top = max(top, np.float64(work.atoms[i, 2]))
    if near.sites:
        return site_matrix(label, n_modes, modes.sites), top
    left = np.zeros((padded(n_modes), padded(n_features(n_atoms, near.field))), np.float32)
    mode = modes.first_mode[label]
    for m in range(n_modes):
        share = modes.first_share[mode + m]
        for i in range(n_atoms):
            unpack(modes.share[share + i], work.share)
            rotate(work.share, frame, work.tensor)
            fill_tensor_row(left[m], i, work.tensor, near.field)
    return left, top


@kernel
def _mixing(edges: F64, count: int, work: NearScratch) -> F32:
    """Return each mode's weight in each channel, shape (channels, modes), both padded: Eq. (2.7).

    ``edges`` has shape (channels, 2), cm^-1.
    """
    weights = np.zeros((padded(edges.shape[0]), padded(count)), np.float32)
    shares = np.empty(edges.shape[0], np.float64)
    for m in range(count):
        fill_shares(edges, work.position[m], work.fwhm[m], shares)
        for c in range(edges.shape[0]):
            weights[c, m] = work.weight[m] * shares[c]
        if work.anti_weight[m] > 0.0:
            fill_shares(edges, -work.position[m], work.fwhm[m], shares)
            for c in range(edges.shape[0]):
                weights[c, m] += work.anti_weight[m] * shares[c]
    return weights


@kernel
def _largest(values: F32, first: np.float32) -> np.float32:
    for k in range(values.shape[0]):
        first = max(first, values[k])
    return first


@kernel
def _fill_amplitudes(
    left: F32, passes: Passes, atoms: F32, tip_z: float, near: NearNumbers, work: NearScratch
) -> F32:
    """Return the squared amplitudes of the modes at a tile of tip positions, flat."""
    features = work.features[: left.shape[1] * TILE]
    amplitudes = work.amplitudes[: left.shape[0] * TILE]
    if near.field == DIPOLE:
        fill_dipole_features(features, atoms, work.tip_x, work.tip_y, tip_z, work.moment)
    elif near.field == GRID:
        fill_grid_features(
            features, work.imaginary, atoms, work.tip_x, work.tip_y, tip_z, near.grid
        )
    else:
        fill_features(features, atoms, work.tip_x, work.tip_y, tip_z, work.width, near.field)
    if 16 * passes.first[-1] < left.size:  # the tensors have zeros
        multiply_squared(passes, features, work.sums, amplitudes)
    else:
        multiply_tile(left, features, amplitudes)
        square_tile(amplitudes)
    if near.field == GRID and near.grid.is_complex:
        squares = work.squares[: left.shape[0] * TILE]
        multiply_tile(left, work.imaginary[: left.shape[1] * TILE], squares)
        square_tile(squares)
        for p in range(squares.shape[0]):
            amplitudes[p] += squares[p]
    return amplitudes


@kernel
def fill_tiles(
    label: int, left: F32, tip_z: float, apex_x: float, apex_y: float, modes: NearModes,
    near: NearNumbers, work: NearScratch,
) -> None:  # fmt: skip
    """Fill the maps and the cube before scaling, and noise and offset apart."""
    n_atoms = modes.first_atom[label + 1] - modes.first_atom[label]
    n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
    atoms = work.atoms[:n_atoms]
    of_bands = _mixing(near.bands, n_modes, work)
    of_channels = _mixing(near.channels, n_modes, work)
    if near.sites:
        fill_site_tiles(
            label, left, tip_z, apex_x, apex_y, modes, near, work, of_bands, of_channels
        )
        return
    passes = plan_passes(left)
    for features in (work.features, work.imaginary):
        features[n_features(n_atoms, near.field) * TILE : left.shape[1] * TILE] = _ZERO
    n_pixels = near.n_rows * near.n_columns
    for start in range(0, n_pixels, TILE):
        used = min(TILE, n_pixels - start)
        x, y = start // near.n_columns, start % near.n_columns
        for p in range(TILE):  # beyond the last pixel its place is repeated
            work.tip_x[p] = apex_x + (x - 0.5 * (near.n_rows - 1)) * near.pixel[0]
            work.tip_y[p] = apex_y + (y - 0.5 * (near.n_columns - 1)) * near.pixel[1]
            if start + p < n_pixels - 1:
                y += 1
                if y == near.n_columns:
                    x, y = x + 1, 0
        amplitudes = _fill_amplitudes(left, passes, atoms, tip_z, near, work)
        mix_tile(start, used, of_bands, of_channels, amplitudes, near, work)


@kernel
def largest_to(values: F32, amplitude: np.float32) -> np.float32:
    """Return the factor that brings the largest of some values, at least 0, to ``amplitude``."""
    peak = _largest(values, _ZERO)
    return amplitude / peak if peak > _ZERO else _ZERO


@kernel
def draw_images(
    start: int, seed: int, modes: NearModes, near: NearNumbers, least_noise: float,
    most_noise: float, symmetric: bool, species: I32, quaternion: F64, images: F64,
    plasmons: F64, shifts: F32, widths: F32, heights: F32, tip_widths: F32, apexes: F32,
    dipoles: F32, radii: F32, backgrounds: F32, levels: F32, map_scales: F32, cube_scales: F32,
    maps: F32, cubes: F32,
) -> None:  # fmt: skip
    """Write maps, shape (n, C, pixels), and cubes, shape (n, H, W x channels), of samples."""
    n_atoms = n_modes = 1 + streams.ONLY
    for label in range(modes.first_mode.shape[0] - 1):
        n_atoms = max(n_atoms, modes.first_atom[label + 1] - modes.first_atom[label])
        n_modes = max(n_modes, modes.first_mode[label + 1] - modes.first_mode[label])
    work = near_scratch(n_atoms, n_modes, near)
    for row in range(shifts.shape[0]):
        index, label = start + row, species[row, 0]
        quaternion_to_matrix(quaternion[row, 0], work.matrix)
        work.frame[:] = work.matrix
        if images.shape[0] > 0:
            turn_with_image(images[row, 0], work.matrix, work.frame)
        plasmon = plasmons[row] if plasmons.shape[0] > 0 else plasmons[0:0].reshape(0)
        draw_near_modes(
            index, streams.ONLY, seed, label, shifts[row], widths[row], plasmon, modes, near,
            work.normals, work.position, work.fwhm, work.weight, work.anti_weight,
        )  # fmt: skip
        left, top = turn_molecule(label, work.matrix, work.frame, modes, near, work)

        height = drawn(near.height, index, seed, streams.TIP_HEIGHT)
        width = drawn(near.width, index, seed, streams.TIP_WIDTH)
        level = noise_level(index, seed, least_noise, most_noise)
        offset = np.float32(drawn(near.background, index, seed, streams.BACKGROUND))
        amplitude = np.float32(drawn(near.amplitude, index, seed, streams.AMPLITUDE))
        w0, w1, _, _ = philox(0, index, 0, seed, streams.APEX)
        a, b = normal_pair(w0, w1)
        apex_x, apex_y = near.apex * np.float64(a), near.apex * np.float64(b)
        for k in range(3):
            work.width[k] = width * near.aspect[k]
        heights[row] = height
        tip_widths[row] = width
        apexes[row, 0] = apex_x
        apexes[row, 1] = apex_y
        levels[row] = level
        backgrounds[row] = offset

        tip_z = top + height
        if near.field == DIPOLE:
            radius = draw_dipole(index, seed, height, near, work.moment, dipoles[row])
            radii[row] = radius
            tip_z += radius
        fill_tiles(label, left, tip_z, apex_x, apex_y, modes, near, work)
        if near.maps:
            scale = largest_to(work.bands.reshape(work.bands.size), amplitude)
            map_scales[row] = scale
            noise = work.noise[: (work.bands.shape[1] + 3) // 4 * 4]
            for c in range(work.bands.shape[0]):
                finish(
                    work.bands[c], scale, offset, level, noise, index, c, seed, streams.MAP_NOISE,
                    symmetric, maps[row, c],
                )  # fmt: skip
        if near.cube:
            if plasmon.shape[0] > 0:
                add_light(plasmon, near, work.cube)
            scale = largest_to(work.cube.reshape(work.cube.size), amplitude)
            cube_scales[row] = scale
            n_line = cubes.shape[2]
            noise = work.noise[: (n_line + 3) // 4 * 4]
            for x in range(near.n_rows):
                values = work.cube[x * near.n_columns : (x + 1) * near.n_columns].reshape(n_line)
                finish(
                    values, scale, offset, level, noise, index, x, seed, streams.CUBE_NOISE,
                    symmetric, cubes[row, x],
                )  # fmt: skip
