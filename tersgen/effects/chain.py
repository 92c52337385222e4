"""The effects of a recipe, in their physical order, and the arrays and axes that they make.

Effects are named by module and class, as an installed package names those that it adds, and are
imported when a recipe first needs them: until then neither kernels nor Numba are imported.
"""

from functools import cache
from importlib import import_module
from typing import Any

from ..errors import ConfigError
from ..schema.fields import Axis, Coordinate, FieldSpec, grid_axis
from ..schema.library import Library
from .base import Effect, Stage
from .sections import Sections

EFFECTS = (
    *("classes.effect:Classes", "mixture.effect:Mixture", "bands.orientation:Orientation"),
    *("substrate.effect:Substrate", "bands.effect:Bands", "bands.antistokes:AntiStokes"),
    *("plasmon.effect:Plasmon", "optics.effect:Laser", "bands.effect:Sticks"),
    *("instrument.effect:AxisError", "profile.effect:Profile", "instrument.effect:Spectrometer"),
    *("profile.effect:Peak", "plasmon.effect:MetalLight", "noise.effect:Roll"),
    *("optics.effect:Support", "instrument.background:Background"),
    *("optics.luminescence:LuminescenceBand", "optics.effect:Throughput"),
    *("optics.visibility:Visibility", "noise.effect:Noise"),
    *("instrument.effect:Detector", "instrument.effect:Range", "scaling:Scaling"),
    *("hotspots.effect:Hotspots", "nearfield.effect:NearField", "scene.effect:Scene"),
    *("scan.effect:Scan", "instrument.cube:CubeDetector", "structure.effect:Structure"),
)
"""In physical order."""

_NEXT: dict[Stage, tuple[str, ...]] = {
    "modes": (
        *("Sticks", "AxisError", "Profile", "Spectrometer", "Peak"),
        *("Hotspots", "NearField", "Scene"),
    ),
    "profile": ("Peak",),
    "optics": ("Visibility", "Noise", "Detector"),
    "signal": ("Range", "Scaling"),
    "image": ("Scan",),
}
"""Before which of ours the effects of plug-ins act."""
_REPLACED = ("Profile", "Spectrometer")
"""What the band profile of a plug-in takes the place of."""

_ORDER = (
    *("spectra", "maps", "cube", "sticks", "tensors", "label", "mixture", "structure"),
    *("scene", "params/shift", "params/width", "params/orientation", "params/plasmon"),
    *("params/substrate", "params/optics", "params/luminescence", "params/instrument"),
    *("params/spectrum_noise", "params/roll"),
    *("params/scan", "params/cube_detector", "params/hotspots", "params/move"),
    *("params/tip_height", "params/tip_width", "params/tip_dipole", "params/apex"),
    "params/background",
    *("params/map_noise", "params/map_scale", "params/cube_scale", "params/angle"),
    *("params/symmetry", "params/lattice", "params/events", "params/picocavities"),
)
"""Order of the arrays of a dataset, by name or first part of it; those of plug-ins come last."""


@cache
def _ours() -> tuple[type[Effect[Any]], ...]:
    parts = (name.split(":") for name in EFFECTS)
    return tuple(getattr(import_module(f".{at}", __package__), name) for at, name in parts)


def effect_types(recipe: Sections) -> list[type[Effect[Any]]]:
    """Return the effects of a recipe in physical order; those of plug-ins end their stage."""
    from .plugged import plugged

    there = [effect for effect in _ours() if effect.is_part_of(recipe)]
    added = [effect for effect in plugged(recipe) if effect.is_part_of(recipe)]
    profiles = [effect for effect in added if effect.stage == "profile"]
    if len(profiles) > 1:
        names = " and ".join(f"effects.{effect.name}" for effect in profiles)
        raise ConfigError(f"{names}: expected one band profile at most, got {len(profiles)}")
    if profiles:
        there = [effect for effect in there if effect.__name__ not in _REPLACED]
    for effect in added:
        nexts = [k for k, one in enumerate(there) if one.__name__ in _NEXT[effect.stage]]
        there.insert(nexts[0] if nexts else len(there), effect)
    return there


def make_effects(recipe: Sections, library: Library) -> list[Effect[Any]]:
    """Return the effects of a resolved recipe, ready to act."""
    return [effect(recipe, library) for effect in effect_types(recipe)]


def _rank(spec: FieldSpec) -> int:
    for name in (spec.name, spec.name.partition("/")[0]):
        if name in _ORDER:
            return _ORDER.index(name)
    return len(_ORDER)


def field_table(recipe: Sections) -> tuple[FieldSpec, ...]:
    """Return the arrays that a resolved recipe makes, in their order in a dataset."""
    made, owners = [], dict[str, str]()
    for effect in effect_types(recipe):
        for spec in effect.fields(recipe):
            owner = owners.setdefault(spec.name, effect.label())
            if owner != effect.label():
                raise ConfigError(
                    f"{effect.label()}: expected a name of its own for {spec.name}, which "
                    f"{owner} records too; rename the effect or its parameter"
                )
            made.append(spec)
    if not recipe.fields.params:
        made = [spec for spec in made if not spec.name.startswith("params/")]
    return tuple(sorted(made, key=_rank))


def computed_table(recipe: Sections) -> tuple[FieldSpec, ...]:
    """Return the arrays of a resolved recipe that are not stored, but computed as rows are read."""
    stored = {spec.name for spec in field_table(recipe)}
    return tuple(spec for spec in field_table(recipe.complete) if spec.name not in stored)


def axis_table(recipe: Sections, table: tuple[FieldSpec, ...]) -> tuple[Axis, ...]:
    """Return the axes of the dimensions of a table of arrays, for those that have positions."""
    axes = [grid_axis(recipe.grid)]
    for effect in effect_types(recipe):
        axes += effect.axes(recipe)
    used = {name for spec in table for name in spec.dims}
    return tuple(axis for axis in axes if axis.name in used)


def coordinate_table(recipe: Sections, table: tuple[FieldSpec, ...]) -> tuple[Coordinate, ...]:
    """Return the coordinates of the dimensions of a table of arrays, for those that have any."""
    made = [one for effect in effect_types(recipe) for one in effect.coordinates(recipe)]
    used = {name for spec in table for name in spec.dims}
    return tuple(one for one in made if one.dim in used)
