"""``tersgen convert``."""

from pathlib import Path
from typing import Any

import click

from .options import (
    FILE,
    FORMATS,
    json_option,
    layout_options,
    links_option,
    overwrite_option,
    threads_option,
)


@click.command("convert")
@click.argument("path", type=FILE)
@click.argument("out", type=FILE)
@click.option("--format", "back_end", type=FORMATS,
              help="Back end of OUT.  [default: hdf5 if OUT ends in .h5, else zarr]")  # fmt: skip
@layout_options
@overwrite_option("OUT")
@threads_option
@links_option
@json_option
def command(
    path: Path,
    out: Path,
    back_end: Any,
    chunk_rows: int | None,
    shard_rows: int | None,
    compression: Any,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    follow_links: bool,
) -> None:
    """Copy the dataset at PATH to OUT: other back end or layout, same rows, same digest.

    Splits are copied; tags and older versions stay with the original.
    """
    from ..dataset.versions import find_version, locate, split_reference
    from ..jobs.convert import convert
    from ..store.location import guess_format
    from .build import print_built
    from .progress import Reporter

    name, reference = split_reference(path)
    n_samples = find_version(locate(name, follow_links), reference).n_samples
    with Reporter(n_samples, quiet=as_json) as reporter:
        built = convert(
            path,
            out,
            back_end or guess_format(out),
            chunk_rows,
            shard_rows,
            compression,
            overwrite,
            threads,
            reporter.update,
            follow_links,
        )
    print_built(built, out, as_json)
