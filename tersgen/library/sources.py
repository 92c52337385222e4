"""From the sources that a recipe names to its library, and what follows from it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, LibraryError, TersWarning
from ..schema.basis import stored_content
from ..schema.library import Library, LibraryReference
from ..schema.loading import validate
from ..schema.recipe import Recipe
from .builtin import builtin_names, crystal_names, load_builtin
from .importing import load_library
from .libraryfile import read_library
from .nearfield import require_geometry
from .random_classes import random_species, unknown_species
from .selection import ModeChoice, mode_widths
from .structure import resolve_structure

_MOST_RANDOM = 100_000


def _count(source: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_RANDOM:
        raise ConfigError(
            f"library source {source!r}: expected K from 1 to {_MOST_RANDOM}, got {text!r}"
        )
    return int(text)


def _parts(sources: tuple[str, ...], recipe: Recipe) -> Iterator[Library]:
    """Yield what each source has, in order."""
    number = 0
    for source in sources:
        kind, _, rest = source.partition(":")
        if source == "builtin":
            yield Library(load_builtin(name) for name in builtin_names())
        elif source == "crystals":
            yield Library(load_builtin(name) for name in crystal_names())
        elif kind == "builtin":
            yield Library([load_builtin(rest)])
        elif kind == "random":
            last = number + _count(source, rest)
            yield Library(
                random_species(k, recipe.random, recipe.seed) for k in range(number, last)
            )
            number = last
        elif kind == "unknown":
            yield Library(
                unknown_species(k, recipe.random, recipe.seed) for k in range(_count(source, rest))
            )
        else:
            if not Path(source).exists():
                raise LibraryError(
                    f"library source {source!r}: no such file; expected builtin, builtin:NAME, "
                    "crystals, random:K, unknown:K or a file"
                )
            yield load_library(Path(source))


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
    if isinstance(recipe.library, LibraryReference):
        return _referred(recipe.library)
    library = Library.joined(tuple(_parts(recipe.library, recipe)))
    try:
        library.check_names()
    except ValueError as error:
        raise LibraryError(
            f"library: {error}; drop a source or rename with tersgen library import --name"
        ) from None
    return library


def _referred(reference: LibraryReference) -> Library:
    """Return the library that a stored recipe names."""
    if reference.file is None:
        raise LibraryError(
            f"library: expected its file for the digest {reference.digest[:12]}, got none; take "
            "the recipe from its dataset, where library.tlib lies beside it"
        )
    library = read_library(Path(reference.file))
    if library.digest != reference.digest:
        raise LibraryError(
            f"{reference.file}: expected the library of digest {reference.digest[:12]}, got "
            f"{library.digest[:12]}"
        )
    return library


def _warn(library: Library, recipe: Recipe, choice: ModeChoice) -> None:
    """Say once what a user should know of a library on the recipe's grid."""
    grid = recipe.grid
    outside = choice.missed()
    if outside:
        warnings.warn(
            f"{len(outside)} Raman-active mode{'s' if len(outside) > 1 else ''} of the library "
            f"outside the grid of {grid.start_cm1:g} to {grid.stop_cm1:g} cm^-1 left out: "
            f"{', '.join(outside[:6])}{', ...' if len(outside) > 6 else ''}",
            TersWarning,
            stacklevel=3,
        )
    dark = choice.dark_species()
    if dark:
        warnings.warn(
            f"{', '.join(dark[:6])}: no mode scatters in this geometry, so spectra are noise only; "
            "change geometry.incident, geometry.scattered or geometry.orientation",
            TersWarning,
            stacklevel=3,
        )
    narrowest = float(mode_widths(library, recipe)[choice.bright].min())
    narrowest *= recipe.perturbations.width[0]
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
    """Return the recipe with its library and the numbers that follow from it set.

    A resolved recipe decides every row. Warns once if modes lie outside the grid, and are left
    out, or if bands are narrower than its steps.

    Raises
    ------
    ConfigError, LibraryError
        If a source cannot be used, a species has no Raman-active mode on the grid, or none of the
        geometry that near-field maps need, or structure targets have no room for its atoms.
    """
    if recipe.is_resolved:
        if recipe.structure is not None:
            resolve_structure(recipe.structure, recipe.held_library)  # is there room for all atoms?
        return recipe
    library = build_library(recipe)
    if recipe.nearfield is not None:
        require_geometry(library)
    choice = ModeChoice(library, recipe)
    if isinstance(recipe.library, tuple):
        _warn(library, recipe, choice)
    fields = recipe.fields.model_copy(update={"n_modes": recipe.fields.n_modes or choice.most()})
    structure = recipe.structure and resolve_structure(recipe.structure, library)
    full = recipe.model_copy(update={"library": library, "fields": fields, "structure": structure})
    # through its document, so that a recipe and what is read of it again are equal to the bit
    content = {**stored_content(full), "library": library}
    return validate(Recipe, content, "recipe")
