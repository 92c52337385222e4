"""What an effect is: the numbers, the kernel and the records of one piece of physics.

A recipe's effects act one after the other on tiles: a few rows whose arrays stay in the cache. An
effect reads arrays of the tile by name, changes them or fills others, and knows no file. Its random
numbers come from streams of its own, keyed by seed, stream and the sample's index, so that adding
an effect changes no other.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..schema.base import Frozen
from ..schema.fields import Axis, FieldSpec
from ..schema.fields import spec as spec

if TYPE_CHECKING:
    from ..schema.library import Library
    from ..schema.recipe import Recipe

Array = NDArray[Any]

Stage = Literal["rows", "modes", "profile", "optics", "signal", "image", "record"]
"""When an effect acts.

``rows``
    What each sample is made of; acts on a whole block.
``modes``
    After positions (cm^-1), intensities and widths of the modes are drawn.
``profile``
    From modes to ``line``, shape (n, L), its highest point 1. A recipe has one.
``optics``
    On ``line`` before it is detected.
``signal``
    On ``line`` once it was detected: noise, counts.
``image``
    On clean maps, ``image`` of shape (n, C, H, W), before they are scanned.
``record``
    From what is there to the arrays that are stored.
"""


class ArraySpec(NamedTuple):
    """An array of a tile that is not stored; ``shape`` is that of a row."""

    shape: tuple[int, ...]
    dtype: type[np.generic]


class Parameter(NamedTuple):
    """A number that an effect draws for each sample and records."""

    name: str
    unit: str
    description: str


def columns(parameters: tuple[Parameter, ...]) -> dict[str, int]:
    """Return the place of each parameter in an array that holds them all."""
    return {one.name: k for k, one in enumerate(parameters)}


class Tile:
    """Consecutive rows while effects act on them.

    Parameters
    ----------
    arrays
        Arrays by name, shape (n, ...). float16 fields are there as their bits, uint16.
    index
        Sample of the first row.
    seed
        Seed of the recipe.
    """

    __slots__ = ("arrays", "index", "seed")

    def __init__(self, arrays: Mapping[str, Array], index: int, seed: int) -> None:
        self.arrays = arrays
        self.index = index
        self.seed = seed

    def __getitem__(self, name: str) -> Array:
        """Return the array of a name.

        Raises
        ------
        KeyError
            If there is none at this stage; the text names those that are.
        """
        found = self.arrays.get(name)
        if found is None:
            raise KeyError(f"no {name} at this stage; there are {', '.join(sorted(self.arrays))}")
        return found

    def get(self, name: str) -> Array | None:
        """Return the array of a name; None if the recipe has none."""
        return self.arrays.get(name)


class Effect(ABC):
    """One effect of a recipe, ready to act.

    Parameters
    ----------
    recipe
        A resolved recipe.
    library
        Its library.

    Attributes
    ----------
    stage
        When it acts.
    """

    stage: ClassVar[Stage]

    @classmethod
    def label(cls) -> str:
        """Return what it is called in messages."""
        return cls.__name__.lower()

    def __init__(self, recipe: "Recipe", library: "Library") -> None:
        self.recipe = recipe
        self.library = library

    @classmethod
    def is_part_of(cls, recipe: "Recipe") -> bool:  # noqa: ARG003 - most effects always are
        """Return whether a recipe has this effect."""
        return True

    @classmethod
    def fields(cls, recipe: "Recipe") -> list[FieldSpec]:  # noqa: ARG003 - most record nothing
        """Return the arrays that it fills and that can be stored."""
        return []

    @classmethod
    def axes(cls, recipe: "Recipe") -> list[Axis]:  # noqa: ARG003 - most have no dimension
        """Return the positions along dimensions of its fields, where these have any."""
        return []

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the arrays that it fills for effects after it."""
        return {}

    @abstractmethod
    def apply(self, tile: Tile) -> None:
        """Act on the rows of a tile."""


class EffectSettings(Frozen):
    """Base of the settings of an effect that a plug-in adds."""
