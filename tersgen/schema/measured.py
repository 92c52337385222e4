"""What a dataset of measured rows rests on: files, labels, an axis, and how rows came onto it.

It stands where a synthetic dataset has its recipe, and decides every row as that does; but the rows
cannot be rebuilt from it without the files.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import DIGEST, Frozen, Name, field
from .digest import canonical_digest
from .grid import Grid
from .plugin import PluginRecord
from .split import PartName

Printable = Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""A text without control characters."""


class MeasuredFile(Frozen):
    """A file that rows were read from."""

    name: Printable = field("its name, with folders where names alone are not unique", "1")
    sha256: str = field("SHA-256 of its bytes", "1", pattern=DIGEST)
    n_rows: int = field("rows read from it", "row", gt=0)
    notes: tuple[Printable, ...] = field("what was done to it that a user should know", "1", ())


class Measured(Frozen):
    """Measured rows: with the files it decides every value, as a recipe does of synthetic rows."""

    kind: Literal["measured"] = field("how the samples came about", "1", "measured")
    grid: Grid = field("axis of Raman shifts that spectra were brought to", "1")
    classes: tuple[Name, ...] = field("class names in label order", "1", min_length=1)
    resampling: Literal["cell_mean"] = field(
        "straight lines between measured points, taken at the points of the grid; where measured "
        "points lie closer than the grid's, the mean over each point's cell",
        "1",
        "cell_mean",
    )
    edges: Literal["refused", "repeated"] = field(
        "what was done with spectra that do not cover the grid: refused, or the outermost "
        "intensities repeated",
        "1",
        "refused",
    )
    laser_nm: float | None = field(
        "laser by which wavelengths were turned into shifts", "nm", None, gt=0
    )
    precision: Literal["float16", "float32"] = field("type of spectra and maps", "1", "float32")
    scale: Literal["unit", "symmetric"] = field(
        "range of spectra and maps: [0, 1], or [-1, 1] by Eq. (10.1)", "1", "unit"
    )
    n_raw: int = field("points of the longest spectrum as measured; 0 for none", "point", 0, ge=0)
    raw_axis: bool = field(
        "whether each row keeps the axis that it was measured on; otherwise that is the grid",
        "1",
        True,
    )
    map: tuple[int, int, int] | None = field(
        "channels, rows, columns of maps; none if there are none", "pixel", None
    )
    seed: int = field("seed of the order of rows", "1", 0, ge=0, lt=2**32)
    parts: tuple[PartName, ...] = field("parts that rows were given to, if they were", "1", ())
    groups: tuple[Printable, ...] = field("groups that rows were given to, if they were", "1", ())
    readers: tuple[PluginRecord, ...] = field(
        "readers from outside this package that files were read with", "1", ()
    )
    files: tuple[MeasuredFile, ...] = field("where rows come from", "1", min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, values in (("classes", self.classes), ("parts", self.parts)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: expected each once, got {', '.join(values[:12])}")
        if not self.n_raw and self.map is None:
            raise ValueError("expected spectra, maps, or both, got neither")
        if self.map is not None and min(self.map) < 1:
            raise ValueError(f"map: expected sizes of at least 1, got {list(self.map)}")
        return self

    @property
    def is_resolved(self) -> bool:
        """Whether it decides every row: always."""
        return True

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.classes

    @property
    def generator(self) -> int:
        """Version of the generator: 0, as none made the rows."""
        return 0

    @property
    def library_digest(self) -> str:
        """BLAKE3 digest of the class names, where a recipe has that of its library."""
        return canonical_digest(list(self.classes))
