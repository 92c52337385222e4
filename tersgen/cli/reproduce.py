"""``tersgen reproduce``."""

from pathlib import Path

import click

from .options import FILE, human_time, json_option, links_option, threads_option
from .saying import say, say_json


@click.command("reproduce")
@click.argument("path", type=FILE)
@click.option("--fraction", type=float, default=0.01, show_default=True, help="Share of the rows.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of the choice of rows.")  # fmt: skip
@threads_option
@links_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    fraction: float,
    seed: int,
    threads: int | None,
    as_json: bool,
    follow_links: bool,
) -> None:
    """Make a random part of the rows of PATH again from its recipe and compare them to the bit.

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
            f"{found.path}: {found.n_rows} of {found.n_samples} rows made again in "
            f"{human_time(found.seconds)}: {result}"
        )
    if not found.equal:
        ctx.exit(1)
