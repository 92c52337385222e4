"""Fixed-point values: integers as stored, and the numbers that they stand for.

``value = (stored - zero) * scale``, rounded once to float32, and one integer for a missing value.
Readers that know the CF conventions decode the same by ``scale_factor``, ``add_offset`` and
``_FillValue`` (CF 1.11, sections 2.5.1 and 8.1).
"""

from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from .base import Document, field

Precision = Literal["uint8", "uint12", "float16", "float32"]
"""How signals are stored: as integers of so many bits, or as floating-point numbers."""
BITS: dict[str, int] = {"uint8": 8, "uint12": 12}
"""Bits of a value in each fixed-point precision."""


class FixedPoint(Document):
    """How the integers of a fixed-point array are decoded."""

    scale: float = field(
        "step between neighbouring values, a float32", "as the array", gt=0, lt=1e30
    )
    zero: int = field("integer that stands for 0", "1", ge=0, le=65535)
    missing: int = field("integer that stands for a missing value", "1", ge=0, le=65535)

    @classmethod
    def of(cls, bits: int, span: tuple[float, float]) -> Self:
        """Return the decoding of integers of so many bits over a span that begins or centres on 0.

        The largest integer stands for a missing value; the one before it and 0 for the ends.
        """
        missing = 2**bits - 1
        step = np.float32((span[1] - span[0]) / (missing - 1))
        return cls(scale=float(step), zero=0 if span[0] == 0 else missing // 2, missing=missing)

    @model_validator(mode="after")
    def _scale_is_float32(self) -> Self:
        if float(np.float32(self.scale)) != self.scale:
            raise ValueError(f"scale: expected a float32, got {self.scale!r}")
        return self

    @property
    def add_offset(self) -> float:
        """Value of the integer 0: exact, as is the sum of it and a multiple of the scale."""
        return -self.zero * self.scale

    @property
    def attributes(self) -> dict[str, float]:
        """Attributes of the CF conventions."""
        return {"scale_factor": self.scale, "add_offset": self.add_offset}

    def decoded(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return the values of integers, float32 of the same shape; NaN where one is missing."""
        table = _table(self.scale, self.zero, self.missing, stored.dtype.itemsize)
        values: NDArray[np.float32] = table[stored]
        return values

    def encoded(self, values: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Return the integers nearest to values: for decoded ones those that they come from."""
        steps = values * np.float32(1 / self.scale) + np.float32(self.zero + 0.5)
        known = np.clip(np.nan_to_num(steps), 0, self.missing - 1)
        return np.where(np.isnan(steps), self.missing, known.astype(np.int32)).astype(dtype)


@lru_cache(maxsize=8)
def _table(scale: float, zero: int, missing: int, size: int) -> NDArray[np.float32]:
    """Return the value of each integer of ``size`` bytes."""
    numbers = np.arange(256**size, dtype=np.float64)
    table = ((numbers - zero) * scale).astype(np.float32)
    table[missing % len(table)] = np.nan
    table.flags.writeable = False
    return table
