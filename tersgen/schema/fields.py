"""The one table of arrays, and their axes: it drives generation, creation and documentation.

Datasets are read by the table in their manifest, whatever this version of tersgen would make.
"""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .base import Document, field
from .basis import Basis
from .measured import Measured
from .recipe import Recipe

Dtype = Literal["float16", "float32", "int32"]

INSTRUMENT_PARAMETERS = (
    "resolution (FWHM, cm^-1)",
    "axis shift (cm^-1)",
    "axis stretch (1)",
    "fluorescence over the strongest band (1)",
    "deviation of the response (1)",
    "electrons at the highest point",
    "dark electrons",
    "gain (counts per electron)",
    "bias (counts)",
    "read noise (electrons)",
    "cosmic rays",
    "saturated points",
    "points not measured at the low end",
    "points not measured at the high end",
    "counts at 0",
    "counts from 0 to 1",
)
"""What ``params/instrument`` holds of each row, in order."""
SCAN_PARAMETERS = (
    "drift of the last line along rows (pixel)",
    "drift of the last line along columns (pixel)",
    "sigma of the blur (pixel)",
    "blinks",
    "dead pixels",
    "electrons at the value 1",
)
"""What ``params/scan`` holds of each row, in order."""

ARRAY_NAME = r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$"

SAMPLE = "sample"
"""Name of the first dimension of every array."""


_DIMENSIONS = {
    **{"label": (0, 0), "spectra": (1, 1), "maps": (3, 3), "cube": (3, 3)},
    **{"sticks/position": (1, 2), "sticks/intensity": (1, 2), "sticks/count": (0, 1)},
    **{"tensors": (3, 4), "mixture/label": (1, 1), "mixture/fraction": (1, 1)},
    **{"mixture/count": (0, 0), "structure/masks": (3, 3), "structure/bonds": (2, 2)},
    **{"structure/positions": (2, 2), "structure/elements": (1, 1), "structure/count": (0, 0)},
    **{"source/file": (0, 0), "source/row": (0, 0), "source/part": (0, 0), "source/group": (0, 0)},
}
"""Fewest and most dimensions of a row of each array that this version of tersgen knows."""


class Axis(Document):
    """Evenly spaced positions along a dimension."""

    name: str = field("the dimension", "1", pattern=r"^[a-z_]+$")
    unit: str = field("unit of the positions", "1")
    description: str = field("what the positions are", "1")
    start: float = field("first position", "as unit says")
    stop: float = field("last position", "as unit says")
    n: int = field("number of positions", "1", gt=0, le=2**20)

    def points(self) -> NDArray[np.float64]:
        """Return the positions, Eq. (1.1), shape (n,)."""
        step = (self.stop - self.start) / (self.n - 1) if self.n > 1 else 0.0
        return self.start + np.arange(self.n, dtype=np.float64) * step


class FieldSpec(Document):
    """One array of a dataset; its first dimension, ``sample``, is left out of dims and shape."""

    name: str = field("path of the array in the dataset", "1", max_length=100, pattern=ARRAY_NAME)
    dims: tuple[str, ...] = field("names of the dimensions after the first", "1")
    shape: tuple[Annotated[int, Field(gt=0, le=2**31)], ...] = field(
        "sizes of those dimensions", "1"
    )
    dtype: Dtype = field("type of the values", "1")
    unit: str = field("unit of the values", "1")
    description: str = field("what the values are", "1")
    span: tuple[float, float] | None = field("what values are scaled or clipped to", "1", None)

    @model_validator(mode="after")
    def _one_size_for_each_dimension(self) -> Self:
        n_dims, least = len(self.shape), _DIMENSIONS.get(self.name, (0, len(self.shape)))
        if len(self.dims) != n_dims or not least[0] <= n_dims <= least[1]:
            raise ValueError(
                f"{self.name}: expected sizes of {least[0]} to {least[1]} dimensions with names, "
                f"got {list(self.shape)} and {', '.join(self.dims) or 'no names'}"
            )
        return self

    @property
    def form(self) -> tuple[str, tuple[str, ...], tuple[int, ...], str]:
        """What decides the bytes of a row: name, dimensions, shape and type."""
        return self.name, self.dims, self.shape, self.dtype

    @property
    def fill_value(self) -> float | int:
        """What a hole would read as: NaN or -1, so that it cannot pass for data."""
        return -1 if self.dtype == "int32" else float("nan")

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        size = {"float16": 2, "float32": 4, "int32": 4}[self.dtype]
        for length in self.shape:
            size *= length
        return size

    @property
    def is_dense(self) -> bool:
        """Whether rows are long measured-like signals rather than targets or parameters."""
        return self.name in ("spectra", "maps", "cube")

    @property
    def is_label(self) -> bool:
        """Whether the values are numbers of classes."""
        return self.name in ("label", "mixture/label")


def _spec(name: str, dtype: Dtype, unit: str, text: str, **sizes: int) -> FieldSpec:
    """Return the description of an array from its dimensions by name."""
    return FieldSpec(
        name=name,
        dims=tuple(sizes),
        shape=tuple(sizes.values()),
        dtype=dtype,
        unit=unit,
        description=text,
    )


def _signal(
    name: str, basis: Basis, precision: Dtype, text: str, sizes: dict[str, int]
) -> FieldSpec:
    """Return the description of spectra, maps or a cube."""
    span = (-1.0, 1.0) if basis.scale == "symmetric" else (0.0, 1.0)
    text = f"{text} to [{span[0]:g}, {span[1]:g}]"
    return _spec(name, precision, "1", text, **sizes).model_copy(update={"span": span})


def _signals(recipe: Recipe) -> list[FieldSpec]:
    fields, image, near = recipe.fields, recipe.map, recipe.nearfield
    table = []
    if fields.spectra:
        text = "Raman spectra with noise, min-max scaled"
        sizes = {"raman_shift": recipe.grid.n_points}
        table.append(_signal("spectra", recipe, fields.precision, text, sizes))
    if fields.maps:
        text = "intensity maps with noise, clipped"
        channels = image.channels if near is None else len(near.bands)
        sizes = {"channel": channels, "row": image.height, "column": image.width}
        table.append(_signal("maps", recipe, fields.precision, text, sizes))
    if fields.cube and near is not None:
        width = f"{near.channel_cm1:g} cm^-1"
        text = f"spectrum at each pixel with noise, in channels {width} wide, clipped"
        sizes = {"row": image.height, "column": image.width, "shift_channel": recipe.n_channels}
        table.append(_signal("cube", recipe, fields.precision, text, sizes))
    return table


def _targets(recipe: Recipe, n_modes: int) -> list[FieldSpec]:
    table = []
    each = _components(recipe)
    mixture = recipe.mixture
    if recipe.fields.sticks:
        text = "Raman shift of each mode, shifted as drawn; 0 beyond count"
        table.append(_spec("sticks/position", "float32", "cm^-1", text, **each, mode=n_modes))
        text = "intensity of each mode, Stokes factor over that at 1000 cm^-1; 0 beyond count"
        unit = "Angstrom^4 amu^-1"
        if mixture is not None:
            share = "signal" if mixture.of == "signal" else "molecules"
            unit = "1" if mixture.of == "signal" else unit
            text = text.replace(";", f", times the fraction of the {share};")
        table.append(_spec("sticks/intensity", "float32", unit, text, **each, mode=n_modes))
        table.append(_spec("sticks/count", "int32", "1", "number of modes", **each))
    if recipe.fields.tensors:
        frame = "molecular" if recipe.geometry.orientation == "averaged" else "laboratory"
        text = f"Raman tensor of each mode in the {frame} frame; 0 beyond count"
        sizes = {**each, "mode": n_modes, "cartesian_1": 3, "cartesian_2": 3}
        table.append(_spec("tensors", "float32", "Angstrom^2 amu^-1/2", text, **sizes))
    text = "class: position of the species in the library"
    if mixture is None:
        return [*table, _spec("label", "int32", "1", text)]
    text += ", of that with the largest fraction"
    table.append(_spec("label", "int32", "1", text))
    text = "class of each species, by falling fraction; 0 beyond count"
    table.append(_spec("mixture/label", "int32", "1", text, **each))
    text = f"its fraction of the {mixture.of}; 0 beyond count"
    table.append(_spec("mixture/fraction", "float32", "1", text, **each))
    table.append(_spec("mixture/count", "int32", "1", "number of species"))
    return table


def _components(recipe: Recipe) -> dict[str, int]:
    """Return the dimension of a sample's species, if it has several."""
    return {} if recipe.mixture is None else {"component": recipe.n_components}


def _structure(recipe: Recipe) -> list[FieldSpec]:
    """Return the arrays of structure targets; those of a recipe without any, none."""
    structure, image = recipe.structure, recipe.map
    if structure is None or not recipe.fields.structure:
        return []
    if structure.elements is None or structure.n_atoms is None:
        raise ValueError("expected a resolved recipe with structure.elements set, got None")
    size = {"row": image.height, "column": image.width}
    n_atoms, elements = structure.n_atoms, structure.elements
    text = f"{structure.shape}s at the atoms that count, by element: {', '.join(elements)}"
    table = [_spec("structure/masks", "float16", "1", text, element=len(elements), **size)]
    if structure.bonds:
        text = "lines between bonded atoms that count"
        table.append(_spec("structure/bonds", "float16", "1", text, **size))
    text = (
        "atoms that count: x (rows) and y (columns) from the frame's centre, z from the highest "
        "atom; 0 beyond count"
    )
    table.append(
        _spec("structure/positions", "float32", "Angstrom", text, atom=n_atoms, cartesian=3)
    )
    text = "atomic number of each of these atoms; 0 beyond count"
    table.append(_spec("structure/elements", "int32", "1", text, atom=n_atoms))
    table.append(_spec("structure/count", "int32", "1", "number of atoms that count"))
    return table


def _params(recipe: Recipe) -> list[FieldSpec]:
    table = [
        _spec("params/shift", "float32", "cm^-1", "shift of the whole spectrum"),
        _spec("params/width", "float32", "1", "factor on all widths"),
    ]
    if recipe.geometry.orientation == "random":
        text = "rotation (w, x, y, z), molecule to laboratory"
        sizes = {**_components(recipe), "quaternion": 4}
        table.append(_spec("params/orientation", "float32", "1", text, **sizes))
    if recipe.fields.spectra and recipe.instrument is not None:
        text = "what the instrument did; " + ", ".join(INSTRUMENT_PARAMETERS)
        sizes = {"instrument_parameter": len(INSTRUMENT_PARAMETERS)}
        table.append(_spec("params/instrument", "float32", "1", text, **sizes))
    if recipe.fields.spectra and not recipe.counts_electrons:
        text = "standard deviation of the noise over the height of the strongest band"
        table.append(_spec("params/spectrum_noise", "float32", "1", text))
        if recipe.perturbations.roll_bins:
            table.append(_spec("params/roll", "int32", "point", "circular roll"))
    if recipe.has_image and recipe.instrument is not None:
        text = "what happened in the scan; " + ", ".join(SCAN_PARAMETERS)
        sizes = {"scan_parameter": len(SCAN_PARAMETERS)}
        table.append(_spec("params/scan", "float32", "1", text, **sizes))
    if recipe.nearfield is not None:
        return table + _near_params(recipe)
    return table + (_map_params(recipe) if recipe.fields.maps else [])


def _near_params(recipe: Recipe) -> list[FieldSpec]:
    if not recipe.fields.maps and not recipe.fields.cube:
        return []
    table = [
        _spec("params/tip_height", "float32", "Angstrom", "tip above the highest atom"),
        _spec("params/tip_width", "float32", "Angstrom", "FWHM of the field; aspect comes on top"),
        _spec("params/apex", "float32", "Angstrom", "frame's centre from the atoms' mean", axis=2),
        _spec("params/background", "float32", "1", "offset b"),
        _spec("params/map_noise", "float32", "1", "standard deviation of the noise of a pixel"),
    ]
    for name, wanted in (("map", recipe.fields.maps), ("cube", recipe.fields.cube)):
        if wanted:
            text = f"value of the {name} per intensity, noise and offset apart; Eq. (2.7)"
            table.append(_spec(f"params/{name}_scale", "float32", "amu Angstrom^-4", text))
    return table


def _map_params(recipe: Recipe) -> list[FieldSpec]:
    text = "row, column and sigma (pixel) and amplitude factor (1) of each hotspot"
    sizes = {"hotspot": recipe.map.n_hotspots, "hotspot_parameter": 4}
    table = [
        _spec("params/hotspots", "float32", "pixel", text, **sizes),
        _spec("params/move", "float32", "pixel", "move of the hotspots: rows, columns", axis=2),
        _spec("params/background", "float32", "1", "offset b"),
        _spec("params/map_noise", "float32", "1", "standard deviation of the noise of a pixel"),
    ]
    if recipe.map.turn:
        table.append(_spec("params/angle", "float32", "rad", "turn of the hotspots"))
    if recipe.perturbations.symmetry:
        text = "quarter turns (symmetry mod 4), then flipped columns (symmetry >= 4)"
        table.append(_spec("params/symmetry", "int32", "1", text))
    return table


def _measured(measured: Measured) -> tuple[FieldSpec, ...]:
    table = []
    if measured.n_raw:
        text = "measured spectra on the grid, min-max scaled"
        sizes = {"raman_shift": measured.grid.n_points}
        table.append(_signal("spectra", measured, measured.precision, text, sizes))
    if measured.map is not None:
        text = "measured maps, min-max scaled over all channels"
        sizes = dict(zip(("channel", "row", "column"), measured.map, strict=True))
        table.append(_signal("maps", measured, measured.precision, text, sizes))
    table.append(_spec("label", "int32", "1", "class: position of its name in the list"))
    if measured.n_raw:
        if measured.raw_axis:
            text = "Raman shifts as measured, rising; 0 beyond count"
            table.append(_spec("raw/shift", "float32", "cm^-1", text, raw_point=measured.n_raw))
        text = "intensities as measured; 0 beyond count"
        table.append(_spec("raw/intensity", "float32", "1", text, raw_point=measured.n_raw))
        table.append(_spec("raw/count", "int32", "1", "points as measured"))
        text = "share of the grid that was not measured: there the edges are repeated"
        table.append(_spec("source/extrapolated", "float32", "1", text))
    table.append(_spec("source/file", "int32", "1", "position of its file in the list of files"))
    table.append(_spec("source/row", "int32", "1", "which spectrum of that file it is"))
    for name, text in (("part", "part it was given to"), ("group", "group it was given to")):
        if measured.parts if name == "part" else measured.groups:
            table.append(_spec(f"source/{name}", "int32", "1", f"{text}, a position in the list"))
    return tuple(table)


def field_table(recipe: Basis) -> tuple[FieldSpec, ...]:
    """Return the arrays that a resolved recipe makes, or that were measured.

    Raises
    ------
    ValueError
        If ``recipe.fields.n_modes``, or ``elements`` and ``n_atoms`` of a section structure, are
        not set, so the recipe is not resolved.
    """
    if isinstance(recipe, Measured):
        return _measured(recipe)
    n_modes = recipe.fields.n_modes
    if n_modes is None:
        raise ValueError("expected a resolved recipe with fields.n_modes set, got None")
    table = _signals(recipe) + _targets(recipe, n_modes) + _structure(recipe)
    return tuple(table + (_params(recipe) if recipe.fields.params else []))


def _pixels(name: str, extent: float, n: int) -> Axis:
    """Return the axis of pixels along one side of a frame."""
    edge = 0.5 * extent * (1.0 - 1.0 / n)
    text = f"centre of each {name} from the frame's centre"
    return Axis(name=name, unit="Angstrom", description=text, start=-edge, stop=edge, n=n)


def axis_table(basis: Basis, table: tuple[FieldSpec, ...]) -> tuple[Axis, ...]:
    """Return the axes of the dimensions of a table of arrays, for those that have positions."""
    grid = basis.grid
    axes = [
        Axis(
            name="raman_shift",
            unit="cm^-1",
            description="Raman shift",
            start=grid.start_cm1,
            stop=grid.stop_cm1,
            n=grid.n_points,
        )
    ]
    if isinstance(basis, Recipe) and basis.nearfield is not None:
        near, image = basis.nearfield, basis.map
        rows, columns = near.frame_angstrom
        axes += [_pixels("row", rows, image.height), _pixels("column", columns, image.width)]
        if basis.n_channels:
            first = grid.start_cm1 + 0.5 * near.channel_cm1
            axes.append(
                Axis(
                    name="shift_channel",
                    unit="cm^-1",
                    description="Raman shift at the centre of each channel",
                    start=first,
                    stop=first + (basis.n_channels - 1) * near.channel_cm1,
                    n=basis.n_channels,
                )
            )
    used = {name for spec in table for name in spec.dims}
    return tuple(axis for axis in axes if axis.name in used)
