"""Geometry of the experiment, and differences between samples of one species."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from ...schema.base import field
from ...schema.intervals import LARGEST, NonNegativeInterval
from ...schema.species import Vector3
from ..settings import EffectSettings


def _direction(vector: Vector3) -> Vector3:
    if not 0.99 <= sum(x * x for x in vector) <= 1.01:
        raise ValueError(f"expected a unit vector, got {list(vector)}")
    return vector


UnitVector = Annotated[Vector3, AfterValidator(_direction)]


class Geometry(EffectSettings):
    """Orientation, polarizations, laser and detection, Eq. (3.1)."""

    orientation: Literal["random", "fixed", "averaged", "powder"] = field(
        "molecular orientation: uniformly random for each sample, fixed, averaged over all "
        "orientations, or powder: averaged and without an analyser in front of the detector, "
        "which gives 45 a^2 + 7 gamma^2",
        "1",
        "random",
    )
    quaternion: tuple[float, float, float, float] = field(
        "rotation (w, x, y, z) from the molecular to the laboratory frame, for a fixed orientation",
        "1",
        (1.0, 0.0, 0.0, 0.0),
    )
    incident: UnitVector = field(
        "polarization e_i of the incident light; z is the tip axis", "1", (0.0, 0.0, 1.0)
    )
    scattered: UnitVector = field("polarization e_s of the scattered light", "1", (0.0, 0.0, 1.0))
    laser_nm: float = field("laser wavelength", "nm", 632.8, ge=50, le=LARGEST)
    temperature_k: float = field(
        "temperature of the thermal populations of the modes", "K", 298.15, ge=0, le=LARGEST
    )
    detection: Literal["power", "photons", "activity"] = field(
        "factor from activity to intensity: power (nu0-nu)^4/nu and photons nu0 (nu0-nu)^3/nu, "
        "both with the thermal population; activity 1",
        "1",
        "photons",
    )

    @property
    def is_averaged(self) -> bool:
        """Whether samples show the average over all orientations."""
        return self.orientation in ("averaged", "powder")

    @model_validator(mode="after")
    def _normalisable(self) -> Self:
        norm = sum(x * x for x in self.quaternion)
        if not 0.99 <= norm <= 1.01:
            raise ValueError(f"expected a unit quaternion, got {list(self.quaternion)}")
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return settings of another orientation, and of intensities not stored."""
        names = () if self.orientation == "fixed" else ("quaternion",)
        if self.orientation == "powder":
            names = (*names, "incident", "scattered")
        found = dict.fromkeys(names, f'with orientation = "{self.orientation}"')
        if not (recipe.fields.spectra or recipe.fields.sticks):
            found |= dict.fromkeys(("incident", "scattered"), "without spectra and sticks")
        if not recipe.has_intensities:
            factors = ("laser_nm", "temperature_k", "detection")
            found |= dict.fromkeys(factors, "without spectra, sticks and near-field maps")
        return found

    def check_recipe(self, recipe: Any) -> None:
        """Refuse a grid that extends beyond the energy of the laser, or has unknown intensities."""
        if recipe.grid.start_cm1 < 0 and self.detection == "activity":
            raise ValueError(
                'geometry.detection: expected "power" or "photons" with grid.start_cm1 = '
                f'{recipe.grid.start_cm1:g} below 0, got "activity": the intensity of anti-Stokes '
                "bands depends on temperature and laser"
            )
        laser_cm1, last_cm1 = 1e7 / self.laser_nm, recipe.grid.stop_cm1
        if laser_cm1 <= last_cm1:
            raise ValueError(
                f"geometry.laser_nm: expected a laser above grid.stop_cm1 = {last_cm1:g} cm^-1, "
                f"got {self.laser_nm:g} nm, which is {laser_cm1:.0f} cm^-1"
            )


class Perturbations(EffectSettings):
    """Differences between samples of one species other than orientation and noise."""

    shift_cm1: float = field(
        "standard deviation of the shift of the whole spectrum", "cm^-1", 2.0, ge=0, le=LARGEST
    )
    mode_shift_cm1: float = field(
        "standard deviation of the shift of each mode", "cm^-1", 1.0, ge=0, le=LARGEST
    )
    uncertain_frequencies: bool = field(
        "also shift modes by errors of calculated frequencies, drawn for each sample from the "
        "uncertainty of each species, and partly shared within families of modes",
        "1",
        False,
    )
    width: NonNegativeInterval = field(
        "factor on all widths, drawn for each sample", "1", (0.8, 1.25)
    )
    intensity: float = field(
        "standard deviation of ln(intensity) of each mode", "1", 0.1, ge=0, le=3
    )
    roll_bins: int = field(
        "largest circular roll of a spectrum in either direction, Eq. (10.2)", "point", 0, ge=0
    )
    symmetry: bool = field(
        "flip maps and rotate them by quarter turns at random, Eqs. (2.2) and (2.3)", "1", False
    )

    @model_validator(mode="after")
    def _widths_above_zero(self) -> Self:
        if self.width[0] <= 0:
            raise ValueError(f"width: expected factors above 0, got {list(self.width)}")
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return changes of spectra and maps that are not made."""
        found = {} if recipe.fields.spectra else {"roll_bins": "without spectra"}
        if not recipe.fields.maps:
            found["symmetry"] = "without maps"
        if not recipe.has_intensities:
            names = ("mode_shift_cm1", "uncertain_frequencies", "intensity")
            found |= dict.fromkeys(names, "without spectra, sticks and near-field maps")
        return found

    def check_recipe(self, recipe: Any) -> None:
        """Refuse quarter turns of maps that are not square, and rolls by the whole axis or more."""
        size, n_points = recipe.map, recipe.grid.n_points
        if self.symmetry and size.height != size.width:
            raise ValueError(
                "perturbations.symmetry: expected a square map for quarter turns, "
                f"got {size.height} x {size.width}"
            )
        if self.roll_bins >= n_points:
            raise ValueError(
                f"perturbations.roll_bins: expected fewer than grid.n_points = {n_points}, got "
                f"{self.roll_bins}"
            )
