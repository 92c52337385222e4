"""Test patterns of hotspots: a constellation moved, turned and jittered, Eqs. (2.1)-(2.5).

The constellation of a species follows from its name and the seed. It is arbitrary: models of maps
can be tested on it, but it carries no chemistry. A sample rotates and shifts it as a whole, jitters
each hotspot and draws a factor on its amplitude; the map is turned and flipped if asked for, and
noise is added.
"""

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.elementary import cos_sin_turn
from ...numeric.store import store
from ...numeric.transforms import (
    add_noise_clipped,
    blur,
    blur_radius,
    blur_weights,
    flip_columns,
    quarter_turns,
)
from ...random import philox, streams
from ...random.normal import fill_normals, normal_pair
from ...random.philox import between
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import ArraySpec, Effect, Tile, spec
from ..image import has_clean_image, image_numbers, map_fields, noise_level
from ..scaling import ranged
from ..sections import Sections
from . import kernels
from .kernels import add_hotspots, fill_profile
from .settings import Map

if TYPE_CHECKING:
    from ..on_torch import TorchTile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_ZERO = np.float32(0.0)
_TURN = 6.283185307179586 * 2.0**-32
_EIGHTH = np.int64(2**29)


class Constellations(NamedTuple):
    """The hotspots of each species."""

    offset: F64
    """Rows and columns from the centre, shape (K, J, 2), pixel."""
    sigma: F64
    """Shape (K, J), pixel."""
    amplitude: F64
    """EF over the largest EF of the species, Eq. (2.5); shape (K, C, J)."""


class Numbers(NamedTuple):
    """The recipe's numbers; an interval is a float64 array (low, high)."""

    move_px: float
    jitter_px: float
    turn: bool
    amplitude: F64
    background: F64


def name_index(name: str) -> int:
    """Return the index of a species' random streams: from its name, not its place in a library."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


@kernel
def _fill_constellation(
    index: int, seed: int, radius: float, sigma_px: F64, field_factor: F64,
    offset: F64, sigma: F64, enhancement: F64,
) -> None:  # fmt: skip
    """Draw one species' hotspots: shapes (J, 2), (J,) and (C, J) of the last three."""
    for j in range(sigma.shape[0]):
        w0, w1, w2, _ = philox.philox(j, index, 0, seed, streams.CONSTELLATION)
        distance = radius * np.sqrt(np.float64(philox.uniform(w0)))
        cosine, sine = cos_sin_turn(w1)
        offset[j, 0] = distance * np.float64(cosine)
        offset[j, 1] = distance * np.float64(sine)
        sigma[j] = philox.between(sigma_px[0], sigma_px[1], w2)
        for c in range(enhancement.shape[0]):
            w0, w1, _, _ = philox.philox(j, index, 1 + c, seed, streams.CONSTELLATION)
            enhancement[c, j] = kernels.enhancement_factor(
                philox.between(field_factor[0], field_factor[1], w0),
                philox.between(field_factor[0], field_factor[1], w1),
            )


def hotspot_table(recipe: Sections, library: Library) -> Constellations:
    """Return the constellation of every species, a function of its name and the seed."""
    section, n = recipe.map, len(library)
    offset = np.empty((n, section.n_hotspots, 2))
    sigma = np.empty((n, section.n_hotspots))
    enhancement = np.empty((n, section.channels, section.n_hotspots))
    radius = section.radius * min(section.height, section.width)
    sigma_px, field_factor = (
        np.array(section.sigma_px, float),
        np.array(section.field_factor, float),
    )
    for k, name in enumerate(library.names):
        index: Any = np.uint64(name_index(name))
        _fill_constellation(
            index, recipe.seed, radius, sigma_px, field_factor,
            offset[k], sigma[k], enhancement[k],
        )  # fmt: skip
    return Constellations(offset, sigma, enhancement / enhancement.max(axis=(1, 2), keepdims=True))


class Hotspots(Effect[Map]):
    """Fills ``maps``; or ``image``, float32, shape (n, C, H, W), if others act on it after."""

    stage = "image"
    section = "map"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        section = self.settings
        self._blur = None
        if section.blur_px > 0:
            self._blur = np.empty(2 * blur_radius(section.blur_px) + 1, np.float32)
            blur_weights(section.blur_px, self._blur)
        self._table = hotspot_table(recipe, library)
        self._numbers = Numbers(
            move_px=section.move_px,
            jitter_px=section.jitter_px,
            turn=section.turn,
            amplitude=np.array(section.amplitude, np.float64),
            background=np.array(section.background, np.float64),
        )
        self._image = image_numbers(recipe)
        self._target = "image" if has_clean_image(recipe) else "maps"

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there are maps of hotspots."""
        return recipe.fields.maps and recipe.nearfield is None

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return the maps and where the hotspots lie."""
        text = "row, column and sigma (pixel) and amplitude factor (1) of each hotspot"
        sizes = {"hotspot": recipe.map.n_hotspots, "hotspot_parameter": 4}
        move = "move of the hotspots: rows, columns"
        turns = "quarter turns (symmetry mod 4), then flipped columns (symmetry >= 4)"
        drawn = "test patterns of hotspots with noise, clipped"
        made = [
            *map_fields(recipe, recipe.map.channels, drawn),
            spec("params/hotspots", "float32", "pixel", text, **sizes),
            spec("params/move", "float32", "pixel", move, axis=2),
        ]
        if recipe.map.turn:
            made.append(spec("params/angle", "float32", "rad", "turn of the hotspots"))
        if recipe.perturbations.symmetry:
            made.append(spec("params/symmetry", "int32", "1", turns))
        return made

    def scratch(self) -> dict[str, ArraySpec]:
        """Return what is drawn in any case, and the clean maps if they are wanted."""
        size = self.settings
        image = {"image": ArraySpec((size.channels, size.height, size.width), np.float32)}
        return {
            "params/angle": ArraySpec((), np.float32),
            **(image if self._target == "image" else {}),
        }

    def apply(self, tile: Tile) -> None:
        """Draw the maps."""
        draw_maps(
            tile.index, tile.seed, self._table, self._numbers, self._blur, *self._image,
            tile["species"], tile["params/hotspots"], tile["params/angle"], tile["params/move"],
            tile.get("params/symmetry"), tile["params/background"], tile["params/map_noise"],
            tile[self._target],
        )  # fmt: skip

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Draw the maps."""
        from . import on_torch

        size, (low, high, symmetric) = self.settings, self._image
        on_torch.draw_maps(
            tile, self._table, self._numbers,
            None if self._blur is None else tile.tensor(self._blur), (low, high), symmetric,
            self.recipe.perturbations.symmetry, (size.channels, size.height, size.width),
        )  # fmt: skip


class ImageScratch(NamedTuple):
    """Working memory for one map at a time."""

    normals: F32
    image: F32
    other: F32
    rows: F32
    columns: F32
    weights: F32
    centre: F64
    amplitude: F64


@kernel
def draw_hotspots(
    row: int, index: int, seed: int, species: int, table: Constellations, numbers: Numbers,
    work: ImageScratch, angles: F32, moves: F32,
) -> None:  # fmt: skip
    """Draw where the hotspots of one sample lie, in pixels, and their profiles along both axes."""
    height, width = work.image.shape
    word, _, w2, w3 = philox.philox(0, index, 0, seed, streams.PLACEMENT)
    cosine, sine, angle = 1.0, 0.0, 0.0
    if numbers.turn:
        c, s = cos_sin_turn(word)
        cosine, sine = np.float64(c), np.float64(s)
        angle = np.float64(np.int64(word) - _EIGHTH) * _TURN
    down, right = normal_pair(w2, w3)
    move_rows = numbers.move_px * np.float64(down)
    move_columns = numbers.move_px * np.float64(right)
    angles[row] = angle
    moves[row, 0] = move_rows
    moves[row, 1] = move_columns
    for j in range(work.centre.shape[0]):
        w0, w1, _, _ = philox.philox(j, index, 0, seed, streams.JITTER)
        down, right = normal_pair(w0, w1)
        x, y = table.offset[species, j, 0], table.offset[species, j, 1]
        centre_x = 0.5 * (height - 1) + (cosine * x - sine * y) + move_rows
        centre_y = 0.5 * (width - 1) + (sine * x + cosine * y) + move_columns
        work.centre[j, 0] = centre_x + numbers.jitter_px * np.float64(down)
        work.centre[j, 1] = centre_y + numbers.jitter_px * np.float64(right)
        w0, _, _, _ = philox.philox(j, index, 0, seed, streams.AMPLITUDE)
        work.amplitude[j] = between(numbers.amplitude[0], numbers.amplitude[1], w0)
        fill_profile(work.rows[j], work.centre[j, 0], table.sigma[species, j])
        fill_profile(work.columns[j], work.centre[j, 1], table.sigma[species, j])


@kernel
def turn_positions(centre: F64, turns: int, flip: bool, size: int) -> None:
    """Move (x, y) pairs, shape (J, 2), as flip_columns after quarter_turns moves pixels."""
    last = size - 1.0
    for j in range(centre.shape[0]):
        for _ in range(turns):
            x, y = centre[j, 0], centre[j, 1]
            centre[j, 0], centre[j, 1] = last - y, x
        if flip:
            centre[j, 1] = last - centre[j, 1]


@kernel
def draw_maps(
    start: int, seed: int, table: Constellations, numbers: Numbers, weights: F32 | None,
    least_noise: float, most_noise: float, symmetric: bool, species: I32, hotspots: F32,
    angles: F32, moves: F32, symmetries: I32 | None, backgrounds: F32, levels: F32, maps: F32,
) -> None:  # fmt: skip
    """Write the maps of samples, all channels: clip(sum + b + eta, 0, 1), Eq. (2.1).

    ``weights`` are those of the blur, Eq. (2.4). What is None is neither done nor compiled.
    """
    n_hotspots = hotspots.shape[1]
    n_channels, height, width = maps.shape[1:]
    n_pixels = height * width
    work = ImageScratch(
        np.empty((n_pixels + 3) // 4 * 4, np.float32),
        np.empty((height, width), np.float32),
        np.empty((height, width), np.float32),
        np.empty((n_hotspots, height), np.float32),
        np.empty((n_hotspots, width), np.float32),
        np.empty(n_hotspots, np.float32),
        np.empty((n_hotspots, 2), np.float64),
        np.empty(n_hotspots, np.float64),
    )
    for row in range(maps.shape[0]):
        index, one = start + row, species[row, 0]
        draw_hotspots(row, index, seed, one, table, numbers, work, angles, moves)
        symmetry = 0
        if symmetries is not None:
            word, _, _, _ = philox.philox(0, index, 0, seed, streams.SYMMETRY)
            symmetry = int(np.int64(word) % 8)
            turn_positions(work.centre, symmetry % 4, symmetry >= 4, height)
            symmetries[row] = symmetry
        for j in range(n_hotspots):
            hotspots[row, j, 0] = work.centre[j, 0]
            hotspots[row, j, 1] = work.centre[j, 1]
            hotspots[row, j, 2] = table.sigma[one, j]
            hotspots[row, j, 3] = work.amplitude[j]
        level = noise_level(index, seed, least_noise, most_noise)
        word, _, _, _ = philox.philox(0, index, 0, seed, streams.BACKGROUND)
        offset = np.float32(between(numbers.background[0], numbers.background[1], word))
        levels[row] = level
        backgrounds[row] = offset

        for channel in range(n_channels):
            image, other = work.image, work.other
            image[:] = offset
            for j in range(n_hotspots):
                work.weights[j] = table.amplitude[one, channel, j] * work.amplitude[j]
            add_hotspots(image, work.rows, work.columns, work.weights)
            if weights is not None:
                blur(image, weights, other)
            if symmetries is not None:
                if symmetry % 4 > 0:
                    quarter_turns(image, symmetry % 4, other)
                    image, other = other, image
                if symmetry >= 4:
                    flip_columns(image, other)
                    image, other = other, image
            if level > _ZERO:
                fill_normals(work.normals, index, channel, seed, streams.MAP_NOISE)
            else:
                work.normals[:] = _ZERO
            flat, stored = image.reshape(n_pixels), maps[row, channel].reshape(n_pixels)
            for k in range(n_pixels):
                value = add_noise_clipped(flat[k], level * work.normals[k])
                store(stored, k, ranged(value, symmetric))
