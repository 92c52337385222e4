"""How signals are stored, and what rounding them to integers costs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..schema.base import Frozen, field
from ..schema.fields import FieldSpec
from ..schema.fixed_point import BITS, FixedPoint, Precision

if TYPE_CHECKING:
    from .sections import Sections

Span = tuple[float, float]

LEAST_NOISE_STEPS = 1.0
"""Standard deviation of the weakest noise, in steps, from which on uint8 is the default. Rounding
then adds at most 4 % to it, and is independent of the signal (Widrow and Kollar, *Quantization
Noise*, Cambridge University Press 2008, chapter 11)."""


class Rounding(Frozen):
    """The error of a fixed-point array."""

    name: str = field("array", "1")
    step: float = field("distance of neighbouring values", "as the array")
    rms: float = field("root mean square of the error, step / sqrt(12)", "as the array")
    noise: Span | None = field(
        "standard deviation of the noise that the recipe adds, weakest and strongest; none if it "
        "is not known",
        "as the array",
        None,
    )
    shares: Span | None = field(
        "rms over that noise, weakest and strongest noise; none without noise", "1", None
    )

    @property
    def text(self) -> str:
        """The error in words."""
        said = f"rounded to steps of {self.step:.2g}, rms error {self.rms:.2g}"
        if self.shares is None:
            return said
        most, least = self.shares
        return f"{said}, {least:.2g} to {most:.2g} of the noise"


def noise_of(recipe: "Sections", name: str) -> Span | None:
    """Return weakest and strongest noise of ``spectra``, ``maps`` or ``cube``, in their unit.

    None if it is unknown: an instrument records spectra, where fluorescence for example takes most
    of the range, or cubes, where cosmic rays do; a metal emits light; or effects of plug-ins act.
    """
    lit = recipe.plasmon is not None and recipe.plasmon.has_light
    if (
        recipe.effects
        or (lit and name != "maps")
        or (name == "spectra" and recipe.instrument is not None)
    ):
        return None
    if name == "cube" and recipe.counts_cubes:
        return None
    low, high = recipe.noise.spectrum if name == "spectra" else recipe.noise.map
    size = 2.0 if recipe.scale == "symmetric" else 1.0
    return size * low, size * high


def default_precision(recipe: "Sections") -> Precision:
    """Return how signals are stored unless the recipe says it."""
    span = (-1.0, 1.0) if recipe.scale == "symmetric" else (0.0, 1.0)
    least = LEAST_NOISE_STEPS * FixedPoint.of(BITS["uint8"], span).scale
    there = [name for name in ("spectra", "maps", "cube") if getattr(recipe.fields, name)]
    noises = [noise_of(recipe, name) for name in there]
    return "uint8" if all(one is not None and one[0] >= least for one in noises) else "float16"


def roundings(fields: Iterable[FieldSpec], recipe: "Sections | None") -> tuple[Rounding, ...]:
    """Return the error of each fixed-point array.

    ``recipe`` is what they are made from; None if that is not understood.
    """
    found = []
    for spec in fields:
        if spec.fixed_point is not None:
            step = spec.fixed_point.scale
            rms = step / 12**0.5
            noise = noise_of(recipe, spec.name) if recipe is not None else None
            shares = (rms / noise[0], rms / noise[1]) if noise and noise[0] > 0 else None
            found.append(Rounding(name=spec.name, step=step, rms=rms, noise=noise, shares=shares))
    return tuple(found)
