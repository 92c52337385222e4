"""``tersgen build``."""

from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, TersError
from ..plugins import plugin_options
from ..text import command as shell_command
from .common.messages import say, say_json
from .common.options import COUNT, FILE, human_bytes, human_time, json_option, threads_option
from .options import (
    FORMATS,
    intensity_options,
    job_options,
    layout_options,
    overwrite_option,
    recipe_options,
    take_over_option,
    worker_options,
)


@click.command("build")
@click.option("--n", "n_samples", type=COUNT, default=100_000, show_default=True,
              help="Number of samples, such as 1e6.")  # fmt: skip
@click.option("--out", type=FILE, required=True, help="Dataset to write, e.g. data.zarr.")
@click.option("--format", "back_end", type=FORMATS,
              help="Back end.  [default: hdf5 if --out ends in .h5, else zarr]")  # fmt: skip
@recipe_options
@intensity_options
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@overwrite_option("--out")
@layout_options
@threads_option
@worker_options
@job_options
@take_over_option
@json_option
def command(
    n_samples: int,
    out: Path,
    back_end: Any,
    dry_run: bool,
    overwrite: bool,
    chunk_rows: int | None,
    shard_rows: int | None,
    compression: Any,
    threads: int | None,
    take_over: bool,
    as_json: bool,
    script_only: bool,
    shard_range: tuple[int, int | None] | None,
    **others: Any,
) -> None:
    """Build a dataset of N samples; a build that was stopped resumes with the same command.

    Without further options the species are the built-in molecules. The same recipe and seed give
    the same dataset, to the bit, on any machine.

    \b
    Examples:
      tersgen build --n 1e5 --out data.zarr
      tersgen build --n 1e5 --out data.h5
      tersgen build --n 1e5 --library mol.fchk --library random:32 --out mixed.zarr
      tersgen build --config recipe.toml --n 1e6 --out data.zarr --dry-run
      tersgen build --n 1e6 --out data.zarr --workers 2
      tersgen build --n 1e9 --out /shared/data.zarr --scheduler tcp://host:8786
      tersgen build --n 1e9 --out /shared/data.zarr --shard-range 0:500
    """
    from ..jobs.output import check_output
    from ..jobs.plan import check_space, estimate, make_plan
    from ..jobs.range_job import build_range, check_range
    from ..jobs.replace import building_location
    from ..jobs.run import run
    from ..jobs.start import rows_kept
    from ..resolution import resolve
    from ..store.location import guess_format, new_location
    from .common.progress import Display
    from .progress import report_compiling, report_to
    from .recipes import recipe_from_options, take_statement
    from .workers import open_workers, take_workers

    workers = take_workers(threads, others)
    if shard_range and (workers.executor != "threads" or overwrite):
        raise click.UsageError(
            "--shard-range: expected none of --workers, --scheduler, --cluster and --overwrite"
        )
    if script_only and not workers.system:
        raise click.UsageError("--script-only: expected --cluster too")
    said = take_statement(others)
    recipe = recipe_from_options(**others)
    location = new_location(out, back_end or guess_format(out))
    if not (dry_run or script_only):
        check_output(location, overwrite)
    recipe = resolve(recipe, said)
    try:
        plan = make_plan(recipe, n_samples, location.format, chunk_rows, shard_rows, compression)
        shards = range(*check_range(plan, *shard_range)) if shard_range else range(plan.n_shards)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if script_only:
        from ..jobs.executors.clusters import job_script

        try:
            say(*job_script(workers, plan).splitlines())
        except ConfigError as error:
            raise click.UsageError(str(error)) from error
        return
    wanted = (len(shards) - 1) * plan.layout.shard_rows + plan.rows_of(shards[-1])
    try:
        kept = rows_kept(building_location(location, plan, overwrite), plan, shards)
    except TersError:
        if not overwrite:
            raise
        kept = 0  # of another plan: it is removed first
    if dry_run or kept < wanted:
        expected = estimate(plan, location, threads, report_compiling)
        if dry_run:
            _print_estimate(expected, as_json)
            if kept:
                say(f"{kept} of these samples are there already", err=True)
            return
        check_space(expected, location, n_samples - (wanted - kept))
    if kept and not as_json:
        say(f"{out}: {kept} of {wanted} samples are there already and kept")
    with Display("samples", quiet=as_json).begin(wanted) as display:
        if shard_range:
            done = build_range(plan, location, *shard_range, threads, report_to(display), take_over)
        else:
            with open_workers(workers, plan, kept < wanted, as_json) as executor:
                built = run(
                    plan, location, overwrite, threads, report_to(display),
                    take_over=take_over, executor=executor,
                )  # fmt: skip
    if shard_range:
        _print_range(done, out, as_json)
    else:
        print_built(built, out, as_json)


def _print_range(done: Any, out: Path, as_json: bool) -> None:
    """Say what a job with a range of shards has done."""
    if as_json:
        say_json({"path": str(out), **done._asdict()})
        return
    n_made = done.n_rows - done.n_kept
    say(
        f"{out}: shards {done.first}:{done.last} are finished, {done.n_rows} samples "
        f"({done.n_kept} kept, {n_made} made) in {human_time(done.seconds)}; when all are: "
        f"{shell_command('tersgen', 'finalize', out, *plugin_options())}"
    )


def print_built(built: Any, out: Path, as_json: bool) -> None:
    """Say what was built, and how fast."""
    manifest = built.manifest
    n_made = manifest.n_samples - built.n_kept
    bytes_per_s = manifest.bytes_stored / manifest.n_samples * n_made / built.seconds
    if as_json:
        result = {
            "path": str(out),
            "n_samples": manifest.n_samples,
            "n_kept": built.n_kept,
            "seconds": round(built.seconds, 3),
            "samples_per_s": round(n_made / built.seconds, 1),
            "bytes_stored": manifest.bytes_stored,
            "bytes_per_s": round(bytes_per_s, 1),
            "digest": manifest.digest,
            "version": manifest.version,
        }
        say_json(result)
        return
    text = (
        f"{out}: {manifest.n_samples} samples of {len(manifest.classes)} species, "
        f"{human_bytes(manifest.bytes_stored)}"
    )
    if n_made == 0:
        say(f"{text}: complete already, nothing to do")
    else:
        kept = f" ({built.n_kept} kept, {n_made} made)" if built.n_kept else ""
        say(
            f"{text}, in {human_time(built.seconds)}{kept}: {n_made / built.seconds:.0f} "
            f"samples/s, {bytes_per_s / 1e6:.0f} MB/s"
        )
    say(f"digest {manifest.digest}")


def _print_estimate(expected: Any, as_json: bool) -> None:
    if as_json:
        say_json(expected.model_dump(mode="json"))
        return
    say(f"{'array':<22} {'type':<8} {'shape of a row':<16} {'bytes':>7}  unit")
    for spec in expected.arrays:
        shape = " x ".join(str(size) for size in spec.shape) or "-"
        say(f"{spec.name:<22} {spec.dtype:<8} {shape:<16} {spec.row_bytes:>7}  {spec.unit}")
    say(
        "",
        f"{expected.n_samples} samples of {human_bytes(expected.row_bytes)}; on disk about "
        f"{human_bytes(expected.bytes_stored)} of {human_bytes(expected.free_bytes)} free",
        f"{expected.n_shards} shard{'s' if expected.n_shards > 1 else ''} of up to "
        f"{expected.shard_rows} rows, chunks of {expected.chunk_rows}; {expected.n_files} files",
        f"peak memory about {human_bytes(expected.peak_memory_bytes)}",
        f"about {human_time(expected.seconds)} at {expected.samples_per_s:.0f} samples/s "
        "(measured now, in memory)",
        "nothing was written",
    )
