"""``tersgen jobs``."""

import click

from .common.messages import say, say_json
from .common.options import json_option
from .service import connected, job_line, server_options, watch_job


@click.command("jobs")
@click.argument("job", required=False)
@click.option("--watch", "action", flag_value="watch", help="Show the progress until it ends.")
@click.option("--cancel", "action", flag_value="cancel", help="Cancel it; finished shards stay.")
@click.option("--resume", "action", flag_value="resume", help="Queue it again, to go on.")
@server_options
@json_option
def command(
    job: str | None, action: str | None, server: str | None, token: str | None, as_json: bool
) -> None:
    """Show the jobs of a server, or one; watch, cancel or resume it."""
    client = connected(server, token)
    if job is None:
        if action is not None:
            raise click.UsageError(f"--{action}: expected a JOB, got none")
        listed = client.jobs()
        if as_json:
            say_json([one.model_dump(mode="json") for one in listed])
        else:
            say(*map(job_line, listed) if listed else ["no jobs"])
        return
    if action == "watch":
        found = watch_job(client, job, as_json)
    else:
        found = {"cancel": client.cancel, "resume": client.resume, None: client.job}[action](job)
    if as_json:
        say_json(found.model_dump(mode="json"))
    else:
        say(job_line(found))
