"""``tersgen log``."""

from pathlib import Path

import click

from .options import FILE, json_option


@click.command("log")
@click.argument("path", type=FILE)
@json_option
def command(path: Path, as_json: bool) -> None:
    """Show the versions of the dataset at PATH, newest first, with their tags.

    Any of them opens as PATH@TAG or PATH@ID, by the beginning of its id.
    """
    from ..dataset.versions import find_version, history, list_tags, locate, split_reference

    path, reference = split_reference(path)
    home = locate(path)
    names: dict[str, list[str]] = {}
    for tag in list_tags(home):
        if not tag.deleted:
            names.setdefault(tag.version, []).append(tag.name)
    for manifest in history(home, find_version(home, reference)):
        tags = names.get(manifest.version, [])
        if as_json:
            exclude = {"fields", "files", "arrays"}
            content = manifest.model_dump_json(exclude=exclude)
            click.echo(content)
            continue
        shown = f"  [{', '.join(tags)}]" if tags else ""
        splits = ", ".join(split.name for split in manifest.splits) or "none"
        click.echo(
            f"{manifest.version[:12]}  {manifest.created}  {manifest.n_samples:>10} samples  "
            f"{manifest.change}{shown}"
        )
        click.echo(f"{'':12}  digest {manifest.digest[:12]}, splits: {splits}")
