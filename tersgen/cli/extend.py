"""``tersgen extend``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import command as shell_command
from ..text import counted
from .common.messages import say
from .common.options import COUNT, FILE, json_option, plugin_option, threads_option
from .options import take_over_option, worker_options

if TYPE_CHECKING:
    from ..schema.manifest import Manifest


@click.command("extend")
@click.argument("path", type=FILE)
@click.option("--n", "n_more", type=COUNT, help="Samples to add.")
@click.option("--to", "n_total", type=COUNT, help="Total number of samples, instead of --n.")
@threads_option
@worker_options
@take_over_option
@json_option
@plugin_option
def command(
    path: Path,
    n_more: int | None,
    n_total: int | None,
    threads: int | None,
    take_over: bool,
    as_json: bool,
    **others: Any,
) -> None:
    """Add samples to the dataset at PATH.

    Old rows, old splits and old versions stay as they were; splits grow in the new version. An
    extension that was stopped resumes with the same command, and once it is complete the same
    command adds nothing: to add more, use --to. Workers build the new rows as they do those of a
    build.
    """
    from ..api.extending import ExtendedBefore, prepare_extension
    from .build import print_built
    from .common.progress import Display
    from .progress import report_compiling, report_to
    from .workers import say_unless, take_workers

    if (n_more is None) == (n_total is None):
        raise click.UsageError("expected one of --n (samples to add) and --to (samples to have)")
    workers = take_workers(threads, others)
    prepared = prepare_extension(path, n_more, n_total, workers, report_compiling)
    if isinstance(prepared, ExtendedBefore):
        _print_before(prepared.manifest, path, n_more or 0, as_json)
        return
    with Display("samples", quiet=as_json).begin(prepared.plan.n_samples) as display:
        built = prepared.run(report_to(display), say_unless(as_json), take_over)
    print_built(built, path, as_json)


def _print_before(manifest: "Manifest", path: Path, n_more: int, as_json: bool) -> None:
    """Say that the same command was run before, and how to add as many samples again."""
    from ..jobs.run import Built
    from .build import print_built

    if as_json:
        print_built(Built(manifest, 1.0, manifest.n_samples), path, as_json)
        return
    say(
        f"{path}: was extended by {counted(n_more, 'sample')} to {manifest.n_samples} at "
        f"{manifest.created}, nothing to do; to add another {n_more}: "
        f"{shell_command('tersgen', 'extend', path, '--to', manifest.n_samples + n_more)}"
    )
