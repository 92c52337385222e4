"""``tersgen plot``."""

from pathlib import Path

import click

from .options import FILE
from .saying import say


@click.command("plot")
@click.argument("path", type=FILE)
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, help="Row.")
@click.option("-o", "--output", type=FILE, required=True, help="Picture to write: PNG, PDF or SVG.")
def command(path: Path, index: int, output: Path) -> None:
    """Draw the spectrum, sticks and map of one sample of the dataset or recipe at PATH."""
    from ..dataset.opening import open as open_dataset
    from .picture import draw_sample

    draw_sample(open_dataset(path), index, output)
    say(f"wrote {output}")
