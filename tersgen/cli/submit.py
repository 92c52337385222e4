"""``tersgen submit``."""

from typing import Any

import click

from .common.messages import say, say_json
from .common.options import COUNT, json_option
from .options import intensity_options, recipe_options
from .service import connected, job_line, server_options, watch_job


@click.command("submit")
@click.option("--n", "n_samples", type=COUNT, required=True, help="Number of samples.")
@click.option("--name", required=True, help="Name of the dataset on the server, e.g. data.zarr.")
@recipe_options
@intensity_options
@click.option("--priority", type=int, default=0, show_default=True,
              help="Jobs of higher priority are built first.")  # fmt: skip
@click.option("--executor", default="threads", show_default=True,
              help="Which of the server's executors builds it.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Show the progress, and wait until it is built.")
@server_options
@json_option
def command(
    n_samples: int,
    name: str,
    priority: int,
    executor: str,
    watch: bool,
    server: str | None,
    token: str | None,
    as_json: bool,
    **recipe_parts: Any,
) -> None:
    """Have a server build a dataset of N samples.

    The same recipe and number of samples give the job that is there already.

    \b
    Example:
      tersgen submit --server http://127.0.0.1:8787 --preset realistic --n 1e6 --name real.zarr
    """
    from ..library.intensities import NOTHING_SAID
    from ..resolution import resolve
    from .recipes import recipe_from_options, take_statement

    said = take_statement(recipe_parts)
    recipe = recipe_from_options(**recipe_parts)
    if said != NOTHING_SAID:
        recipe = resolve(recipe, said)
    client = connected(server, token)
    job = client.submit(recipe, n_samples, name, priority=priority, executor=executor)
    if watch:
        job = watch_job(client, job, as_json)
    if as_json:
        say_json(job.model_dump(mode="json"))
    else:
        say(job_line(job))
