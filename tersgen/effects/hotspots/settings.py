"""Test patterns of hotspots, and the size of all maps."""

from typing import Any, Self

from pydantic import model_validator

from ...schema.base import field
from ...schema.intervals import LARGEST, NonNegativeInterval
from ..settings import EffectSettings

_OF_PATTERNS = ("n_hotspots", "radius", "sigma_px", "field_factor", "move_px", "jitter_px", "turn")


class Map(EffectSettings):
    """Size of maps, and without ``nearfield`` test patterns of hotspots, Eqs. (2.1) and (2.5).

    Each species has a constellation of hotspots, which its name and the seed determine; each
    sample displaces, rotates and jitters it. It is arbitrary, and says nothing about the molecule.
    """

    height: int = field("height H", "pixel", 64, ge=1, le=4096)
    width: int = field("width W", "pixel", 64, ge=1, le=4096)
    channels: int = field("channels C, each with its own hotspot amplitudes", "1", 1, ge=1, le=1024)
    n_hotspots: int = field("number of hotspots in a constellation", "1", 5, ge=1, le=64)
    radius: float = field(
        "radius of a constellation relative to the shorter side of the map", "1", 0.35, gt=0, le=1
    )
    sigma_px: NonNegativeInterval = field("width sigma_j of a hotspot", "pixel", (1.5, 4.0))
    field_factor: NonNegativeInterval = field(
        "ratio of local to incident field at a hotspot; amplitudes A_j are enhancement factors EF "
        "over the largest EF",
        "1",
        (6.0, 10.0),
    )
    move_px: float = field(
        "standard deviation of a constellation's displacement along each axis",
        "pixel",
        3.0,
        ge=0,
        le=LARGEST,
    )
    jitter_px: float = field(
        "standard deviation of each hotspot's own displacement along each axis",
        "pixel",
        0.5,
        ge=0,
        le=LARGEST,
    )
    turn: bool = field("rotate the constellation by a random angle", "1", True)
    amplitude: NonNegativeInterval = field(
        "factor on the amplitude of each hotspot, drawn for each sample", "1", (0.5, 0.8)
    )
    background: NonNegativeInterval = field("offset b, drawn for each sample", "1", (0.0, 0.1))
    blur_px: float = field(
        "standard deviation sigma_b of a Gaussian blur, Eq. (2.4); 0 for none", "pixel", 0.0, ge=0
    )

    @property
    def noise_free(self) -> Self:
        """No offset."""
        return self.model_copy(update={"background": (0.0, 0.0)})

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.sigma_px[0] <= 0:
            raise ValueError(f"sigma_px: expected values above 0, got {list(self.sigma_px)}")
        if self.field_factor[1] <= 0:
            raise ValueError(
                f"field_factor: expected a field above 0, got {list(self.field_factor)}"
            )
        if self.amplitude[1] > 1:
            raise ValueError(f"amplitude: expected values of at most 1, got {list(self.amplitude)}")
        if self.blur_px > max(self.height, self.width):
            raise ValueError(f"blur_px: expected at most the map's size, got {self.blur_px:g}")
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return the settings of test patterns, if there are none, and of images not made."""
        found: dict[str, str] = {}
        if recipe.nearfield is not None:
            found = dict.fromkeys(_OF_PATTERNS, "with nearfield")
        elif not recipe.fields.maps:
            found = dict.fromkeys((*_OF_PATTERNS, "blur_px", "channels"), "without maps")
        if not recipe.has_image:
            found |= dict.fromkeys(("amplitude", "background"), "without maps and cubes")
        if not recipe.has_pixels:
            found |= dict.fromkeys(("height", "width"), "without maps and cubes")
        return found
