"""The field of a tip on a grid, as a recipe holds it: arrays, and the digest that names them."""

from functools import cached_property
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from .base import DIGEST, Frozen, field

F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

MOST_POINTS = 1 << 25
"""Grid points of a field, at most: 800 MB of complex numbers."""
_STEP_TOLERANCE = 1e-3


class TipFieldReference(Frozen):
    """A tip field by its digest, as a stored recipe names it."""

    digest: str = field("BLAKE3 digest of the field", "1", pattern=DIGEST)
    file: str | None = field("its file; by default tip_field.npz next to the recipe", "1", None)


class TipField:
    """Electric field near a tip, at the points of a regular grid.

    Parameters
    ----------
    x, y, z
        Positions along the axes, evenly spaced and rising, Angstrom; z points from the surface to
        the tip.
    e_in
        Field at the laser's wavelength, complex, shape (3, nx, ny, nz); its unit does not matter.
    e_out
        Field at scattered wavelengths, the same shape; None if it is that at the laser.
    tip
        Position of the tip's apex, Angstrom.

    Raises
    ------
    ValueError
        If shapes, axes or values are not as stated.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        z: Any,
        e_in: Any,
        e_out: Any = None,
        tip: Any = (0.0, 0.0, 0.0),
    ) -> None:
        self.axes: tuple[F64, F64, F64] = (_axis("x", x), _axis("y", y), _axis("z", z))
        shape = (3, *(len(axis) for axis in self.axes))
        if np.prod(shape[1:]) > MOST_POINTS:
            raise ValueError(f"expected at most {MOST_POINTS} grid points, got {shape[1:]}")
        self.e_in: C64 = _field("E_in", e_in, shape)
        self.e_out: C64 | None = None if e_out is None else _field("E_out", e_out, shape)
        place = np.asarray(tip, np.float64)
        if place.shape != (3,) or not np.isfinite(place).all():
            raise ValueError(f"tip: expected a position of three numbers, got {tip!r:.60}")
        self.tip: tuple[float, float, float] = (float(place[0]), float(place[1]), float(place[2]))

    @property
    def steps(self) -> tuple[float, float, float]:
        """Spacing of points along each axis, Angstrom."""
        x, y, z = ((axis[-1] - axis[0]) / (len(axis) - 1) for axis in self.axes)
        return float(x), float(y), float(z)

    @property
    def reach(self) -> tuple[tuple[float, float], ...]:
        """First and last position along each axis from the apex, Angstrom."""
        return tuple(
            (float(axis[0] - at), float(axis[-1] - at))
            for axis, at in zip(self.axes, self.tip, strict=True)
        )

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The content by the names that files use, in little-endian byte order."""
        x, y, z = (axis.astype("<f8") for axis in self.axes)
        made: dict[str, NDArray[Any]] = {"x": x, "y": y, "z": z, "tip": np.array(self.tip, "<f8")}
        made["E_in"] = self.e_in.astype("<c8")
        if self.e_out is not None:
            made["E_out"] = self.e_out.astype("<c8")
        return made

    @cached_property
    def digest(self) -> str:
        """BLAKE3 digest of names, shapes and values."""
        total = blake3()
        for name, values in sorted(self.arrays.items()):
            total.update(f"{name}{values.shape}".encode())
            total.update(np.ascontiguousarray(values).tobytes())
        return str(total.hexdigest())

    def __eq__(self, other: object) -> bool:
        """Return whether another field has the same values at the same points."""
        return isinstance(other, TipField) and self.digest == other.digest

    def __hash__(self) -> int:
        """Return a hash of the digest."""
        return hash(self.digest)

    def __repr__(self) -> str:
        """Return size and digest."""
        size = " x ".join(str(len(axis)) for axis in self.axes)
        return f"<TipField of {size} points, digest {self.digest[:12]}>"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema by which a model holds a field as an object, and stores its digest."""
        return core_schema.is_instance_schema(
            cls,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda one: {"digest": one.digest}
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema of what is stored."""
        return handler(TipFieldReference.__pydantic_core_schema__)


def _axis(name: str, values: Any) -> F64:
    axis = np.array(values, np.float64)
    axis.setflags(write=False)
    if axis.ndim != 1 or len(axis) < 2 or not np.isfinite(axis).all():
        raise ValueError(f"{name}: expected at least 2 finite positions, got shape {axis.shape}")
    steps = np.diff(axis)
    mean = (axis[-1] - axis[0]) / (len(axis) - 1)
    if mean <= 0 or np.abs(steps - mean).max() > _STEP_TOLERANCE * mean:
        raise ValueError(
            f"{name}: expected rising positions at equal distances, got steps of "
            f"{steps.min():g} to {steps.max():g} Angstrom"
        )
    return axis


def _field(name: str, values: Any, shape: tuple[int, ...]) -> C64:
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in "fciu":
        raise ValueError(
            f"{name}: expected numbers of shape {shape}, as the axes say, got {array.dtype} of "
            f"shape {array.shape}"
        )
    largest = np.abs(array).max()
    if not 1e-30 < largest < 1e30:  # NaN is not between, either
        raise ValueError(
            f"{name}: expected finite values, some of them not 0, got {largest:g} at most"
        )
    held = np.array(array, np.complex64, order="C")
    held.setflags(write=False)  # or its digest would be that of something else
    return held
