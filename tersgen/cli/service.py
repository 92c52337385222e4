"""What the commands that speak to a server share."""

import os
from typing import TYPE_CHECKING

import click

from ..text import human_time
from .common.messages import say
from .common.options import option_group

if TYPE_CHECKING:
    from ..serve.client import Client
    from ..serve.job import Job

server_options = option_group(
    click.option("--server", metavar="URL",
                 help="Server, such as http://host:8787.  [default: TERSGEN_SERVER]"),
    click.option("--token",
                 help="Token of the server.  [default: that in its URL, or TERSGEN_TOKEN]"),
)  # fmt: skip


def connected(server: str | None, token: str | None) -> "Client":
    """Return a client of the server that the options name."""
    from ..serve.client import connect

    return connect(server or os.environ.get("TERSGEN_SERVER"), token)


def job_line(job: "Job") -> str:
    """Return a job in one line."""
    text = f"{job.id}  {job.state:<9}  {job.n_done} of {job.n_samples} rows  {job.dataset}"
    if job.state == "running" and job.rate:
        left = human_time((job.n_samples - job.n_done) / job.rate)
        text += f"  {job.rate:.0f} rows/s, {left} left"
    return f"{text}  {job.message}" if job.message else text


def watch_job(client: "Client", job: "Job | str", as_json: bool) -> "Job":
    """Show a job until it has ended, and return it."""
    for change in client.watch(job):
        if not as_json:
            say(job_line(change), err=True)
    seen = client.job(job)
    if seen.state in ("failed", "cancelled"):
        raise click.ClickException(f"job {seen.id} {seen.state}: {seen.message}")
    return seen
