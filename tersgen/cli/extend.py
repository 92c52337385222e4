"""``tersgen extend``."""

from pathlib import Path
from typing import Any

import click

from .options import COUNT, FILE, json_option, take_over_option, threads_option, worker_options


@click.command("extend")
@click.argument("path", type=FILE)
@click.option("--n", "n_more", type=COUNT, help="Samples to add.")
@click.option("--to", "n_total", type=COUNT, help="Samples to have afterwards, instead of --n.")
@threads_option
@worker_options
@take_over_option
@json_option
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
    extension that was stopped goes on with the same command. Workers make the new rows as they do
    those of a build.
    """
    from ..build.extend import extend, plan_extension
    from ..build.plan import check_space, estimate
    from .build import print_built
    from .progress import Reporter
    from .workers import open_workers, take_workers

    if (n_more is None) == (n_total is None):
        raise click.UsageError("expected one of --n (samples to add) and --to (samples to have)")
    workers = take_workers(threads, others)
    home, plan, n_there = plan_extension(path, n_more, n_total)
    check_space(estimate(plan, home, threads), home, n_there)
    with (
        Reporter(plan.n_samples, quiet=as_json) as reporter,
        open_workers(workers, plan, n_there < plan.n_samples, as_json) as executor,
    ):
        built = extend(home, plan, threads, reporter.update, take_over, executor)
    print_built(built, path, as_json)
