"""``tersgen log``."""

from pathlib import Path

import click

from .common.messages import say, say_json
from .common.options import FILE, json_option, links_option


@click.command("log")
@click.argument("path", type=FILE)
@links_option
@json_option
def command(path: Path, as_json: bool, follow_links: bool) -> None:
    """Show the versions of the dataset at PATH, newest first, with their tags.

    Any of them opens as PATH@TAG or PATH@ID, by the beginning of its id.
    """
    from ..dataset.versions import find_version, history, list_tags, locate_version

    location, reference = locate_version(path, follow_links)
    names: dict[str, list[str]] = {}
    for tag in list_tags(location):
        if not tag.deleted:
            names.setdefault(tag.version, []).append(tag.name)
    for manifest in history(location, find_version(location, reference)):
        tags = names.get(manifest.version, [])
        if as_json:
            say_json(manifest.model_dump(mode="json", exclude={"fields", "files", "arrays"}))
            continue
        shown = f"  [{', '.join(tags)}]" if tags else ""
        splits = ", ".join(split.name for split in manifest.splits) or "none"
        say(
            f"{manifest.version[:12]}  {manifest.created}  {manifest.n_samples:>10} samples  "
            f"{manifest.change}{shown}"
        )
        say(f"{'':12}  digest {manifest.digest[:12]}, splits: {splits}")
