"""Classes: how often each is drawn, and what random ones are like."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from .base import Frozen, Name, field
from .intervals import Interval


class Classes(Frozen):
    """How often each species is drawn."""

    balance: Literal["balanced", "weighted", "zipf"] = field(
        "balanced: once in every K rows, in random order; weighted: by weights; "
        "zipf: by 1/rank^exponent in library order",
        "1",
        "balanced",
    )
    weights: dict[Name, Annotated[float, field("weight", "1", ge=0)]] = field(
        "relative weight by species name; species left out weigh 1", "1", {}
    )
    exponent: float = field("exponent of the Zipf law", "1", 1.0, ge=0, le=10)

    @model_validator(mode="after")
    def _weights_belong_to_weighted(self) -> Self:
        if self.weights and self.balance != "weighted":
            raise ValueError(f'expected balance = "weighted" beside weights, got "{self.balance}"')
        return self


class RandomClasses(Frozen):
    """Prior of the random species made by a ``random:K`` library source."""

    n_modes: tuple[int, int] = field("fewest and most modes of a species", "1", (12, 32))
    frequency_cm1: Interval = field("range of frequencies, uniform", "cm^-1", (200.0, 3800.0))
    activity_decades: float = field(
        "spread of activities, uniform in the logarithm", "decade", 1.5, ge=0, le=6
    )
    point_groups: tuple[Literal["D2h", "C2h", "C2v", "D3", "D6h", "Oh"], ...] = field(
        "point groups to choose from", "1", ("D2h", "C2h", "C2v", "D3", "D6h", "Oh"), min_length=1
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
