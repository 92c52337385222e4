"""Near-field maps: a molecule, flat or tilted, under a scanning tip."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, model_validator

from ...errors import ConfigError
from ...schema.base import field
from ...schema.intervals import LARGEST, Interval, NonNegativeInterval
from ...schema.library import Library
from ...schema.species import Vector3
from ...schema.tipfield import TipField, TipFieldReference
from ...tipfield.file import find_tip_field
from ...tipfield.model import Region
from ..settings import EffectSettings

_OF_ORIENTATION = ("orientation", "max_tilt_deg")
_OF_STRUCTURE = (*_OF_ORIENTATION, "apex_angstrom", "frame_angstrom")
LARGEST_CHANNELS = 4096
"""Most bands of a map or channels of a cube."""
_FARTHEST_NORMAL = 6.7
"""No normal deviate of ours is beyond this many standard deviations."""


def _aspect(factors: Vector3) -> Vector3:
    if not all(0.01 <= factor <= 100 for factor in factors):
        raise ValueError(f"expected factors from 0.01 to 100, got {list(factors)}")
    return factors


def _band(interval: tuple[float, float]) -> tuple[float, float]:
    if not -LARGEST <= interval[0] < interval[1] <= LARGEST:
        raise ValueError(f"expected [low, high] with low < high, got {list(interval)}")
    return interval


def _named(value: Any) -> Any:
    if value is None or isinstance(value, str | dict | TipFieldReference | TipField):
        return value
    raise ValueError(f"expected the name of a file, got {value!r:.60}")


Aspect = Annotated[Vector3, AfterValidator(_aspect)]
Band = Annotated[tuple[float, float], AfterValidator(_band)]
GridField = Annotated[str | TipFieldReference | TipField | None, BeforeValidator(_named)]


class NearField(EffectSettings):
    """Maps of the coherent sum over a molecule's atoms, Eq. (2.6), integrated over bands.

    A map has one channel per band. Of the section ``map``, only ``height``, ``width``,
    ``amplitude`` and ``background`` are used; the other settings are those of test patterns.
    """

    tip_field: Literal["plane", "gaussian_z", "radial", "dipole", "grid"] = field(
        "field of the tip: plane, along z everywhere; gaussian_z, along z with a Gaussian lateral "
        "profile; radial, away from the tip with a Gaussian profile in all directions; dipole, "
        "outside a polarized sphere; grid, that of grid_field",
        "1",
        "radial",
    )
    response: Literal["atoms", "sites"] = field(
        "response of the molecule: atoms, sum over atom tensors in the field at each atom, Eq. "
        "(2.6); sites, ab initio, between all pairs of sites, Eq. (2.12), computed by tersgen "
        "library respond",
        "1",
        "atoms",
    )
    width_angstrom: NonNegativeInterval = field(
        "full width at half maximum of a gaussian_z or radial field, drawn for each sample",
        "Angstrom",
        (5.0, 5.0),
    )
    aspect: Aspect = field(
        "factors on the width along x (rows), y (columns) and z", "1", (1.0, 1.0, 1.0)
    )
    height_angstrom: Interval = field(
        "height of the tip above the highest atom, drawn for each sample", "Angstrom", (3.0, 3.0)
    )
    apex_radius_angstrom: NonNegativeInterval = field(
        "radius of the apex, drawn for each sample; the dipole of a dipole field lies this far "
        "above the apex",
        "Angstrom",
        (2.0, 2.0),
    )
    dipole_tilt_deg: NonNegativeInterval = field(
        "angle of the dipole from the surface normal, drawn for each sample: for a tilted tip or "
        "illumination from the side",
        "degree",
        (0.0, 0.0),
    )
    dipole_azimuth_deg: NonNegativeInterval = field(
        "azimuth of the tilt from x (along rows), drawn for each sample", "degree", (0.0, 360.0)
    )
    grid_field: GridField = field(
        "file with the field of a tip on a grid, as tersgen field import writes it, or the field "
        '"model:NAME" of a plug-in, which is sampled; in a stored recipe, its digest',
        "1",
        None,
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
        if self.apex_radius_angstrom[1] > 1000:
            raise ValueError(
                "apex_radius_angstrom: expected radii of at most 1000 Angstrom, got "
                f"{list(self.apex_radius_angstrom)}"
            )
        for name, most in (("dipole_tilt_deg", 90), ("dipole_azimuth_deg", 360)):
            if getattr(self, name)[1] > most:
                raise ValueError(
                    f"{name}: expected angles from 0 to {most} degrees, got "
                    f"{list(getattr(self, name))}"
                )
        if (self.tip_field == "grid") != (self.grid_field is not None):
            raise ValueError(
                'grid_field: expected a file with tip_field = "grid", and none without, got '
                f"{'none' if self.grid_field is None else 'one'} with tip_field = "
                f'"{self.tip_field}"'
            )
        if self.response == "sites" and self.tip_field == "grid":
            raise ValueError(
                'response: expected "atoms" with tip_field = "grid", got "sites"; use '
                'tip_field = "dipole"'
            )
        if not all(0.1 <= extent <= 1e4 for extent in self.frame_angstrom):
            raise ValueError(
                "frame_angstrom: expected extents from 0.1 to 10000 Angstrom, got "
                f"{list(self.frame_angstrom)}"
            )
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return the settings of other fields and orientations, and of maps not made."""
        found = dict[str, str]()
        field_of_tip = f'with tip_field = "{self.tip_field}"'
        if self.tip_field in ("plane", "dipole", "grid"):
            found |= dict.fromkeys(("width_angstrom", "aspect"), field_of_tip)
        if self.tip_field != "dipole":
            names = ("apex_radius_angstrom", "dipole_tilt_deg", "dipole_azimuth_deg")
            found |= dict.fromkeys(names, field_of_tip)
        elif not self.dipole_tilt_deg[1]:
            found["dipole_azimuth_deg"] = "with dipole_tilt_deg = [0, 0]"
        if self.orientation != "tilted":
            found["max_tilt_deg"] = f'with orientation = "{self.orientation}"'
        if recipe.geometry.orientation == "fixed":
            reason = 'with geometry.orientation = "fixed"'
            found |= dict.fromkeys(("orientation", "max_tilt_deg"), reason)
        if not recipe.fields.maps:
            found["bands"] = "without maps"
        if not recipe.fields.cube:
            found["channel_cm1"] = "without a cube"
        if not recipe.has_pixels:
            unused = (name for name in type(self).model_fields if name not in _OF_ORIENTATION)
            found |= dict.fromkeys(unused, "without maps and cubes")
        elif not (recipe.has_image or recipe.has_scene):
            unused = (name for name in type(self).model_fields if name not in _OF_STRUCTURE)
            found |= dict.fromkeys(unused, "without maps and cubes")
        return found

    @property
    def is_resolved(self) -> bool:
        """Whether a field on a grid is held, or there is none."""
        return self.grid_field is None or isinstance(self.grid_field, TipField)

    def resolved(self, library: Library) -> Self:
        """Return the settings with the field on a grid read from its file."""
        if self.grid_field is None:
            return self
        found, region = self.grid_field, self._region(library)
        if not isinstance(found, TipField):
            found = find_tip_field(found, region)
        for name, (low, high), (start, stop) in zip("xyz", region, found.reach, strict=True):
            if start > low + 1e-6 or stop < high - 1e-6:
                raise ConfigError(
                    f"nearfield.grid_field: expected a field from {low:.4g} to {high:.4g} Angstrom "
                    f"along {name} from the apex, as far as frame (or scene.reach_angstrom), "
                    f"height and molecules reach, got {start:.4g} to {stop:.4g}; take a larger "
                    "field or a smaller frame_angstrom"
                )
        return self.model_copy(update={"grid_field": found})

    def resolved_in(self, recipe: Any, library: Library) -> Self:
        """Return the settings with the field on a grid, which in scenes extends to their reach."""
        if self.grid_field is None or recipe.scene is None:
            return self.resolved(library)
        low, high = self.height_angstrom
        lower, higher = recipe.scene.events.height_changes
        x, y = recipe.scene.reach(self)
        near = {"frame_angstrom": (2 * x, 2 * y), "height_angstrom": (low + lower, high + higher)}
        found = self.model_copy(update=near).resolved(library)
        return self.model_copy(update={"grid_field": found.grid_field})

    def _region(self, library: Library) -> Region:
        """Return where atoms may be from the apex, in any orientation and position."""
        positions, first = library.array("position")
        n_atoms = np.diff(first)
        there = n_atoms > 0  # species without atoms are refused when rows are made
        means = np.add.reduceat(positions, first[:-1][there]) / n_atoms[there, None]
        away = positions - np.repeat(means, n_atoms[there], axis=0)
        radius = float(np.linalg.norm(away, axis=1).max(initial=0.0))
        apex = _FARTHEST_NORMAL * self.apex_angstrom
        sides = [0.5 * extent + apex + radius for extent in self.frame_angstrom]
        lowest = -self.height_angstrom[1] - 2 * radius
        return (-sides[0], sides[0]), (-sides[1], sides[1]), (lowest, -self.height_angstrom[0])

    def check_recipe(self, recipe: Any) -> None:
        """Refuse settings that contradict near-field maps, or have no effect on them."""
        low = min(band[0] for band in self.bands)
        if low < 0 <= recipe.grid.start_cm1:
            raise ValueError(
                f"nearfield.bands: expected shifts of at least 0, got {low:g} cm^-1; set "
                "grid.start_cm1 below 0 to include anti-Stokes bands"
            )
        if recipe.geometry.is_averaged:
            raise ValueError(
                'geometry.orientation: expected "random" or "fixed" with nearfield, got '
                f'"{recipe.geometry.orientation}": a map shows one molecule '
                "(--preset realistic --preset nearfield, in this order)"
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
