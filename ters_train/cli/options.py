"""Options that several commands of ``ters-train`` share, and the settings of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say
from tersgen.cli.common.options import Choice, set_field, set_value
from tersgen.errors import ConfigError
from tersgen.text import command, counted

INPUTS = Choice(["spectrum", "map", "both", "cube"])
_LISTS = ("plugins", "callbacks")


device_option = click.option(
    "--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]"
)
damage_option = click.option(
    "--on-damage", type=Choice(["stop", "repair"]),
    help="At a damaged chunk stop, or make its rows again in memory.  [default: stop]",
)  # fmt: skip


def report_repaired(n_blocks: int, path: Path | str) -> None:
    """Say how many damaged blocks were rebuilt in memory, if any."""
    if n_blocks:
        say(
            f"{counted(n_blocks, 'damaged block')} rebuilt in memory; mend the dataset: "
            f"{command('tersgen', 'repair', path)}",
            err=True,
        )


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
    """
    from tersgen.schema.loading import parse_document, read_text  # --help stays quick

    table = parse_document(read_text(config), config) if config else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{config}: expected groups of settings, such as [optim]")
    for setting in settings:
        set_field(table, setting)
    for name, value in options.items():
        if value is not None:
            set_value(table, name, value)
    for name, part in table.items():
        if not isinstance(part, list if name in _LISTS else dict):
            expected = "a list" if name in _LISTS else "a group of settings, such as optim.lr=3e-4"
            raise ConfigError(f"{name}: expected {expected}, got {part!r:.80}")
    return table
