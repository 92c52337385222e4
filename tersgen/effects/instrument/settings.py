"""What an instrument does to spectra and maps: spectrometer, fluorescence, detector, scan.

Every effect is off by default and has a random stream of its own. From an interval a value is drawn
for each sample, uniformly unless the description says log-uniform.
"""

from typing import Any, Self

from pydantic import model_validator

from ...schema.base import field
from ...schema.intervals import LARGEST, LogCountInterval, LogInterval, NonNegativeInterval
from ..optics.settings import Optics
from ..scan.settings import Scan
from ..settings import EffectSettings

_OF_SPECTRA = (
    *("resolution_cm1", "axis_shift_cm1", "axis_stretch", "fluorescence", "fluorescence_share"),
    *("response", "missing", "electrons", "dark", "cosmic_rays", "cosmic_height"),
    *("overexposed", "overexposure"),
)
_OF_COUNTS = ("full_well", "gain", "bias", "read_noise", "bits")


class CubeExposure(EffectSettings):
    """Exposure of the pixels of a cube, each of whose channels the detector counts.

    With ``electrons`` this replaces ``noise.map`` and ``scan.electrons`` for cubes; gain, bias,
    read noise, full well and bits are those of the spectrum.
    """

    electrons: LogCountInterval = field(
        "expected electrons at the highest point of the cube, log-uniform; [0, 0] to count none "
        "and give each channel the noise of a map",
        "electron",
        (0.0, 0.0),
    )
    dark: NonNegativeInterval = field(
        "dark electrons in each channel of a pixel", "electron", (0.0, 0.0)
    )
    cosmic_rays: float = field("mean number of cosmic rays per pixel", "1", 0.0, ge=0, le=1)
    cosmic_height: LogInterval = field(
        "height of a cosmic ray relative to the highest point, log-uniform; it extends over up to "
        "four channels of its pixel",
        "1",
        (0.1, 10.0),
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        counted = {"dark": self.dark[1], "cosmic_rays": self.cosmic_rays}
        wanted = [name for name, value in counted.items() if value]
        if not self.electrons[1] and wanted:
            raise ValueError(
                f"electrons: expected an interval above 0 with {wanted[0]}, got [0, 0]: without "
                "it nothing is counted"
            )
        return self


class Instrument(EffectSettings):
    """Spectrometer and detector: electrons are counted, so variance grows with the mean.

    expected electrons = response (signal + fluorescence) + dark; Poisson; full well; gain; bias and
    read noise; cosmic rays; analogue-to-digital conversion. With ``electrons`` this replaces
    ``noise.spectrum``.
    """

    resolution_cm1: NonNegativeInterval = field(
        "FWHM of the spectrometer's Gaussian profile, which turns Lorentzian bands into Voigt "
        "profiles and broadens Gaussian ones",
        "cm^-1",
        (0.0, 0.0),
    )
    axis_shift_cm1: float = field(
        "standard deviation of the calibration error: a shift of the axis, not circular",
        "cm^-1",
        0.0,
        ge=0,
        le=LARGEST,
    )
    axis_stretch: float = field(
        "standard deviation of a relative stretch of the axis about its centre", "1", 0.0, ge=0,
        le=0.2,
    )  # fmt: skip
    fluorescence: LogInterval = field(
        "height of the fluorescence relative to the strongest band, log-uniform; [0, 0] for none",
        "1",
        (0.0, 0.0),
    )
    fluorescence_share: float = field("fraction of samples with fluorescence", "1", 1.0, ge=0, le=1)
    response: float = field(
        "largest deviation of the relative response from 1; that of a sample is uniform up to it",
        "1",
        0.0,
        ge=0,
        lt=1,
    )
    missing: tuple[float, float] = field(
        "largest fractions of the axis, at its low and high ends, that are not measured; there the "
        "outermost value is repeated",
        "1",
        (0.0, 0.0),
    )
    electrons: LogCountInterval = field(
        "expected electrons at the highest point of signal plus fluorescence, log-uniform; [0, 0] "
        "for a detector without noise",
        "electron",
        (0.0, 0.0),
    )
    dark: NonNegativeInterval = field("dark electrons per point", "electron", (0.0, 0.0))
    full_well: float = field(
        "full-well capacity, the most electrons of a point; 0 for no limit",
        "electron",
        0.0,
        ge=0,
        le=1e9,
    )
    gain: NonNegativeInterval = field("counts per electron", "count/electron", (1.0, 1.0))
    bias: NonNegativeInterval = field("counts without light", "count", (0.0, 0.0))
    read_noise: NonNegativeInterval = field(
        "standard deviation of the read noise", "electron", (0.0, 0.0)
    )
    bits: int = field(
        "bits of the analogue-to-digital converter, which rounds to whole counts and clips; 0 for "
        "none", "bit", 0,
        ge=0, le=32,
    )  # fmt: skip
    cosmic_rays: float = field("mean number of cosmic rays per spectrum", "1", 0.0, ge=0, le=32)
    cosmic_height: LogInterval = field(
        "height of a cosmic ray relative to the highest point, log-uniform; it extends over up to "
        "four points",
        "1",
        (0.1, 10.0),
    )
    overexposed: float = field(
        "fraction of spectra that are exposed beyond the full well or the converter's range",
        "1",
        0.0,
        ge=0,
        le=1,
    )
    overexposure: LogInterval = field(
        "electrons at the highest point of those relative to the most that can be counted, "
        "log-uniform",
        "1",
        (1.0, 10.0),
    )
    optics: Optics | None = field(
        "light path of spectra: laser, support, edge filter, sensor", "1", None
    )
    scan: Scan = field("scan of maps and cubes", "1", Scan())
    cube: CubeExposure = field("exposure of the pixels of cubes", "1", CubeExposure())

    @property
    def noise_free(self) -> Self:
        """Resolution, axis and lasers alone."""
        kept = ("resolution_cm1", "axis_shift_cm1", "axis_stretch")
        optics = None if self.optics is None else type(self.optics)(lasers_nm=self.optics.lasers_nm)
        return type(self)(**{name: getattr(self, name) for name in kept}, optics=optics)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not all(0 <= share <= 0.9 for share in self.missing) or sum(self.missing) > 0.95:
            raise ValueError(
                "missing: expected shares up to 0.9 that leave 0.05 of the axis, got "
                f"{list(self.missing)}"
            )
        if self.gain[0] <= 0:
            raise ValueError(f"gain: expected values above 0, got {list(self.gain)}")
        if self.bits and self.bias[1] >= 2**self.bits - 1:
            raise ValueError(
                f"bias: expected less than {2**self.bits - 1}, the largest count of {self.bits} "
                f"bits, got {list(self.bias)}"
            )
        of_spectra, of_both = ("dark", "cosmic_rays"), ("bias", "read_noise", "bits", "full_well")
        counted = of_spectra if self.cube.electrons[1] else (*of_spectra, *of_both)
        wanted = [name for name in counted if getattr(self, name) not in (0, 0.0, (0.0, 0.0))]
        if not self.electrons[1] and wanted:
            raise ValueError(
                f"electrons: expected an interval above 0 with {wanted[0]}, got [0, 0]: without "
                "it nothing is counted"
            )
        if self.overexposed and not (self.electrons[1] and (self.full_well or self.bits)):
            raise ValueError(
                "overexposed: expected electrons with full_well or bits, got none: without them "
                "nothing saturates"
            )
        if self.overexposed and self.overexposure[0] < 1:
            raise ValueError(f"overexposure: expected at least 1, got {list(self.overexposure)}")
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return settings of spectra, maps and cubes not made, and of what is not counted."""
        found = {}
        if not self.fluorescence[1]:
            found["fluorescence_share"] = "without fluorescence"
        if not self.overexposed:
            found["overexposure"] = "without overexposed"
        light = self.optics and self.optics.luminescence
        if light and not light.share:
            names = (f"optics.luminescence.{name}" for name in light.names if name != "share")
            found |= dict.fromkeys(names, "with a share of 0")
        if not self.cosmic_rays:
            found["cosmic_height"] = "without cosmic_rays"
        if not self.cube.cosmic_rays:
            found["cube.cosmic_height"] = "without cube.cosmic_rays"
        if not self.scan.blinks:
            found["scan.blink_pixels"] = "without scan.blinks"
        if not (self.electrons[1] or self.cube.electrons[1]):
            found["gain"] = "without electrons"
        if recipe.counts_cubes and not recipe.fields.maps:
            found["scan.electrons"] = "with cube.electrons and no maps"
        if not recipe.fields.spectra:
            optics = (name for name in self.names if name.startswith("optics."))
            found |= dict.fromkeys((*_OF_SPECTRA, *optics), "without spectra")
            if not recipe.counts_cubes:
                found |= dict.fromkeys(_OF_COUNTS, "without spectra and counted cubes")
        if not recipe.has_image:
            scanned = (f"scan.{name}" for name in Scan.model_fields)
            found |= dict.fromkeys(scanned, "without maps and cubes")
        if not recipe.fields.cube:
            exposed = (f"cube.{name}" for name in CubeExposure.model_fields)
            found |= dict.fromkeys(exposed, "without a cube")
        return found

    def check_recipe(self, recipe: Any) -> None:
        """Refuse settings that an instrument replaces, and lasers that do not fit the axis."""
        if self.optics is not None:
            self.optics.check_against(recipe)
        if recipe.lineshape.profile == "pseudo_voigt":
            raise ValueError(
                'lineshape.profile: expected "lorentzian" (for Voigt profiles) or "gaussian" '
                'with instrument, got "pseudo_voigt"'
            )
        if recipe.perturbations.roll_bins:
            raise ValueError(
                "perturbations.roll_bins: expected 0 with instrument, got "
                f"{recipe.perturbations.roll_bins}; instrument.axis_shift_cm1 shifts the axis"
            )
