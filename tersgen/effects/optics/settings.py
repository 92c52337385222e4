"""The light path of spectra, from the laser to the sensor; all of it is off by default."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from ...schema.base import Frozen, Name, field
from ...schema.intervals import LogInterval, NonNegativeInterval
from ...text import not_among
from ..settings import EffectSettings
from .supports import BANDS

LaserNm = Annotated[float, Field(ge=200, le=2000)]

_THINNEST_UM, _THICKEST_UM = 1.0, 1000.0


class SupportBand(Frozen):
    """A Lorentzian band of a support."""

    position_cm1: float = field("Raman shift", "cm^-1", ge=0, le=1e4)
    fwhm_cm1: float = field("full width at half maximum", "cm^-1", ge=0.5, le=1e4)
    height: float = field("height relative to the others", "1", gt=0, le=1e6)


class Luminescence(EffectSettings):
    """A luminescence band: of crystals, glasses and impurities, narrower than fluorescence.

    It does not bleach, and its height does not follow from the laser: the band gap of silicon and
    the rare earths of glass and minerals luminesce with some lasers only.
    """

    height: LogInterval = field(
        "height relative to the strongest band, before the sensor, log-uniform", "1", (0.03, 30.0)
    )
    share: float = field("fraction of samples that have it", "1", 1.0, ge=0, le=1)
    centre_cm1: NonNegativeInterval = field(
        "its centre; if beyond the axis, spectra rise towards that end", "cm^-1", (1000.0, 5000.0)
    )
    width_cm1: NonNegativeInterval = field(
        "full width at half maximum of the Gaussian", "cm^-1", (400.0, 2500.0)
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.height[1]:
            raise ValueError("height: expected an interval above 0, got [0, 0]; leave it out")
        if self.width_cm1[0] < 50.0:
            raise ValueError(
                f"width_cm1: expected widths of at least 50 cm^-1, got {list(self.width_cm1)}; "
                "narrower ones would be bands"
            )
        return self


class Optics(EffectSettings):
    """Light path of spectra; maps and cubes are not affected.

    Values are drawn from all intervals for each sample and recorded in ``params/optics``, with the
    visibility of the bands.
    """

    lasers_nm: tuple[LaserNm, ...] = field(
        "lasers of which each sample draws one, each entry as likely as any other; it changes the "
        "Stokes factors, the wavelengths of the sensor, and fluorescence; by default "
        "geometry.laser_nm",
        "nm",
        (),
    )
    fluorescence_decay_nm: float = field(
        "wavelength over which fluorescence decreases e-fold, from the shortest of the lasers on; "
        "0 for the same fluorescence with all lasers",
        "nm",
        0.0,
        ge=0,
        le=1e4,
    )
    bleaching: LogInterval = field(
        "exposure in units of the bleaching time of fluorescence, log-uniform and drawn for each "
        "of its four bumps, so that level and shape change; [0, 0] for none",
        "1",
        (0.0, 0.0),
    )
    support: tuple[Name, ...] = field(
        f"supports or containers of which a sample shows one: {', '.join(BANDS)}, or names of "
        "own_supports",
        "1",
        (),
    )
    own_supports: dict[Name, tuple[SupportBand, ...]] = field(
        "bands of other supports, by name", "1", {}
    )
    support_share: float = field("fraction of samples that show one", "1", 1.0, ge=0, le=1)
    support_height: LogInterval = field(
        "height of the support's strongest band relative to the sample's, log-uniform",
        "1",
        (0.05, 1.0),
    )
    luminescence: Luminescence | None = field(
        "a broad band of luminescence in some samples", "1", None
    )
    edge_cm1: NonNegativeInterval = field(
        "shift at which the edge filter transmits one half; [0, 0] for no filter",
        "cm^-1",
        (0.0, 0.0),
    )
    edge_width_cm1: NonNegativeInterval = field(
        "width of the edge, from a transmission of 0.1 to 0.9", "cm^-1", (20.0, 20.0)
    )
    edge_ripple: float = field(
        "largest relative ripple of the filter's transmission", "1", 0.0, ge=0, le=0.5
    )
    rayleigh: LogInterval = field(
        "maximum of elastically scattered light behind the edge filter relative to the strongest "
        "band, log-uniform; [0, 0] for none",
        "1",
        (0.0, 0.0),
    )
    rayleigh_share: float = field(
        "fraction of samples with elastically scattered light", "1", 1.0, ge=0, le=1
    )
    rayleigh_width_cm1: NonNegativeInterval = field(
        "shift over which elastically scattered light decreases e-fold", "cm^-1", (60.0, 60.0)
    )
    silicon_um: NonNegativeInterval = field(
        "thickness of the silicon that absorbs, by which the quantum efficiency depends on the "
        "wavelength; with lasers from 900 nm on the sensor is InGaAs; [0, 0] for a constant one",
        "um",
        (0.0, 0.0),
    )
    etaloning: float = field(
        "largest amplitude of interference fringes in the silicon where it does not absorb",
        "1",
        0.0,
        ge=0,
        le=0.9,
    )
    fixed_pattern: NonNegativeInterval = field(
        "standard deviation of the sensitivity from pixel to pixel", "1", (0.0, 0.0)
    )
    detectors: int = field(
        "number of sensors, each with thickness, fringes and fixed pattern of its own that are "
        "the same in all of its samples; 0 for another sensor for each sample",
        "1",
        0,
        ge=0,
        le=2**31 - 1,
    )
    visible: float = field(
        "what instrument.missing cuts off is drawn again until some band in the rest stands out "
        "of the noise by at least this fraction of what the best band of the whole axis does",
        "1",
        0.0,
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.silicon_um
        if high and not _THINNEST_UM <= low <= high <= _THICKEST_UM:
            raise ValueError(
                f"silicon_um: expected {_THINNEST_UM:g} to {_THICKEST_UM:g} um, or [0, 0] for a "
                f"constant quantum efficiency, got {list(self.silicon_um)}"
            )
        if self.etaloning and not high:
            raise ValueError(
                f"etaloning: expected 0 without silicon_um, got {self.etaloning:g}; the fringes "
                "are those of a layer of that thickness"
            )
        if self.fixed_pattern[1] > 0.2:
            raise ValueError(f"fixed_pattern: expected at most 0.2, got {list(self.fixed_pattern)}")
        for name, wanted in (("edge_width_cm1", self.edge_cm1), ("rayleigh_width_cm1", None)):
            needed = self.rayleigh[1] if wanted is None else wanted[1]
            if needed and getattr(self, name)[0] < 0.5:
                raise ValueError(
                    f"{name}: expected widths of at least 0.5 cm^-1, got "
                    f"{list(getattr(self, name))}"
                )
        for name, bands in self.own_supports.items():
            if name in BANDS or not bands:
                what = "a name of its own" if name in BANDS else "at least one band"
                raise ValueError(f"own_supports: expected {what} for {name!r}")
            if name not in self.support:
                raise ValueError(
                    f"own_supports: expected names that support lists, got {name!r}; add it there"
                )
        known = [*BANDS, *self.own_supports]
        for name in self.support:
            if name not in known:
                raise ValueError(f"support: {not_among(name, known)}")
        if self.support and not self.support_height[1]:
            raise ValueError("support_height: expected an interval above 0 with support, got 0")
        return self

    def check_against(self, recipe: Any) -> None:
        """Refuse lasers that do not reach the end of the axis, or that a plasmon draws too.

        Raises
        ------
        ValueError
            If there are any; the text begins with the path of the setting.
        """
        if not self.lasers_nm:
            return
        last_cm1 = recipe.grid.stop_cm1
        longest = max(self.lasers_nm)
        if 1e7 / longest <= last_cm1:
            raise ValueError(
                f"instrument.optics.lasers_nm: expected lasers above grid.stop_cm1 = {last_cm1:g} "
                f"cm^-1, got {longest:g} nm, which is {1e7 / longest:.0f} cm^-1"
            )
        if recipe.plasmon is not None:
            raise ValueError(
                "instrument.optics.lasers_nm: expected none with a section plasmon, whose gain "
                "depends on the laser; set plasmon.laser_nm"
            )
