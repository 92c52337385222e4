"""Options that several commands share, and settings of a run from files and options."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from tersgen.errors import ConfigError
from tersgen.schema.loading import parse_document, read_text
from tersgen.schema.yaml_text import load_yaml

from .messages import say

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
INPUTS = click.Choice(["spectrum", "map", "both", "cube"])


class Count(click.ParamType[int]):
    """A whole number of at least 1; ``1e6`` and ``1_000_000`` are understood."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail in one line."""
        if isinstance(value, int):
            return value
        try:
            number = float(value)
        except ValueError:
            number = 0.5
        if number != number or number < 1 or number != int(min(number, 1e18)):
            self.fail(f"expected a whole number such as 100000 or 1e5, got {value!r}", param, ctx)
        return int(number)


COUNT = Count()


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def links_option(function: F) -> F:
    """Add ``--follow-links``."""
    return click.option(
        "--follow-links", is_flag=True, default=None,
        help="Follow links, as git-annex and the Hugging Face cache use.",
    )(function)  # fmt: skip


def threads_option(function: F) -> F:
    """Add ``--threads``."""
    return click.option(
        "--threads", type=COUNT,
        help="Threads that read.  [default: all processors, more for slow file systems]",
    )(function)  # fmt: skip


def device_option(function: F) -> F:
    """Add ``--device``."""
    return click.option("--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]")(
        function
    )


def damage_option(function: F) -> F:
    """Add ``--on-damage``."""
    return click.option(
        "--on-damage", type=click.Choice(["stop", "repair"]),
        help="At a damaged chunk stop, or make its rows again in memory.  [default: stop]",
    )(function)  # fmt: skip


def plugin_option(function: F) -> F:
    """Add ``--plugin``."""
    return click.option(
        "--plugin", "plugins", multiple=True, metavar="MODULE",
        help="Module with parts of your own, my_module or folder/my_module.py; may be repeated.",
    )(function)  # fmt: skip


def tell_repaired(n_blocks: int, path: Path | str) -> None:
    """Say how many damaged blocks were rebuilt in memory, if any."""
    if n_blocks:
        say(
            f"{n_blocks} damaged blocks were rebuilt in memory; mend the dataset: "
            f"tersgen repair {path}",
            err=True,
        )


def set_value(table: dict[str, Any], name: str, value: Any) -> None:
    """Set a field, such as ``optim.lr``, in tables within tables.

    Raises
    ------
    ConfigError
        If a part of the name is a field and no group.
    """
    *groups, last = name.split(".")
    for group in groups:
        inside = table.setdefault(group, {})
        if not isinstance(inside, dict):
            raise ConfigError(f"{name}: {group} is no group of fields")
        table = inside
    table[last] = value


def settings_from(
    config: Path | None, settings: tuple[str, ...], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of a run: of a file, then of ``--set``, then of the other options.

    Parameters
    ----------
    config
        A TOML, YAML or JSON file with the groups of a run, or None.
    settings
        Texts FIELD=VALUE.
    options
        Values by field name; None where the option was not given.

    Raises
    ------
    ConfigError
        If the file is not what was expected.
    click.BadParameter
        If a setting is no FIELD=VALUE.
    """
    table = parse_document(read_text(config), config) if config else {}
    lists = ("plugins", "callbacks")
    if not isinstance(table, dict) or not all(
        isinstance(part, list if name in lists else dict) for name, part in table.items()
    ):
        raise ConfigError(f"{config}: expected groups of settings, such as [optim]")
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or "." not in name:
            raise click.BadParameter(
                f"expected GROUP.FIELD=VALUE such as optim.lr=3e-4, got {setting!r}",
                param_hint="'--set'",
            )
        try:
            value = load_yaml(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise click.BadParameter(
                f"cannot read the value of {setting!r}", param_hint="'--set'"
            ) from None
        if isinstance(value, str):  # YAML takes 3e-4 for a text
            with suppress(ValueError):
                value = float(value)
        set_value(table, name, value)
    for name, value in options.items():
        if value is not None:
            set_value(table, name, value)
    return table
