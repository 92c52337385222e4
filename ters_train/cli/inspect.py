"""``ters-train inspect``."""

import json
from pathlib import Path
from typing import Any

import click

from .options import FILE, INPUTS, json_option


@click.command("inspect")
@click.option("--data", type=FILE, required=True, help="Dataset or recipe file.")
@click.option(
    "--input", "kind", type=INPUTS, default="spectrum", show_default=True, help="What a model sees."
)
@json_option
def command(data: Path, kind: Any, as_json: bool) -> None:
    """Show the inputs, the classes and the splits that a model would be trained on."""
    from tersgen.dataset.opening import open as open_dataset

    from ..config import INPUT_FIELDS
    from ..planning import check_fields

    dataset = open_dataset(data)
    check_fields(dataset, INPUT_FIELDS[kind], f"input {kind!r}")
    inputs = {name: dataset[name].shape[1:] for name in INPUT_FIELDS[kind]}
    splits = {
        name: {part: sum(row[k] for row in split.counts) for k, part in enumerate(split.rule.names)}
        for name, split in dataset.splits.items()
    }
    if as_json:
        click.echo(json.dumps({"inputs": inputs, "classes": dataset.classes, "splits": splits}))
        return
    for name, shape in inputs.items():
        click.echo(f"{name}: {' x '.join(str(size) for size in shape)}")
    click.echo(f"{len(dataset.classes)} classes: {', '.join(dataset.classes)}")
    for name, parts in splits.items():
        click.echo(f"split {name}: {', '.join(f'{part} {n}' for part, n in parts.items())}")
    if not splits and dataset.manifest is not None:
        click.echo(f"no splits yet: tersgen split {data} --ratios train=0.8,val=0.1,test=0.1")
