"""``tersgen ingest``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say
from .common.options import (
    FILE,
    Choice,
    axis_unit_options,
    json_option,
    plugin_option,
    threads_option,
)
from .options import FORMATS, overwrite_option

if TYPE_CHECKING:
    from ..jobs.ingest import Target
    from ..measured.reader import Axis
    from ..store.location import DatasetLocation

_MOST_TOLD = 20
_MOST_NEW = 5


class _Grid(click.ParamType[tuple[float, float, int]]):
    """An axis, ``100:4000:1024``."""

    name = "axis"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return start, stop and points, or fail in one line."""
        if isinstance(value, tuple):
            return value
        try:
            start, stop, points = str(value).split(":")
            return float(start), float(stop), int(points)
        except ValueError:
            self.fail(f"expected START:STOP:POINTS as 100:4000:1024, got {value!r}", param, ctx)


@click.command("ingest")
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="FILES...")
@click.option("--out", type=FILE, required=True, help="Dataset to write, e.g. real.zarr.")
@click.option("--labels", type=FILE,
              help="CSV with the columns file and label, and perhaps group and part.")  # fmt: skip
@click.option("--label", help="Label of all files.")
@click.option("--label-from", metavar="folder|REGEX",
              help="Label from the name of the folder, or what the group of a regular expression "
              "finds in the path: '([^/]+)__'.")  # fmt: skip
@click.option("--like", type=FILE,
              help="Dataset or recipe whose axis, range and order of classes to take.")  # fmt: skip
@click.option("--grid", type=_Grid(), metavar="START:STOP:POINTS",
              help="Axis in cm^-1.  [default: what all spectra cover, in 1024 points]")  # fmt: skip
@click.option(
    "--axis", metavar="KIND|START:STOP|FILE",
    help="What the axis of files is: shift, wavelength, absolute or energy; or the axis of spectra "
    "in .npy files, cm^-1: a range, or a .npy.  [default: as the files say]",
)  # fmt: skip
@axis_unit_options
@click.option("--reader", metavar="NAME",
              help="Reader of all files.  [default: by their content]")  # fmt: skip
@click.option("--allow-extrapolation", is_flag=True,
              help="Repeat the outermost intensities where the axis is not covered.")  # fmt: skip
@click.option("--skip-bad", is_flag=True, help="Skip files that cannot be used, and list them.")
@click.option("--precision", type=Choice(["float16", "float32"]), default="float32",
              show_default=True, help="Type of spectra and maps.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="Seed of the order of rows.")  # fmt: skip
@click.option("--format", "back_end", type=FORMATS,
              help="Back end.  [default: hdf5 if --out ends in .h5, else zarr]")  # fmt: skip
@overwrite_option("--out")
@threads_option
@json_option
@plugin_option
def command(
    paths: tuple[Path, ...],
    out: Path,
    labels: Path | None,
    label: str | None,
    label_from: str | None,
    like: Path | None,
    grid: tuple[float, float, int] | None,
    axis: str | None,
    unit: str | None,
    vacuum: bool,
    reader: str | None,
    laser_nm: float | None,
    allow_extrapolation: bool,
    skip_bad: bool,
    precision: str,
    seed: int,
    back_end: Any,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
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
      tersgen ingest spectra.npy --axis 100:4000 --label benzene --out real.zarr
    """
    from ..jobs.ingest import ingest, plan_ingest, repeated_edges
    from ..jobs.output import check_output
    from ..measured.axis import Stated, kind_named, unit_named
    from ..measured.collection import collect
    from ..measured.labels import LabelRule, LabelTable
    from ..measured.reader import ReadOptions
    from ..store.location import guess_format, new_location
    from .build import print_built
    from .common.progress import Display
    from .progress import report_to

    if sum(one is not None for one in (labels, label, label_from)) > 1:
        raise click.UsageError("expected one of --labels, --label and --label-from")
    if like is not None and grid is not None:
        raise click.UsageError("expected one of --like and --grid")
    location = new_location(out, back_end or guess_format(out))
    check_output(location, overwrite)
    target = _target(like, grid, precision, allow_extrapolation, laser_nm, seed)
    table = LabelTable(labels) if labels is not None else None
    rule = LabelRule(table, label, _pattern(label_from))
    files = _sources(paths, labels, location)
    kind = kind_named(axis)
    own_axis = None if kind else _axis(axis)
    options = ReadOptions(
        laser_nm=laser_nm, axis=own_axis, stated=Stated(kind, unit_named(unit)), vacuum=vacuum
    )
    collection = collect(files, rule, options, reader, skip_bad)
    for text in collection.refused[:_MOST_TOLD]:
        say(f"skipped: {text}", err=True)
    if len(collection.refused) > _MOST_TOLD:
        say(f"skipped: {len(collection.refused) - _MOST_TOLD} more", err=True)
    for text in collection.notes()[:_MOST_TOLD]:
        say(text, err=True)
    if table is not None and table.unused:
        shown = ", ".join(table.unused[:5])
        say(f"{labels}: no file for {len(table.unused)} of its lines: {shown}", err=True)
    plan, rows = plan_ingest(collection, target, location.format)
    _say_taken(plan.recipe, target, grid, like, as_json)
    if allow_extrapolation:
        for text in repeated_edges(collection, plan.recipe.grid)[:_MOST_TOLD]:
            say(text, err=True)
    with Display("samples", as_json).begin(plan.n_samples) as display:
        built = ingest(plan, rows, location, overwrite, threads, report_to(display))
    print_built(built, out, as_json)


def _say_taken(
    measured: Any,
    target: "Target",
    grid: tuple[float, float, int] | None,
    like: Path | None,
    as_json: bool,
) -> None:
    """Say the axis that was taken, and which classes are new beside those of ``--like``."""
    from ..schema.species import UNKNOWN
    from ..text import did_you_mean

    if measured.n_raw:
        axis = measured.grid
        whence = "what all spectra cover" if grid is None else "of --grid"
        say(
            f"axis {axis.start_cm1:g} to {axis.stop_cm1:g} cm^-1 in {axis.n_points} points, "
            f"{whence if like is None else f'of {like}'}",
            err=as_json,
        )
    known = target.classes
    new = [name for name in measured.classes[len(known) :] if name != UNKNOWN]
    if known and new:
        shown = ", ".join(f"{name}{did_you_mean(name, known)}" for name in new[:_MOST_NEW])
        more = f" and {len(new) - _MOST_NEW} more" if len(new) > _MOST_NEW else ""
        say(f"Warning: {like} has no class {shown}{more}; added as new classes", err=True)


def _sources(
    paths: tuple[Path, ...], labels: Path | None, location: "DatasetLocation"
) -> "list[Path]":
    """Return the files to read: without the labels, and what an earlier run has written.

    Raises
    ------
    MeasurementError
        If nothing else was found.
    """
    from ..dataset.ownership import is_inside, is_same_place
    from ..errors import MeasurementError
    from ..jobs.replace import staging_folder
    from .sources import find_sources

    written = (location.path, location.folder, staging_folder(location))
    files = [
        path
        for path in find_sources(paths, written)
        if (labels is None or not is_same_place(path, labels))
        and not any(is_inside(path, place) for place in written)
    ]
    if not files:
        raise MeasurementError(f"expected files of measured spectra outside {location}, got none")
    return files


def _target(
    like: Path | None,
    grid: tuple[float, float, int] | None,
    precision: str,
    allow_extrapolation: bool,
    laser_nm: float | None,
    seed: int,
) -> "Target":
    """Return what measured rows are brought to."""
    from ..dataset.opening import open as open_dataset
    from ..jobs.ingest import Target
    from ..schema.grid import Grid
    from ..schema.loading import validate

    target = Target(None, (), precision, "unit", allow_extrapolation, laser_nm, seed)
    if like is not None:
        dataset = open_dataset(like)
        axis = dataset.axes.get("raman_shift")
        if axis is None:
            raise click.BadParameter(
                "expected a dataset with spectra, got one without any", param_hint="--like"
            )
        return target._replace(
            grid=Grid(start_cm1=axis.start, stop_cm1=axis.stop, n_points=axis.n),
            classes=dataset.classes,
            scale=dataset.scale,
        )
    if grid is not None:
        start, stop, points = grid
        table = {"start_cm1": start, "stop_cm1": stop, "n_points": points}
        return target._replace(grid=validate(Grid, table, "--grid"))
    return target


def _pattern(label_from: str | None) -> str | None:
    """Return where labels come from, if the text says so.

    Raises
    ------
    click.BadParameter
        If it is no regular expression with a group.
    """
    import re

    if label_from in (None, "folder"):
        return label_from
    try:
        groups = re.compile(str(label_from)).groups
    except re.error as error:
        raise click.BadParameter(
            f"no regular expression: {error}", param_hint="--label-from"
        ) from None
    if not groups:
        raise click.BadParameter(
            f"expected folder, or a regular expression with a group as '([^/]+)__', got "
            f"{label_from!r}",
            param_hint="--label-from",
        )
    return label_from


def _axis(text: str | None) -> "Axis | None":
    """Return the axis of arrays: its ends, or all its points."""
    from ..measured.readers.arrays import read_axis

    if text is None:
        return None
    first, _, last = text.partition(":")
    try:
        return float(first), float(last)
    except ValueError:
        return read_axis(Path(text))
