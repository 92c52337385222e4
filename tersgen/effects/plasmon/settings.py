"""The plasmon of tip and substrate: gain over the Raman shift, and light of the metal itself."""

from typing import Any, Self

from pydantic import model_validator

from ...schema.base import field
from ...schema.intervals import Interval, LogInterval, NonNegativeInterval
from ..settings import EffectSettings

_SHORTEST_NM, _LONGEST_NM = 50.0, 1e5


class Plasmon(EffectSettings):
    """Gain G(nu) = g(laser) g(scattered), g a Lorentzian of the wavelength: Eq. (4.1).

    Values are drawn from all intervals for each sample. The gain acts on spectra, sticks, maps and
    cubes; electronic Raman scattering and luminescence are added to spectra and cubes, not to maps,
    where they would be an offset of each band.
    """

    centre_nm: Interval = field("wavelength of the resonance", "nm", (650.0, 650.0))
    fwhm_nm: Interval = field("full width at half maximum of the resonance", "nm", (80.0, 80.0))
    laser_nm: Interval | None = field(
        "wavelength of the laser, which also changes the Stokes factors; by default "
        "geometry.laser_nm",
        "nm",
        None,
    )
    electronic_raman: LogInterval = field(
        "maximum of the metal's electronic Raman scattering relative to the strongest band (in "
        "cubes, to the largest value), log-uniform; [0, 0] for none",
        "1",
        (0.0, 0.0),
    )
    relaxation_cm1: NonNegativeInterval = field(
        "relaxation rate of the electrons, which is the shift of the maximum at 0 K",
        "cm^-1",
        (300.0, 1000.0),
    )
    luminescence: LogInterval = field(
        "maximum of the plasmon's luminescence relative to the strongest band, log-uniform; [0, 0] "
        "for none",
        "1",
        (0.0, 0.0),
    )

    @property
    def has_light(self) -> bool:
        """Whether the metal itself emits light."""
        return self.electronic_raman[1] > 0 or self.luminescence[1] > 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("centre_nm", "laser_nm"):
            interval = getattr(self, name)
            if interval and not _SHORTEST_NM <= interval[0] <= interval[1] <= _LONGEST_NM:
                raise ValueError(
                    f"{name}: expected wavelengths from {_SHORTEST_NM:g} to {_LONGEST_NM:g} nm, "
                    f"got {list(interval)}"
                )
        if not 1 <= self.fwhm_nm[0] <= self.fwhm_nm[1] <= _LONGEST_NM:
            raise ValueError(
                f"fwhm_nm: expected widths from 1 to {_LONGEST_NM:g} nm, got {list(self.fwhm_nm)}"
            )
        if self.relaxation_cm1[0] < 1:
            raise ValueError(
                "relaxation_cm1: expected rates of at least 1 cm^-1, got "
                f"{list(self.relaxation_cm1)}"
            )
        return self

    def idle(self, recipe: Any) -> dict[str, str]:  # noqa: ARG002 - it is about this section alone
        """Return the relaxation rate, where it has nothing to shape."""
        return {} if self.electronic_raman[1] else {"relaxation_cm1": "without electronic_raman"}

    def check_recipe(self, recipe: Any) -> None:
        """Refuse a grid that extends beyond the energy of the laser, and light without spectra."""
        last_cm1 = recipe.grid.stop_cm1
        if self.laser_nm and 1e7 / self.laser_nm[1] <= last_cm1:
            raise ValueError(
                f"plasmon.laser_nm: expected lasers above grid.stop_cm1 = {last_cm1:g} cm^-1, got "
                f"{self.laser_nm[1]:g} nm, which is {1e7 / self.laser_nm[1]:.0f} cm^-1"
            )
        if self.has_light and not (recipe.fields.spectra or recipe.fields.cube):
            raise ValueError(
                "plasmon: expected spectra or a cube for electronic_raman and luminescence, which "
                "are added to them, got neither in fields; set both to [0, 0]"
            )
