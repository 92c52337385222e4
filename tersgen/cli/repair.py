"""``tersgen repair``."""

from pathlib import Path

import click

from .common.messages import say, say_json
from .common.options import FILE, json_option, plugin_option, threads_option


@click.command("repair")
@click.argument("path", type=FILE)
@threads_option
@json_option
@click.pass_context
@plugin_option
def command(ctx: click.Context, path: Path, threads: int | None, as_json: bool) -> None:
    """Rebuild what is damaged in the dataset at PATH, and prove it by its digest.

    Shards are built from the recipe in the dataset; foreign files are never touched. Exit code 0
    if the dataset is sound afterwards, else 1.
    """
    from ..jobs.repair import repair
    from .common.progress import Display
    from .verify import print_verified

    with Display("files", quiet=as_json) as display:
        repaired = repair(path, threads, display.show)
    if as_json:
        verified = repaired.verified.model_dump(mode="json")
        say_json({"done": repaired.done, "verified": verified})
    else:
        say(*(repaired.done or ["nothing to repair"]))
        print_verified(repaired.verified, repaired=True)
    if not repaired.verified.sound:
        ctx.exit(1)
