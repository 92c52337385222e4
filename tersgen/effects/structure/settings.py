"""Structure targets: positions and elements of the atoms in a near-field map."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ...errors import ConfigError
from ...schema.base import field
from ...schema.elements import SYMBOLS
from ...schema.library import Library
from ..settings import EffectSettings

Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]

MOST_ELEMENTS = 32
MOST_ATOMS = 4096
_MOST_NAMES = 6
"""Species that a message lists."""


class Structure(EffectSettings):
    """Masks, bonds and positions of the atoms under the tip, in the frame of the maps.

    An atom is included if its element is listed and it lies within ``depth_angstrom`` of the
    highest atom in the orientation of the sample: deeper atoms leave no trace in a map. Masks have
    one channel per element, and one radius for all.
    """

    elements: tuple[Symbol, ...] | None = field(
        "elements to include, one mask channel each; by default those of the library, by atomic "
        "number",
        "1",
        None,
        min_length=1,
        max_length=MOST_ELEMENTS,
    )
    shape: Literal["disc", "gaussian"] = field(
        "disc: 1 within the radius and 0 outside; gaussian: 2^-(d/radius)^2, 1/2 at the radius and "
        "0 beyond four radii. Where atoms of an element overlap, the larger value is used",
        "1",
        "disc",
    )
    radius_angstrom: float = field(
        "radius of the disc or Gaussian of an atom", "Angstrom", 0.5, gt=0
    )
    depth_angstrom: float = field(
        "greatest depth below the highest atom at which atoms are included",
        "Angstrom",
        2.0,
        ge=0,
        le=1e4,
    )
    bonds: bool = field("draw the bonds between included atoms", "1", True)
    bond_width_angstrom: float = field(
        "width of the line of a bond; a Gaussian is 1/2 at half this width", "Angstrom", 0.4, gt=0
    )
    bond_tolerance_angstrom: float = field(
        "two atoms are bonded if they are closer than the sum of their covalent radii plus this "
        "tolerance",
        "Angstrom",
        0.4,
        ge=0,
        le=2,
    )
    n_atoms: int | None = field(
        "number of atoms N to which positions are padded; by default the largest of any species",
        "1",
        None,
        ge=1,
        le=MOST_ATOMS,
    )

    store_images: bool = field(
        "store masks and bonds; otherwise they are computed as rows are read, to the same values",
        "1",
        True,
    )

    @property
    def complete(self) -> Self:
        """The settings with which masks and bonds are stored."""
        return self.model_copy(update={"store_images": True})

    @property
    def is_resolved(self) -> bool:
        """Whether elements and padding are set, and with them the shapes of all arrays."""
        return self.elements is not None and self.n_atoms is not None

    @model_validator(mode="after")
    def _elements_once(self) -> Self:
        elements = self.elements or ()
        if len(set(elements)) < len(elements):
            raise ValueError(f"elements: expected each once, got {', '.join(elements)}")
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return all settings, if targets are not stored."""
        return (
            {} if recipe.fields.structure else dict.fromkeys(self.names, "without fields.structure")
        )

    def check_recipe(self, recipe: Any) -> None:
        """Refuse targets without a frame, larger than it, or smaller than its pixels."""
        near, image = recipe.nearfield, recipe.map
        if near is None:
            raise ValueError(
                "structure: expected a section nearfield as well, got none; structure targets "
                "are those of a molecule under a tip"
            )
        least = min(near.frame_angstrom)
        for name, value in (
            ("radius_angstrom", self.radius_angstrom),
            ("bond_width_angstrom", self.bond_width_angstrom if self.bonds else 0.0),
        ):
            if value > least:
                raise ValueError(
                    f"structure.{name}: expected at most the frame's {least:g} Angstrom "
                    f"(nearfield.frame_angstrom), got {value:g}"
                )
        size = (image.height, image.width)
        pixel = [extent / n for extent, n in zip(near.frame_angstrom, size, strict=True)]
        half_diagonal = 0.5 * (pixel[0] ** 2 + pixel[1] ** 2) ** 0.5
        if self.radius_angstrom < half_diagonal:
            raise ValueError(
                f"structure.radius_angstrom: expected at least {half_diagonal:.3g} Angstrom, half "
                "the diagonal of a pixel, so that no atom falls between pixels, got "
                f"{self.radius_angstrom:g}; take more pixels or a larger radius"
            )
        if self.bonds and self.bond_width_angstrom < max(pixel):
            raise ValueError(
                f"structure.bond_width_angstrom: expected at least a pixel, {max(pixel):.3g} "
                f"Angstrom, so that lines have no holes, got {self.bond_width_angstrom:g}; take "
                "more pixels, wider lines or bonds = false"
            )

    def resolved(self, library: Library) -> Self:
        """Return the targets with elements and padding set."""
        there = _elements_of(library)
        if not there:
            names = ", ".join(library.names[:_MOST_NAMES])
            more = ", ..." if len(library.names) > _MOST_NAMES else ""
            raise ConfigError(
                f"structure: expected species with atom positions, got {names}{more} without; "
                "structure targets need the geometry of molecules: use --library builtin, or "
                "import or compute some (tersgen library import, tersgen library compute)"
            )
        elements = self.elements or there
        unknown = [symbol for symbol in elements if symbol not in SYMBOLS[1:]]
        if unknown:
            raise ConfigError(
                f"structure.elements: expected chemical symbols such as C or Cl, got {unknown[0]}"
            )
        counts = {page["name"]: _n_counted(page, elements) for page in library.pages}
        most = max(counts, key=lambda name: counts[name])
        if not counts[most]:
            raise ConfigError(
                f"structure.elements: expected elements of the library, "
                f"{', '.join(there)}, got {', '.join(elements)}"
            )
        n_atoms = self.n_atoms or counts[most]
        if n_atoms < counts[most]:
            raise ConfigError(
                f"structure.n_atoms: expected at least {counts[most]}, the atoms of {most}, got "
                f"{n_atoms}; leave it out"
            )
        return self.model_copy(update={"elements": elements, "n_atoms": n_atoms})


def _elements_of(library: Library) -> tuple[str, ...]:
    """Return the symbols of the elements of all species, by rising atomic number."""
    symbols = {symbol for page in library.pages for symbol in page.get("symbols", ())}
    return tuple(sorted(symbols, key=lambda one: SYMBOLS.index(one) if one in SYMBOLS else 0))


def _n_counted(page: Mapping[str, Any], elements: tuple[str, ...]) -> int:
    """Return how many atoms of a species are of some elements."""
    return sum(symbol in elements for symbol in page.get("symbols", ()))
