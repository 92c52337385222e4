"""Structure targets in a recipe: where the atoms of a near-field map are, and what they are."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Frozen, field

Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]

MOST_ELEMENTS = 32
MOST_ATOMS = 4096


class Structure(Frozen):
    """Masks, bonds and positions of the atoms under the tip, in the frame of the maps.

    An atom counts if its element is listed and it lies within ``depth_angstrom`` of the highest
    atom, as the sample is turned: what lies below leaves no trace in a map. Masks have one radius
    for all elements, which have a channel each.
    """

    elements: tuple[Symbol, ...] | None = field(
        "elements that count, a channel of the masks each; by default those of the library, by "
        "rising atomic number",
        "1",
        None,
        min_length=1,
        max_length=MOST_ELEMENTS,
    )
    shape: Literal["disc", "gaussian"] = field(
        "disc: 1 within the radius and 0 outside; gaussian: 2^-(d/radius)^2, 1/2 at the radius and "
        "0 beyond four of them. Where atoms of an element overlap, the larger value holds",
        "1",
        "disc",
    )
    radius_angstrom: float = field("radius of an atom's disc or Gaussian", "Angstrom", 0.5, gt=0)
    depth_angstrom: float = field(
        "atoms count down to so far below the highest atom", "Angstrom", 2.0, ge=0, le=1e4
    )
    bonds: bool = field("draw bonds between the atoms that count", "1", True)
    bond_width_angstrom: float = field(
        "width of a bond's line; a Gaussian is 1/2 at half the width", "Angstrom", 0.4, gt=0
    )
    bond_tolerance_angstrom: float = field(
        "atoms are bonded if they are nearer than the sum of their covalent radii and this",
        "Angstrom",
        0.4,
        ge=0,
        le=2,
    )
    n_atoms: int | None = field(
        "atoms N that positions are padded to; by default the most that any species has",
        "1",
        None,
        ge=1,
        le=MOST_ATOMS,
    )

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

    def check_frame(self, frame: tuple[float, float] | None, size: tuple[int, int]) -> None:
        """Refuse what has no frame, would not fit into it, or fall between its pixels.

        Parameters
        ----------
        frame
            Extent along rows' and columns' axes, Angstrom; None without near-field maps.
        size
            Pixels along them.

        Raises
        ------
        ValueError
            If it does.
        """
        if frame is None:
            raise ValueError(
                "structure: expected a section nearfield beside it, got none; structure targets "
                "are those of a molecule under a tip"
            )
        least = min(frame)
        for name, value in (
            ("radius_angstrom", self.radius_angstrom),
            ("bond_width_angstrom", self.bond_width_angstrom if self.bonds else 0.0),
        ):
            if value > least:
                raise ValueError(
                    f"structure.{name}: expected at most the frame's {least:g} Angstrom "
                    f"(nearfield.frame_angstrom), got {value:g}"
                )
        pixel = [extent / n for extent, n in zip(frame, size, strict=True)]
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
