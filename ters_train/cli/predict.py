"""``ters-train predict``."""

import json
from pathlib import Path

import click

from .options import COUNT, FILE, device_option, json_option

_WORTH_SAYING = 0.01


@click.command("predict")
@click.argument("run", type=FILE)
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--top", type=COUNT, default=3, show_default=True, help="Species to name.")
@click.option(
    "--allow-extrapolation", is_flag=True,
    help="Repeat the outermost intensities where a spectrum does not cover the model's axis.",
)  # fmt: skip
@device_option
@json_option
def command(
    run: Path,
    files: tuple[Path, ...],
    top: int,
    allow_extrapolation: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Name the species of measured spectra: text files of two columns, shift and intensity.

    Each is brought to the model's axis and scaled as in training.
    """
    from ..engine.predict import predict
    from ..engine.ranks import choose_device
    from ..engine.trained import load_trained

    trained = load_trained(run, choose_device(device))
    found = predict(trained, files, top, allow_extrapolation)
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found]))
        return
    for one in found:
        names = ", ".join(f"{name} {share:.1%}" for name, share in one.species)
        click.echo(f"{one.spectrum.name}: {names}")
        if one.extrapolated >= _WORTH_SAYING:
            click.echo(
                f"  {one.extrapolated:.0%} of the model's axis was not measured: edges repeated"
            )
        for note in one.spectrum.notes:
            click.echo(f"  {note}")
