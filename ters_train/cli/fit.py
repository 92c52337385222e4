"""``ters-train fit``."""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from tersgen.cli.common.messages import say
from tersgen.cli.common.options import FILE
from tersgen.cli.common.stopping import stop_after_step
from tersgen.errors import ConfigError
from tersgen.text import command as shell_command
from tersgen.text import counted

from .new_run import NewRun, config_option, refuse_others, run_options, set_option
from .options import device_option, report_repaired


@click.command("fit")
@run_options
@click.option("--out", type=FILE, help="Folder for checkpoints, log and report.")
@click.option("--resume", type=FILE, help="Folder of a run to resume.")
@config_option
@set_option
@device_option
@click.option(
    "--take-over", is_flag=True,
    help="Go on with a run that a process on another machine holds, which you know to be dead.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--dry-run", is_flag=True, help="Print the configuration and do nothing.")
def command(
    out: Path | None,
    resume: Path | None,
    settings: tuple[str, ...],
    config: Path | None,
    device: str | None,
    take_over: bool,
    quiet: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Train a model on a dataset or a recipe, or go on with a run.

    \b
    ters-train fit --data data.zarr --out runs/cnn
    ters-train fit --resume runs/cnn
    torchrun --nproc-per-node 2 -m ters_train fit --data data.zarr --out runs/cnn
    """
    new = NewRun.take(options, config, settings)
    if resume is not None:
        given = [*new.given.values(), out, config, settings]
        others = {*new.changed} - {"threads", "on_damage"}
        if any(one not in (None, ()) for one in given) or others:
            raise click.UsageError(
                "--resume: a run resumes with its own settings; expected no other option than "
                "--plugin, --threads, --on-damage, --device and --quiet; to train on from its "
                f"weights, start a new run with {shell_command('--init', resume)}"
            )
        _go(resume, _resumed(resume, new.wanted), device, quiet, dry_run, take_over, resume=True)
        return
    new.check(" (or --resume)")
    if out is None and not dry_run:
        raise click.UsageError("expected --out, a folder for the run")
    if out is not None:
        refuse_others(out)
    _go(out or Path("run"), new.plan(), device, quiet, dry_run, take_over, resume=False)


def _resumed(folder: Path, wanted: dict[str, Any]) -> Any:
    """Return the configuration of a run that is resumed."""
    from tersgen.schema.loading import read_text

    from ..config import StreamConfig
    from ..config_versions import read_config
    from ..engine.checkpoint import CONFIG
    from ..parts import check_plugins, plugins_of

    if not (folder / CONFIG).is_file():
        raise ConfigError(f"{folder}: expected a run to resume, found no {CONFIG} in it")
    run = read_config(read_text(folder / CONFIG), str(folder / CONFIG))
    check_plugins(run, folder / CONFIG)
    stream = {**run.stream.model_dump(), **wanted.get("stream", {})}
    changed = {"stream": StreamConfig.model_validate(stream), "plugins": plugins_of(run)}
    return run.model_copy(update=changed)


def _print_rows(config: Any) -> None:
    """Say how many rows a run trains on, and how many choose."""
    from ..data.rows import rows_of_part
    from ..planning import open_data

    data, dataset = config.data, open_data(config.data)
    train, val = (
        f"{counted(rows_of_part(dataset, data, part).counts().sum(), 'row')} of {part}"
        for part in (data.train_part, data.val_part)
    )
    say(f"{data.path}: trains on {train}; {val} choose the best epoch", err=True)


def _go(
    folder: Path,
    config: Any,
    device: str | None,
    quiet: bool,
    dry_run: bool,
    take_over: bool,
    resume: bool,
) -> None:
    if dry_run:
        say(*config.model_dump_json(indent=1).splitlines())
        _print_rows(config)
        return
    from ..engine.fit import check_no_run, fit, resume_command
    from ..engine.ranks import process_group
    from ..models.model import is_fitted
    from .watching import Watcher

    if not resume:
        check_no_run(folder)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_after_step())
        ranks = stack.enter_context(process_group(device))
        ranks.barrier()  # nobody writes before all have looked
        watcher = Watcher(stop, quiet or not ranks.is_first)
        stack.callback(watcher.close)
        done = fit(config, folder, ranks, watcher, resume, take_over)
    if not ranks.is_first:
        return
    if not done.finished:
        name = signal.Signals(stop.signal or signal.SIGTERM).name
        say(
            f"stopped by {name} at step {done.position.step}, which is saved; resume: "
            f"{resume_command(folder)}",
            err=True,
        )
        raise SystemExit(128 + (stop.signal or signal.SIGTERM))
    report_repaired(done.n_repaired, config.data.path)
    best = done.position.best
    if done.scores is not None and best is not None:
        if is_fitted(config.model.name):
            say(f"{folder}: fitted in {done.seconds:.0f} s; on {config.data.val_part}: "
                f"{done.scores.best}")  # fmt: skip
        else:
            work = (
                f"{counted(done.n_steps, 'step')} in {done.seconds:.0f} s, "
                f"{done.waited / max(done.seconds, 1e-9):.1%} of it waiting for data"
                if done.n_steps
                else "all steps were taken before"
            )
            say(
                f"{folder}: {work}; best on {config.data.val_part}: {done.scores.best}, after "
                f"epoch {best.epoch + 1}"
            )
        say(f"report: {folder / 'report.html'}")
