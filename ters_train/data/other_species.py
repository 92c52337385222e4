"""Built-in species that are not classes, as the instrument of a recipe records them."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import generated
from tersgen.errors import TersWarning
from tersgen.recipe import Recipe
from tersgen.resolution import build_library, resolve
from tersgen.schema.library import Library
from tersgen.schema.species import Species

_GROUPS = ("builtin", "gfn", "crystals", "measured", "positions")
_OTHER_SEED = 1 << 31
"""Flips a bit of the seed of a recipe, so that rows of other species draw other numbers."""
_SIMILAR = 0.8
"""Pearson correlation of two spectra from which species may be the same by another name."""
_STEP_CM1, _FWHM_CM1 = 2.0, 30.0


def shows_others(dataset: Dataset) -> bool:
    """Return whether rows of other species can be made like those of a dataset.

    They can for recipes with a light path, which show what spectrometers record of any sample, but
    not with near fields, mixtures, plug-ins or a class of unknown species.
    """
    if dataset.kind == "measured" or "unknown" in dataset.classes:
        return False
    recipe = dataset.recipe
    special = recipe.nearfield or recipe.mixture or recipe.structure or recipe.scene
    return not (
        special or recipe.effects or recipe.instrument is None or recipe.instrument.optics is None
    )


def rows_of_others(dataset: Dataset, n_samples: int) -> Dataset:
    """Return rows of built-in species that are not classes of a dataset, made by its recipe.

    Those that look like a class are left out: they may be the same substance by another name.
    """
    recipe = dataset.recipe
    grid = recipe.grid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TersWarning)  # of bands beyond the grid, and the like
        species = build_library(Recipe(library=_GROUPS))
        points = np.arange(grid.start_cm1, grid.stop_cm1, _STEP_CM1)
        known = np.array([_spectrum(one, points) for one in build_library(recipe)])
        others = [
            one
            for one in species
            if not is_one_of(one.name, dataset.classes)
            and (shown := _spectrum(one, points)).any()
            and (known @ shown).max() < _SIMILAR
        ]
        sections = recipe.model_dump(exclude={"library", "plugins", "random", "classes"})
        sections |= {"library": Library(others), "seed": recipe.seed ^ _OTHER_SEED}
        made = resolve(Recipe.model_validate(sections))
    return generated(made, n_samples, Path("species that are not classes"))


def is_one_of(name: str, classes: Iterable[str]) -> bool:
    """Return whether a species may be of a class: one name contains all words of the other."""
    padded = f"_{name}_"
    return any(padded in f"_{one}_" or f"_{one}_" in padded for one in classes)


def _spectrum(species: Species, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bands as high as the squared norm of their tensors, of mean 0 and length 1, or 0."""
    frequencies = np.array([mode.frequency_cm1 for mode in species.modes])
    inside = (frequencies >= points[0]) & (frequencies <= points[-1])
    tensors = np.array([mode.tensor for mode in species.modes])[inside]
    heights = np.square(tensors).sum(axis=(1, 2))
    apart = (points - frequencies[inside, None]) / (0.5 * _FWHM_CM1)
    values: NDArray[np.float64] = heights @ (1.0 / (1.0 + apart * apart))
    values -= values.mean()
    size = np.linalg.norm(values)
    return values / size if size > 0 else np.zeros_like(values)
