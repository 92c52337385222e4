"""Contents of a dataset: all that is needed to read its rows, not how they are made."""

from typing import Literal, NamedTuple

from .fields import Axis, Coordinate, FieldSpec

Kind = Literal["synthetic", "measured"]


class Contents(NamedTuple):
    """Arrays, axes and classes, and the digests of their sources."""

    kind: Kind
    fields: tuple[FieldSpec, ...]
    axes: tuple[Axis, ...]
    classes: tuple[str, ...]
    recipe_digest: str
    library_digest: str
    generator: int
    """Version of the generator; 0 for measured rows."""
    seed: int
    computed: tuple[FieldSpec, ...] = ()
    """Arrays that are not stored, but computed from the recipe as rows are read."""
    coordinates: tuple[Coordinate, ...] = ()

    @property
    def positions(self) -> tuple[Axis | Coordinate, ...]:
        """Axes and coordinates: the arrays of positions along dimensions."""
        return self.axes + self.coordinates

    def makes(self, other: "Contents") -> bool:
        """Return whether rows of both have the same arrays and classes, to the byte."""
        mine, others = (
            [
                [(spec.form, spec.fixed_point) for spec in table]
                for table in (one.fields, one.computed)
            ]
            for one in (self, other)
        )
        return mine == others and self.classes == other.classes
