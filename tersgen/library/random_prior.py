"""The prior of random species."""

from typing import Literal, Self

from pydantic import model_validator

from ..schema.base import Frozen, field
from ..schema.intervals import Interval


class RandomClasses(Frozen):
    """Prior of the random species made by a ``random:K`` library source."""

    n_modes: tuple[int, int] = field("fewest and most modes of a species", "1", (12, 32))
    frequency_cm1: Interval = field(
        "range of the frequencies, which are uniform", "cm^-1", (200.0, 3800.0)
    )
    activity_decades: float = field(
        "range of the activities, which are log-uniform", "decade", 1.5, ge=0, le=6
    )
    point_groups: tuple[Literal["D2h", "C2h", "C2v", "D3", "D6h", "Oh"], ...] = field(
        "point groups, each equally likely",
        "1",
        ("D2h", "C2h", "C2v", "D3", "D6h", "Oh"),
        min_length=1,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.n_modes
        if not 1 <= low <= high <= 1024:
            raise ValueError(f"n_modes: expected 1 <= fewest <= most <= 1024, got {[low, high]}")
        if self.frequency_cm1[0] <= 0:
            raise ValueError(
                f"frequency_cm1: expected values above 0, got {list(self.frequency_cm1)}"
            )
        return self
