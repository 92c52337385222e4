"""What a dataset holds: all that is needed to read its rows, and nothing of how they are made."""

from typing import Literal, NamedTuple

from .basis import Basis, StoredBasis
from .fields import Axis, FieldSpec, axis_table, field_table

Kind = Literal["synthetic", "measured"]


class Contents(NamedTuple):
    """Arrays, axes and classes, and what they rest on."""

    kind: Kind
    fields: tuple[FieldSpec, ...]
    axes: tuple[Axis, ...]
    classes: tuple[str, ...]
    recipe_digest: str
    library_digest: str
    generator: int
    """Version of the generator; 0 for measured rows."""
    seed: int

    @classmethod
    def of(cls, document: StoredBasis) -> "Contents":
        """Return what this version of tersgen makes of a recipe, or of measured rows.

        Raises
        ------
        ConfigError
            If it does not understand the document.
        ValueError
            If the recipe is not resolved.
        """
        basis: Basis = document.basis
        fields = field_table(basis)
        return cls(
            kind="measured" if document.is_measured else "synthetic",
            fields=fields,
            axes=axis_table(basis, fields),
            classes=basis.class_names,
            recipe_digest=document.digest,
            library_digest=basis.library_digest,
            generator=basis.generator,
            seed=basis.seed,
        )

    def makes(self, other: "Contents") -> bool:
        """Return whether rows of both have the same arrays and classes, to the byte."""
        mine, others = ([spec.form for spec in one.fields] for one in (self, other))
        return mine == others and self.classes == other.classes
