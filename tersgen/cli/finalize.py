"""``tersgen finalize``."""

from pathlib import Path

import click

from ..text import counted
from .common.messages import say, say_json
from .common.options import FILE, json_option, plugin_option
from .options import take_over_option


@click.command("finalize")
@click.argument("path", type=FILE)
@take_over_option
@plugin_option
@json_option
def command(path: Path, take_over: bool, as_json: bool) -> None:
    """Complete the dataset at PATH, whose shards were finished with --shard-range.

    It builds no rows. If shards are missing it names them.

    \b
    Example:
      tersgen build --n 1e6 --out data.zarr --shard-range 0:100
      tersgen build --n 1e6 --out data.zarr --shard-range 100:
      tersgen finalize data.zarr
    """
    from ..jobs.range_job import finalize

    built = finalize(path, take_over)
    manifest = built.manifest
    if as_json:
        say_json(
            {
                "path": str(path),
                "n_samples": manifest.n_samples,
                "bytes_stored": manifest.bytes_stored,
                "digest": manifest.digest,
                "version": manifest.version,
            }
        )
        return
    say(f"{path}: complete, {counted(manifest.n_samples, 'sample')}", f"digest {manifest.digest}")
