"""``tersgen push``."""

from pathlib import Path

import click

from ..text import counted, human_bytes, human_time
from .common.messages import say, say_json
from .common.options import FILE, json_option


@click.command("push")
@click.argument("path", type=FILE)
@click.argument("url", type=FILE)
@json_option
def command(path: Path, url: Path, as_json: bool) -> None:
    """Copy the dataset at PATH to an object store, with its versions, tags and splits.

    A push that was stopped resumes with the same command: what is there is not sent again. The
    manifest goes last. Another dataset is never written over.

    \b
    Examples:
      tersgen push data.zarr s3://bucket/data.zarr
      tersgen push data.zarr gs://bucket/folder/data.zarr
    """
    from ..jobs.push import push
    from .common.progress import Display

    with Display("files", quiet=as_json) as display:
        done = push(path, url, display.show)
    if as_json:
        say_json(
            {
                "url": str(url),
                "digest": done.manifest.digest,
                "version": done.manifest.version,
                "n_files": done.n_files,
                "n_sent": done.n_sent,
                "bytes_sent": done.bytes_sent,
                "seconds": round(done.seconds, 3),
            }
        )
        return
    say(
        f"{url}: {counted(done.manifest.n_samples, 'sample')}; {done.n_sent} of "
        f"{counted(done.n_files, 'file')} sent, "
        f"{human_bytes(done.bytes_sent)} in {human_time(done.seconds)}; the others were there",
        f"digest {done.manifest.digest}",
    )
