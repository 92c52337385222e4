"""Effects of plug-ins; their sections of a recipe are ``effects.NAME``.

An effect is a class that declares its stage, the parameters it records and its settings::

    @register("tersgen.effects", "etalon")
    class Etalon(PluginEffect):
        name = "etalon"
        stage = "optics"
        parameters = (Parameter("depth", "1", "depth of the fringes"),)

        class Settings(EffectSettings):
            depth: NonNegativeInterval = field("depth of the fringes, drawn", "1", (0.0, 0.1))

        def act(self, tile):
            modulate(tile["line"], tile.index, tile.seed, self.stream, *self.settings.depth,
                     self.recorded(tile, "depth"))

and ``modulate`` is a kernel over the rows of the tile.
"""

import re
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from .. import plugins
from ..errors import ConfigError, TersError
from ..random.streams import stream_of
from ..schema.base import EFFECT_NAME, IN_WORDS
from ..schema.fields import FieldSpec
from ..schema.library import Library
from ..schema.loading import validate
from .base import Array, Effect, Parameter, Stage, Tile, spec
from .sections import Sections
from .settings import EffectSettings

_STAGES: dict[Stage, tuple[str, ...]] = {
    "modes": ("position", "intensity", "fwhm"),
    "profile": ("line",),
    "optics": ("line",),
    "signal": ("line",),
    "image": ("image", "volume"),
}
"""Stages of plug-in effects, and the arrays that they may change."""
_STAGE_OF: dict[str, Stage] = {
    name: stage for stage, names in reversed(_STAGES.items()) for name in names
}
"""First stage at which an array exists."""
_LATER = ("spectra", "maps", "cube", "sticks", "structure", "scene")
"""Arrays that are filled after all plug-in effects."""


class PluginEffect(Effect[Any]):
    """Base of the effects of plug-ins.

    Attributes
    ----------
    name
        Name of its section in ``effects`` of a recipe: lower-case letters, digits and _.
    parameters
        Numbers drawn for each sample and recorded as ``params/NAME_PARAMETER``, float32.
    settings
        The section of the recipe.
    stream
        Number of its random stream, from its name; ``block`` and ``draw`` separate its draws.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    class Settings(EffectSettings):
        """No settings."""

    @classmethod
    def label(cls) -> str:
        """Return the name of its section."""
        return f"effects.{cls.name}"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        self.stream = stream_of(self.name)

    @classmethod
    def settings_of(cls, recipe: Sections) -> Any:
        """Return its section of a recipe.

        Raises
        ------
        ConfigError
            If the section is not what it expects, or contradicts another.
        """
        settings = validate(cls.Settings, recipe.effects[cls.name], cls.label())
        try:
            settings.check_recipe(recipe)
        except ValueError as error:
            raise ConfigError(f"{cls.label()}: {error}") from None
        return settings

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether the recipe has what it acts on: spectra or maps."""
        if cls.stage == "modes":
            return True
        return recipe.has_image if cls.stage == "image" else recipe.fields.spectra

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return the parameters."""
        return [
            spec(cls._field(one.name), "float32", one.unit, one.description)
            for one in cls.parameters
        ]

    @classmethod
    def _field(cls, parameter: str) -> str:
        return f"params/{cls.name}_{parameter}"

    def recorded(self, tile: Tile, parameter: str) -> Array:
        """Return the array of a recorded parameter, float32, shape (n,)."""
        return tile[self._field(parameter)]

    @abstractmethod
    def act(self, tile: Tile) -> None:
        """Act on the rows of a tile."""

    def apply(self, tile: Tile) -> None:
        """Act, and check the arrays that it changed and recorded.

        Raises
        ------
        ConfigError
            If the plug-in fails, changes an array that it may only read, records nothing, or leaves
            impossible values.
        """
        recorded = [self._field(one.name) for one in self.parameters]
        for name in recorded:
            tile[name][...] = np.nan
        try:
            self.act(self._shown(tile, recorded))
        except TersError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())
            raise ConfigError(
                f"{self.label()}: the plug-in {type(self).__module__} failed: "
                f"{type(error).__name__}: {text[:300]}"
            ) from error
        for name in (*_STAGES[self.stage], *recorded):
            values = tile.get(name)
            if values is not None:
                self._check(name, values, tile)

    def _shown(self, tile: Tile, recorded: list[str]) -> Tile:
        """Return the arrays that it may change, and those so far as read-only ones."""
        later = _after(self.stage)
        shown: dict[str, Array] = {}
        for name, values in tile.arrays.items():
            if name in _STAGES[self.stage] or name in recorded:
                shown[name] = values
            elif name.partition("/")[0] not in _LATER and _STAGE_OF.get(name) not in later:
                shown[name] = values.view()
                shown[name].flags.writeable = False
        return Tile(shown, tile.index, tile.seed)

    def _check(self, name: str, values: Array, tile: Tile) -> None:
        if name in _STAGES["modes"]:
            used = np.arange(values.shape[1]) < tile["count"][:, None]
            values = np.where(used, values, 1.0)
        bad = ~np.isfinite(values)
        wanted = "finite values"
        if name in ("intensity", "fwhm"):
            bad |= values < 0.0 if name == "intensity" else values <= 0.0
            wanted = "values of at least 0" if name == "intensity" else "values above 0"
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            raise ConfigError(
                f"{self.label()}: expected {wanted} of {name}, got "
                f"{values[row][bad[row]].flat[0]} in sample {tile.index + row}"
                + (" (is it recorded?)" if name.startswith("params/") else "")
            )


def _after(stage: Stage) -> list[Stage]:
    stages = list(_STAGES)
    return stages[stages.index(stage) + 1 :]


def plugged(recipe: Sections) -> list[type[PluginEffect]]:
    """Return the effects of plug-ins that a recipe has, by name."""
    found = [_load(name) for name in sorted(recipe.effects)]
    for effect in found:
        effect.settings_of(recipe)
    return found


def _load(name: str) -> type[PluginEffect]:
    found = plugins.load("tersgen.effects", name)
    if not (isinstance(found, type) and issubclass(found, PluginEffect)):
        raise ConfigError(
            f"effects.{name}: expected a class based on tersgen.effects.PluginEffect, got {found!r}"
        )
    if getattr(found, "name", None) != name:
        raise ConfigError(
            f"effects.{name}: expected a class with name = {name!r}, got "
            f"{getattr(found, 'name', None)!r}"
        )
    if getattr(found, "__abstractmethods__", None):
        raise ConfigError(
            f"effects.{name}: expected a class with a method act(self, tile), got none"
        )
    for one in found.parameters:
        if not re.fullmatch(EFFECT_NAME, one.name):
            raise ConfigError(
                f"effects.{name}: expected a parameter named by {IN_WORDS[EFFECT_NAME]}, got "
                f"{one.name!r:.80}"
            )
    if getattr(found, "stage", None) not in _STAGES:
        raise ConfigError(
            f"effects.{name}: expected a stage of {', '.join(_STAGES)}, got "
            f"{getattr(found, 'stage', None)!r}"
        )
    return found
