"""Imperfections of a scan; all are off by default."""

from typing import Self

from pydantic import model_validator

from ...schema.base import field
from ...schema.intervals import LogCountInterval, NonNegativeInterval
from ..settings import EffectSettings


class Scan(EffectSettings):
    """Imperfections of a scan, which runs line by line along the columns of a map."""

    drift_px: float = field(
        "standard deviation along each axis of the drift from the first line to the last, a random "
        "walk from line to line",
        "pixel",
        0.0,
        ge=0,
        le=1000,
    )
    blur_px: NonNegativeInterval = field(
        "standard deviation of a Gaussian blur by the tip, drawn for each sample",
        "pixel",
        (0.0, 0.0),
    )
    blinks: float = field("mean number of blinks per map", "1", 0.0, ge=0, le=32)
    blink_pixels: int = field("longest blink, in scan order", "pixel", 32, ge=1)
    dead: float = field(
        "mean number of dead pixels per map, which are 0 in all channels", "1", 0.0, ge=0, le=32
    )
    electrons: LogCountInterval = field(
        "electrons at the value 1, log-uniform, for shot noise; [0, 0] for none",
        "electron",
        (0.0, 0.0),
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.blur_px[1] > 64:
            raise ValueError(f"blur_px: expected at most 64, got {list(self.blur_px)}")
        return self
