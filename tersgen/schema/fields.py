"""How arrays and axes are described: tables of these drive creation, reading and documentation.

Datasets are read by the table in their manifest, whatever this version of tersgen would make.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .base import Document, field
from .fixed_point import FixedPoint
from .grid import Grid

Dtype = Literal["uint8", "uint16", "float16", "float32", "int32"]
_BYTES = {"uint8": 1, "uint16": 2, "float16": 2, "float32": 4, "int32": 4}

ARRAY_NAME = r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$"

SAMPLE = "sample"
"""Name of the first dimension of every array."""


_DIMENSIONS = {
    **{"label": (0, 0), "spectra": (1, 1), "maps": (3, 3), "cube": (3, 3)},
    **{"sticks/position": (1, 2), "sticks/intensity": (1, 2), "sticks/count": (0, 1)},
    **{"tensors": (3, 4), "mixture/label": (1, 1), "mixture/fraction": (1, 1)},
    **{"mixture/count": (0, 0), "structure/masks": (3, 3), "structure/bonds": (2, 2)},
    **{"structure/positions": (2, 2), "structure/elements": (1, 1), "structure/count": (0, 0)},
    **{"scene/instance": (2, 2), "scene/species": (2, 2), "scene/fraction": (3, 3)},
    **{"scene/event": (2, 2), "scene/coverage": (0, 1), "scene/count": (0, 0)},
    **{"scene/position": (2, 2), "scene/orientation": (2, 2), "scene/label": (1, 1)},
    **{"scene/domain": (1, 1)},
    **{"source/file": (0, 0), "source/row": (0, 0), "source/part": (0, 0), "source/group": (0, 0)},
    **{"source/x": (0, 0), "source/y": (0, 0), "measured": (1, 1)},
}
"""Fewest and most dimensions of a row of each array that this version of tersgen knows."""


class Axis(Document):
    """Evenly spaced positions along a dimension."""

    name: str = field("name of the dimension", "1", pattern=r"^[a-z_]+$")
    unit: str = field("unit of the positions", "1")
    description: str = field("meaning of the positions", "1")
    start: float = field("first position", "as unit says")
    stop: float = field("last position", "as unit says")
    n: int = field("number of positions", "1", gt=0, le=2**20)

    def points(self) -> NDArray[np.float64]:
        """Return the positions, Eq. (1.1), shape (n,)."""
        step = (self.stop - self.start) / (self.n - 1) if self.n > 1 else 0.0
        return self.start + np.arange(self.n, dtype=np.float64) * step

    @property
    def dim(self) -> str:
        """Name of the dimension."""
        return self.name


class Coordinate(Document):
    """Values along a dimension that are not evenly spaced, such as the limits of bands."""

    name: str = field("name of the coordinate", "1", pattern=r"^[a-z_]+$")
    dim: str = field("name of the dimension", "1", pattern=r"^[a-z_]+$")
    unit: str = field("unit of the values", "1")
    description: str = field("meaning of the values", "1")
    values: tuple[float, ...] = field(
        "values, one for each position", "as unit says", min_length=1, max_length=2**16
    )

    @property
    def n(self) -> int:
        """Number of values."""
        return len(self.values)

    def points(self) -> NDArray[np.float64]:
        """Return the values, shape (n,)."""
        return np.array(self.values, np.float64)


def band_limits(bands: Sequence[tuple[float, float]]) -> list[Coordinate]:
    """Return the coordinates of the channels of maps from the limits of their bands, cm^-1."""
    return [
        Coordinate(
            name=f"band_{end}",
            dim="channel",
            unit="cm^-1",
            description=f"{end}est Raman shift of the band of each channel",
            values=values,
        )
        for end, values in zip(("low", "high"), zip(*bands, strict=True), strict=False)
    ]


class FieldSpec(Document):
    """One array of a dataset; its first dimension, ``sample``, is left out of dims and shape."""

    name: str = field("path of the array in the dataset", "1", max_length=100, pattern=ARRAY_NAME)
    dims: tuple[str, ...] = field("names of the dimensions after the first", "1")
    shape: tuple[Annotated[int, Field(gt=0, le=2**31)], ...] = field(
        "sizes of those dimensions", "1"
    )
    dtype: Dtype = field("type of the values as stored", "1")
    unit: str = field("unit of the values", "1")
    description: str = field("meaning of the values", "1")
    span: tuple[float, float] | None = field(
        "range to which values are scaled or clipped", "1", None
    )
    fixed_point: FixedPoint | None = field(
        "how the integers of a fixed-point array are decoded", "1", None
    )

    @model_validator(mode="after")
    def _one_size_for_each_dimension(self) -> Self:
        n_dims, least = len(self.shape), _DIMENSIONS.get(self.name, (0, len(self.shape)))
        if len(self.dims) != n_dims or not least[0] <= n_dims <= least[1]:
            raise ValueError(
                f"{self.name}: expected sizes of {least[0]} to {least[1]} dimensions with names, "
                f"got {list(self.shape)} and {', '.join(self.dims) or 'no names'}"
            )
        return self

    @model_validator(mode="after")
    def _integers_are_decoded(self) -> Self:
        fits = self.fixed_point is None or self.fixed_point.missing < 256 ** _BYTES[self.dtype]
        if (self.fixed_point is not None) != self.dtype.startswith("uint") or not fits:
            raise ValueError(
                f"{self.name}: expected fixed_point with uint8 or uint16, its missing value "
                f"within that type, and without it others, got {self.dtype} and {self.fixed_point}"
            )
        return self

    @property
    def form(self) -> tuple[str, tuple[str, ...], tuple[int, ...], str]:
        """What decides the bytes of a row: name, dimensions, shape and type."""
        return self.name, self.dims, self.shape, self.dtype

    @property
    def fill_value(self) -> float | int:
        """What a hole would read as: NaN, -1 or missing, so that it cannot pass for data."""
        if self.fixed_point is not None:
            return self.fixed_point.missing
        return -1 if self.dtype == "int32" else float("nan")

    @property
    def value_dtype(self) -> np.dtype[np.generic]:
        """Type of the values as they are read: float32 for a fixed-point array."""
        return np.dtype(self.dtype if self.fixed_point is None else np.float32)

    @property
    def value_bytes(self) -> int:
        """Bytes of the values of one row as they are read."""
        return self.row_bytes // _BYTES[self.dtype] * self.value_dtype.itemsize

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as stored."""
        size = _BYTES[self.dtype]
        for length in self.shape:
            size *= length
        return size

    @property
    def is_dense(self) -> bool:
        """Whether rows are long measured-like signals rather than targets or parameters."""
        return self.name in ("spectra", "maps", "cube")

    @property
    def is_label(self) -> bool:
        """Whether the values are numbers of classes."""
        return self.name in ("label", "mixture/label", "scene/label")


def spec(name: str, dtype: Dtype, unit: str, text: str, **sizes: int) -> FieldSpec:
    """Return the description of a stored array from its dimensions by name."""
    return FieldSpec(
        name=name,
        dims=tuple(sizes),
        shape=tuple(sizes.values()),
        dtype=dtype,
        unit=unit,
        description=text,
    )


def grid_axis(grid: Grid) -> Axis:
    """Return the axis of Raman shifts."""
    return Axis(
        name="raman_shift",
        unit="cm^-1",
        description="Raman shift",
        start=grid.start_cm1,
        stop=grid.stop_cm1,
        n=grid.n_points,
    )
