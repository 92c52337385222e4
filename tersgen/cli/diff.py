"""``tersgen diff``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common.messages import say, say_json
from .common.options import COUNT, FILE, json_option, links_option

if TYPE_CHECKING:
    from ..dataset.diff import Comparison


@click.command("diff")
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@click.option("--rows", type=COUNT, default=16384, show_default=True,
              help="Rows of each side used for statistics.")  # fmt: skip
@links_option
@json_option
def command(first: Path, second: Path, rows: int, as_json: bool, follow_links: bool) -> None:
    """Show what differs between two datasets or versions: recipe, library, rows, values, splits.

    \b
    Examples:
      tersgen diff data.zarr@v1.0 data.zarr
      tersgen diff data.zarr other.h5
    """
    from ..api.datasets import diff

    found = diff(first, second, rows=rows, follow_links=follow_links)
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    if found.equal and not found.rows:
        say(f"{first} and {second}: the same recipe, rows, values and splits")
        return
    _print(found)


def _print(found: "Comparison") -> None:
    for title, items in (
        ("dataset", found.rows),
        ("recipe", found.recipe),
        ("library", found.library),
    ):
        for item in items:
            say(f"{title:<8} {item.field}: {' -> '.join(item.shown)}")
    if found.fields:
        say("", f"{'field':<22} {'side':>6} {'rows':>8} {'mean':>12} {'deviation':>12} "
                f"{'least':>12} {'largest':>12}  unit")  # fmt: skip
    for field in found.fields:
        for side, numbers in (("first", field.first), ("second", field.second)):
            if numbers is None:
                say(f"{field.name:<22} {side:>6} not there")
                continue
            say(
                f"{field.name:<22} {side:>6} {numbers.n_rows:>8} {numbers.mean:>12.6g} "
                f"{numbers.deviation:>12.6g} {numbers.least:>12.6g} {numbers.largest:>12.6g}  "
                f"{field.unit}"
            )
    for split in found.splits:
        sides = ("first", split.first_rows), ("second", split.second_rows)
        only = [side for side, n_rows in sides if n_rows]
        if len(only) == 1:
            parts = ", ".join(f"{name} {max(pair)}" for name, pair in split.counts.items())
            say("", f"split {split.name!r}: only the {only[0]} side has it: {parts}")
            continue
        parts = ", ".join(f"{name} {a} -> {b}" for name, (a, b) in split.counts.items())
        say(
            "",
            f"split {split.name!r}: rows {split.first_rows} -> {split.second_rows}, "
            f"{split.moved} rows moved; {parts}",
        )
    if found.equal:
        say("values, recipe and splits are the same")
