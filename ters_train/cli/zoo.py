"""``ters-train zoo``."""

from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import json_option
from tersgen.text import counted


@click.command("zoo")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the trained models that come with the package, or show the card of one.

    \b
    Examples:
      ters-train zoo
      ters-train zoo minerals
      ters-train predict zoo:minerals spectrum.txt
    """
    from tersgen.schema.loading import read_text

    from ..zoo import CARD, PREFIX, folder_of, names

    if name is not None and not as_json:
        say(read_text(folder_of(Path(f"{PREFIX}{name.removeprefix(PREFIX)}")) / CARD).rstrip())
        return
    listed = [_told(one) for one in (names() if name is None else [name.removeprefix(PREFIX)])]
    if as_json:
        say_json(listed)
        return
    for one in listed:
        say(f"{one['name']}: {one['description']}")
        n_classes = counted(len(one["classes"]), "class")
        say(f"  {n_classes}, {one['megabytes']:.1f} MB, digest of the recipe {one['recipe'][:16]}")
        for score in one["scores"]:
            say(
                f"  {score['accuracy']:.1%} of {score['n_rows']} {score['rows']} "
                f"(95% interval {score['low']:.1%} to {score['high']:.1%})"
            )


def _told(name: str) -> dict[str, Any]:
    from ..engine.checkpoint import choose
    from ..zoo import PREFIX, about, folder_of

    run = Path(f"{PREFIX}{name}")
    folder = folder_of(run)
    state = choose(run).state
    return {
        "name": f"{PREFIX}{name}",
        "folder": str(folder),
        "classes": state.classes,
        "axis_cm1": state.axis_cm1,
        "recipe": state.config.data.digest,
        "megabytes": sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / 1e6,
        **about(name).model_dump(mode="json"),
    }
