"""``tersgen bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from .common.messages import say, say_json
from .common.options import FILE, Choice, json_option

if TYPE_CHECKING:
    from ..bench.task import Size


@click.group("bench")
def command() -> None:
    """Compare models with TERSBench: frozen tasks, each with data for training and scoring.

    \b
    Examples:
      tersgen bench make mixtures --out mixtures
      ters-train fit --data mixtures/train.zarr --out run
      ters-train predict run mixtures/test.zarr --top 26 --out predictions.jsonl
      tersgen bench score mixtures predictions.jsonl
    """


@command.command("list")
@json_option
def list_tasks(as_json: bool) -> None:
    """List the tasks."""
    from ..bench.task import load_task, task_names

    tasks = [load_task(name) for name in task_names()]
    if as_json:
        say_json([task.model_dump(mode="json", exclude={"parts"}) for task in tasks])
        return
    width = max(len(task.name) for task in tasks)
    for task in tasks:
        order = "highest" if task.higher_is_better else "lowest"
        say(f"{task.name:{width}}  {task.title} (ranked by {task.metric}, {order} first)")


@command.command("make")
@click.argument("task")
@click.option("--out", type=FILE, required=True, help="Folder for the data.")
@click.option("--size", type=Choice(["trial", "small", "full"]), default="small",
              show_default=True, help="small: minutes to hours on two processors; trial: "
              "seconds, to test a program, with scores that mean nothing.")  # fmt: skip
@click.option("--measured", type=FILE, metavar="FOLDER",
              help="Measured spectra, a folder for each species (task sim_to_real).")  # fmt: skip
def make_task(task: str, out: Path, size: str, measured: Path | None) -> None:
    """Make the data of TASK: a name, or the file NAME.toml of a task of your own.

    To resume, repeat the command.
    """
    from ..bench.making import make

    made = make(task, out, cast("Size", size), measured, say)
    say(f"{out}: task {made.task.name}, version {made.task.version}, {made.size}")
    say(f"to score predictions: tersgen bench score {out} FILE")


@command.command("score")
@click.argument("folder", type=FILE)
@click.argument("predictions", type=FILE)
@click.option("--foreign", type=FILE, help="Predictions for foreign.zarr (task open_set).")
@json_option
def score_task(folder: Path, predictions: Path, foreign: Path | None, as_json: bool) -> None:
    """Score PREDICTIONS for test.zarr of the task in FOLDER, with 95 % intervals.

    PREDICTIONS is a table as ters-train predict --out writes it, or an .npz for structures (of
    ters-train predict) and for responses (an array of amplitudes by tip and mode for each
    molecule).
    """
    from ..bench.scoring import score

    result = score(folder, predictions, foreign)
    if as_json:
        say_json(result.as_dict())
        return
    note = " (too few rows to compare models)" if result.size == "trial" else ""
    say(f"{result.task}, version {result.version}, {result.size}{note}")
    for name, one in result.scores.items():
        ranks = "  (ranks)" if name == result.metric else ""
        say(f"{name:22} {one.value:.4g}  [{one.low:.4g}, {one.high:.4g}]{ranks}")
