"""What an instrument does to spectra and maps: spectrometer, fluorescence, detector, scan.

Every effect is off by default and has a random stream of its own. Of an interval a value is drawn
for each sample, uniform, or uniform in the logarithm where that is said.
"""

from typing import Self

from pydantic import model_validator

from .base import Frozen, field
from .intervals import LARGEST, CountInterval, NonNegativeInterval


def _logarithmic(name: str, interval: tuple[float, float]) -> None:
    """Refuse an interval in the logarithm that begins at 0 but does not end there."""
    if interval[0] == 0 and interval[1] > 0:
        raise ValueError(
            f"{name}: expected an interval above 0, as it is drawn in the logarithm, or [0, 0] for "
            f"none, got {list(interval)}"
        )


class Scan(Frozen):
    """What happens to a map while it is scanned, line by line along its columns."""

    drift_px: float = field(
        "standard deviation of the drift from the first line to the last, each direction; it is a "
        "random walk from line to line",
        "pixel",
        0.0,
        ge=0,
        le=1000,
    )
    blur_px: NonNegativeInterval = field(
        "sigma of a Gaussian blur by the tip, drawn per sample", "pixel", (0.0, 0.0)
    )
    blinks: float = field("mean number of blinks of a map", "1", 0.0, ge=0, le=32)
    blink_pixels: int = field("most pixels of a blink, in scan order", "pixel", 32, ge=1)
    dead: float = field(
        "mean number of dead pixels of a map: 0 in all channels", "1", 0.0, ge=0, le=32
    )
    electrons: CountInterval = field(
        "electrons at the value 1, drawn in the logarithm, for shot noise; [0, 0] for none",
        "electron",
        (0.0, 0.0),
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _logarithmic("electrons", self.electrons)
        if self.blur_px[1] > 64:
            raise ValueError(f"blur_px: expected at most 64, got {list(self.blur_px)}")
        return self


class Instrument(Frozen):
    """Spectrometer and detector: electrons are counted, so variance grows with the mean.

    expected electrons = response (signal + fluorescence) + dark; Poisson; full well; gain; bias and
    read noise; cosmic rays; analogue-to-digital conversion. With ``electrons`` this takes the place
    of ``noise.spectrum``.
    """

    resolution_cm1: NonNegativeInterval = field(
        "FWHM of the spectrometer's Gaussian profile: bands are Voigt profiles of it and their "
        "own Lorentzian width, or Gaussians of both widths",
        "cm^-1",
        (0.0, 0.0),
    )
    axis_shift_cm1: float = field(
        "standard deviation of the calibration's error: a shift of the axis, not circular",
        "cm^-1",
        0.0,
        ge=0,
        le=LARGEST,
    )
    axis_stretch: float = field(
        "standard deviation of a relative stretch of the axis about its middle", "1", 0.0, ge=0,
        le=0.2,
    )  # fmt: skip
    fluorescence: NonNegativeInterval = field(
        "height of the fluorescence over that of the strongest band, drawn in the logarithm; "
        "[0, 0] for none",
        "1",
        (0.0, 0.0),
    )
    fluorescence_share: float = field("share of samples that fluoresce", "1", 1.0, ge=0, le=1)
    response: float = field(
        "largest deviation of the relative response from 1, drawn per sample up to it",
        "1",
        0.0,
        ge=0,
        lt=1,
    )
    missing: tuple[float, float] = field(
        "largest shares of the axis, at its low and its high end, that were not measured: there "
        "the outermost value is repeated",
        "1",
        (0.0, 0.0),
    )
    electrons: CountInterval = field(
        "expected electrons at the highest point of signal and fluorescence, drawn in the "
        "logarithm; [0, 0] for a detector without noise",
        "electron",
        (0.0, 0.0),
    )
    dark: NonNegativeInterval = field("dark electrons of a point", "electron", (0.0, 0.0))
    full_well: float = field(
        "most electrons of a point; 0 for no limit", "electron", 0.0, ge=0, le=1e9
    )
    gain: NonNegativeInterval = field("counts per electron", "count/electron", (1.0, 1.0))
    bias: NonNegativeInterval = field("counts without light", "count", (0.0, 0.0))
    read_noise: NonNegativeInterval = field(
        "standard deviation of the read noise", "electron", (0.0, 0.0)
    )
    bits: int = field(
        "bits of the converter, which rounds to whole counts and clips; 0 for none", "bit", 0,
        ge=0, le=32,
    )  # fmt: skip
    cosmic_rays: float = field("mean number of cosmic rays of a spectrum", "1", 0.0, ge=0, le=32)
    cosmic_height: NonNegativeInterval = field(
        "height of a cosmic ray over the highest point, drawn in the logarithm; it reaches over "
        "up to four points",
        "1",
        (0.1, 10.0),
    )
    scan: Scan = field("what happens to maps", "1", Scan())

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("fluorescence", "electrons", "cosmic_height"):
            _logarithmic(name, getattr(self, name))
        if not all(0 <= share <= 0.45 for share in self.missing):
            raise ValueError(f"missing: expected shares up to 0.45, got {list(self.missing)}")
        if self.gain[0] <= 0:
            raise ValueError(f"gain: expected values above 0, got {list(self.gain)}")
        if self.bits and self.bias[1] >= 2**self.bits - 1:
            raise ValueError(
                f"bias: expected less than {2**self.bits - 1}, the largest count of {self.bits} "
                f"bits, got {list(self.bias)}"
            )
        counted = ("dark", "bias", "read_noise", "cosmic_rays", "bits", "full_well")
        wanted = [name for name in counted if getattr(self, name) not in (0, 0.0, (0.0, 0.0))]
        if not self.electrons[1] and wanted:
            raise ValueError(
                f"electrons: expected an interval above 0 beside {wanted[0]}, got [0, 0]: without "
                "it nothing is counted"
            )
        return self
