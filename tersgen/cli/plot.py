"""``tersgen plot``: a sample as a picture, or its spectrum as a text."""

from pathlib import Path

import click

from .common.messages import say
from .common.options import FILE, links_option, plugin_option


@click.command("plot")
@click.argument("path", type=FILE)
@click.option(
    "--index", type=int, default=0, show_default=True, help="Row; negative ones count from the end."
)
@click.option(
    "-o", "--output", type=FILE, required=True,
    help="Picture to write: .png, .pdf or .svg; or the spectrum as two columns: .txt or .csv.",
)  # fmt: skip
@links_option
@plugin_option
def command(path: Path, index: int, output: Path, follow_links: bool) -> None:
    """Draw the spectrum, sticks and map of one sample of the dataset or recipe at PATH.

    A text gets the spectrum alone, as spectrometers export it and ters-train predict reads it.
    """
    from ..dataset.opening import open as open_dataset
    from .picture import draw_sample
    from .table import SEPARATORS, write_spectrum

    write = write_spectrum if output.suffix.lower() in SEPARATORS else draw_sample
    dataset = open_dataset(path, follow_links=follow_links)
    from_end = -dataset.n_samples <= index < 0
    write(dataset, index + dataset.n_samples if from_end else index, output)
    say(f"wrote {output}")
