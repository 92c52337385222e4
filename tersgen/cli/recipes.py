"""From options to a recipe."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel

from ..errors import ConfigError
from ..recipe import Recipe
from ..schema.loading import load_table, validate
from ..schema.presets import ATOMS_PRESET, DEFAULT_PRESET, PRESETS, merged
from .common.messages import say
from .common.options import set_field

if TYPE_CHECKING:
    from ..library.intensities import Statement


def effects_of_plugins() -> dict[str, type[BaseModel]]:
    """Return the settings of each effect that a plug-in has, by name.

    Installed packages that cannot be imported are left out; what uses them says why.
    """
    from .. import plugins

    found = {}
    for name in plugins.names("tersgen.effects"):
        with suppress(ConfigError):
            settings = getattr(plugins.load("tersgen.effects", name), "Settings", None)
            if isinstance(settings, type) and issubclass(settings, BaseModel):
                found[name] = settings
    return found


def take_statement(options: dict[str, Any]) -> "Statement":
    """Remove what ``intensity_options`` has added to a command's options, and return it."""
    from ..library.intensities import Statement

    given = {name: options.pop(name) for name in Statement.model_fields if name in options}
    return validate(Statement, given, "options")


def take_recipe(options: dict[str, Any]) -> Recipe:
    """Remove what ``recipe_options`` has added to a command's options, and return its recipe."""
    names = ("config", "library", "seed", "precision", "settings", "presets")
    return recipe_from_options(**{name: options.pop(name) for name in names})


def recipe_from_options(
    config: Path | None,
    library: tuple[str, ...],
    seed: int | None,
    precision: str | None,
    settings: tuple[str, ...],
    presets: tuple[str, ...] = (),
) -> Recipe:
    """Return the recipe that presets, a file and options describe; the later win.

    Without presets and file, options are added to a default preset if there are maps or cubes: that
    of ab-initio responses, or with another library that of sums over atoms.
    """
    table = load_table(config) if config else {}
    origin = str(config) if config else "recipe"
    validate(Recipe, table, origin)

    def completed(table: dict[str, Any]) -> dict[str, Any]:
        """Return a table with the options set in it."""
        if library:
            table["library"] = list(library)
        if seed is not None:
            table["seed"] = seed
        if precision is not None:
            set_field(table, f"fields.precision={precision}")
        for setting in settings:
            set_field(table, setting)
        return table

    if "canonical" in presets and len(set(presets)) > 1:
        raise click.BadParameter(
            "canonical: expected no other preset with it, as it has the defaults of all settings, "
            f"got {', '.join(presets)}",
            param_hint="'--preset'",
        )
    is_default = not presets and config is None and _has_image(completed({}))
    has_sites = all(source.partition(":")[0] == "sites" for source in library)
    default = DEFAULT_PRESET if has_sites else ATOMS_PRESET
    # a copy: options are set in place
    for preset in (default,) if is_default else reversed(presets):
        table = merged(copy.deepcopy(PRESETS[preset]), table)
    try:
        recipe = validate(Recipe, completed(table), "recipe")
    except ConfigError as error:
        given = (("--preset", presets), ("--library", library), ("--set", settings))
        hint = " / ".join(f"'{name}'" for name, values in given if values)
        text = str(error)
        if is_default and _is_valid(completed({})):
            text += (
                f"; without --preset and --config, options are added to --preset {default}; "
                "test patterns need --preset canonical"
            )
        raise click.BadParameter(text, param_hint=hint or "'--config'") from None
    if is_default and not has_sites:
        say(
            f"note: maps are sums over atoms (--preset {default}), whose amplitudes are off by "
            f"about half; --preset {DEFAULT_PRESET} uses what tersgen library respond computes",
            err=True,
        )
    return recipe


def _has_image(table: dict[str, Any]) -> bool:
    """Return whether a recipe with these settings, and else the defaults, has maps or cubes."""
    fields = table.get("fields")
    fields = fields if isinstance(fields, dict) else {}
    return bool(fields.get("maps", True) or fields.get("cube", False))


def _is_valid(table: dict[str, Any]) -> bool:
    """Return whether a table is a recipe."""
    with suppress(ConfigError):
        validate(Recipe, table, "recipe")
        return True
    return False
