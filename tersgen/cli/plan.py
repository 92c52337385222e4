"""``tersgen plan``."""

from pathlib import Path
from typing import Any

import click

from .common.messages import say, say_json
from .common.options import COUNT, FILE, human_bytes, human_time, json_option
from .options import FORMATS, intensity_options, layout_options, recipe_options


@click.command("plan")
@click.option("--n", "n_samples", type=COUNT, required=True, help="Number of samples, such as 1e9.")
@click.option("--workers", type=COUNT, default=1, show_default=True, help="Worker processes.")
@click.option("--threads-per-worker", "threads", type=COUNT,
              help="Threads of each.  [default: processors of this machine]")  # fmt: skip
@click.option("--format", "back_end", type=FORMATS, default="zarr", show_default=True,
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
    back_end: Any,
    out: Path | None,
    chunk_rows: int | None,
    shard_rows: int | None,
    compression: Any,
    as_json: bool,
    **recipe_parts: Any,
) -> None:
    """Estimate the size and duration of a build of N samples by some workers; write nothing.

    The rate of one thread is measured now, on this machine, and multiplied: it holds for similar
    processors, and storage that keeps up with the bytes per second shown.

    \b
    Example:
      tersgen plan --n 1e9 --workers 64 --threads-per-worker 8
    """
    from ..cpus import available_cpus
    from ..errors import ConfigError
    from ..jobs.executors.memory import worker_memory
    from ..jobs.plan import estimate, make_plan
    from ..resolution import resolve
    from ..store.location import new_location
    from .progress import report_compiling
    from .recipes import recipe_from_options, take_statement

    said = take_statement(recipe_parts)
    recipe = resolve(recipe_from_options(**recipe_parts), said)
    try:
        plan = make_plan(recipe, n_samples, back_end, chunk_rows, shard_rows, compression)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    threads = threads or available_cpus()
    measured = min(threads, available_cpus())
    expected = estimate(
        plan, new_location(out or Path("data.zarr"), back_end), measured, report_compiling
    )
    per_thread = expected.samples_per_s / measured
    rate = min(per_thread * threads, expected.samples_per_s * threads / measured) * workers
    busy = min(workers, plan.n_shards)
    seconds = n_samples / (rate * busy / workers)
    memory = worker_memory(plan, threads)
    bytes_per_s = expected.bytes_stored / seconds
    if as_json:
        say_json(
            {
                "n_samples": n_samples,
                "n_shards": expected.n_shards,
                "shard_rows": expected.shard_rows,
                "n_files": expected.n_files,
                "bytes_stored": expected.bytes_stored,
                "workers": workers,
                "threads_per_worker": threads,
                "memory_bytes_per_worker": memory,
                "samples_per_s_per_thread": per_thread,
                "threads_measured": measured,
                "hours": seconds / 3600,
                "bytes_per_s": bytes_per_s,
            }
        )
        return
    say(
        f"{n_samples} samples: {expected.n_shards} shard{'s' if expected.n_shards > 1 else ''} "
        f"of up to {expected.shard_rows} rows, "
        f"{expected.n_files} files, about {human_bytes(expected.bytes_stored)}"
        + (f" of {human_bytes(expected.free_bytes)} free" if out else ""),
        f"{workers} worker{'s' if workers > 1 else ''} of {threads} threads, up to "
        f"{human_bytes(memory)} of memory each"
        + (f"; only {busy} have a shard to make" if busy < workers else ""),
        f"about {seconds / 3600:.2g} h ({human_time(seconds)}) at {per_thread:.0f} samples/s for "
        f"each thread (measured now, here, with {measured}); the storage has to take "
        f"{human_bytes(bytes_per_s)}/s",
        "nothing was written",
    )
