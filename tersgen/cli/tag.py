"""``tersgen tag``."""

from pathlib import Path

import click

from ..text import command as shell_command
from .common.messages import say, say_json
from .common.options import FILE, json_option


@click.command("tag")
@click.argument("path", type=FILE)
@click.argument("name", required=False)
@click.option("--delete", is_flag=True, help="Delete NAME; it is never reused.")
@json_option
def command(path: Path, name: str | None, delete: bool, as_json: bool) -> None:
    """Name a version of the dataset at PATH permanently, or list the names.

    A tag never moves. PATH@VERSION tags another version than the newest.

    \b
    Examples:
      tersgen tag data.zarr v1.0
      tersgen tag data.zarr
    """
    from ..api.datasets import tag as give_or_list

    tags = give_or_list(path, name, delete=delete)
    for tag in tags:
        if as_json:
            say_json(tag.model_dump(mode="json"))
        else:
            state = " (deleted)" if tag.deleted else ""
            say(f"{tag.name:<16} {tag.version[:12]}  {tag.created}{state}")
    if not tags and not as_json:
        say(f"{path}: no tags; give one: {shell_command('tersgen', 'tag', path, 'NAME')}")
