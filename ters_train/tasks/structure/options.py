"""What structures look like in a dataset: elements, atoms, bonds and the frame."""

from typing import Annotated, Literal

from pydantic import Field

from tersgen.dataset.dataset import Dataset
from tersgen.errors import ConfigError
from tersgen.schema.base import Frozen, field

from ...config import Size
from ...data.fields import MASKS, STRUCTURE_FIELDS
from ...planning import check_fields

Extent = Annotated[float, Field(gt=0)]


class StructureOptions(Frozen):
    """The structure targets, as the dataset has them; nothing that a user sets."""

    elements: tuple[str, ...] = field("symbols, a channel of the masks each", "1",
                                       min_length=1, max_length=256)  # fmt: skip
    shape: Literal["disc", "gaussian"] = field("what an atom looks like in a mask", "1")
    radius_angstrom: float = field("radius of an atom in a mask", "Angstrom", gt=0)
    bonds: bool = field("whether it also draws bonds", "1")
    frame_angstrom: tuple[Extent, Extent] = field("extent of a map: rows, columns", "Angstrom")
    pixels: tuple[Size, Size] = field("rows and columns of a mask", "pixel")


def structure_targets(dataset: Dataset) -> StructureOptions:
    """Return the structure targets of a dataset."""
    check_fields(dataset, STRUCTURE_FIELDS, "structures")
    structure, near = dataset.recipe.structure, dataset.recipe.nearfield
    if structure is None or near is None or structure.elements is None:
        raise ConfigError(f"{dataset.path}: expected a recipe with structure and nearfield")
    masks = dataset[MASKS]
    return StructureOptions(
        elements=structure.elements,
        shape=structure.shape,
        radius_angstrom=structure.radius_angstrom,
        bonds=structure.bonds,
        frame_angstrom=near.frame_angstrom,
        pixels=(masks.shape[-2], masks.shape[-1]),
    )
