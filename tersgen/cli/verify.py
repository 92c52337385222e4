"""``tersgen verify``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import command as shell_command
from ..text import counted, human_bytes, human_time
from .common.messages import say, say_json
from .common.options import FILE, json_option, links_option, threads_option

if TYPE_CHECKING:
    from ..dataset.faults import Verified

_MOST_SHOWN = 50


@click.command("verify")
@click.argument("path", type=FILE)
@click.option(
    "--quick",
    is_flag=True,
    help="All but the chunks: files, sizes, checksum tables, journal, metadata.",
)
@threads_option
@links_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    quick: bool,
    threads: int | None,
    as_json: bool,
    follow_links: bool,
) -> None:
    """Check whether the dataset at PATH is complete and unchanged.

    Exit code 0: sound. 1: damaged or incomplete; each line names file, shard, array and rows.
    """
    from ..dataset.verify import verify
    from .common.progress import Display

    with Display("files", quiet=as_json) as display:
        found = verify(path, quick, threads, display.show, follow_links)
    if as_json:
        say_json(found.model_dump(mode="json"))
    else:
        print_verified(found)
    if not found.sound:
        ctx.exit(1)


def print_verified(found: "Verified", repaired: bool = False) -> None:
    """Print what a verification found, maybe after all was repaired that can be."""
    path = found.path
    for note in found.notes:
        say(f"note: {note}")
    incomplete = [fault for fault in found.faults if fault.kind == "incomplete"]
    others = [fault for fault in found.faults if fault.kind != "incomplete"]
    for fault in others[:_MOST_SHOWN]:
        say(f"{fault.kind}: {fault}")
    if len(others) > _MOST_SHOWN:
        say(f"... and {len(others) - _MOST_SHOWN} more; --json shows all")
    speed = found.bytes_checked / found.seconds / 1e6
    checked = f"{found.n_shards} shard{'s' if found.n_shards != 1 else ''}"
    how = "chunks not read" if found.quick else f"every value, {speed:.0f} MB/s"
    if found.sound:
        say(
            f"{path}: sound: {counted(found.n_samples, 'sample')}, {checked}, "
            f"{human_bytes(found.bytes_checked)} in {human_time(found.seconds)} ({how})"
        )
        say(f"digest {found.digest}")
        return
    if incomplete:
        say(str(incomplete[0]))
        return
    shards = {fault.shard for fault in found.faults if fault.shard is not None}
    what = f"{len(shards)} of {checked}" if shards else "no shard, but other files"
    if repaired:
        say(f"{path}: still damaged: {what}; restore the above from a copy of the dataset")
        return
    whole = path.split("@")[0] if "@" in Path(path).name else path
    say(
        f"{path}: damaged: {what}; to make it whole again: "
        f"{shell_command('tersgen', 'repair', whole)}"
    )
