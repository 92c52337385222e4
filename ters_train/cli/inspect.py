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
@click.option("--data", type=FILE, required=True, help="Dataset or recipe file.")
@click.option(
    "--input", "kind", type=INPUTS, default="spectrum", show_default=True, help="What a model sees."
)
@links_option
@json_option
def command(data: Path, kind: Any, follow_links: bool, as_json: bool) -> None:
    """Show the inputs, the classes and the splits that a model would be trained on."""
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
