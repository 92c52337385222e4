"""``tersgen build``."""

import json
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from .options import COUNT, FILE, human_bytes, human_time, json_option, recipe_options


@click.command("build")
@click.option("--n", "n_samples", type=COUNT, default=100_000, show_default=True,
              help="Samples to make; 1e6 is understood.")  # fmt: skip
@click.option("--out", type=FILE, required=True, help="Dataset to write, e.g. data.zarr.")
@recipe_options
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset at --out.")
@click.option("--chunk-rows", type=COUNT, help="Rows of a chunk.  [default: from a row's bytes]")
@click.option("--shard-rows", type=COUNT, help="Rows of a shard.  [default: from a row's bytes]")
@click.option("--threads", type=COUNT, help="Threads that generate.  [default: all processors]")
@json_option
def command(
    n_samples: int,
    out: Path,
    dry_run: bool,
    overwrite: bool,
    chunk_rows: int | None,
    shard_rows: int | None,
    threads: int | None,
    as_json: bool,
    **recipe_parts: Any,
) -> None:
    """Build a dataset of N samples.

    Without further options the species are the built-in molecules. The same recipe and seed give
    the same dataset, to the bit, whatever the machine.

    \b
    Examples:
      tersgen build --n 1e5 --out data.zarr
      tersgen build --n 1e5 --library mol.fchk --library random:32 --out mixed.zarr
      tersgen build --config recipe.toml --n 1e6 --out data.zarr --dry-run
    """
    from ..build.output import check_output
    from ..build.plan import check_space, estimate, make_plan
    from ..build.run import run
    from ..dataset.opening import is_resolved
    from ..library.sources import resolve
    from ..sampling.block import Generator
    from .progress import Reporter
    from .recipes import recipe_from_options

    recipe = recipe_from_options(**recipe_parts)
    if not dry_run:
        check_output(out, overwrite)
    generator = Generator(recipe if is_resolved(recipe) else resolve(recipe))
    try:
        plan = make_plan(generator, n_samples, chunk_rows, shard_rows)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    expected = estimate(plan, out, threads)
    if dry_run:
        _print_estimate(expected, as_json)
        if out.exists():
            click.echo(f"Warning: {out} exists already; a build would need --overwrite", err=True)
        return
    check_space(expected, out)
    with Reporter(n_samples, quiet=as_json) as reporter:
        built = run(plan, out, overwrite, threads, reporter.update)
    manifest = built.manifest
    rate = manifest.n_samples / built.seconds
    if as_json:
        result = {
            "path": str(out),
            "n_samples": manifest.n_samples,
            "seconds": round(built.seconds, 3),
            "samples_per_s": round(rate, 1),
            "bytes_stored": manifest.bytes_stored,
            "bytes_per_s": round(manifest.bytes_stored / built.seconds, 1),
            "digest": manifest.digest,
        }
        click.echo(json.dumps(result))
        return
    click.echo(
        f"{out}: {manifest.n_samples} samples of {len(manifest.classes)} species, "
        f"{human_bytes(manifest.bytes_stored)}, in {human_time(built.seconds)}: "
        f"{rate:.0f} samples/s, {manifest.bytes_stored / built.seconds / 1e6:.0f} MB/s"
    )
    click.echo(f"digest {manifest.digest}")


def _print_estimate(expected: Any, as_json: bool) -> None:
    if as_json:
        click.echo(expected.model_dump_json())
        return
    click.echo(f"{'array':<22} {'type':<8} {'shape of a row':<16} {'bytes':>7}  unit")
    for spec in expected.arrays:
        shape = " x ".join(str(size) for size in spec.shape) or "-"
        click.echo(f"{spec.name:<22} {spec.dtype:<8} {shape:<16} {spec.row_bytes:>7}  {spec.unit}")
    click.echo(
        f"\n{expected.n_samples} samples of {human_bytes(expected.row_bytes)}; on disk about "
        f"{human_bytes(expected.bytes_stored)} of {human_bytes(expected.free_bytes)} free\n"
        f"{expected.n_shards} shard{'s' if expected.n_shards > 1 else ''} of up to "
        f"{expected.shard_rows} rows, chunks of {expected.chunk_rows}; {expected.n_files} files\n"
        f"peak memory about {human_bytes(expected.peak_memory_bytes)}\n"
        f"about {human_time(expected.seconds)} at {expected.samples_per_s:.0f} samples/s "
        "(measured now, in memory)\nnothing was written"
    )
