"""Maps and cubes of scenes, and their ground truth: molecules, species, fractions by pixel."""

import math

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.store import store
from ...random import streams
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Array, ArraySpec, Tile, spec
from ..classes.effect import class_members
from ..image import finish, noise_level
from ..mixture.effect import component_sizes
from ..nearfield.draws import add_light, draw_dipole, drawn
from ..nearfield.effect import NearField, largest_to
from ..nearfield.kernels import DIPOLE
from ..nearfield.settings import NearField as NearSection
from ..nearfield.table import NearModes, near_numbers
from ..plasmon.effect import plasmons_of
from ..sections import Sections
from ..substrate.effect import images_of
from .events import PARAMETERS, EventNumbers, draw_events, event_numbers
from .imaging import View, draw_masks, image_scene, new_images
from .lattice import LatticeNumbers, lattice_numbers, no_molecules, place_molecules
from .settings import MOST_PICOCAVITIES
from .settings import Scene as Section

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_ALL_SHIFTS = (-1e9, 1e9)
_ZERO = np.float32(0.0)


def _parts(recipe: Sections) -> tuple[NearSection, Section]:
    """Return the sections nearfield and scene of a recipe that has both."""
    if recipe.nearfield is None or recipe.scene is None:
        raise ValueError("expected a recipe with sections nearfield and scene, got none")
    return recipe.nearfield, recipe.scene


def target_fields(recipe: Sections) -> list[FieldSpec]:
    """Return the fields of the ground truth of a scene."""
    near, scene = _parts(recipe)
    most, each = scene.n_molecules(near), component_sizes(recipe)
    size = {"row": recipe.map.height, "column": recipe.map.width}
    where = "centre of each molecule from the frame's centre; 0 beyond count"
    how = "rotation (w, x, y, z) of each molecule, species to laboratory; 0 beyond count"
    made = [
        spec(
            "scene/instance", "int32", "1", "number of the molecule from 1 on; 0 for none", **size
        ),
        spec("scene/species", "int32", "1", "1 + class of the molecule; 0 for none", **size),
    ]
    if recipe.mixture is not None:
        text = "fraction of each species of the light of all modes; 0 where there is no light"
        made.append(spec("scene/fraction", "float16", "1", text, **each, **size))
    if scene.events.happen:
        text = "sum of 1 if dark, 2 in a picocavity, 4 under a changed tip"
        made.append(spec("scene/event", "int32", "1", text, **size))
    text = "molecules in the frame per atom of the surface" + ", of each species" * bool(each)
    return [
        *made,
        spec("scene/coverage", "float32", "1", text, **each),
        spec("scene/count", "int32", "1", "number of molecules in and around the frame"),
        spec("scene/position", "float32", "Angstrom", where, molecule=most, axis=2),
        spec("scene/orientation", "float32", "1", how, molecule=most, quaternion=4),
        spec("scene/label", "int32", "1", "class of each molecule; 0 beyond count", molecule=most),
        spec("scene/domain", "int32", "1", "domain of each; 0 beyond count", molecule=most),
    ]


class Scene(NearField):
    """Fills ``maps`` and ``cube``, or clean ones, and their ground truth."""

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        near, scene = _parts(recipe)
        most, region = scene.n_molecules(near), scene.half_region(near)
        self._lattice = lattice_numbers(scene, region, most)
        self._events = event_numbers(scene.events, near.tip_field)
        self._view = view_of(recipe)
        self._labels = class_members(library).label
        self._radius = scene.radius_angstrom
        surface = 0.5 * math.sqrt(3.0) * scene.neighbours * scene.neighbours
        rows, columns = near.frame_angstrom
        self._surface_atoms = rows * columns / surface

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether there is a scene, of which maps, a cube or its molecules are made."""
        return recipe.scene is not None and (recipe.has_image or recipe.fields.scene)

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return maps and cubes, their ground truth, and what is drawn of surface and tip."""
        made = [one for one in super().fields(recipe) if one.name != "params/apex"]
        if recipe.fields.scene:
            made += target_fields(recipe)
        text = "lattice: angle from rows to a surface vector (degree), domains, vacancies"
        made.append(spec("params/lattice", "float32", "1", text, lattice_parameter=3))
        if _parts(recipe)[1].events.happen:
            text = "what happened in the scan; " + ", ".join(one.description for one in PARAMETERS)
            made.append(spec("params/events", "float32", "1", text, event=len(PARAMETERS)))
            text = "first pixel in scan order, pixels, and factor on intensities of picocavities"
            sizes = {"picocavity": MOST_PICOCAVITIES, "picocavity_parameter": 3}
            made.append(spec("params/picocavities", "float32", "1", text, **sizes))
        return made

    def scratch(self) -> dict[str, ArraySpec]:
        """Return clean images, and arrays of what is not stored."""
        recipe, n = self.recipe, self.recipe.n_components
        size = (recipe.map.height, recipe.map.width)
        made = {
            "scene/fraction": ArraySpec((n, *size), np.uint16),
            "scene/event": ArraySpec(size, np.int32),
            "params/events": ArraySpec((len(PARAMETERS),), np.float32),
            "params/picocavities": ArraySpec((MOST_PICOCAVITIES, 3), np.float32),
        }
        for one in target_fields(recipe):
            dtype = np.uint16 if one.dtype == "float16" else one.value_dtype.type
            made[one.name] = ArraySpec(one.shape, dtype)
        return {**super().scratch(), **made}

    def apply(self, tile: Tile) -> None:
        """Place molecules and image them."""
        recipe, clean = self.recipe, self._is_clean
        n_rows, n_pixels = len(tile["species"]), recipe.map.height * recipe.map.width
        # of the same type as elsewhere, or kernels would be compiled again
        dtype = np.uint16 if recipe.precision == "float16" and not clean else np.float32
        maps: Array = np.empty((0, 0, 0), dtype)
        cubes = maps
        if recipe.fields.maps:
            maps = tile["image" if clean else "maps"].reshape(n_rows, -1, n_pixels)
        if recipe.fields.cube:
            name = "volume" if clean else "cube"
            cubes = tile[name].reshape(n_rows, recipe.map.height, -1)
        mixed = recipe.mixture is not None
        labels = tile["mixture/label"] if mixed else tile["label"].reshape(n_rows, 1)
        draw_scenes(
            tile.index, tile.seed, self._lattice, self._events, self._table, self._view,
            self._radius, self._surface_atoms, *self._image, tile["species"], labels,
            tile["fraction"], tile["n_components"], tile["quaternion"], images_of(tile),
            plasmons_of(tile), tile["params/shift"], tile["params/width"],
            tile["params/tip_height"], tile["params/tip_width"], tile["params/tip_dipole"],
            tile["params/tip_radius"],
            tile["params/background"], tile["params/map_noise"], tile["params/map_scale"],
            tile["params/cube_scale"], tile["params/lattice"], tile["params/events"],
            tile["params/picocavities"], tile["scene/instance"], tile["scene/species"],
            tile["scene/fraction"], tile["scene/event"],
            tile["scene/coverage"].reshape(n_rows, -1), tile["scene/count"],
            tile["scene/position"], tile["scene/orientation"], tile["scene/label"],
            tile["scene/domain"], maps, cubes,
        )  # fmt: skip


def view_of(recipe: Sections) -> View:
    """Return the windows in which molecules of a scene are imaged."""
    near, scene = _parts(recipe)
    numbers = near_numbers(recipe, near)
    reach = scene.reach_widths
    if scene.reach_angstrom is not None:  # a field on a grid counts as one of this width
        reach, numbers = 1.0, numbers._replace(width=np.full(2, scene.reach_angstrom))
    sizes = recipe.map.height, recipe.map.width
    rows, columns = (
        min(n, 2 * math.ceil(reach / (extent / n)) + 2)
        for n, reach, extent in zip(sizes, scene.reach(near), near.frame_angstrom, strict=True)
    )
    lines = math.ceil(scene.events.picocavity_pixels / sizes[1]) + 1
    bands = np.concatenate([numbers.bands, np.array([_ALL_SHIFTS], np.float64)])
    window = numbers._replace(n_rows=rows, n_columns=columns, bands=bands, maps=True)
    return View(
        near=window,
        strip=window._replace(n_rows=min(rows, lines)),
        n_rows=sizes[0],
        n_columns=sizes[1],
        reach=reach,
    )


@kernel
def _store_fractions(shares: F32, n_components: int, out: Array) -> None:
    """Store each species' fraction of a pixel's intensity, (S, H, W); 0 without intensity."""
    width = out.shape[2]
    for p in range(shares.shape[1]):
        total = _ZERO
        for c in range(n_components):
            total += shares[c, p]
        line = out[:, p // width, p % width]
        for c in range(line.shape[0]):
            share = shares[c, p] / total if c < n_components and total > _ZERO else _ZERO
            store(line, c, share)


@kernel
def draw_scenes(
    start: int, seed: int, lattice: LatticeNumbers, events: EventNumbers, modes: NearModes,
    view: View, radius: float, surface_atoms: float, least_noise: float, most_noise: float,
    symmetric: bool, species: I32, labels: I32, fractions: F32, counts: I32, quaternions: F64,
    images_of_dipoles: F64, plasmons: F64, shifts: F32, widths: F32, heights: F32,
    tip_widths: F32, dipoles: F32, radii: F32, backgrounds: F32, levels: F32,
    map_scales: F32, cube_scales: F32, lattices: F32, happened: F32, cavities: F32,
    instances: I32, kinds: I32, shares: Array, states: I32, coverages: F32, n_molecules: I32,
    positions: F32, orientations: F32, molecule_labels: I32, domains: I32, maps: F32, cubes: F32,
) -> None:  # fmt: skip
    """Write maps, (n, C, pixels), cubes, (n, H, W x channels), and their ground truth."""
    n_atoms = n_modes = 1 + streams.ONLY
    for label in range(modes.first_mode.shape[0] - 1):
        n_atoms = max(n_atoms, modes.first_atom[label + 1] - modes.first_atom[label])
        n_modes = max(n_modes, modes.first_mode[label + 1] - modes.first_mode[label])
    near = view.near
    images = new_images(n_atoms, n_modes, species.shape[1], view)
    molecules = no_molecules(lattice.n_molecules)
    n_pixels = view.n_rows * view.n_columns
    n_line = max(n_pixels, view.n_columns * near.channels.shape[0])
    noise = np.empty((n_line + 3) // 4 * 4, np.float32)
    half_x, half_y = 0.5 * view.n_rows * near.pixel[0], 0.5 * view.n_columns * near.pixel[1]
    for row in range(shifts.shape[0]):
        index, n_components = start + row, counts[row]
        height = drawn(near.height, index, seed, streams.TIP_HEIGHT)
        tip_width = drawn(near.width, index, seed, streams.TIP_WIDTH)
        level = noise_level(index, seed, least_noise, most_noise)
        offset = np.float32(drawn(near.background, index, seed, streams.BACKGROUND))
        amplitude = np.float32(drawn(near.amplitude, index, seed, streams.AMPLITUDE))
        heights[row], tip_widths[row] = height, tip_width
        levels[row], backgrounds[row] = level, offset
        for k in range(3):
            images.tips[0, k] = tip_width * near.aspect[k]
        images.tips[0, 3], images.tips[0, 4] = height, 1.0
        apex_radius = 0.0
        if near.field == DIPOLE:
            apex_radius = draw_dipole(index, seed, height, near, images.work.moment, dipoles[row])
            radii[row] = apex_radius
            images.tips[0, 0] = images.tips[0, 1] = height + apex_radius

        count = place_molecules(
            index, seed, lattice, fractions[row], n_components, quaternions[row], lattices[row],
            molecules,
        )  # fmt: skip
        plasmon = plasmons[row] if plasmons.shape[0] > 0 else plasmons[0:0].reshape(0)
        one_image = images_of_dipoles[0:0].reshape(0, 3, 3)
        if images_of_dipoles.shape[0] > 0:
            one_image = images_of_dipoles[row]
        n_cavities = draw_events(
            index, seed, events, view.n_columns, images.tips, images.state, images.cavity,
            happened[row], cavities[row],
        )  # fmt: skip
        states[row] = images.state.reshape(view.n_rows, view.n_columns)
        image_scene(
            index, seed, count, molecules, species[row], n_components, quaternions[row],
            one_image, plasmon, apex_radius, shifts[row], widths[row], n_cavities, happened[row],
            cavities[row], events, modes, view, images,
        )  # fmt: skip
        draw_masks(
            count, molecules, species[row], labels[row], radius, modes, view, images,
            instances[row], kinds[row],
        )  # fmt: skip
        _store_fractions(images.share, n_components, shares[row])
        n_molecules[row] = count
        coverages[row] = _ZERO
        positions[row] = _ZERO
        orientations[row] = _ZERO
        molecule_labels[row] = 0
        domains[row] = 0
        for k in range(count):
            x, y, c = molecules.position[k, 0], molecules.position[k, 1], molecules.component[k]
            positions[row, k, 0], positions[row, k, 1] = x, y
            for j in range(4):
                orientations[row, k, j] = molecules.quaternion[k, j]
            molecule_labels[row, k] = labels[row, c]
            domains[row, k] = molecules.domain[k]
            if abs(x) <= half_x and abs(y) <= half_y:
                coverages[row, c] += np.float32(1.0 / surface_atoms)

        if maps.shape[0] > 0:
            n_bands = maps.shape[1]
            wanted = images.bands[:n_bands]
            scale = largest_to(wanted.reshape(wanted.size), amplitude)
            map_scales[row] = scale
            for c in range(n_bands):
                finish(
                    images.bands[c], scale, offset, level, noise[: (n_pixels + 3) // 4 * 4], index,
                    c, seed, streams.MAP_NOISE, symmetric, maps[row, c],
                )  # fmt: skip
        if near.cube:
            if plasmon.shape[0] > 0:
                add_light(plasmon, near, images.cube)
            scale = largest_to(images.cube.reshape(images.cube.size), amplitude)
            cube_scales[row] = scale
            n_line = cubes.shape[2]
            for x_row in range(view.n_rows):
                first = x_row * view.n_columns
                values = images.cube[first : first + view.n_columns].reshape(n_line)
                finish(
                    values, scale, offset, level, noise[: (n_line + 3) // 4 * 4], index, x_row,
                    seed, streams.CUBE_NOISE, symmetric, cubes[row, x_row],
                )  # fmt: skip
