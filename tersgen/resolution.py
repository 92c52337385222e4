"""Resolving a recipe: its library, and the settings that follow from it."""

import warnings
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .effects.bands.selection import ModeChoice, mode_widths
from .effects.settings import EffectSettings
from .errors import ConfigError, LibraryError, TersWarning
from .library.builtin import GROUPS, all_names, load_builtin, load_group, load_sites, sites_names
from .library.importing import load_library
from .library.intensities import NOTHING_SAID, Statement
from .library.libraryfile import read_library
from .library.nearfield import require_geometry
from .library.random_classes import random_species, unknown_species
from .library.random_prior import RandomClasses
from .plugins import import_module, load
from .recipe import Recipe
from .schema.library import Library
from .schema.loading import validate
from .schema.plugin import PluginRecord, check_plugins
from .schema.presets import PRESETS
from .schema.species import LibraryReference
from .text import did_you_mean

_MOST_RANDOM = 100_000
_KINDS = ("builtin", "sites", "random", "unknown")
"""Kinds of sources that stand before a colon."""


def _count(source: str, text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 9  # int refuses very long ones
    if not is_number or not 1 <= int(text) <= _MOST_RANDOM:
        raise ConfigError(
            f"library source {source!r:.60}: expected K from 1 to {_MOST_RANDOM}, got {text!r:.60}"
        )
    return int(text)


def is_library_file(source: str) -> bool:
    """Return whether a source of species is a file, by its name."""
    return source not in (*GROUPS, "sites") and source.partition(":")[0] not in _KINDS


def _parts(sources: tuple[str, ...], recipe: Recipe, said: Statement) -> Iterator[Library]:
    """Yield what each source has, in order."""
    number = 0
    for source in sources:
        kind, _, rest = source.partition(":")
        if source in GROUPS:
            yield load_group(source)
        elif kind == "builtin":
            yield Library([load_builtin(rest)])
        elif source == "sites":
            yield Library.joined([load_sites(name) for name in sites_names()])
        elif kind == "sites":
            yield load_sites(rest)
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
                named = {one: f"builtin:{one}" for one in all_names()}
                raise LibraryError(
                    f"library source {source!r}: no such file; expected {', '.join(GROUPS)}, "
                    "builtin:NAME, sites, sites:NAME, random:K, unknown:K or a file"
                    f"{did_you_mean(source, (*GROUPS, 'sites', *named), named)}"
                )
            yield load_library(Path(source), said)


def build_library(recipe: Recipe, said: Statement = NOTHING_SAID) -> Library:
    """Return the species that a recipe's sources name, in order.

    Parameters
    ----------
    recipe
        The recipe.
    said
        Kind of the strengths in files that do not state it.
    """
    files = isinstance(recipe.library, tuple) and any(map(is_library_file, recipe.library))
    if said != NOTHING_SAID and not files:
        raise ConfigError(
            "library: expected a table of sticks or peaks for --intensity, --laser-nm and "
            "--temperature-k, got no file; leave them out"
        )
    if isinstance(recipe.library, Library):
        return recipe.library
    if isinstance(recipe.library, LibraryReference):
        return _referred(recipe.library)
    library = Library.joined(tuple(_parts(recipe.library, recipe, said)))
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
            "the recipe from its dataset, where library.tlib lies next to it"
        )
    library = read_library(Path(reference.file))
    if library.digest != reference.digest:
        raise LibraryError(
            f"{reference.file}: expected the library of digest {reference.digest[:12]}, got "
            f"{library.digest[:12]}"
        )
    return library


def _warn(library: Library, recipe: Recipe, choice: ModeChoice) -> None:
    """Warn of bands that are lost, too narrow or invisible with this recipe."""
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
    drawn = [
        str(page["name"])
        for page in library.pages
        if page["provenance"].get("intensity") == "positions only"
    ]
    if drawn:
        warnings.warn(
            f"{', '.join(drawn[:6])}{', ...' if len(drawn) > 6 else ''}: the source has no "
            "strengths, so all bands get one activity; use such spectra for positions only",
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


def _warn_idle(recipe: Recipe) -> None:
    """Warn of settings without effect, unless they have their default or a preset's value.

    In sections that all recipes have, such as ``map``, only presets count whose sections are all
    there. Noise of 0 needs no warning where there is nothing to be noisy.
    """
    idle = {name: section.idle(recipe) for name, section in recipe.sections.items()}
    sources = recipe.library
    is_drawn = ("random:", "unknown:")
    if isinstance(sources, tuple) and not any(one.startswith(is_drawn) for one in sources):
        idle["random"] = dict.fromkeys(RandomClasses.model_fields, "without random species")
    if not recipe.fields.spectra:
        idle["grid"] = {"n_points": "without spectra"}
    complete = [
        preset
        for preset in PRESETS.values()
        if all(getattr(recipe, name) is not None for name in preset)
    ]
    found: list[tuple[str, str]] = []
    for name, reasons in idle.items():
        section = getattr(recipe, name)
        given = section.model_dump(mode="json")
        presets = PRESETS.values() if Recipe.model_fields[name].default is None else complete
        tables = [_defaults(section), *(preset.get(name) for preset in presets)]
        if isinstance(section, EffectSettings):
            tables.append(type(section)().noise_free.model_dump(mode="json"))
        for setting, reason in reasons.items():
            value = _value_at(given, setting)
            if value not in (_value_at(table, setting) for table in tables):
                found.append((reason, f"{name}.{setting}"))
    if found:
        runs = ((reason, [one for _, one in run]) for reason, run in groupby(found, itemgetter(0)))
        said = ", ".join(f"{', '.join(names)} {reason}" for reason, names in runs)
        warnings.warn(
            f"no effect: {said}; leave {'it' if len(found) == 1 else 'them'} out",
            TersWarning,
            stacklevel=3,
        )


def _defaults(section: BaseModel) -> dict[str, Any]:
    """Return the defaults of a section and of its parts, also of those that by default are none."""
    values = ((name, getattr(section, name)) for name in type(section).model_fields)
    parts = {name: _defaults(one) for name, one in values if isinstance(one, EffectSettings)}
    return {**type(section)().model_dump(mode="json"), **parts}


def _value_at(table: Any, setting: str) -> Any:
    """Return a setting, such as ``cube.electrons``, of a table; None if it is not there."""
    for name in setting.split("."):
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _refuse_idle(recipe: Recipe, effect: str, stage: str | None) -> None:
    """Refuse a plug-in effect without the arrays that it acts on."""
    acts_on = {"image": "maps", "profile": "spectra", "optics": "spectra", "signal": "spectra"}
    what = acts_on.get(str(stage))
    there = recipe.has_image if what == "maps" else recipe.fields.spectra
    if what is not None and not there:
        raise ConfigError(
            f"effects.{effect}: expected {what} to act on, got a recipe without any; set "
            f"fields.{what} = true or leave the effect out"
        )


def resolve(recipe: Recipe, said: Statement = NOTHING_SAID) -> Recipe:
    """Return the recipe with its library and the numbers that follow from it set.

    A resolved recipe determines every row. Modules that the recipe names are imported first. Warns
    if modes lie outside the grid and are left out, or if bands are narrower than its steps.
    ``said`` states the kind of the strengths in files of the library that do not.

    Raises
    ------
    ConfigError, LibraryError
        If a module or source cannot be used, a species has no Raman-active mode on the grid, or
        none of the geometry that near-field maps need, or structure targets have no room for its
        atoms.
    """
    for one in recipe.plugins:
        if isinstance(one, str):
            import_module(one)
    # importers change no values but those of their species, whose provenance names them
    used = tuple(one for one in recipe.plugins if not isinstance(one, str))
    check_plugins("tersgen.effects", used)
    parts = {name: load("tersgen.effects", name) for name in sorted(recipe.effects)}
    for name, part in parts.items():
        _refuse_idle(recipe, name, getattr(part, "stage", None))
    there = {record.name for record in used}
    used += tuple(PluginRecord.of(name, part) for name, part in parts.items() if name not in there)
    library = build_library(recipe, said)
    sections = {name: one.resolved_in(recipe, library) for name, one in recipe.sections.items()}
    if recipe.is_resolved:
        return recipe
    if not isinstance(recipe.library, LibraryReference):  # as it is stored
        _warn_idle(recipe)
    if recipe.nearfield is not None and (recipe.has_image or recipe.structure or recipe.scene):
        require_geometry(library)
    choice = ModeChoice(library, recipe)
    if isinstance(recipe.library, tuple):
        _warn(library, recipe, choice)
    chosen = {"n_modes": recipe.fields.n_modes or choice.most(), "precision": recipe.precision}
    fields = recipe.fields.model_copy(update=chosen)
    update = {**sections, "library": library, "fields": fields, "plugins": used}
    full = recipe.model_copy(update=update)
    # through its document, so that a recipe and the same read from disk are equal to the bit
    content = {**full.document, "library": library}
    return validate(Recipe, content, "recipe").holding(full.tip_field)
