"""``tersgen fetch``."""

from pathlib import Path

import click

from .common.messages import say, say_json
from .common.options import FILE, json_option
from .service import connected, server_options


@click.command("fetch")
@click.argument("name")
@click.option("--out", type=FILE, help="Where the copy goes.  [default: NAME]")
@server_options
@json_option
def command(
    name: str, out: Path | None, server: str | None, token: str | None, as_json: bool
) -> None:
    """Copy the dataset NAME from a server, and verify the copy.

    A copy that was stopped is continued by the same command.
    """
    path = connected(server, token).fetch(name, out or Path(name))
    if as_json:
        say_json({"path": str(path)})
    else:
        say(f"{path}: fetched and verified")
