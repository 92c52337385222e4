"""``tersgen export``: rows in the formats of other programs."""

from pathlib import Path
from typing import Any

import click

from .common.messages import say
from .common.options import FILE, links_option, plugin_option, set_field


def _rows(text: str) -> slice:
    """Return the rows of a text FIRST:LAST, the last not included, or fail in one line."""
    first, colon, last = text.partition(":")
    try:
        if colon:
            return slice(int(first) if first else None, int(last) if last else None)
        return slice(int(first), int(first) + 1 or None)
    except ValueError:
        raise click.BadParameter(f"expected rows such as 0:1000 or 7, got {text!r}") from None


def _formats() -> str:
    """Return a line for each format, and one for each of their settings."""
    from .. import plugins
    from ..exports.exporting import GROUP

    lines, users = ["\b"], dict[tuple[str, str], list[str]]()
    for name, part in plugins.parts(GROUP):
        lines.append(f"{name:12} {part.format}")
        for key, field in part.Settings.model_fields.items():
            users.setdefault((key, field.description or ""), []).append(name)
    lines += ["", "\b"]
    lines += [f"{key} ({', '.join(names)}): {text}" for (key, text), names in users.items()]
    return "\n".join(lines)


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    """Return settings from texts NAME=VALUE; a value in brackets is a list or table in YAML."""
    table: dict[str, Any] = {}
    for setting in given:
        name, equals, text = setting.partition("=")
        if text.startswith(("[", "{")):
            set_field(table, setting)
        elif equals and name:
            table[name] = text
        else:
            raise click.BadParameter(
                f"expected NAME=VALUE such as preview=64, got {setting!r}", param_hint="'--set'"
            )
    return table


class _Command(click.Command):
    """A command whose help lists the formats, those of plug-ins, too."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the formats."""
        with formatter.section("Formats, and what --set sets"):
            formatter.write_text(_formats())


@click.command("export", cls=_Command)
@click.argument("path", type=FILE)
@click.option("--to", "to", required=True, metavar="FORMAT", help="Format; see below.")
@click.option("-o", "--out", "out", type=FILE, required=True, help="New file or folder.")
@click.option("--rows", type=_rows, metavar="FIRST:LAST",
              help="Only these rows, the last not included.")  # fmt: skip
@click.option("--species", multiple=True, metavar="NAME",
              help="Only rows of this species; may be repeated.")  # fmt: skip
@click.option("--part", help="Only this part of a split.")
@click.option("--split", help="That split.  [default: default]")
@click.option("--where", metavar="CONDITION",
              help="Only rows with such parameters: 'params/width > 1.1'.")  # fmt: skip
@click.option("--field", "fields", multiple=True, metavar="NAME",
              help="Only this field; may be repeated.  [default: as suits the format]")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="Set an option of the format; may be repeated.")  # fmt: skip
@links_option
@plugin_option
def command(
    path: Path,
    to: str,
    out: Path,
    rows: slice | None,
    species: tuple[str, ...],
    part: str | None,
    split: str | None,
    where: str | None,
    fields: tuple[str, ...],
    settings: tuple[str, ...],
    follow_links: bool,
) -> None:
    """Write the dataset at PATH, or some of its rows, in the format of another program.

    The file or folder is written whole or not at all, and nothing is replaced. After an export was
    killed, the same command resumes it (formats of many files) or starts again.

    \b
    Examples:
      tersgen export data.zarr --to parquet --out index.parquet --set preview=64
      tersgen export data.zarr --to huggingface --out hub --field spectra
      tersgen export data.zarr --to hyperspy --out cubes.hspy --field cube --rows 0:10
    """
    from ..dataset.opening import open as open_dataset
    from ..exports.exporting import export
    from .common.progress import Display

    dataset = open_dataset(path, follow_links=follow_links)
    if rows is not None or species or part or split or where:
        dataset = dataset.select(
            rows=rows, species=species or None, part=part, split=split, where=where
        )
    with Display("samples").begin(len(dataset)) as display:
        export(dataset, out, to, fields or None, _settings(settings), display.show)
    say(f"wrote {out}")
