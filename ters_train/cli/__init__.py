"""The command line of ``ters_train``."""

import json
from pathlib import Path
from typing import Any

import click

from tersgen.errors import TersError

from .. import __version__


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TersError as error:
            raise click.ClickException(" ".join(str(error).split())) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ters-train")
def main() -> None:
    """Train on TERS datasets."""


@main.command("inspect")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Dataset or recipe file."
)
@click.option(
    "--input", "kind", type=click.Choice(["spectrum", "map", "both"]), default="spectrum",
    show_default=True, help="What the model sees.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(data: Path, kind: Any, as_json: bool) -> None:
    """Show the inputs and classes that a model would be trained on."""
    from tersgen.dataset.opening import open as open_dataset

    from ..config import make_feed

    feed = make_feed(open_dataset(data), kind)
    if as_json:
        click.echo(json.dumps({"inputs": feed.inputs, "classes": feed.classes}))
        return
    for name, shape in feed.inputs.items():
        click.echo(f"{name}: {' x '.join(str(size) for size in shape)}")
    click.echo(f"{len(feed.classes)} classes: {', '.join(feed.classes)}")
