"""``tersgen plot``: pictures of datasets, recipes, measured files, libraries and predictions."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say
from .common.options import (
    FILE,
    axis_kind_option,
    axis_unit_options,
    links_option,
    plugin_option,
)
from .options import shift_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..plotting.sample_images import DrawOptions
    from ..plotting.sources import Selection

_MOST_ROWS = 64


def _numbers(text: str) -> tuple[int, ...]:
    """Return numbers and ranges, ``0:9`` or ``3,7,12``, or fail in one line."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, colon, last = part.partition(":")
            found += range(int(first or 0), int(last)) if colon else [int(first)]
    except ValueError:
        raise click.BadParameter(
            f"expected numbers or ranges such as 3,7 or 0:9, got {text!r}"
        ) from None
    if not 0 < len(found) <= _MOST_ROWS:
        raise click.BadParameter(f"expected 1 to {_MOST_ROWS} of them, got {len(found)}")
    return tuple(found)


def _band(text: str) -> tuple[float, float]:
    """Return both ends of a band, equal for a single Raman shift, or fail in one line."""
    with suppress(ValueError):
        shift = float(text)
        return shift, shift
    try:
        return shift_range(text)
    except click.BadParameter:
        raise click.BadParameter(
            f"expected LOW:HIGH, such as 950:1050, or a Raman shift, in cm^-1, got {text!r}"
        ) from None


@click.command("plot")
@click.argument("path", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True,
    help="Picture to write: .png, .pdf or .svg; or the spectrum as two columns: .txt or .csv.",
)  # fmt: skip
@click.option(
    "--index", "rows", type=_numbers, metavar="ROWS",
    help="Row, or several in a grid: 7, 0:9 or 3,7; negative ones count from the end.  "
    "[default: 0]",
)  # fmt: skip
@click.option("--species", help="Rows of this species; of a library, this species.")
@click.option(
    "--over", type=FILE, multiple=True, metavar="PATH",
    help="Draw these spectra, too, for comparison: anything that PATH may be; may be repeated.",
)  # fmt: skip
@click.option("--channel", "channels", type=_numbers, metavar="NUMBERS",
              help="Channels of the map.  [default: all]")  # fmt: skip
@click.option("--band", type=_band, metavar="LOW:HIGH|SHIFT",
              help="Only the map of this band, or at this Raman shift, cm^-1.")  # fmt: skip
@click.option("--range", "span", type=shift_range, metavar="RANGE",
              help="Raman shifts to show, cm^-1: 200:1800.")  # fmt: skip
@click.option("--labels/--no-labels", default=True, help="Label peaks.  [default: yes]")
@click.option("--atoms/--no-atoms", default=True, help="Draw atoms over maps.  [default: yes]")
@click.option("--dpi", type=click.IntRange(30, 1200), default=300, show_default=True,
              help="Pixels per inch of a .png.")  # fmt: skip
@axis_kind_option
@axis_unit_options
@links_option
@plugin_option
def command(
    path: Path,
    output: Path,
    rows: tuple[int, ...] | None,
    species: str | None,
    over: tuple[Path, ...],
    channels: tuple[int, ...] | None,
    band: tuple[float, float] | None,
    span: tuple[float, float] | None,
    labels: bool,
    atoms: bool,
    dpi: int,
    axis: Any,
    unit: str | None,
    vacuum: bool,
    laser_nm: float | None,
    follow_links: bool,
) -> None:
    """Draw what is at PATH: dataset, recipe, measured file, library, predictions, training run.

    Outputs of ORCA, Gaussian and others are libraries, too, and so is a built-in species,
    builtin:NAME.

    A text gets the spectrum alone, as spectrometers export it and ters-train predict reads it.

    \b
    Examples:
      tersgen plot data.zarr --index 7 -o seven.png
      tersgen plot data.zarr --index 0:9 -o nine.svg
      tersgen plot tip.zarr --species benzene --band 992 -o band.pdf
      tersgen plot measured.txt --over data.zarr --species calcite --range 200:1800 -o both.png
      tersgen plot measured.txt --over builtin:pyridine -o both.png
      tersgen plot mine.tlib --species pyridine -o pyridine.png
      tersgen plot predictions.csv --index 0:9 -o predicted.png
      tersgen plot runs/cnn -o run.pdf
    """
    from ..dataset.downloads import with_local_copy
    from ..measured.reading import read_options
    from ..plotting.sample_images import DrawOptions
    from ..plotting.sources import Selection
    from ..plotting.style import save, styled
    from .table import SEPARATORS, write_spectrum

    read = read_options(axis, unit, vacuum, laser_nm=laser_nm)
    selection = Selection(rows, species, read, follow_links)
    path, over = with_local_copy(path), tuple(map(with_local_copy, over))
    if output.suffix.lower() in SEPARATORS:
        dataset, row = _only_row(path, selection)
        write_spectrum(dataset, row, output)
    else:
        options = DrawOptions(channels, band, span, labels, atoms)
        with styled():
            save(_draw(path, selection, options, over), output, dpi)
    say(f"wrote {output}")


def _only_row(path: Path, selection: "Selection") -> tuple[Any, int]:
    """Return dataset and number of the one row to write."""
    from ..dataset.opening import open as open_dataset
    from ..plotting.sources import rows_of

    dataset = open_dataset(path, follow_links=selection.follow_links)
    chosen = rows_of(dataset, selection)
    if len(chosen) != 1:
        raise click.UsageError(f"--index: expected one row for a text, got {len(chosen)}")
    return dataset, _from_start(dataset, chosen[0])


def _from_start(dataset: Any, row: int) -> int:
    """Return a row counted from the first; one that does not exist is left to be refused."""
    return row + dataset.n_samples if -dataset.n_samples <= row < 0 else row


def _of_its_species(path: Path, selection: "Selection") -> "Selection":
    """Return a selection without its species, where a source does not know it, as a measured one.

    The species is that of what is drawn over it.
    """
    from ..dataset.opening import open as open_dataset
    from ..plotting.sources import has_rows

    if has_rows(path):
        dataset = open_dataset(path, follow_links=selection.follow_links)
        if selection.species in dataset.classes:
            return selection
    return selection._replace(species=None)


def _draw(
    path: Path, selection: "Selection", options: "DrawOptions", over: tuple[Path, ...]
) -> "Figure":
    from ..dataset.opening import open as open_dataset
    from ..plotting.runs import is_run
    from ..plotting.samples import draw_rows, draw_sample
    from ..plotting.sources import has_rows, holds_species, library_species, read_lines, rows_of
    from ..plotting.spectra import draw_lines, draw_species
    from ..plotting.structures import draw_structures, holds_structures
    from ..plotting.tip_images import draw_tip_images, tip_images
    from ..plotting.training import draw_run

    if over:
        lines = read_lines(path, _of_its_species(path, selection))
        others = selection._replace(rows=None)
        lines += [line for one in over for line in read_lines(one, others)]
        return draw_lines(lines, "", options.span_cm1, options.labels)
    if has_rows(path):
        dataset = open_dataset(path, follow_links=selection.follow_links)
        rows = [_from_start(dataset, row) for row in rows_of(dataset, selection)]
        if len(rows) == 1:
            return draw_sample(dataset, rows[0], options)
        return draw_rows(dataset, rows, options)
    if is_run(path):
        return draw_run(path)
    if holds_structures(path):
        return draw_structures(path, selection.rows or (0,))
    if holds_species(path):
        found = library_species(path, selection.species)
        if len(found) == 1:
            images = tip_images(found[0])
            if images:
                return draw_tip_images(found[0], images)
            return draw_species(found[0], options.span_cm1, options.labels)
    lines = read_lines(path, selection)
    return draw_lines(lines, "", options.span_cm1, options.labels)
