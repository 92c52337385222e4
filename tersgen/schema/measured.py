"""The document of a measured dataset: files, labels, an axis, and how spectra were resampled.

It takes the place of the recipe of a synthetic dataset and determines every row as that does, but
rows cannot be rebuilt from it without the files.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .base import DIGEST, Frozen, Name, field
from .digest import canonical_digest, without_defaults
from .grid import Grid
from .plugin import PluginRecord
from .split import PartName

Printable = Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""A text without control characters."""


class MeasuredFile(Frozen):
    """A file from which rows were read."""

    name: Printable = field("file name, with folders where names alone are not unique", "1")
    sha256: str = field("SHA-256 of its bytes", "1", pattern=DIGEST)
    n_rows: int = field("number of rows read from the file", "row", gt=0)
    notes: tuple[Printable, ...] = field(
        "conversions on reading that a user should know of", "1", ()
    )


class MeasuredPixels(Frozen):
    """The pixels of maps whose samples are cubes, or maps of bands."""

    rows: int = field("rows, along y", "pixel", gt=0)
    columns: int = field("columns, along x", "pixel", gt=0)
    step_y_um: float | None = field("distance of the rows, if files say it", "um", None, gt=0)
    step_x_um: float | None = field("distance of the columns, if files say it", "um", None, gt=0)


class Measured(Frozen):
    """Measured rows; with the files it determines every value, as a recipe does."""

    kind: Literal["measured"] = field("origin of the samples", "1", "measured")
    grid: Grid = field("axis of Raman shifts to which spectra were resampled", "1")
    classes: tuple[Name, ...] = field("class names in label order", "1", min_length=1)
    resampling: Literal["cell_mean"] = field(
        "linear interpolation at the points of the grid; where measured points are closer together "
        "than those of the grid, the mean over the cell of each point",
        "1",
        "cell_mean",
    )
    edges: Literal["refused", "repeated"] = field(
        "treatment of spectra that do not cover the grid: refused, or extended by their outermost "
        "intensities",
        "1",
        "refused",
    )
    laser_nm: float | None = field(
        "laser wavelength used to convert wavelengths to shifts", "nm", None, gt=0
    )
    precision: Literal["float16", "float32"] = field(
        "data type of spectra and maps", "1", "float32"
    )
    scale: Literal["unit", "symmetric"] = field(
        "range of spectra and maps: [0, 1], or [-1, 1] by Eq. (10.1)", "1", "unit"
    )
    n_raw: int = field("points of the longest measured spectrum; 0 for none", "point", 0, ge=0)
    raw_axis: bool = field(
        "whether each row keeps its measured axis; otherwise that is the grid",
        "1",
        True,
    )
    positions: bool = field("whether rows keep where they were measured", "1", False)
    map: tuple[int, int, int] | None = field(
        "channels, rows and columns of maps; none without maps", "pixel", None
    )
    pixels: MeasuredPixels | None = field(
        "pixels of maps if each sample is a whole map; none if each is a spectrum", "1", None
    )
    bands: tuple[tuple[float, float], ...] = field(
        "ends of the bands whose areas, above the line between their ends, are the channels of "
        "maps",
        "cm^-1",
        (),
    )
    seed: int = field("seed of the order of rows", "1", 0, ge=0, lt=2**32)
    parts: tuple[PartName, ...] = field("parts assigned to rows, if any", "1", ())
    groups: tuple[Printable, ...] = field("groups assigned to rows, if any", "1", ())
    columns: tuple[Name, ...] = field(
        "columns of numbers that the table of labels has, as arrays of the group table", "1", ()
    )
    readers: tuple[PluginRecord, ...] = field("plug-in readers with which files were read", "1", ())
    files: tuple[MeasuredFile, ...] = field("files from which rows were read", "1", min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, values in (
            ("classes", self.classes),
            ("parts", self.parts),
            ("columns", self.columns),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: expected each once, got {', '.join(values[:12])}")
        if not self.n_raw and self.map is None:
            raise ValueError("expected spectra, maps, or both, got neither")
        if self.map is not None and min(self.map) < 1:
            raise ValueError(f"map: expected sizes of at least 1, got {list(self.map)}")
        if self.bands and (self.pixels is None or self.map is None or self.n_raw):
            raise ValueError("bands: expected maps with pixels and no spectra")
        return self

    @property
    def has_cubes(self) -> bool:
        """Whether each sample is a cube."""
        return self.pixels is not None and not self.bands

    @property
    def is_resolved(self) -> bool:
        """Whether it determines every row: always."""
        return True

    @property
    def document(self) -> dict[str, Any]:
        """The document as stored: its kind, and what differs from the defaults."""
        return {"kind": self.kind, **without_defaults(self)}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.classes

    @property
    def generator(self) -> int:
        """Version of the generator: 0 for none."""
        return 0

    @property
    def library_digest(self) -> str:
        """BLAKE3 digest of the class names, where a recipe has that of its library."""
        return canonical_digest(list(self.classes))
