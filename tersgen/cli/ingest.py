"""``tersgen ingest``."""

from pathlib import Path
from typing import Any

import click

from .common.messages import say
from .common.options import (
    FILE,
    Choice,
    axis_unit_options,
    json_option,
    plugin_option,
    spectrum_option,
    threads_option,
)
from .options import FORMATS, overwrite_option, shift_range


def _grid(text: str) -> tuple[float, float, int]:
    """Return start, stop and points of an axis, ``100:4000:1024``, or fail in one line."""
    try:
        start, stop, points = text.split(":")
        return float(start), float(stop), int(points)
    except ValueError:
        raise click.BadParameter(
            f"expected START:STOP:POINTS as 100:4000:1024, got {text!r}"
        ) from None


@click.command("ingest")
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="FILES...")
@click.option("--out", type=FILE, required=True, help="Dataset to write, e.g. real.zarr.")
@click.option("--labels", type=FILE,
              help="CSV with the columns file and label, and perhaps group, part and "
              "columns of numbers.")  # fmt: skip
@click.option("--label", help="Label of all files.")
@click.option("--label-from", metavar="folder|REGEX",
              help="Label from the name of the folder, or what the group of a regular expression "
              "finds in the path: '([^/]+)__'.")  # fmt: skip
@click.option("--like", type=FILE,
              help="Dataset or recipe whose axis, range and order of classes to take.")  # fmt: skip
@click.option("--as", "samples", type=Choice(["spectra", "cubes", "maps"]), default="spectra",
              show_default=True,
              help="What a sample is: a spectrum (each point of a map is one), the cube of a whole "
              "map, or a map with a channel for each --band.")  # fmt: skip
@click.option("--band", "bands", type=shift_range, multiple=True, metavar="LOW:HIGH",
              help="Band of --as maps, cm^-1; may be repeated, for a channel each.")  # fmt: skip
@click.option("--grid", type=_grid, metavar="START:STOP:POINTS",
              help="Axis in cm^-1.  [default: what all spectra cover, in 1024 points]")  # fmt: skip
@click.option(
    "--axis", metavar="KIND|START:STOP|FILE",
    help="What the axis of files is: shift, wavelength, absolute or energy; or the axis of spectra "
    "in .npy files, cm^-1: a range, or a .npy.  [default: as the files say]",
)  # fmt: skip
@axis_unit_options
@spectrum_option
@click.option("--reader", metavar="NAME",
              help="Reader of all files.  [default: by their content]")  # fmt: skip
@click.option("--allow-extrapolation", is_flag=True,
              help="Repeat the outermost intensities where the axis is not covered.")  # fmt: skip
@click.option("--skip-bad", is_flag=True, help="Skip files that cannot be used, and list them.")
@click.option("--precision", type=Choice(["float16", "float32"]), default="float32",
              show_default=True, help="Type of spectra and maps.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="Seed of the order of rows.")  # fmt: skip
@click.option("--format", type=FORMATS,
              help="Back end.  [default: hdf5 if --out ends in .h5, else zarr]")  # fmt: skip
@overwrite_option("--out")
@threads_option
@json_option
@plugin_option
def command(
    paths: tuple[Path, ...],
    out: Path,
    like: Path | None,
    grid: tuple[float, float, int] | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Make a dataset of measured rows: FILES are spectra, folders of them, or NumPy arrays.

    Spectra are text files of two columns, CSV, JCAMP-DX, or instrument files (.wdf and others, with
    pip install 'tersgen[instruments]'), detected from the content. Each is resampled to one axis
    and min-max scaled; the measured values are kept too (raw/shift, raw/intensity). A file without
    a label is of the class unknown.

    \b
    Examples:
      tersgen ingest spectra/ --labels labels.csv --out real.zarr
      tersgen ingest spectra/ --label-from folder --like data.zarr --out real.zarr
      tersgen ingest train.npz --out real.h5
      tersgen ingest map.wdf --as cubes --grid 100:1800:512 --out map.zarr
      tersgen ingest spectra.npy --axis 100:4000 --label benzene --out real.zarr
    """
    from ..api.measuring import prepare_ingest
    from .build import print_built
    from .common.progress import Display
    from .progress import report_to

    prepared = prepare_ingest(
        paths, out, like=like, grid=grid, note=lambda text: say(text, err=True), **others
    )
    measured = prepared.measured
    if measured.n_raw:
        taken = measured.grid
        whence = "what all spectra cover" if grid is None else "of --grid"
        say(
            f"axis {taken.start_cm1:g} to {taken.stop_cm1:g} cm^-1 in {taken.n_points} points, "
            f"{whence if like is None else f'of {like}'}",
            err=as_json,
        )
    if prepared.warning:
        say(f"Warning: {prepared.warning}", err=True)
    with Display("samples", as_json).begin(prepared.plan.n_samples) as display:
        built = prepared.run(report_to(display))
    print_built(built, out, as_json)
