"""From the sources that a recipe names to its library: the recipe made self-sufficient."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, LibraryError, TersWarning
from ..schema.library import Library, Species
from ..schema.recipe import Recipe
from .builtin import builtin_names, crystal_names, load_builtin
from .importing import read_species
from .nearfield import require_geometry
from .random_classes import random_species, unknown_species
from .selection import is_dark, modes_in_grid, modes_outside
from .structure import resolve_structure

_MOST_RANDOM = 100_000


def _count(source: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_RANDOM:
        raise ConfigError(
            f"library source {source!r}: expected K from 1 to {_MOST_RANDOM}, got {text!r}"
        )
    return int(text)


def _species(sources: tuple[str, ...], recipe: Recipe) -> Iterator[Species]:
    number = 0
    for source in sources:
        kind, _, rest = source.partition(":")
        if source == "builtin":
            yield from (load_builtin(name) for name in builtin_names())
        elif source == "crystals":
            yield from (load_builtin(name) for name in crystal_names())
        elif kind == "builtin":
            yield load_builtin(rest)
        elif kind == "random":
            for _ in range(_count(source, rest)):
                yield random_species(number, recipe.random, recipe.seed)
                number += 1
        elif kind == "unknown":
            for other in range(_count(source, rest)):
                yield unknown_species(other, recipe.random, recipe.seed)
        else:
            if not Path(source).exists():
                raise LibraryError(
                    f"library source {source!r}: no such file; expected builtin, builtin:NAME, "
                    "crystals, random:K, unknown:K or a file"
                )
            yield from read_species(Path(source))


def build_library(recipe: Recipe) -> Library:
    """Return the species that a recipe's sources name, in order.

    Raises
    ------
    ConfigError
        If a source is not understood.
    LibraryError
        If a source cannot be used, or two species bear one name.
    """
    if isinstance(recipe.library, Library):
        return recipe.library
    species = tuple(_species(recipe.library, recipe))
    names = [one.name for one in species]
    twice = (
        sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if twice:
        raise LibraryError(
            f"library: expected unique species names, got {', '.join(twice[:8])} more than once; "
            "drop a source or rename with tersgen library import --name"
        )
    return Library(species=species)


def _warn(library: Library, recipe: Recipe) -> None:
    """Say once what a user should know of a library on the recipe's grid."""
    grid = recipe.grid
    outside = modes_outside(library, recipe)
    if outside:
        warnings.warn(
            f"{len(outside)} Raman-active mode{'s' if len(outside) > 1 else ''} of the library "
            f"outside the grid of {grid.start_cm1:g} to {grid.stop_cm1:g} cm^-1 left out: "
            f"{', '.join(outside[:6])}{', ...' if len(outside) > 6 else ''}",
            TersWarning,
            stacklevel=3,
        )
    dark = [species.name for species in library.species if is_dark(species, recipe)]
    if dark:
        warnings.warn(
            f"{', '.join(dark[:6])}: no mode scatters in this geometry, so spectra are noise only; "
            "change geometry.incident, geometry.scattered or geometry.orientation",
            TersWarning,
            stacklevel=3,
        )
    widths = [
        mode.fwhm_cm1 or recipe.lineshape.fwhm_cm1
        for species in library.species
        for mode in modes_in_grid(species, recipe)
    ]
    narrowest = min(widths) * recipe.perturbations.width[0]
    if recipe.instrument is not None:
        narrowest = max(narrowest, recipe.instrument.resolution_cm1[0])
    if recipe.fields.spectra and narrowest < grid.step_cm1:
        warnings.warn(
            f"bands as narrow as {narrowest:.3g} cm^-1 (FWHM) fall between the points of a grid "
            f"with steps of {grid.step_cm1:.3g} cm^-1; raise grid.n_points or lineshape.fwhm_cm1",
            TersWarning,
            stacklevel=3,
        )
    near = recipe.nearfield
    if recipe.fields.cube and near is not None and near.channel_cm1 < narrowest:
        warnings.warn(
            f"channels of {near.channel_cm1:.3g} cm^-1 are finer than all bands (FWHM "
            f"{narrowest:.3g} cm^-1 or more) and hold little more than wider ones would; raise "
            "nearfield.channel_cm1",
            TersWarning,
            stacklevel=3,
        )


def resolve(recipe: Recipe) -> Recipe:
    """Return the recipe with its library written out and the numbers that follow from it set.

    A resolved recipe needs no other file. Warns once if modes lie outside the grid, and
    are left out, or if bands are narrower than its steps.

    Raises
    ------
    ConfigError, LibraryError
        If a source cannot be used, a species has no Raman-active mode on the grid, or none of the
        geometry that near-field maps need, or structure targets have no room for its atoms.
    """
    library = build_library(recipe)
    if recipe.nearfield is not None:
        for species in library.species:
            require_geometry(species)
    if not isinstance(recipe.library, Library):
        _warn(library, recipe)
    most = max(len(modes_in_grid(species, recipe)) for species in library.species)
    n_modes = recipe.fields.n_modes or most
    fields = recipe.fields.model_copy(update={"n_modes": n_modes})
    structure = recipe.structure and resolve_structure(recipe.structure, library)
    return recipe.model_copy(update={"library": library, "fields": fields, "structure": structure})
