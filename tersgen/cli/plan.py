"""``tersgen plan``."""

from pathlib import Path
from typing import Any

import click

from ..text import counted, human_bytes, human_time
from .common.messages import say, say_json
from .common.options import COUNT, FILE, json_option
from .options import FORMATS, intensity_options, layout_options, recipe_options


@click.command("plan")
@click.option("--n", "n_samples", type=COUNT, required=True, help="Number of samples, such as 1e9.")
@click.option("--workers", type=COUNT, default=1, show_default=True, help="Worker processes.")
@click.option("--threads-per-worker", "threads", type=COUNT,
              help="Threads of each.  [default: processors of this machine]")  # fmt: skip
@click.option("--format", type=FORMATS, default="zarr", show_default=True,
              help="Back end.")  # fmt: skip
@click.option("--out", type=FILE, help="Where it would go, to say how much room is there.")
@recipe_options
@intensity_options
@layout_options
@json_option
def command(
    n_samples: int,
    workers: int,
    threads: int | None,
    out: Path | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Estimate the size and duration of a build of N samples by some workers; write nothing.

    The rate of one thread is measured now, on this machine, and multiplied: it holds for similar
    processors, and storage that keeps up with the bytes per second shown.

    \b
    Example:
      tersgen plan --n 1e9 --workers 64 --threads-per-worker 8
    """
    from ..api.building import prepare_build
    from ..api.planning import workload
    from .progress import report_compiling
    from .recipes import take_recipe, take_statement

    said = take_statement(others)
    recipe = take_recipe(others)
    place = out or Path("data.zarr")
    prepared = prepare_build(recipe, n_samples, place, said=said, is_trial=True, **others)
    found = workload(prepared.plan, prepared.location, workers, threads, report_compiling)
    if as_json:
        say_json(found.content())
        return
    expected, threads = found.estimate, found.threads_per_worker
    say(
        f"{counted(n_samples, 'sample')}: {counted(expected.n_shards, 'shard')} "
        f"of up to {counted(expected.shard_rows, 'row')}, "
        f"{counted(expected.n_files, 'file')}, about {human_bytes(expected.bytes_stored)}"
        + (f" of {human_bytes(expected.free_bytes)} free" if out else ""),
        f"{workers} worker{'s' if workers > 1 else ''} of {threads} threads, up to "
        f"{human_bytes(found.memory_bytes_per_worker)} of memory each"
        + (
            f"; only {found.busy_workers} have a shard to make"
            if found.busy_workers < workers
            else ""
        ),
        f"about {human_time(found.seconds)} at "
        f"{found.samples_per_s_per_thread:.0f} samples/s for each thread (measured now, here, with "
        f"{found.threads_measured}); the storage must sustain {human_bytes(found.bytes_per_s)}/s",
        *(f"{one.name} {one.text}" for one in expected.roundings),
        "nothing was written",
    )
