"""``ters-train sweep``."""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tersgen.cli.common.messages import say, say_json
from tersgen.cli.common.options import COUNT, FILE, json_option, set_field
from tersgen.cli.common.stopping import stop_after_step
from tersgen.errors import ConfigError
from tersgen.text import command as shell_command

from .new_run import SETTINGS, NewRun, refuse_others, run_options
from .options import device_option

if TYPE_CHECKING:
    from ..engine.search_space import Axis
    from ..engine.sweep import State

_DEFAULT_TRIALS = 20
_MOST_SHOWN = 20


@click.command("sweep")
@click.argument("config", type=FILE, required=False)
@run_options
@click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUES",
    help="Values of a field to try, optim.lr=[1e-4,1e-3], or a range, optim.lr=1e-4..1e-2; a "
    "single value is set for all trials; may be repeated.",
)  # fmt: skip
@click.option("--trials", "n_trials", type=COUNT,
              help="Number of trials, with a range.  [default: 20]")  # fmt: skip
@click.option("--out", type=FILE, help="Folder for the sweep: a run for each trial, and a table.")
@device_option
@click.option(
    "--take-over", is_flag=True,
    help="Take over a sweep from a process on another machine that you know to be dead.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--dry-run", is_flag=True, help="Print the trials and do nothing.")
@json_option
def command(
    config: Path | None,
    settings: tuple[str, ...],
    n_trials: int | None,
    out: Path | None,
    device: str | None,
    take_over: bool,
    quiet: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model with several values of its settings, one run after the other.

    CONFIG has settings of all runs, as fit --config takes them: a .toml, or config.json of a run.
    All combinations of lists are trained; from ranges Optuna chooses values by the scores of
    earlier trials. Each trial is an ordinary run of fit, in OUT/trial-000 and so on; the scores are
    in OUT/sweep.csv. To resume a sweep that was stopped, repeat the command.

    \b
    Examples:
      ters-train sweep --data data.zarr --set 'optim.lr=[1e-4,1e-3,1e-2]' --out sweeps/lr
      ters-train sweep run.toml --set 'optim.lr=[1e-4,1e-3]' --set 'order.batch_size=[64,256]' \\
          --out sweeps/both
      ters-train sweep run.toml --set optim.lr=1e-4..1e-2 --trials 30 --out sweeps/range
    """
    axes, fixed = _axes(settings)
    new = NewRun.take(options, config, fixed)
    new.check()
    _check(axes, n_trials, [SETTINGS[key] for key in new.changed])
    if out is None and not dry_run:
        raise click.UsageError("expected --out, a folder for the sweep")
    from ..engine.search_space import described, grid
    from ..engine.sweep import STATE

    if out is not None:
        refuse_others(out, STATE)
    combinations = grid(axes)
    # what cannot be trained is refused before anything is
    planned = [_plan(new, trial) for trial in combinations or _ends(axes)]
    if dry_run:
        for number, trial in enumerate(combinations or ()):
            say(f"trial {number}: {described(trial)}")
        if combinations is None:
            say(f"{n_trials or _DEFAULT_TRIALS} trials, each chosen by the scores of earlier ones")
        return
    assert out is not None
    how = _How(device, quiet or as_json, take_over)
    state = _go(out, axes, n_trials or _DEFAULT_TRIALS, new, how)
    _report(out, state, planned[0].data, as_json)


class _How(NamedTuple):
    """How the trials are trained."""

    device: str | None
    quiet: bool
    take_over: bool


def _axes(settings: tuple[str, ...]) -> tuple[list["Axis"], tuple[str, ...]]:
    """Return what is varied, and the settings of all trials."""
    from ..engine.search_space import axis_of

    axes: list[Axis] = []
    fixed = []
    for setting in settings:
        table: dict[str, Any] = {}
        set_field(table, setting)
        name = setting.partition("=")[0]
        value: Any = table
        for part in name.split("."):
            value = value[part]
        axis = axis_of(name, value)
        if axis is None:
            fixed.append(setting)
        elif any(one.name == name for one in axes):
            raise click.BadParameter(f"expected {name} once, got it twice", param_hint="'--set'")
        else:
            axes.append(axis)
    return axes, tuple(fixed)


def _check(axes: list["Axis"], n_trials: int | None, fixed: list[str]) -> None:
    """Refuse options that do not go together."""
    from ..engine.search_space import MOST_TRIALS, Choices

    if not axes:
        raise click.UsageError(
            "expected values to try, such as --set 'optim.lr=[1e-4,1e-3]', got none; to train "
            "once: ters-train fit"
        )
    for axis in axes:
        if axis.name in fixed:
            raise click.UsageError(f"{axis.name}: expected it by --set only, got an option as well")
    if n_trials is not None and all(isinstance(one, Choices) for one in axes):
        raise click.UsageError(
            "--trials: all combinations of lists are trained; expected it with a range, such as "
            "--set optim.lr=1e-4..1e-2"
        )
    if n_trials is not None and n_trials > MOST_TRIALS:
        raise click.UsageError(f"--trials: expected at most {MOST_TRIALS}, got {n_trials}")


def _ends(axes: list["Axis"]) -> list[dict[str, Any]]:
    """Return trials with each value that shows whether a run can have those of a range."""
    first = {axis.name: axis.ends[0] for axis in axes}
    return [{**first, axis.name: value} for axis in axes for value in axis.ends]


def _plan(new: NewRun, trial: dict[str, Any]) -> Any:
    from ..engine.search_space import described

    try:
        return new.plan(trial)
    except ConfigError as error:
        raise ConfigError(f"{described(trial)}: {error}") from None


def _go(out: Path, axes: list["Axis"], n_trials: int, new: NewRun, how: _How) -> "State":
    """Train what is left of a sweep; exit if a signal stops it."""
    from ..engine.fit import fit
    from ..engine.ranks import process_group
    from ..engine.sweep import run_sweep
    from .watching import Watcher

    seed = new.wanted.get("engine", {}).get("seed", 0)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_after_step())
        ranks = stack.enter_context(process_group(how.device))
        if ranks.world_size > 1:
            raise ConfigError(
                f"expected one process, got {ranks.world_size}; start a sweep without torchrun"
            )

        def train(config: Any, folder: Path, resume: bool) -> Any:
            watcher = Watcher(stop, how.quiet)
            try:
                return fit(config, folder, ranks, watcher, resume, how.take_over)
            finally:
                watcher.close()

        state, stopped = run_sweep(
            out, axes, n_trials, seed if isinstance(seed, int) else 0,
            lambda trial: _plan(new, trial), train, lambda text: say(text, err=True), how.take_over,
        )  # fmt: skip
    if stopped is not None:
        name = signal.Signals(stop.signal or signal.SIGTERM).name
        say(
            f"stopped by {name} in trial {len(state.trials) - 1}, at step "
            f"{stopped.position.step}, which is saved; repeat the command to go on",
            err=True,
        )
        raise SystemExit(128 + (stop.signal or signal.SIGTERM))
    return state


def _report(out: Path, state: "State", data: Any, as_json: bool) -> None:
    """Print all trials, the best first, and where they are."""
    from ..engine.search_space import Range, shown
    from ..engine.sweep import TABLE, trial_folder

    scores = {k: one.score for k, one in enumerate(state.trials) if one.score is not None}
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    failed = [k for k in range(len(state.trials)) if k not in scores]
    best = ranked[0] if ranked else None
    if as_json:
        trials = [
            {"trial": k, "folder": str(trial_folder(out, k)), **trial.model_dump(mode="json")}
            for k, trial in enumerate(state.trials)
        ]
        say_json({"out": str(out), "best": best, "trials": trials})
        return
    names = [axis.name for axis in state.axes if isinstance(axis, Range) or axis.values[1:]]
    lines = [["trial", *names, "score", "epoch", "time / s"]]
    for k in (*ranked, *failed):
        trial = state.trials[k]
        values = [shown(trial.settings[name]) for name in names]
        numbers = (
            ["failed", "", ""]
            if trial.score is None
            else [f"{trial.score:.4f}", f"{trial.epoch}", f"{trial.seconds:.0f}"]
        )
        lines.append([str(k), *values, *numbers])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines[: _MOST_SHOWN + 1]:
        say("  ".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)))
    if len(lines) > _MOST_SHOWN + 1:
        say(f"... and {len(lines) - _MOST_SHOWN - 1} more")
    say(f"table: {out / TABLE}")
    if best is None:
        raise ConfigError(f"{out}: expected a trial with a score, got none: all failed")
    split = () if data.split == "default" else ("--split", data.split)
    evaluate = shell_command(
        "ters-train", "evaluate", trial_folder(out, best), "--data", data.path, *split
    )
    say(f"trial {best} has the best score; on the rows of test: {evaluate}")
