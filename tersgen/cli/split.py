"""``tersgen split``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.messages import say, say_json
from .common.options import FILE, Choice, json_option

if TYPE_CHECKING:
    from ..schema.split import Split

_MOST_CLASSES = 40


class _Ratios(click.ParamType[tuple[tuple[str, ...], tuple[float, ...]]]):
    """Names and ratios, ``train=0.8,val=0.1,test=0.1``."""

    name = "ratios"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return names and ratios, or fail in one line."""
        if isinstance(value, tuple):
            return value
        pairs = [text.partition("=") for text in str(value).split(",") if text.strip()]
        try:
            names = tuple(name.strip() for name, _, _ in pairs)
            ratios = tuple(float(ratio) for _, _, ratio in pairs)
        except ValueError:
            self.fail(f"expected NAME=RATIO,... as train=0.8,val=0.2, got {value!r}", param, ctx)
        return names, ratios


@click.command("split")
@click.argument("path", type=FILE)
@click.option("--name", default="default", show_default=True, help="Name of the split.")
@click.option("--ratios", type=_Ratios(), default="train=0.8,val=0.1,test=0.1", show_default=True,
              help="Parts and their shares; the sum is 1.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--by", type=Choice(["species", "group", "sample"]),
              help="species: every part has its share of every species; group: every species is "
              "whole in one part; sample: of measured rows, those of one group, or one file, are "
              "together.  [default: sample for measured rows of several groups or files, otherwise "
              "species]")  # fmt: skip
@click.option("--hold-out", metavar="LIST",
              help="Species and ranges FIELD=LOW:HIGH that only one part has, comma-separated: "
              "benzene,params/width=1.1:1.25")  # fmt: skip
@click.option("--hold-out-to", metavar="PART", help="The part that has them.  [default: test]")
@click.option("--overwrite", is_flag=True, help="Replace the split of this name.")
@json_option
def command(
    path: Path,
    name: str,
    ratios: tuple[tuple[str, ...], tuple[float, ...]],
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
    """
    from ..dataset.splits import check_split_name, make_split
    from ..dataset.versions import locate
    from ..schema.loading import validate
    from ..schema.split import SplitRule

    held = [text.strip() for text in (hold_out or "").split(",") if text.strip()]
    check_split_name(name)
    rule = validate(
        SplitRule,
        {
            "names": ratios[0],
            "ratios": ratios[1],
            "seed": seed,
            "by": by or "species",
            "hold_out": held,
            "hold_out_to": hold_out_to,
        },
        "split",
    )
    if by is None and not held:
        rule = rule.model_copy(update={"by": _default_by(path)})
    split = make_split(path, name, rule, overwrite)
    if as_json:
        say_json(split.model_dump(mode="json"))
        return
    from ..dataset.opening import open as open_dataset

    _print_split(split, open_dataset(locate(path).path).classes)


def _default_by(path: Path) -> str:
    """Return how the rows of a dataset are split by default, and say so if that may surprise."""
    from ..dataset.measured_splits import default_by
    from ..dataset.opening import open_version
    from ..dataset.versions import find_version, locate_newest

    location = locate_newest(path, "split")
    dataset = open_version(location, find_version(location, None))
    by = default_by(dataset)
    if by == "sample":
        what = "group" if "source/group" in dataset else "file"
        say(f"measured rows of one {what} stay together; --by species spreads them", err=True)
    elif dataset.kind == "measured":
        say(
            "Warning: all rows are of one group or file, so measurements of one sample may be in "
            "several parts; give a column group to tersgen ingest",
            err=True,
        )
    return by


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
    for name, total in totals.items():
        if total == 0:
            say(f"Warning: no row is in {name}", err=True)
    say(f"split {split.name!r} of {split.n_samples} rows, digest {split.digest}")
