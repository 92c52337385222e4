"""``ters-train inspect``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import FILE, json_option, links_option
from tersgen.text import command as shell_command
from tersgen.text import counted

from .options import INPUTS


@click.command("inspect")
@click.argument("run", type=FILE, required=False)
@click.option("--data", type=FILE, help="Dataset or recipe file.")
@click.option(
    "--input", "kind", type=INPUTS, default="spectrum", show_default=True, help="What a model sees."
)
@links_option
@json_option
def command(
    run: Path | None, data: Path | None, kind: Any, follow_links: bool, as_json: bool
) -> None:
    """Show what a model was trained on (RUN or zoo:NAME), or would be trained on (--data).

    \b
    Examples:
      ters-train inspect zoo:minerals
      ters-train inspect --data data.zarr
    """
    if (run is None) == (data is None):
        raise click.UsageError("expected either a run, or --data")
    if run is not None:
        _show_run(run, as_json)
        return
    assert data is not None
    from tersgen.dataset.opening import open as open_dataset

    from ..config import INPUT_FIELDS
    from ..planning import check_fields

    dataset = open_dataset(data, follow_links=follow_links)
    check_fields(dataset, INPUT_FIELDS[kind], f"input {kind!r}")
    inputs = {name: dataset[name].shape[1:] for name in INPUT_FIELDS[kind]}
    splits = {
        name: {part: sum(row[k] for row in split.counts) for k, part in enumerate(split.rule.names)}
        for name, split in dataset.splits.items()
    }
    drawn = "structure/masks" in dataset and kind in ("map", "cube")
    targets = None
    if drawn:
        from ..tasks.structure import structure_targets

        targets = structure_targets(dataset)
    if as_json:
        shown = {"inputs": inputs, "classes": dataset.classes, "splits": splits}
        if targets is not None:
            shown["structure"] = targets.model_dump(mode="json")
        say_json(shown)
        return
    for name, shape in inputs.items():
        say(f"{name}: {' x '.join(str(size) for size in shape)}")
    say(f"{counted(len(dataset.classes), 'class')}: {', '.join(dataset.classes)}")
    if targets is not None:
        bonds = ", bonds" if targets.bonds else ""
        say(
            f"structures (--model unet): {targets.shape}s of {targets.radius_angstrom:g} Angstrom "
            f"at {', '.join(targets.elements)}{bonds}"
        )
    for name, parts in splits.items():
        say(f"split {name}: {', '.join(f'{part} {n}' for part, n in parts.items())}")
    if not splits and dataset.manifest is not None:
        say(f"no splits yet: {shell_command('tersgen', 'split', data)}")


def _show_run(run: Path, as_json: bool) -> None:
    """Show the inputs, classes, training data and calibration of a trained model."""
    import torch

    from ..engine.trained import load_trained

    trained = load_trained(run, torch.device("cpu"))
    state, data = trained.state, trained.state.config.data
    calibration = None if trained.certainty is None else trained.certainty.calibration
    n_weights = sum(value.numel() for value in trained.model.parameters())
    if as_json:
        say_json({
            "checkpoint": str(trained.folder),
            "model": state.config.model.model_dump(mode="json"),
            "parameters": n_weights,
            "classes": trained.classes,
            "axis_cm1": state.axis_cm1,
            "data": data.path,
            "digest": data.digest,
            "calibration": None if calibration is None else calibration.model_dump(
                mode="json", exclude={"novelty_quantiles"}
            ),
        })  # fmt: skip
        return
    axis = state.axis_cm1
    for name, shape in trained.model.shapes.items():
        where = f", {axis[0]:g} to {axis[1]:g} cm^-1" if axis and name == "spectra" else ""
        say(f"{name}: {' x '.join(str(size) for size in shape)}{where}")
    say(f"model: {state.config.model.name}, {counted(n_weights, 'parameter')}")
    say(f"{counted(len(trained.classes), 'class')}: {', '.join(trained.classes)}")
    say(f"trained on: {data.path}, digest {data.digest}")
    if calibration is None:
        say(f"not calibrated: {shell_command('ters-train', 'calibrate', run)}")
        return
    say(
        f"calibrated on {counted(calibration.n_rows, 'row')}: calibration error "
        f"{calibration.ece:.4f}, novelty by {calibration.novelty}"
    )
