"""``ters-train predict``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import (
    COUNT,
    FILE,
    axis_kind_option,
    axis_unit_options,
    json_option,
    links_option,
    plugin_option,
)
from tersgen.errors import ConfigError, OutputError
from tersgen.files import why

from .options import device_option

_WORTH_SAYING = 0.01


@click.command("predict")
@click.argument("run", type=FILE)
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--top", type=COUNT, default=3, show_default=True, help="Species to name.")
@click.option(
    "--allow-extrapolation", is_flag=True,
    help="Repeat the outermost intensities where a spectrum does not cover the model's axis.",
)  # fmt: skip
@axis_kind_option
@axis_unit_options
@click.option("--skip-bad", is_flag=True, help="Skip files that cannot be used, and list them.")
@click.option(
    "--out", type=FILE,
    help="Folder for the structures of a U-Net, NAME.npz each.  [default: RUN/predicted]",
)  # fmt: skip
@click.option("--n", "n_rows", type=COUNT, help="First rows of a dataset to draw.  [default: all]")
@links_option
@plugin_option
@device_option
@json_option
def command(
    run: Path,
    files: tuple[Path, ...],
    top: int,
    allow_extrapolation: bool,
    axis: Any,
    unit: str | None,
    vacuum: bool,
    laser_nm: float | None,
    skip_bad: bool,
    out: Path | None,
    n_rows: int | None,
    follow_links: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Say what measured spectra are: text files of two columns, shift and intensity.

    Each is brought to the model's axis and scaled as in training. A U-Net draws the structures in
    maps instead: .npy, .npz or datasets, in the shape and range that it was trained on.
    """
    from tersgen.measured.axis import Stated, unit_named
    from tersgen.measured.reader import ReadOptions

    from ..engine.predict import predict
    from ..engine.ranks import choose_device
    from ..engine.trained import load_trained

    trained = load_trained(run, choose_device(device))
    if trained.task.draws:
        _draw(trained, files, out or run / "predicted", n_rows, follow_links, as_json)
        return
    if out is not None or n_rows is not None:
        raise click.UsageError(
            "--out, --n: expected with a U-Net, which draws; got a model that does not"
        )
    refused: list[str] = []
    options = ReadOptions(laser_nm=laser_nm, stated=Stated(axis, unit_named(unit)), vacuum=vacuum)
    found = predict(
        trained, files, top, allow_extrapolation, refused if skip_bad else None, options
    )
    for line in refused:
        say(f"skipped: {line}", err=True)
    if as_json:
        say_json([one.as_dict() for one in found])
        return
    for one in found:
        say(f"{one.spectrum.name}: {one.said.text}")
        if one.extrapolated >= _WORTH_SAYING:
            say(f"  {one.extrapolated:.0%} of the model's axis was not measured: edges repeated")
        for note in one.spectrum.notes:
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
        say(f"{one['file']}: {one['maps']} maps, atoms: {counts or 'none'}")
