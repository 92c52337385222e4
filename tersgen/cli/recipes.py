"""From options to a recipe."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from ..errors import ConfigError
from ..schema.loading import load_table, validate
from ..schema.presets import PRESETS, merged
from ..schema.recipe import Recipe

if TYPE_CHECKING:
    from ..library.intensities import Statement


def _set(table: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"expected FIELD=VALUE, got {setting!r}", param_hint="'--set'")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise click.BadParameter(
            f"cannot read the value of {setting!r}", param_hint="'--set'"
        ) from None
    *groups, last = name.split(".")
    for group in groups:
        inside = table.setdefault(group, {})
        if not isinstance(inside, dict):
            raise click.BadParameter(f"{group} is no group of fields", param_hint="'--set'")
        table = inside
    table[last] = value


def take_statement(options: dict[str, Any]) -> "Statement":
    """Remove what ``intensity_options`` has added to a command's options, and return it.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """
    from ..library.intensities import Statement

    given = {name: options.pop(name) for name in Statement.model_fields if name in options}
    return validate(Statement, given, "options")


def recipe_from_options(
    config: Path | None,
    library: tuple[str, ...],
    seed: int | None,
    precision: str | None,
    settings: tuple[str, ...],
    presets: tuple[str, ...] = (),
) -> Recipe:
    """Return the recipe that presets, a file and options describe; the later win.

    Raises
    ------
    ConfigError
        If the file is not what was expected.
    click.BadParameter
        If an option is not.
    """
    table = load_table(config) if config else {}
    origin = str(config) if config else "recipe"
    validate(Recipe, table, origin)
    # a copy: options are set in place
    for preset in reversed(presets):
        table = merged(copy.deepcopy(PRESETS[preset]), table)
    if library:
        table["library"] = list(library)
    if seed is not None:
        table["seed"] = seed
    if precision is not None:
        _set(table, f"fields.precision={precision}")
    for setting in settings:
        _set(table, setting)
    try:
        return validate(Recipe, table, "recipe")
    except ConfigError as error:
        given = (("--preset", presets), ("--library", library), ("--set", settings))
        hint = " / ".join(f"'{name}'" for name, values in given if values)
        raise click.BadParameter(str(error), param_hint=hint or "'--config'") from None
