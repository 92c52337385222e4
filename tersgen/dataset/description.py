"""What a dataset is: its recipe, species, classes and axes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..effects.precision import Rounding, roundings
from ..errors import TersError
from ..recipe import Recipe
from ..schema.contents import Contents, Kind
from ..schema.fields import Axis, Coordinate
from ..schema.library import Library
from ..schema.species import Species
from .basis import Basis, StoredBasis
from .documents import not_synthetic, understood


class Description:
    """What is known of a dataset without reading its rows; see :class:`.dataset.Dataset`."""

    path: Path
    document: StoredBasis
    contents: Contents

    @property
    def kind(self) -> Kind:
        """How the samples came about."""
        return self.contents.kind

    @property
    def basis(self) -> Basis:
        """What the rows rest on: a resolved recipe, or what was measured.

        Raises
        ------
        DatasetError
            If this version of tersgen does not understand it; the rows can be read all the same.
        """
        return understood(self.path, self.document)

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe: with it any row can be rebuilt.

        Raises
        ------
        NotSyntheticError
            If the dataset was measured.
        DatasetError
            If this version of tersgen does not understand it; the rows can be read all the same.
        """
        basis = self.basis
        if not isinstance(basis, Recipe):
            raise not_synthetic(self.path, self.document)
        return basis

    @property
    def library(self) -> Library:
        """The species of a synthetic dataset, in label order.

        Raises
        ------
        NotSyntheticError
            If the dataset was measured.
        DatasetError
            If its library is missing or damaged.
        """
        if self.document.library is None:
            raise not_synthetic(self.path, self.document)
        return self.document.library

    @property
    def species(self) -> Sequence[Species]:
        """The species of a synthetic dataset, in label order."""
        return self.library.species

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order: those of the species."""
        return self.contents.classes

    @property
    def axes(self) -> dict[str, Axis]:
        """Positions along the dimensions of arrays, by the name of the dimension."""
        return {axis.name: axis for axis in self.contents.axes}

    @property
    def coordinates(self) -> dict[str, Coordinate]:
        """Values along dimensions that are not evenly spaced, such as limits of bands, by name."""
        return {one.name: one for one in self.contents.coordinates}

    @property
    def shift_cm1(self) -> NDArray[np.float64]:
        """The axis of Raman shifts in cm^-1, Eq. (1.1), shape (L,)."""
        axis = self.axes.get("raman_shift")
        return self.basis.grid.points() if axis is None else axis.points()

    @property
    def scale(self) -> Literal["unit", "symmetric"]:
        """Range of spectra, maps and cubes: [0, 1] or [-1, 1]."""
        lows = [spec.span[0] for spec in self.contents.fields if spec.span is not None]
        return "symmetric" if min(lows, default=0.0) < 0 else "unit"

    @property
    def roundings(self) -> tuple[Rounding, ...]:
        """The error of each fixed-point field, and its share of the noise where that is known."""
        try:
            recipe = None if self.kind == "measured" else self.recipe
        except TersError:
            recipe = None
        return roundings(self.contents.fields, recipe)
