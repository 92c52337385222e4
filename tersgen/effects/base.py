"""The interface of effects: settings, kernel and recorded arrays of one piece of physics.

The effects of a recipe act in turn on tiles: a few rows whose arrays stay in the cache. An effect
reads arrays of the tile by name, and changes them or fills others. Its random numbers come from
streams of its own, keyed by seed, stream and sample index, so adding an effect changes no other.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..schema.fields import Axis, Coordinate, FieldSpec
from ..schema.fields import spec as spec
from ..schema.library import Library
from .sections import Sections
from .settings import EffectSettings

if TYPE_CHECKING:
    from .on_torch import TorchTile

Array = NDArray[Any]
S = TypeVar("S", bound=EffectSettings)

Stage = Literal["rows", "modes", "profile", "optics", "signal", "image", "record"]
"""When an effect acts.

``rows``
    Draws the composition of each sample; acts on a whole block.
``modes``
    After positions (cm^-1), intensities and widths of the modes are drawn.
``profile``
    From modes to ``line``, shape (n, L), its highest point 1. A recipe has one.
``optics``
    On ``line`` before detection.
``signal``
    On ``line`` after detection: noise, counts.
``image``
    On clean maps, ``image`` of shape (n, C, H, W), before they are scanned.
``record``
    From these arrays to the stored ones.
"""


class ArraySpec(NamedTuple):
    """An array of a tile that is not stored; ``shape`` is that of a row."""

    shape: tuple[int, ...]
    dtype: type[np.generic]


class Parameter(NamedTuple):
    """A number drawn for each sample and recorded."""

    name: str
    unit: str
    description: str


def columns(parameters: tuple[Parameter, ...]) -> dict[str, int]:
    """Return the column of each parameter in an array of all."""
    return {one.name: k for k, one in enumerate(parameters)}


class Tile:
    """Consecutive rows while effects act on them.

    Parameters
    ----------
    arrays
        Arrays by name, shape (n, ...); float16 fields as their bits, uint16, and fixed-point ones
        as float32, before they are rounded.
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
            If there is none at this stage; the message lists those there are.
        """
        found = self.arrays.get(name)
        if found is None:
            raise KeyError(f"no {name} at this stage; there are {', '.join(sorted(self.arrays))}")
        return found

    def get(self, name: str) -> Array | None:
        """Return the array of a name; None if the recipe has none."""
        return self.arrays.get(name)


class Effect(ABC, Generic[S]):
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
    section
        Name of its section in a recipe.
    settings
        That section.
    """

    stage: ClassVar[Stage]
    section: ClassVar[str] = "fields"

    @classmethod
    def label(cls) -> str:
        """Return its name in messages."""
        return cls.__name__.lower()

    def __init__(self, recipe: Sections, library: Library) -> None:
        self.recipe = recipe
        self.library = library
        self.settings = self.settings_of(recipe)

    @classmethod
    def settings_of(cls, recipe: Sections) -> S:
        """Return its section of a recipe.

        Raises
        ------
        ValueError
            If the recipe has no such section.
        """
        section: S | None = getattr(recipe, cls.section)
        if section is None:
            raise ValueError(f"expected a recipe with a section {cls.section}, got none")
        return section

    @classmethod
    def is_part_of(cls, recipe: Sections) -> bool:
        """Return whether a recipe has this effect: if it has its section."""
        return getattr(recipe, cls.section) is not None

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - most record nothing
        """Return the arrays that it fills and that can be stored."""
        return []

    @classmethod
    def axes(cls, recipe: Sections) -> list[Axis]:  # noqa: ARG003 - most have no dimension
        """Return the positions along dimensions of its fields, where these have any."""
        return []

    @classmethod
    def coordinates(cls, recipe: Sections) -> list[Coordinate]:  # noqa: ARG003 - as above
        """Return values along dimensions of its fields that are not evenly spaced."""
        return []

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the arrays that it fills for effects after it."""
        return {}

    @abstractmethod
    def apply(self, tile: Tile) -> None:
        """Act on the rows of a tile."""

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Act on rows that are torch tensors, with the same results to the bit.

        An effect that does not override it can only act on a processor. It uses what
        ``numeric.on_torch`` says is rounded alike on all devices, and nothing else.
        """
        raise NotImplementedError(f"{self.label()}: made on a processor only")
