"""Mean, spread and range of the scalar fields of a dataset."""

import time
from functools import lru_cache
from typing import Any

import numpy as np

from ..dataset.dataset import Dataset
from ..schema.fields import FieldSpec
from .folder import Served

_BLOCK_ROWS = 1 << 18
_LONGEST_S = 20.0


def scalar_fields(dataset: Dataset) -> list[FieldSpec]:
    """Return the fields with one number for each row."""
    return [spec for spec in dataset.contents.fields if not spec.shape]


@lru_cache(64)
def statistics(served: Served) -> dict[str, dict[str, float | int | None]]:
    """Return count, mean, standard deviation, minimum and maximum of each scalar field.

    Values that are not finite are left out; ``rows`` is how many rows were read. For a very large
    dataset these are the first ones, as many as can be read in 20 s.
    """
    dataset = served.dataset
    sums = {spec.name: _Sums() for spec in scalar_fields(dataset)}
    end = time.monotonic() + _LONGEST_S
    n_rows = 0
    while n_rows < dataset.n_samples and time.monotonic() < end:
        stop = min(dataset.n_samples, n_rows + _BLOCK_ROWS)
        for name, one in sums.items():
            one.add(np.asarray(dataset[name][n_rows:stop], np.float64))
        n_rows = stop
    return {name: {"rows": n_rows, **one.content()} for name, one in sums.items()}


class _Sums:
    """Sums of blocks of numbers, about the mean of all so far (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf

    def add(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        values = values[np.isfinite(values)]
        if not len(values):
            return
        mean, n = float(values.mean()), len(values)
        apart, total = mean - self.mean, self.count + n
        self.squares += float(((values - mean) ** 2).sum()) + apart**2 * self.count * n / total
        self.mean += apart * n / total
        self.count = total
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())

    def content(self) -> dict[str, float | int | None]:
        if not self.count:
            return {"count": 0, "mean": None, "std": None, "min": None, "max": None}
        return {
            "count": self.count,
            "mean": self.mean,
            "std": (self.squares / self.count) ** 0.5,
            "min": float(self.low),
            "max": float(self.high),
        }
