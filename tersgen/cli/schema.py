"""``tersgen schema``."""

from pathlib import Path

import click

from .messages import say
from .options import FILE


@click.group("schema")
def command() -> None:
    """Export the JSON Schemas of all models."""


@command.command("export")
@click.argument("folder", type=FILE)
def export(folder: Path) -> None:
    """Write the JSON Schema of every model into FOLDER."""
    from ..dataset.output_file import refuse_inside_dataset, write_output
    from ..errors import OutputError
    from ..files import why
    from ..schema.export import exported_files

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
def show(model: str) -> None:
    """Print every field of MODEL: its type, unit, default and meaning."""
    from ..schema.export import MODELS, field_rows

    if model not in MODELS:
        raise click.BadParameter(f"expected one of {', '.join(MODELS)}, got {model!r}")
    for name, unit, default, text in field_rows(MODELS[model]):
        shown = "" if default is None else f"  [default: {default}]"
        say(f"{name:<30} {unit:<22} {text}{shown}")
