"""``tersgen build``."""

from pathlib import Path
from typing import Any

import click

from ..plugins import plugin_options
from ..text import command as shell_command
from ..text import counted, human_bytes, human_time
from .common.messages import say, say_json
from .common.options import COUNT, FILE, json_option, threads_option
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
@click.option("--format", type=FORMATS,
              help="Back end.  [default: hdf5 if --out ends in .h5, else zarr]")  # fmt: skip
@click.option("--scratch", type=FILE, metavar="FOLDER",
              help="If --out is a URL: folder for shards that are not sent yet.  "
              "[default: name of the dataset, in the current folder]")  # fmt: skip
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
    dry_run: bool,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    script_only: bool,
    shard_range: tuple[int, int | None] | None,
    **others: Any,
) -> None:
    """Build a dataset of N samples; a build that was stopped resumes with the same command.

    Without --preset and --config, options are added to --preset nearfield: maps of 18 molecules
    under a tip, and their spectra; with --library to --preset nearfield_atoms. Species without
    atoms cannot have such maps: --preset canonical makes test patterns instead, --set
    fields.maps=false none. The same recipe and seed give the same dataset, to the bit, on any
    machine.

    \b
    Examples:
      tersgen build --n 1e5 --out data.zarr
      tersgen build --n 1e5 --out data.h5
      tersgen build --n 1e5 --library mol.fchk --out mine.zarr
      tersgen build --n 1e5 --library crystals --set fields.maps=false --out crystals.zarr
      tersgen build --n 1e6 --preset canonical --library random:32 --out patterns.zarr
      tersgen build --config recipe.toml --n 1e6 --out data.zarr --dry-run
      tersgen build --n 1e6 --out data.zarr --workers 2
      tersgen build --n 1e9 --out /shared/data.zarr --scheduler tcp://host:8786
      tersgen build --n 1e9 --out /shared/data.zarr --shard-range 0:500
      tersgen build --n 1e7 --out s3://bucket/data.zarr
    """
    from ..api.building import prepare_build
    from ..jobs.plan import check_space
    from .common.progress import Display
    from .progress import report_compiling, report_to
    from .recipes import take_recipe, take_statement
    from .workers import say_unless, take_workers

    workers = take_workers(threads, others)
    if shard_range and (workers.executor != "threads" or overwrite):
        raise click.UsageError(
            "--shard-range: expected none of --workers, --scheduler, --cluster and --overwrite"
        )
    if script_only and not workers.system:
        raise click.UsageError("--script-only: expected --cluster too")
    said = take_statement(others)
    prepared = prepare_build(
        take_recipe(others),
        n_samples,
        out,
        overwrite=overwrite,
        workers=workers,
        shard_range=shard_range,
        said=said,
        is_trial=dry_run or script_only,
        **others,
    )
    if script_only:
        from ..jobs.executors.clusters import job_script

        say(*job_script(workers, prepared.plan).splitlines())
        return
    wanted, kept = prepared.n_wanted, prepared.n_kept()
    if dry_run or (kept < wanted and prepared.url is None):
        expected = prepared.estimate(report_compiling)
        if dry_run:
            _print_estimate(expected, as_json)
            if kept:
                say(f"{kept} of these samples are there already", err=True)
        if prepared.url is None:
            check_space(expected, prepared.location, n_samples - (wanted - kept))
        if dry_run:
            return
    if kept and not as_json:
        say(f"{out}: {kept} of {counted(wanted, 'sample')} are there already and kept")
    with Display("samples", quiet=as_json).begin(wanted) as display:
        if shard_range:
            done = prepared.run_part(report_to(display))
        else:
            built = prepared.run(report_to(display), say_unless(as_json), kept)
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
        f"{out}: shards {done.first}:{done.last} are finished, {counted(done.n_rows, 'sample')} "
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
        f"{out}: {counted(manifest.n_samples, 'sample')} of {len(manifest.classes)} species, "
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
    say(*(f"{one.name} {one.text}" for one in expected.roundings))
    say(
        "",
        f"{counted(expected.n_samples, 'sample')} of {human_bytes(expected.row_bytes)}; on disk "
        f"about {human_bytes(expected.bytes_stored)} of {human_bytes(expected.free_bytes)} free",
        f"{counted(expected.n_shards, 'shard')} of up to {counted(expected.shard_rows, 'row')}, "
        f"chunks of {expected.chunk_rows}; {counted(expected.n_files, 'file')}",
        f"peak memory about {human_bytes(expected.peak_memory_bytes)}",
        f"about {human_time(expected.seconds)} at {expected.samples_per_s:.0f} samples/s "
        "(measured now, in memory)",
        "nothing was written",
    )
