"""What a dataset of a recipe, or of measured rows, will hold."""

from ..schema.basis import StoredBasis
from ..schema.contents import Contents
from ..schema.fields import Axis, grid_axis
from ..schema.measured import Measured
from ..schema.measured_fields import measured_table
from .chain import axis_table, field_table


def contents_of(document: StoredBasis) -> Contents:
    """Return what this version of tersgen makes of a recipe, or of measured rows.

    Raises
    ------
    ConfigError
        If it does not understand the document, or a plug-in that it needs is not there.
    ValueError
        If the recipe is not resolved.
    """
    basis = document.basis
    if isinstance(basis, Measured):
        fields = measured_table(basis)
        axes: tuple[Axis, ...] = (grid_axis(basis.grid),) if basis.n_raw else ()
    else:
        fields = field_table(basis)
        axes = axis_table(basis, fields)
    return Contents(
        kind="measured" if document.is_measured else "synthetic",
        fields=fields,
        axes=axes,
        classes=basis.class_names,
        recipe_digest=document.digest,
        library_digest=basis.library_digest,
        generator=basis.generator,
        seed=basis.seed,
    )
