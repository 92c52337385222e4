"""What an instrument does to spectra and maps: spectrometer, fluorescence, detector, scan.

Every effect is off by default and has a random stream of its own. From an interval a value is drawn
for each sample, uniformly unless the description says log-uniform.
"""

from typing import Any, Self

from pydantic import model_validator

from ...schema.base import field
from ...schema.intervals import LARGEST, LogCountInterval, LogInterval, NonNegativeInterval
from ..scan.settings import Scan
from ..settings import EffectSettings


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
    scan: Scan = field("scan of maps and cubes", "1", Scan())
    cube: CubeExposure = field("exposure of the pixels of cubes", "1", CubeExposure())

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not all(0 <= share <= 0.45 for share in self.missing):
            raise ValueError(f"missing: expected shares up to 0.45, got {list(self.missing)}")
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
        return self

    def check_recipe(self, recipe: Any) -> None:
        """Refuse settings that an instrument replaces."""
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
