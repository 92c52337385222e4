"""``tersgen inspect``: what is in measured files, without making a dataset of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say, say_json
from .common.options import (
    FILE,
    axis_kind_option,
    axis_unit_options,
    json_option,
    plugin_option,
    spectrum_option,
)

if TYPE_CHECKING:
    from ..measured.spectrum import Spectrum

_MOST_DRAWN = 12


@click.command("inspect")
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="FILES...")
@click.option("--plot", type=FILE, help="Picture of the first spectra: .png, .pdf or .svg.")
@click.option("--reader", metavar="NAME",
              help="Reader of all files.  [default: by their content]")  # fmt: skip
@axis_kind_option
@axis_unit_options
@spectrum_option
@json_option
@plugin_option
def command(
    paths: tuple[Path, ...],
    plot: Path | None,
    reader: str | None,
    axis: Any,
    unit: str | None,
    vacuum: bool,
    spectrum: str | None,
    laser_nm: float | None,
    as_json: bool,
) -> None:
    """Show what a reader takes from measured FILES, and what it leaves.

    That is the axis as the file has it, the laser, spectra and points, the geometry of a map, and
    what is in the file and was not read. Files that cannot be read are reported at the end.
    """
    from ..api.sources import find_sources
    from ..errors import MeasurementError, MissingExtraError
    from ..measured.facts import inspect
    from ..measured.reading import read_options
    from ..plotting.spectra import Line, draw_lines
    from ..plotting.style import save, styled

    options = read_options(axis, unit, vacuum, spectrum, laser_nm)
    facts, refused = [], []
    drawn: list[Spectrum] = []
    for path in find_sources(paths, lambda text: say(text, err=True)):
        try:
            one, spectra = inspect(path, options, reader)
        except (MeasurementError, MissingExtraError) as error:
            refused.append(str(error))
            continue
        facts.append(one)
        drawn += spectra[: _MOST_DRAWN - len(drawn)]
    if as_json:
        say_json({"files": [one.content() for one in facts], "refused": refused})
    else:
        for one in facts:
            say(*one.lines())
    if plot is not None and drawn:
        lines = [Line(one.name, one.shift_cm1, one.intensity) for one in drawn]
        with styled():
            save(draw_lines(lines), plot)
        say(f"wrote {plot}", err=as_json)
    if len(refused) > 1:
        say(*refused, err=True)
        raise MeasurementError(f"expected files that can be read, got {len(refused)} others")
    if refused:
        raise MeasurementError(refused[0])
