"""``tersgen inspect``: what is in measured files, without making a dataset of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say, say_json
from .common.options import FILE, axis_kind_option, axis_unit_options, json_option, plugin_option

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
@json_option
@plugin_option
def command(
    paths: tuple[Path, ...],
    plot: Path | None,
    reader: str | None,
    axis: Any,
    unit: str | None,
    vacuum: bool,
    laser_nm: float | None,
    as_json: bool,
) -> None:
    """Show what a reader takes from measured FILES, and what it leaves.

    That is the axis as the file has it, the laser, spectra and points, the geometry of a map, and
    what is in the file and was not read. Files that cannot be read are reported at the end.
    """
    from ..errors import MeasurementError, MissingExtraError
    from ..measured.axis import Stated, unit_named
    from ..measured.facts import inspect
    from ..measured.reader import ReadOptions
    from .sources import find_sources

    options = ReadOptions(laser_nm=laser_nm, stated=Stated(axis, unit_named(unit)), vacuum=vacuum)
    facts, refused = [], []
    drawn: list[Spectrum] = []
    for path in find_sources(paths):
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
        _draw(drawn, plot)
        say(f"wrote {plot}", err=as_json)
    if len(refused) > 1:
        say(*refused, err=True)
        raise MeasurementError(f"expected files that can be read, got {len(refused)} others")
    if refused:
        raise MeasurementError(refused[0])


def _draw(spectra: "list[Spectrum]", output: Path) -> None:
    """Draw spectra over each other.

    Raises
    ------
    OutputError
        If the picture cannot be written.
    """
    from .picture import new_figure, save

    figure, (axes,) = new_figure(1)
    for one in spectra:
        # A name may hold a dollar sign, which matplotlib would take for mathematics.
        label = one.name.replace("$", r"\$")
        axes.plot(one.shift_cm1, one.intensity, linewidth=0.8, label=label)
    axes.set_xlabel("Raman shift / cm$^{-1}$")
    axes.set_ylabel("intensity as measured")
    axes.legend(frameon=False, fontsize="x-small")
    save(figure, output)
