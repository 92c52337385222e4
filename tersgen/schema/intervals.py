"""Intervals that values are drawn from."""

from typing import Annotated

from pydantic import AfterValidator

LARGEST = 1e5
"""Bound of shifts, widths and factors: beyond all physics, and safe in float32."""


MOST_ELECTRONS = 1e9
"""Bound of what a detector counts."""


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError(f"expected [low, high] with low <= high, got {list(interval)}")
    return interval


def _not_negative(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] < 0:
        raise ValueError(f"expected values of at least 0, got {list(interval)}")
    if interval[1] > LARGEST:
        raise ValueError(f"expected values of at most {LARGEST:g}, got {list(interval)}")
    return interval


def _counted(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] < 0 or interval[1] > MOST_ELECTRONS:
        raise ValueError(f"expected 0 to {MOST_ELECTRONS:g} electrons, got {list(interval)}")
    return interval


def _above_zero_or_none(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] == 0 and interval[1] > 0:
        raise ValueError(
            "expected an interval above 0, as it is log-uniform, or [0, 0] for none, "
            f"got {list(interval)}"
        )
    return interval


Interval = Annotated[tuple[float, float], AfterValidator(_ordered)]
NonNegativeInterval = Annotated[Interval, AfterValidator(_not_negative)]
CountInterval = Annotated[Interval, AfterValidator(_counted)]
LogInterval = Annotated[NonNegativeInterval, AfterValidator(_above_zero_or_none)]
LogCountInterval = Annotated[CountInterval, AfterValidator(_above_zero_or_none)]
"""Log-uniform; [0, 0] for none."""
