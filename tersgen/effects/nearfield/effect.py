"""Maps and cubes of a molecule under a tip, Eqs. (2.6) and (2.7): a tile of pixels at a time.

The amplitude of a mode at a pixel is sum_i E_i^T alpha_i E_i over the atoms i, each with its share
alpha_i of the mode's Raman tensor, in the tip's field E_i there; its square, times the mode's
weight in a band or channel, adds up to the map or cube.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.elementary import exp
from ...numeric.tensor import quaternion_to_matrix, rotate, unpack
from ...random import streams
from ...random.normal import fill_normals, normal_pair
from ...random.philox import between, philox
from ...schema.fields import Axis, FieldSpec
from ...schema.library import Library
from ..base import Array, ArraySpec, Effect, Tile, spec
from ..image import finish, has_clean_image, image_numbers, map_fields, noise_level
from ..scaling import signal
from ..sections import Sections
from .kernels import (
    TILE,
    fill_features,
    fill_shares,
    fill_tensor_row,
    multiply_tile,
    n_features,
    padded,
    square_tile,
)
from .product import multiply_squared, plan_passes
from .settings import NearField as Section
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
        return super().is_part_of(recipe) and recipe.has_image

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return maps and cubes, as asked for, and what is drawn of the tip."""
        near = cls.settings_of(recipe)
        made = map_fields(recipe, len(near.bands))
        if recipe.fields.cube:
            width = f"{near.channel_cm1:g} cm^-1"
            text = f"spectrum at each pixel with noise, in channels {width} wide, clipped"
            rows, columns = recipe.map.height, recipe.map.width
            sizes = {"row": rows, "column": columns, "shift_channel": recipe.n_channels}
            made.append(signal(recipe, "cube", text, **sizes))
        text = "FWHM of the field; aspect comes on top"
        apex = "frame's centre from the atoms' mean"
        made += [
            spec("params/tip_height", "float32", "Angstrom", "tip above the highest atom"),
            spec("params/tip_width", "float32", "Angstrom", text),
            spec("params/apex", "float32", "Angstrom", apex, axis=2),
        ]
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

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the scales, and clean maps and cubes if they are wanted."""
        recipe, numbers = self.recipe, self._numbers
        one = ArraySpec((), np.float32)
        made = {"params/map_scale": one, "params/cube_scale": one}
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
            tile["quaternion"], tile["params/shift"], tile["params/width"],
            tile["params/tip_height"], tile["params/tip_width"], tile["params/apex"],
            tile["params/background"], tile["params/map_noise"], tile["params/map_scale"],
            tile["params/cube_scale"], maps, cubes,
        )  # fmt: skip


class NearScratch(NamedTuple):
    """Working memory for one map or cube at a time."""

    matrix: F64
    share: F64
    tensor: F64
    width: F64
    tip_x: F32
    tip_y: F32
    atoms: F32
    position: F64
    fwhm: F64
    weight: F64
    normals: F32
    noise: F32
    features: F32
    amplitudes: F32
    sums: F32
    channels: F32
    bands: F32
    """Maps before scaling, shape (C, pixels)."""
    cube: F32
    """A cube before scaling, shape (pixels, channels)."""


@kernel
def near_scratch(n_atoms: int, n_modes: int, near: NearNumbers) -> NearScratch:
    """Return working memory for molecules of at most N atoms and M modes."""
    n_pixels = near.n_rows * near.n_columns
    n_bands = near.bands.shape[0]
    n_channels = near.channels.shape[0]
    line = max(n_pixels if near.maps else 0, near.n_columns * n_channels)
    return NearScratch(
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
        np.empty((3, 3), np.float64),
        np.empty(3, np.float64),
        np.empty(TILE, np.float32),
        np.empty(TILE, np.float32),
        np.empty((n_atoms, 3), np.float32),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty(n_modes, np.float64),
        np.empty((n_modes + 63) // 64 * 64, np.float32),
        np.empty((line + 3) // 4 * 4, np.float32),
        np.empty(padded(n_features(n_atoms, near.field)) * TILE, np.float32),
        np.empty(padded(n_modes) * TILE, np.float32),
        np.empty(4 * TILE, np.float32),
        np.empty(padded(max(n_bands, n_channels)) * TILE, np.float32),
        np.empty((n_bands, n_pixels), np.float32),
        np.empty((n_pixels if near.cube else 0, n_channels), np.float32),
    )


@kernel
def _drawn(interval: F64, index: int, seed: int, stream: int) -> float:
    """Return a value uniform in ``interval`` (low, high)."""
    word, _, _, _ = philox(0, index, 0, seed, stream)
    return between(interval[0], interval[1], word)


@kernel
def _draw_near_modes(
    index: int, seed: int, label: int, all_shift: np.float32, all_width: np.float32,
    modes: NearModes, near: NearNumbers, work: NearScratch,
) -> None:  # fmt: skip
    """Draw position, width and weight of each mode; a mode of the spectrum as it is there."""
    first = modes.first_mode[label]
    count = modes.first_mode[label + 1] - first
    width = np.float64(all_width)
    normals = work.normals[: (count + 63) // 64 * 64]
    for bright in (True, False):
        stream = streams.MODE_SHIFT if bright else streams.DARK_SHIFT
        fill_normals(normals, index, streams.ONLY, seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                shift = np.float64(all_shift) + near.mode_shift_cm1 * normal
                work.position[m] = modes.frequency[first + m] + shift
                work.fwhm[m] = modes.fwhm[first + m] * width
        stream = streams.INTENSITY if bright else streams.DARK_INTENSITY
        fill_normals(normals, index, streams.ONLY, seed, stream)
        for m in range(count):
            place = modes.bright[first + m]
            if (place >= 0) == bright:
                normal = np.float64(normals[place if bright else modes.dark[first + m]])
                jitter = exp(np.float32(near.intensity * normal))
                work.weight[m] = modes.factor[first + m] * np.float64(jitter)


@kernel
def _turn_molecule(
    label: int, matrix: F64, modes: NearModes, near: NearNumbers, work: NearScratch
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
    left = np.zeros((padded(n_modes), padded(n_features(n_atoms, near.field))), np.float32)
    mode = modes.first_mode[label]
    for m in range(n_modes):
        share = modes.first_share[mode + m]
        for i in range(n_atoms):
            unpack(modes.share[share + i], work.share)
            rotate(work.share, matrix, work.tensor)
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
    return weights


@kernel
def _largest(values: F32, first: np.float32) -> np.float32:
    for k in range(values.shape[0]):
        first = max(first, values[k])
    return first


@kernel
def _fill_tiles(
    label: int,
    left: F32,
    tip_z: float,
    apex_x: float,
    apex_y: float,
    modes: NearModes,
    near: NearNumbers,
    work: NearScratch,
) -> None:
    """Fill the maps and the cube before scaling, and noise and offset apart."""
    n_atoms = modes.first_atom[label + 1] - modes.first_atom[label]
    n_modes = modes.first_mode[label + 1] - modes.first_mode[label]
    atoms = work.atoms[:n_atoms]
    n_bands, n_channels = work.bands.shape[0], work.cube.shape[1]
    of_bands = _mixing(near.bands, n_modes, work)
    of_channels = _mixing(near.channels, n_modes, work)
    passes = plan_passes(left)
    has_zeros = 16 * passes.first[-1] < left.size
    features = work.features[: left.shape[1] * TILE]
    amplitudes = work.amplitudes[: left.shape[0] * TILE]
    features[n_features(n_atoms, near.field) * TILE :] = _ZERO
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
        fill_features(features, atoms, work.tip_x, work.tip_y, tip_z, work.width, near.field)
        if has_zeros:
            multiply_squared(passes, features, work.sums, amplitudes)
        else:
            multiply_tile(left, features, amplitudes)
            square_tile(amplitudes)
        if near.maps:
            channels = work.channels[: of_bands.shape[0] * TILE]
            multiply_tile(of_bands, amplitudes, channels)
            for c in range(n_bands):
                band, some = work.bands[c, start:], channels[c * TILE :]
                for p in range(used):
                    band[p] = some[p]
        if near.cube:
            channels = work.channels[: of_channels.shape[0] * TILE]
            multiply_tile(of_channels, amplitudes, channels)
            for p in range(used):
                spectrum = work.cube[start + p]
                for c in range(n_channels):
                    spectrum[c] = channels[c * TILE + p]


@kernel
def _scale(values: F32, amplitude: np.float32) -> np.float32:
    """Return the factor that brings the largest of some values, at least 0, to ``amplitude``."""
    peak = _largest(values, _ZERO)
    return amplitude / peak if peak > _ZERO else _ZERO


@kernel
def draw_images(
    start: int, seed: int, modes: NearModes, near: NearNumbers, least_noise: float,
    most_noise: float, symmetric: bool, species: I32, quaternion: F64, shifts: F32, widths: F32,
    heights: F32, tip_widths: F32, apexes: F32, backgrounds: F32, levels: F32, map_scales: F32,
    cube_scales: F32, maps: F32, cubes: F32,
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
        _draw_near_modes(index, seed, label, shifts[row], widths[row], modes, near, work)
        left, top = _turn_molecule(label, work.matrix, modes, near, work)

        height = _drawn(near.height, index, seed, streams.TIP_HEIGHT)
        width = _drawn(near.width, index, seed, streams.TIP_WIDTH)
        level = noise_level(index, seed, least_noise, most_noise)
        offset = np.float32(_drawn(near.background, index, seed, streams.BACKGROUND))
        amplitude = np.float32(_drawn(near.amplitude, index, seed, streams.AMPLITUDE))
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

        _fill_tiles(label, left, top + height, apex_x, apex_y, modes, near, work)
        if near.maps:
            scale = _scale(work.bands.reshape(work.bands.size), amplitude)
            map_scales[row] = scale
            noise = work.noise[: (work.bands.shape[1] + 3) // 4 * 4]
            for c in range(work.bands.shape[0]):
                finish(
                    work.bands[c], scale, offset, level, noise, index, c, seed, streams.MAP_NOISE,
                    symmetric, maps[row, c],
                )  # fmt: skip
        if near.cube:
            scale = _scale(work.cube.reshape(work.cube.size), amplitude)
            cube_scales[row] = scale
            n_line = cubes.shape[2]
            noise = work.noise[: (n_line + 3) // 4 * 4]
            for x in range(near.n_rows):
                values = work.cube[x * near.n_columns : (x + 1) * near.n_columns].reshape(n_line)
                finish(
                    values, scale, offset, level, noise, index, x, seed, streams.CUBE_NOISE,
                    symmetric, cubes[row, x],
                )  # fmt: skip
