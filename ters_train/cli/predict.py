"""``ters-train predict``."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import (
    COUNT,
    FILE,
    axis_unit_options,
    json_option,
    links_option,
    plugin_option,
    spectrum_option,
    threads_option,
)
from tersgen.cli.common.progress import Display
from tersgen.errors import ConfigError, OutputError
from tersgen.files import why
from tersgen.text import counted

from .options import device_option

_WORTH_SAYING = 0.01


@click.command("predict")
@click.argument("run", type=FILE)
@click.argument("sources", nargs=-1, required=True)
@click.option("--top", type=COUNT, default=3, show_default=True, help="Species to name.")
@click.option(
    "--coverage", type=float, default=0.95, show_default=True,
    help="Fraction of sets that contain the true species (calibrated runs).",
)  # fmt: skip
@click.option(
    "--out", type=FILE,
    help="Write predictions by row to this .csv, .jsonl or .parquet. For a U-Net, a folder "
    "for the structures, NAME.npz each.  [default: print them; for a U-Net RUN/predicted]",
)  # fmt: skip
@click.option(
    "--explain", "explained", is_flag=True,
    help="Add the bands that decided, cm^-1, and their weights (classifiers of spectra).",
)  # fmt: skip
@click.option(
    "--pictures", type=FILE,
    help="Folder for a picture of each spectrum with these bands, over the lines of the species.",
)  # fmt: skip
@click.option(
    "--allow-extrapolation", is_flag=True,
    help="Take spectra that do not cover the model's axis, by repeating their ends. Models trained "
    "on spectra with parts missing (instrument.missing) always do.",
)  # fmt: skip
@click.option(
    "--axis", metavar="KIND|START:STOP|FILE|model",
    help="What the axis of files is: shift, wavelength, absolute or energy; or the axis of spectra "
    "in .npy files, cm^-1: a range, a .npy, or the model's.  [default: as the files say]",
)  # fmt: skip
@axis_unit_options
@spectrum_option
@click.option("--library", type=FILE,
              help="Library that is searched (models of the task retrieval).")  # fmt: skip
@click.option("--skip-bad", is_flag=True, help="Skip files that cannot be used, and list them.")
@click.option("--split", default="default", show_default=True, help="Split of a dataset.")
@click.option("--part", help="Part of that split to predict.  [default: all rows]")
@click.option("--n", "n_rows", type=COUNT, help="First rows of a dataset.  [default: all]")
@threads_option
@links_option
@plugin_option
@device_option
@json_option
def command(
    run: Path,
    sources: tuple[str, ...],
    top: int,
    coverage: float,
    out: Path | None,
    explained: bool,
    pictures: Path | None,
    allow_extrapolation: bool,
    axis: str | None,
    unit: str | None,
    vacuum: bool,
    spectrum: str | None,
    laser_nm: float | None,
    library: Path | None,
    skip_bad: bool,
    split: str,
    part: str | None,
    n_rows: int | None,
    threads: int | None,
    follow_links: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Predict the species of measured spectra, arrays or rows of datasets.

    RUN is the folder of a run, or zoo:NAME (ters-train zoo lists these). SOURCES are files of
    spectra, folders, patterns, datasets, recipes, and NumPy files; - reads a list of them from
    standard input. Spectra are brought to the model's axis and scaled as in training; maps and
    cubes come as .npy, .npz or datasets, in the shape and range trained on. A U-Net predicts the
    structures in maps instead.

    \b
    Examples:
      ters-train predict zoo:minerals spectrum.txt
      ters-train predict runs/cnn spectrum.txt
      ters-train predict runs/cnn measured/ --skip-bad --out predictions.csv
      ters-train predict runs/cnn data.zarr --part test --out predictions.parquet
      ters-train predict runs/cnn spectrum.txt --explain --pictures bands
      find . -name '*.spc' | ters-train predict runs/cnn - --out predictions.jsonl
    """
    from tersgen.cpus import available_cpus
    from tersgen.errors import MeasurementError
    from tersgen.measured.reading import read_options

    from ..engine.ranks import choose_device
    from ..engine.trained import load_trained
    from ..prediction.explain import check_explainable
    from ..prediction.pictures import Pictures
    from ..prediction.predict import predict_batches
    from ..prediction.sources import Refused, SourceOptions, find_sources, read_sources
    from ..prediction.table import open_table

    trained = load_trained(run, choose_device(device))
    if library is not None:
        from ..prediction.library import search_in_library

        n_species = search_in_library(trained, library)
        say(f"{library}: searching {counted(n_species, 'species')}", err=True)
    if explained or pictures is not None:
        check_explainable(trained)
    paths = find_sources(sources)
    if trained.task.draws:
        if part is not None:
            raise click.UsageError(
                "--part: expected a model of species, got one of structures; use --n"
            )
        _draw(trained, tuple(paths), out or run / "predicted", n_rows, follow_links, as_json)
        return
    stated = read_options(None if axis == "model" else axis, unit, vacuum, spectrum, laser_nm)
    if axis == "model":
        stated = stated._replace(axis=trained.shift_cm1)
    options = SourceOptions(
        stated,
        allow_extrapolation or trained.takes_parts,
        split, part, n_rows, follow_links, threads or available_cpus(),
    )  # fmt: skip
    listed: list[dict[str, Any]] = []
    n_done = n_refused = 0
    first_refused = ""
    with ExitStack() as stack:
        table = stack.enter_context(open_table(out, top)) if out is not None else None
        # what is printed is progress enough
        display = stack.enter_context(Display("files", quiet=table is None)).begin(len(paths))
        drawn = None if pictures is None else Pictures(pictures, trained)
        seen: set[str] = set()
        batches = read_sources(trained, paths, options)
        whys = explained or drawn is not None
        for found in predict_batches(trained, batches, top, coverage, whys):
            if isinstance(found, Refused):
                if not skip_bad:
                    raise MeasurementError(
                        found.reason if len(paths) == 1
                        else f"{found.reason} (--skip-bad skips such files)"
                    )  # fmt: skip
                n_refused += 1
                first_refused = first_refused or found.reason
                display.line(f"skipped: {found.reason}")
                if table is not None:
                    table.write([found])
                else:
                    say(f"skipped: {found.reason}", err=True)
                    listed.append(found.as_dict())
                continue
            n_done += len(found)
            seen.update(one.row.source for one in found)
            if drawn is not None:
                drawn.draw(found)
            if table is not None:
                table.write(found)
                text = partial(str, counted(n_done, "row"))
                display.show(len(seen) + n_refused, len(paths), text)
            elif as_json:
                listed += [one.as_dict() for one in found]
            else:
                _print(found, trained.model.uses_measured)
        if not n_done:
            raise MeasurementError(f"expected a file that can be used, got none: {first_refused}")
    if as_json:
        say_json(listed if table is None else {"out": str(out), "n": n_done, "skipped": n_refused})
    elif table is not None:
        skipped = f"; {n_refused} skipped" if n_refused else ""
        say(f"{out}: predictions for {counted(n_done, 'row')}{skipped}")


def _print(found: Any, is_masked: bool) -> None:
    for one in found:
        row = one.row
        file, name = Path(row.source).name, (row.summary or {}).get("name", "")
        # one of many spectra in a file is named after the file and its column, say
        is_named = name and (row.row is None or name.startswith(file))
        where = name if is_named else file
        number = "" if row.row is None or is_named else f" row {row.row}"
        truth = "" if row.truth is None else f"  [{row.truth}]"
        say(f"{where}{number}: {one.text}{truth}")
        if one.why is not None:
            bands = ", ".join(
                f"{band.shift_cm1:.0f} ({band.weight:+.0%})" for band in one.why.bands
            )
            say(f"  bands that decided, cm^-1: {bands or 'none'}")
        if row.extrapolated >= _WORTH_SAYING:
            share = f"{row.extrapolated:.0%} of the model's axis"
            filled = "" if is_masked else ": filled from its edges"
            say(f"  {share} was not measured{filled}")
        for note in (row.summary or {}).get("notes", ()):
            say(f"  {note}")


def _draw(
    trained: Any,
    files: tuple[Path, ...],
    folder: Path,
    n_rows: int | None,
    follow_links: bool,
    as_json: bool,
) -> None:
    """Write what a U-Net sees in each file of maps, and say how many atoms."""
    from tersgen.dataset.output_file import refuse_inside_dataset

    from ..tasks.structure.drawing import predict_structures, read_maps, write_structures

    names = [path.name.partition(".")[0] for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"expected files of different names, got {twice[0]} twice; predict them one by one"
        )
    refuse_inside_dataset(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    maps = [read_maps(trained, path, n_rows, follow_links) for path in files]
    elements = trained.task.options.elements
    written: list[dict[str, Any]] = []
    for name, values in zip(names, maps, strict=True):
        found = predict_structures(trained, values)
        path = folder / f"{name}.npz"
        write_structures(path, found, elements)
        atoms = {symbol: int((found.elements == k).sum()) for k, symbol in enumerate(elements)}
        written.append({"file": str(path), "maps": len(values), "atoms": atoms})
    if as_json:
        say_json(written)
        return
    for one in written:
        counts = ", ".join(f"{n} {symbol}" for symbol, n in one["atoms"].items() if n)
        n_maps = counted(one["maps"], "map")
        say(f"{one['file']}: {n_maps}, atoms: {counts or 'none'}")
