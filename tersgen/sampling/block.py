"""Blocks of samples: rows start to stop of the dataset that a recipe describes."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..kernels._jit import kernel
from ..schema.fields import INSTRUMENT_PARAMETERS, SCAN_PARAMETERS, FieldSpec, field_table
from ..schema.recipe import GENERATORS, Recipe
from .cpus import available_cpus
from .image import draw_map, fill_maps, image_scratch
from .labels import (
    class_members,
    class_thresholds,
    fill_balanced,
    fill_weighted,
    pick_species,
)
from .mixture import MixtureSettings, fill_components
from .nearfield import fill_near_rows
from .neartables import near_settings, near_table
from .outputs import Outputs
from .recorder import Recorder
from .spectrum import draw_modes, draw_spectrum, line_scratch
from .structure import fill_structure_rows, structure_table
from .tables import Hotspots, Modes, Settings, hotspot_table, mode_table, settings

Arrays = dict[str, NDArray[np.generic]]

_TILE = 128
"""Most rows that one thread makes at a time."""
_TILE_BYTES = 4 << 20
"""Fewer if they are large."""


@kernel
def _fill_rows(
    first: int,
    last: int,
    start: int,
    n_max: int,
    modes: Modes,
    hotspots: Hotspots,
    settings: Settings,
    out: Outputs,
) -> None:
    """Fill rows ``first`` to ``last`` of ``out``; row 0 is sample ``start``. Releases the GIL."""
    n_points = max(out.half_spectra.shape[1], out.spectra.shape[1])
    height = max(out.half_maps.shape[2], out.maps.shape[2])
    width = max(out.half_maps.shape[3], out.maps.shape[3])
    line = line_scratch(n_points, n_max)
    image = image_scratch(height, width, out.hotspots.shape[1])
    for row in range(first, last):
        index = start + row
        count = draw_modes(row, index, modes, settings, line, out)
        if settings.spectra:
            draw_spectrum(row, index, count, settings, line, out)
        if settings.maps:
            draw_map(row, index, hotspots, settings, image, out)


def _allocate(recipe: Recipe, table: tuple[FieldSpec, ...], n_rows: int) -> Outputs:
    """Return arrays for ``n_rows`` rows; parameters are drawn whether stored or not."""
    rows = {spec.name: n_rows for spec in table}
    label, n_species = np.empty(n_rows, np.int32), recipe.n_components
    half = recipe.fields.precision == "float16"
    n_modes = recipe.fields.n_modes or 0
    height, width = recipe.map.height, recipe.map.width
    near = recipe.nearfield
    image = (recipe.map.channels if near is None else len(near.bands), height, width)
    volume = (height, width, recipe.n_channels)
    hotspots = recipe.map.n_hotspots if near is None else 0
    spectra = rows.get("spectra", 0)
    maps = rows.get("maps", 0)
    cube = rows.get("cube", 0)
    sticks = rows.get("sticks/position", 0)
    targets, masks = recipe.structure, rows.get("structure/masks", 0)
    n_elements = 0 if targets is None else len(targets.elements or ())
    n_atoms = 0 if targets is None else targets.n_atoms or 0

    def floats(*shape: int) -> NDArray[np.float32]:
        return np.empty(shape, np.float32)

    def integers() -> NDArray[np.int32]:
        return np.empty(n_rows, np.int32)

    return Outputs(
        label=label,
        component=label[:, None] if n_species == 1 else np.empty((n_rows, n_species), np.int32),
        fraction=np.ones((n_rows, n_species), np.float32),
        n_components=np.ones(n_rows, np.int32),
        half_spectra=np.empty((spectra if half else 0, recipe.grid.n_points), np.uint16),
        spectra=floats(0 if half else spectra, recipe.grid.n_points),
        half_maps=np.empty((maps if half else 0, *image), np.uint16),
        maps=floats(0 if half else maps, *image),
        half_cube=np.empty((cube if half else 0, *volume), np.uint16),
        cube=floats(0 if half else cube, *volume),
        position=floats(sticks, n_species, n_modes),
        stick_intensity=floats(sticks, n_species, n_modes),
        n_modes=np.empty((sticks, n_species), np.int32),
        tensors=floats(rows.get("tensors", 0), n_species, n_modes, 3, 3),
        quaternion=floats(n_rows, n_species, 4),
        shift=floats(n_rows),
        width=floats(n_rows),
        roll=integers(),
        spectrum_noise=floats(n_rows),
        hotspots=floats(n_rows, hotspots, 4),
        angle=floats(n_rows),
        move=floats(n_rows, 2),
        background=floats(n_rows),
        map_noise=floats(n_rows),
        symmetry=integers(),
        tip_height=floats(n_rows),
        tip_width=floats(n_rows),
        apex=floats(n_rows, 2),
        map_scale=floats(n_rows),
        cube_scale=floats(n_rows),
        instrument=np.zeros((n_rows, len(INSTRUMENT_PARAMETERS)), np.float32),
        scan=np.zeros((n_rows, len(SCAN_PARAMETERS)), np.float32),
        half_masks=np.empty((masks, n_elements, height, width), np.uint16),
        half_bonds=np.empty((rows.get("structure/bonds", 0), height, width), np.uint16),
        atom_position=floats(masks, n_atoms, 3),
        atom_number=np.empty((masks, n_atoms), np.int32),
        n_atoms=np.empty(masks, np.int32),
    )


def _named(out: Outputs, table: tuple[FieldSpec, ...], half: bool) -> Arrays:
    """Return the arrays under the names of the table."""
    signals = {
        "spectra": out.half_spectra.view(np.float16) if half else out.spectra,
        "maps": out.half_maps.view(np.float16) if half else out.maps,
        "cube": out.half_cube.view(np.float16) if half else out.cube,
    }
    others: Arrays = {
        "sticks/position": out.position,
        "sticks/intensity": out.stick_intensity,
        "sticks/count": out.n_modes,
        "tensors": out.tensors,
        "label": out.label,
        "mixture/label": out.component,
        "mixture/fraction": out.fraction,
        "mixture/count": out.n_components,
        "params/orientation": out.quaternion,
        "params/shift": out.shift,
        "params/width": out.width,
        "params/roll": out.roll,
        "params/spectrum_noise": out.spectrum_noise,
        "params/hotspots": out.hotspots,
        "params/angle": out.angle,
        "params/move": out.move,
        "params/background": out.background,
        "params/map_noise": out.map_noise,
        "params/symmetry": out.symmetry,
        "params/tip_height": out.tip_height,
        "params/tip_width": out.tip_width,
        "params/apex": out.apex,
        "params/map_scale": out.map_scale,
        "params/cube_scale": out.cube_scale,
        "params/instrument": out.instrument,
        "params/scan": out.scan,
        "structure/masks": out.half_masks.view(np.float16),
        "structure/bonds": out.half_bonds.view(np.float16),
        "structure/positions": out.atom_position,
        "structure/elements": out.atom_number,
        "structure/count": out.n_atoms,
    }
    arrays = {**signals, **others}
    # of a sample of one species, without the dimension of its species
    return {spec.name: arrays[spec.name].reshape(len(out.label), *spec.shape) for spec in table}


class Buffer:
    """Arrays of a fixed number of rows that blocks are generated into, again and again."""

    def __init__(self, recipe: Recipe, n_rows: int) -> None:
        self.n_rows = n_rows
        self.table = field_table(recipe)
        self.outputs = _allocate(recipe, self.table, n_rows)
        self.clean: Outputs | None = None
        """Where maps and cubes go before they are scanned, in float32."""
        if recipe.instrument is not None and recipe.has_image:
            out = self.outputs
            maps, cube = max(out.half_maps.shape, out.maps.shape), out.half_cube.shape
            self.clean = out._replace(
                half_maps=out.half_maps[:0],
                maps=np.empty(maps, np.float32),
                half_cube=out.half_cube[:0],
                cube=np.empty(max(cube, out.cube.shape), np.float32),
            )
        self.arrays: Mapping[str, NDArray[np.generic]] = _named(
            self.outputs, self.table, recipe.fields.precision == "float16"
        )


class Generator:
    """A resolved recipe, ready to make any of its rows.

    Parameters
    ----------
    recipe
        A resolved recipe: its library is written out and ``fields.n_modes`` is set.

    Raises
    ------
    ValueError
        If the recipe is not resolved.
    ConfigError
        If its rows are those of another version of the generator.
    LibraryError
        If near-field maps are asked for and a species has no geometry.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.generator not in GENERATORS:
            known = ", ".join(map(str, GENERATORS))
            raise ConfigError(
                f"generator: expected {known}, which this version of tersgen has, got "
                f"{recipe.generator}; make the rows with the version that the recipe is for"
            )
        library = recipe.held_library
        self.recipe = recipe
        self.table = field_table(recipe)
        self._modes = mode_table(recipe, library)
        self._hotspots = hotspot_table(recipe, library)
        self._settings = settings(recipe)
        self._near = None
        if recipe.nearfield is not None and (recipe.fields.maps or recipe.fields.cube):
            self._near = near_table(recipe, library), near_settings(recipe)
        self._recorder = Recorder.of(recipe, self._settings)
        self._structure = None
        if recipe.structure is not None and recipe.fields.structure:
            self._structure = structure_table(recipe, library)
        row_bytes = sum(spec.row_bytes for spec in self.table)
        self._tile = max(1, min(_TILE, _TILE_BYTES // row_bytes))
        self._thresholds = class_thresholds(recipe, library)
        self._n_classes = len(recipe.class_names)
        self._members = class_members(library)
        self._mixture = None
        if recipe.mixture is not None:
            self._mixture = MixtureSettings.of(recipe.mixture, self._thresholds, self._n_classes)
        self._n_max = int(np.diff(self._modes.first).max()) * recipe.n_components

    def labels(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return the classes of rows ``start`` to ``stop``, int32, shape (stop - start,)."""
        labels = np.empty(stop - start, np.int32)
        self._fill_labels(start, labels)
        return labels

    def _fill_labels(self, start: int, labels: NDArray[np.int32]) -> None:
        if self._thresholds is None:
            fill_balanced(labels, start, self._n_classes, self.recipe.seed)
        else:
            fill_weighted(labels, start, self._thresholds, self.recipe.seed)

    def _fill_species(self, start: int, n_rows: int, out: Outputs) -> None:
        """Fill the species of rows, by which kernels go; classes take their place at the end."""
        labels = out.label[:n_rows]
        self._fill_labels(start, labels)
        if self._mixture is not None:
            out.component[:n_rows, 0] = labels
            fill_components(
                out.component[:n_rows], out.fraction[:n_rows], out.n_components[:n_rows], start,
                self._mixture, self._members, self.recipe.seed,
            )  # fmt: skip
            labels[:] = out.component[:n_rows, 0]
        elif self._has_unknown:
            pick_species(labels, start, self._members, self.recipe.seed)

    @property
    def _has_unknown(self) -> bool:
        return len(self._members.label) > self._n_classes

    def fill(self, start: int, buffer: Buffer, n_rows: int | None = None) -> None:
        """Generate rows ``start``, ``start + 1``, ... into the first rows of ``buffer``, or all.

        Runs in the calling thread without the GIL; call it from several threads, each with a
        buffer of its own.
        """
        n_rows = buffer.n_rows if n_rows is None else n_rows
        self._fill_species(start, n_rows, buffer.outputs)
        self._fill_rows(0, n_rows, start, buffer)

    def _fill_rows(self, first: int, last: int, start: int, buffer: Buffer) -> None:
        recorder = self._recorder
        settings = self._settings if recorder is None else recorder.before
        out = buffer.clean or buffer.outputs
        if recorder is None or not recorder.fill_spectra(
            first, last, start, self._n_max, self._modes, buffer.outputs
        ):
            _fill_rows(first, last, start, self._n_max, self._modes, self._hotspots, settings, out)
        elif settings.maps:
            fill_maps(first, last, start, self._hotspots, settings, out)
        if self._near is not None:
            modes, near = self._near
            fill_near_rows(first, last, start, self._modes, modes, settings, near, out)
        if recorder is not None:
            recorder.fill_images(first, last, start, out, buffer.outputs)
        if self._structure is not None:
            fill_structure_rows(
                first, last, start, self._modes, self._structure, self._settings, out
            )
        if self._has_unknown:
            self._name_classes(first, last, buffer.outputs)

    def _name_classes(self, first: int, last: int, out: Outputs) -> None:
        """Put classes where species stand."""
        labels, components = out.label[first:last], out.component[first:last]
        labels[:] = self._members.label[labels]
        if components.shape[1] == 1:
            return  # the same memory
        used = np.arange(components.shape[1]) < out.n_components[first:last, None]
        components[:] = np.where(used, self._members.label[components], 0)

    def block(self, start: int, stop: int, threads: int | None = None) -> Arrays:
        """Return rows ``start`` to ``stop`` as new arrays, by field name.

        ``threads`` share the rows; by default one for each processor this process may use.
        """
        n_rows = stop - start
        buffer = Buffer(self.recipe, n_rows)
        threads = threads or available_cpus()
        if threads == 1 or n_rows <= self._tile:
            self.fill(start, buffer)
            return dict(buffer.arrays)
        self._fill_species(start, n_rows, buffer.outputs)

        def fill_tile(first: int) -> None:
            self._fill_rows(first, min(n_rows, first + self._tile), start, buffer)

        with ThreadPoolExecutor(threads, "tersgen-generate") as pool:
            for _ in pool.map(fill_tile, range(0, n_rows, self._tile)):
                pass
        return dict(buffer.arrays)
