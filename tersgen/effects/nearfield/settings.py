"""Near-field maps: a molecule, flat or tilted, under a scanning tip."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from ...schema.base import field
from ...schema.intervals import LARGEST, Interval, NonNegativeInterval
from ...schema.species import Vector3
from ..settings import EffectSettings

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


class NearField(EffectSettings):
    """Maps of the coherent sum over a molecule's atoms, Eq. (2.6), integrated over bands.

    A map has one channel per band. Of the section ``map``, only ``height``, ``width``,
    ``amplitude`` and ``background`` are used; the other settings are those of hotspots.
    """

    tip_field: Literal["plane", "gaussian_z", "radial"] = field(
        "field of the tip: plane, along z everywhere; gaussian_z, along z with a Gaussian lateral "
        "profile; radial, away from the tip with a Gaussian profile in all directions",
        "1",
        "radial",
    )
    width_angstrom: NonNegativeInterval = field(
        "full width at half maximum of the field, drawn for each sample", "Angstrom", (5.0, 5.0)
    )
    aspect: Aspect = field(
        "factors on the width along x (rows), y (columns) and z", "1", (1.0, 1.0, 1.0)
    )
    height_angstrom: Interval = field(
        "height of the tip above the highest atom, drawn for each sample", "Angstrom", (3.0, 3.0)
    )
    apex_angstrom: float = field(
        "standard deviation of the frame's centre from the centroid of the atoms along each axis",
        "Angstrom",
        0.0,
        ge=0,
        le=100,
    )
    orientation: Literal["flat", "tilted", "random"] = field(
        "flat: the longer principal axes along the surface, either face up, rotated at random in "
        "the plane; tilted: flat, then tilted by up to max_tilt_deg; random: any orientation. Not "
        "used if geometry.orientation is fixed",
        "1",
        "flat",
    )
    max_tilt_deg: float = field(
        "largest tilt angle of a tilted molecule, drawn uniformly", "degree", 30.0, ge=0, le=180
    )
    frame_angstrom: tuple[float, float] = field(
        "extent of the map along rows and columns; pixels are sampled at their centres",
        "Angstrom",
        (18.0, 18.0),
    )
    bands: tuple[Band, ...] = field(
        "intervals of Raman shift over which the channels of the map integrate",
        "cm^-1",
        ((0.0, 4000.0),),
        min_length=1,
        max_length=LARGEST_CHANNELS,
    )
    channel_cm1: float = field(
        "width of the channels of a cube; the first starts at grid.start_cm1", "cm^-1", 20.0, gt=0
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

    def check_recipe(self, recipe: Any) -> None:
        """Refuse settings that contradict near-field maps, or have no effect on them."""
        if recipe.geometry.orientation == "averaged":
            raise ValueError(
                'geometry.orientation: expected "random" or "fixed" with nearfield, got '
                '"averaged": a map shows one molecule'
            )
        if recipe.perturbations.symmetry:
            raise ValueError(
                "perturbations.symmetry: expected false with nearfield, got true; "
                "nearfield.orientation rotates the molecule"
            )
        if recipe.map.blur_px > 0:
            raise ValueError(
                f"map.blur_px: expected 0 with nearfield, got {recipe.map.blur_px:g}; "
                "nearfield.width_angstrom is the width of the field"
            )
        if recipe.map.channels not in (1, len(self.bands)):
            raise ValueError(
                f"map.channels: expected one for each of the {len(self.bands)} nearfield.bands, "
                f"got {recipe.map.channels}; leave it out"
            )
        if recipe.fields.cube and not 1 <= recipe.n_channels <= LARGEST_CHANNELS:
            width = recipe.grid.stop_cm1 - recipe.grid.start_cm1
            raise ValueError(
                f"nearfield.channel_cm1: expected 1 to {LARGEST_CHANNELS} channels on the grid of "
                f"{width:g} cm^-1, got a width of {self.channel_cm1:g} cm^-1"
            )
