"""The field of a tip as a function of position, by plug-ins: sampled where a recipe needs it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..plugins import load, named_errors
from ..schema.tipfield import TipField

F64 = NDArray[np.float64]
Region = tuple[tuple[float, float], ...]
"""Lowest and highest position along x, y and z from the tip's apex, Angstrom."""


class TipFieldModel(ABC):
    """The field of a tip; register a subclass in the group ``tersgen.tip_fields``.

    A recipe names it: ``nearfield.grid_field = "model:NAME"``, or ``"model:NAME:ARGUMENT"``. It is
    sampled once, when the recipe is resolved; the dataset keeps the samples, and not the model.

    Parameters
    ----------
    argument
        The text after NAME and its colon, empty without one.

    Attributes
    ----------
    step_angstrom
        Distance of samples, between which the field is interpolated linearly.
    """

    step_angstrom: ClassVar[float] = 0.25

    def __init__(self, argument: str) -> None:
        if argument:
            raise ConfigError(f"expected no argument, got {argument!r:.60}")

    @abstractmethod
    def at_laser(self, points: F64) -> NDArray[Any]:
        """Return the field at the laser's wavelength, real or complex, shape (n, 3), in any unit.

        Parameters
        ----------
        points
            Positions from the tip's apex, shape (n, 3), Angstrom; z points from the surface to the
            tip, so molecules are at negative z.
        """

    def scattered(self, points: F64) -> NDArray[Any] | None:  # noqa: ARG002 - of most, it is one
        """Return that at scattered wavelengths, like ``at_laser``; None if it is the same."""
        return None


def sampled(text: str, region: Region) -> TipField:
    """Return the field of a model, NAME or NAME:ARGUMENT, on a grid that covers a region."""
    name, _, argument = text.partition(":")
    part = load("tersgen.tip_fields", name)
    if not (isinstance(part, type) and issubclass(part, TipFieldModel)):
        raise ConfigError(
            f"tip field {name!r}: expected a class that extends {TipFieldModel.__module__}."
            f"TipFieldModel, got {part!r:.80}"
        )
    axes = [_axis(low, high, part.step_angstrom) for low, high in region]
    shape = tuple(len(axis) for axis in axes)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    with named_errors("tip field", name, part, ConfigError):
        model = part(argument)
        fields = [model.at_laser(points), model.scattered(points)]
        grids = [
            None if one is None else np.moveaxis(np.reshape(one, (*shape, 3)), 3, 0)
            for one in fields
        ]
        return TipField(*axes, *grids)


def _axis(low: float, high: float, step: float) -> F64:
    """Return positions at equal distances that reach both ends, or a little further."""
    n = int(np.ceil((high - low) / step - 1e-9)) + 1
    axis: F64 = low + step * np.arange(max(n, 2), dtype=np.float64)
    return axis
