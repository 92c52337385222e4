"""Near-field maps in a recipe: a molecule, flat or tilted, under the tip that scans it."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from .base import Frozen, field
from .intervals import LARGEST, Interval, NonNegativeInterval
from .species import Vector3

LARGEST_CHANNELS = 4096
"""Most bands of a map or channels of a cube."""


def _aspect(factors: Vector3) -> Vector3:
    if not all(0.01 <= factor <= 100 for factor in factors):
        raise ValueError(f"expected factors from 0.01 to 100, got {list(factors)}")
    return factors


def _band(interval: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= interval[0] < interval[1] <= LARGEST:
        raise ValueError(f"expected [low, high] with 0 <= low < high, got {list(interval)}")
    return interval


Aspect = Annotated[Vector3, AfterValidator(_aspect)]
Band = Annotated[tuple[float, float], AfterValidator(_band)]


class NearField(Frozen):
    """Maps of the coherent sum over a molecule's atoms, Eq. (2.6), integrated over bands.

    The number of bands is that of the map's channels. Of the section ``map``, ``height``,
    ``width``, ``amplitude`` and ``background`` count; the rest is of hotspots.
    """

    tip_field: Literal["plane", "gaussian_z", "radial"] = field(
        "field of the tip: along z everywhere, along z and Gaussian sideways, or away from the tip "
        "and Gaussian in all directions",
        "1",
        "radial",
    )
    width_angstrom: NonNegativeInterval = field(
        "full width at half maximum of the field, drawn per sample", "Angstrom", (5.0, 5.0)
    )
    aspect: Aspect = field(
        "factors on the width along x (rows), y (columns), z", "1", (1.0, 1.0, 1.0)
    )
    height_angstrom: Interval = field(
        "tip above the highest atom, drawn per sample", "Angstrom", (3.0, 3.0)
    )
    apex_angstrom: float = field(
        "standard deviation of the frame's centre from the mean of the atoms, each direction",
        "Angstrom",
        0.0,
        ge=0,
        le=100,
    )
    orientation: Literal["flat", "tilted", "random"] = field(
        "flat: principal axes, longest along the surface, either face up, turned at random in the "
        "plane; tilted: then by up to max_tilt_deg; random: any. Not with a fixed orientation",
        "1",
        "flat",
    )
    max_tilt_deg: float = field(
        "largest tilt of a tilted molecule; the angle is uniform", "degree", 30.0, ge=0, le=180
    )
    frame_angstrom: tuple[float, float] = field(
        "extent of the map: rows, columns; pixels are sampled at their centres",
        "Angstrom",
        (18.0, 18.0),
    )
    bands: tuple[Band, ...] = field(
        "intervals of Raman shift that the map's channels integrate",
        "cm^-1",
        ((0.0, 4000.0),),
        min_length=1,
        max_length=LARGEST_CHANNELS,
    )
    channel_cm1: float = field(
        "width of a cube's channels; the first begins at grid.start_cm1", "cm^-1", 20.0, gt=0
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not 0.5 <= self.width_angstrom[0] <= self.width_angstrom[1] <= 1000:
            raise ValueError(
                "width_angstrom: expected widths from 0.5 to 1000 Angstrom, got "
                f"{list(self.width_angstrom)}"
            )
        if not 0.1 <= self.height_angstrom[0] <= self.height_angstrom[1] <= 1000:
            raise ValueError(
                "height_angstrom: expected a tip 0.1 to 1000 Angstrom above the molecule, got "
                f"{list(self.height_angstrom)}"
            )
        if not all(0.1 <= extent <= 1e4 for extent in self.frame_angstrom):
            raise ValueError(
                "frame_angstrom: expected extents from 0.1 to 10000 Angstrom, got "
                f"{list(self.frame_angstrom)}"
            )
        return self
