"""The axis of Raman shifts."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from .base import Frozen, field
from .intervals import LARGEST


class Grid(Frozen):
    """The axis of Raman shifts, Eq. (1.1)."""

    start_cm1: float = field(
        "first Raman shift; negative ones are anti-Stokes", "cm^-1", 100.0, ge=-LARGEST
    )
    stop_cm1: float = field("last Raman shift", "cm^-1", 4000.0, gt=0, le=LARGEST)
    n_points: int = field("number of points", "1", 1024, ge=2, le=1_048_576)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.start_cm1 >= self.stop_cm1:
            raise ValueError(
                f"expected start_cm1 < stop_cm1, got {self.start_cm1:g} and {self.stop_cm1:g}"
            )
        return self

    @property
    def step_cm1(self) -> float:
        """Distance of two points in cm^-1."""
        return (self.stop_cm1 - self.start_cm1) / (self.n_points - 1)

    def points(self) -> NDArray[np.float64]:
        """Return the Raman shifts g_k in cm^-1, Eq. (1.1), shape (n_points,)."""
        return self.start_cm1 + np.arange(self.n_points, dtype=np.float64) * self.step_cm1
