"""``tersgen reproduce``."""

from pathlib import Path

import click

from ..text import counted, human_time
from .common.messages import say, say_json
from .common.options import (
    FILE,
    json_option,
    links_option,
    plugin_option,
    threads_option,
)


@click.command("reproduce")
@click.argument("path", type=FILE)
@click.option("--fraction", type=float, default=0.01, show_default=True, help="Share of the rows.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of the choice of rows.")  # fmt: skip
@threads_option
@links_option
@json_option
@click.pass_context
@plugin_option
def command(
    ctx: click.Context,
    path: Path,
    fraction: float,
    seed: int,
    threads: int | None,
    as_json: bool,
    follow_links: bool,
) -> None:
    """Generate a random part of the rows of PATH again from its recipe, and compare the bits.

    Exit code 0 if all are the same, else 1.
    """
    from ..dataset.reproduce import reproduce

    found = reproduce(path, fraction, seed, threads, follow_links)
    if as_json:
        say_json(found.model_dump(mode="json"))
    else:
        for name, row in found.different:
            say(f"row {row}: {name} differs")
        result = "all the same, to the bit" if found.equal else f"{found.n_different} differ"
        say(
            f"{found.path}: {found.n_rows} of {counted(found.n_samples, 'row')} generated again in "
            f"{human_time(found.seconds)}: {result}"
        )
    if not found.equal:
        ctx.exit(1)
