"""``tersgen schema``."""

from pathlib import Path

import click

from ..text import not_among
from .common.messages import say
from .common.options import FILE, plugin_option
from .common.program import Group


@click.group("schema", cls=Group)
def command() -> None:
    """Export the JSON Schemas of all models."""


@command.command("export")
@click.argument("folder", type=FILE)
def export(folder: Path) -> None:
    """Write the JSON Schema of every model into FOLDER."""
    from ..dataset.output_file import refuse_inside_dataset, write_output
    from ..dataset.schemas import exported_files
    from ..errors import OutputError
    from ..files import why

    refuse_inside_dataset(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {why(error)}") from None
    for name, text in exported_files().items():
        write_output(folder / name, text.encode())
        say(f"wrote {folder / name}")


@command.command("show")
@click.argument("model", default="recipe")
@plugin_option
def show(model: str) -> None:
    """Print every field of MODEL: its unit, default and meaning; plug-ins add to a recipe's."""
    from ..dataset.schemas import MODELS, field_rows
    from .recipes import effects_of_plugins

    if model not in MODELS:
        raise click.BadParameter(not_among(model, MODELS))
    rows = [*field_rows(MODELS[model])]
    if model == "recipe":
        for effect, settings in effects_of_plugins().items():
            rows += field_rows(settings, f"effects.{effect}.")
    for name, unit, default, text in rows:
        shown = "" if default is None else f"  [default: {default}]"
        say(f"{name:<30} {unit:<22} {text}{shown}")
