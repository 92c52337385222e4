"""``tersgen convert``."""

from pathlib import Path
from typing import Any

import click

from .common.options import FILE, json_option, links_option, threads_option
from .options import FORMATS, layout_options, overwrite_option


@click.command("convert")
@click.argument("path", type=FILE)
@click.argument("out", type=FILE)
@click.option("--format", "back_end", type=FORMATS,
              help="Back end of OUT.  [default: hdf5 if OUT ends in .h5, else zarr]")  # fmt: skip
@layout_options
@click.option(
    "--store-images",
    is_flag=True,
    help="Store masks and bonds, which PATH computes as rows are read; the copy has the "
    "digest of a build with structure.store_images = true.",
)
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
    store_images: bool,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    follow_links: bool,
) -> None:
    """Copy the dataset at PATH to OUT: other back end or layout, same rows, same digest.

    Splits are copied; tags and older versions stay with the original.
    """
    from ..dataset.versions import find_version, locate_version
    from ..jobs.convert import convert
    from ..store.location import guess_format
    from .build import print_built
    from .common.progress import Display
    from .progress import report_to

    n_samples = find_version(*locate_version(path, follow_links)).n_samples
    with Display("samples", quiet=as_json).begin(n_samples) as display:
        built = convert(
            path,
            out,
            back_end or guess_format(out),
            chunk_rows,
            shard_rows,
            compression,
            overwrite,
            threads,
            report_to(display),
            follow_links,
            complete=store_images,
        )
    print_built(built, out, as_json)
