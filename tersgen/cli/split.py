"""``tersgen split``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import counted
from .common.messages import say, say_json
from .common.options import FILE, Choice, json_option

if TYPE_CHECKING:
    from ..schema.split import Split

_MOST_CLASSES = 40


def _ratios(text: str) -> dict[str, float]:
    """Return ratios by name, ``train=0.8,val=0.1,test=0.1``, or fail in one line."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    try:
        ratios = {name.strip(): float(ratio) for name, _, ratio in pairs}
    except ValueError:
        ratios = {}
    if ratios and len(ratios) < len(pairs):
        raise click.BadParameter(f"expected each part once, got {text!r}")
    if not ratios:
        raise click.BadParameter(f"expected NAME=RATIO,... as train=0.8,val=0.2, got {text!r}")
    return ratios


@click.command("split")
@click.argument("path", type=FILE)
@click.option("--name", default="default", show_default=True, help="Name of the split.")
@click.option("--ratios", type=_ratios, default="train=0.8,val=0.1,test=0.1", show_default=True,
              metavar="RATIOS", help="Parts and their shares; the sum is 1.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--by", type=Choice(["species", "group", "sample"]),
              help="species: every part has its share of every species; group: every species is "
              "whole in one part; sample: of measured rows, those of one group, or one file, are "
              "together.  [default: sample for measured rows of several groups or files, otherwise "
              "species]")  # fmt: skip
@click.option("--hold-out", metavar="LIST",
              help="Species, ranges FIELD=LOW:HIGH and values FIELD=VALUE that only one part has, "
              "comma-separated: benzene,params/width=1.1:1.25")  # fmt: skip
@click.option("--hold-out-to", metavar="PART", help="The part that has them.  [default: test]")
@click.option("--overwrite", is_flag=True, help="Replace the split of this name.")
@json_option
def command(
    path: Path,
    name: str,
    ratios: dict[str, float],
    seed: int,
    by: str | None,
    hold_out: str | None,
    hold_out_to: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Split the dataset at PATH into parts, each row into one; kept with its newest version.

    \b
    Examples:
      tersgen split data.zarr --ratios train=0.8,val=0.1,test=0.1 --seed 1
      tersgen split data.zarr --name unseen --hold-out benzene,pyridine
      tersgen split data.zarr --name wide --hold-out params/width=1.1:1.25
      tersgen split data.zarr --name other --hold-out 'params/instrument[resolution]=8:inf'
    """
    from ..api.datasets import split_dataset
    from ..dataset.opening import open as open_dataset
    from ..dataset.versions import locate

    held = [text.strip() for text in (hold_out or "").split(",") if text.strip()]
    made = split_dataset(path, ratios, name, seed, by, held, hold_out_to, overwrite)
    if made.note:
        say(made.note, err=True)
    for warning in made.warnings:
        say(f"Warning: {warning}", err=True)
    if as_json:
        say_json(made.split.model_dump(mode="json"))
        return
    _print_split(made.split, open_dataset(locate(path).path).classes)


def _print_split(split: "Split", classes: tuple[str, ...]) -> None:
    names = split.rule.names
    width = max(18, *(len(name) for name in classes[:_MOST_CLASSES]))
    say(f"{'species':<{width}} " + " ".join(f"{name:>10}" for name in names) + "     weight")
    rows = list(zip(classes, split.counts, split.class_weights, strict=True))
    for species, counts, weight in rows[:_MOST_CLASSES]:
        shown = " ".join(f"{count:>10}" for count in counts)
        say(f"{species:<{width}} {shown} {weight:>10.4f}")
    if len(rows) > _MOST_CLASSES:
        say(f"... and {len(rows) - _MOST_CLASSES} more species")
    totals = split.part_rows
    say(f"{'all':<{width}} " + " ".join(f"{total:>10}" for total in totals.values()))
    say(f"split {split.name!r} of {counted(split.n_samples, 'row')}, digest {split.digest}")
