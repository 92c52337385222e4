"""A sweep: runs that differ only in some settings, in one folder, with a table of their scores.

Lists of values make a grid, of which every combination is trained. With a range, Optuna's
tree-structured Parzen estimator (J. Bergstra et al., NeurIPS 2011) proposes each trial from the
scores of earlier ones. A trial is an ordinary run. The table is written before and after each, so
the same command resumes the sweep.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tersgen.dataset.output_file import replace_file
from tersgen.errors import ConfigError, DatasetError, MissingExtraError, OutputError
from tersgen.files import why
from tersgen.schema.base import Frozen, field
from tersgen.schema.loading import read_text, validate_text
from tersgen.store.lock import BuilderLock, remove_lock_files

from ..config import RunConfig
from ..config_versions import read_config
from ..errors import NotFiniteError, OutOfMemoryError
from ..planning import differing
from .checkpoint import CONFIG
from .fit import Fitted
from .search_space import Axis, Choices, Settings, axis_shown, described, grid

STATE, TABLE = "sweep.json", "sweep.csv"
_MOST_PROPOSALS = 100


class Trial(Frozen):
    """A run of a sweep."""

    settings: Settings = field("its settings", "1")
    score: float | None = field("score by which the best epoch was chosen", "1", None)
    epoch: int | None = field("the best epoch, from 1", "1", None)
    steps: int | None = field("steps of the run", "1", None)
    seconds: float | None = field("duration", "s", None)
    scores: dict[str, float | None] = field("scores of the best epoch", "1", {})
    error: str | None = field("why it ended without a score", "1", None)

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.score is not None or self.error is not None


class State(Frozen):
    """A sweep as stored."""

    format_version: Literal[1] = field("version of this format", "1", 1)
    axes: tuple[Axis, ...] = field("what is varied", "1", min_length=1)
    trials: tuple[Trial, ...] = field("trials that were begun", "1", ())


def propose(axes: Sequence[Axis], trials: Sequence[Trial], seed: int) -> Settings:
    """Return the settings of the next trial, a function of earlier ones, scores and the seed."""
    try:
        import optuna
    except ImportError:
        raise MissingExtraError(
            "expected the package optuna for a sweep over a range, got no such package; run: pip "
            "install 'tersgen[sweep]' (from a checkout: pip install '.[sweep]'), or list values"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    places: dict[str, Any] = {}
    for axis in axes:
        if isinstance(axis, Choices):  # by their numbers: they may be lists
            places[axis.name] = optuna.distributions.CategoricalDistribution(
                tuple(range(len(axis.values)))
            )
        elif axis.is_whole:
            places[axis.name] = optuna.distributions.IntDistribution(
                int(axis.low), int(axis.high), log=axis.is_log
            )
        else:
            places[axis.name] = optuna.distributions.FloatDistribution(
                axis.low, axis.high, log=axis.is_log
            )
    lists = {one.name: list(one.values) for one in axes if isinstance(one, Choices)}
    for attempt in range(_MOST_PROPOSALS):
        # a new sampler for each trial: only the trials are remembered
        words = np.random.SeedSequence((seed, len(trials), attempt)).generate_state(1)
        sampler = optuna.samplers.TPESampler(seed=int(words[0]))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in trials:
            tried = {
                name: lists[name].index(value) if name in lists else value
                for name, value in trial.settings.items()
            }
            failed = optuna.trial.TrialState.PRUNED  # counts as worse than all that have a score
            study.add_trial(
                optuna.trial.create_trial(params=tried, distributions=places, value=trial.score)
                if trial.score is not None
                else optuna.trial.create_trial(params=tried, distributions=places, state=failed)
            )
        asked = study.ask(places).params
        found = {
            axis.name: lists[axis.name][asked[axis.name]]
            if axis.name in lists
            else asked[axis.name]
            for axis in axes
        }
        if all(found != trial.settings for trial in trials):
            return found
    raise ConfigError(
        f"expected more combinations than the {len(trials)} that were tried, found none; give a "
        "smaller --trials, or larger ranges"
    )


def read_sweep(folder: Path, axes: Sequence[Axis]) -> State:
    """Return the sweep in a folder, a new one if there is none."""
    path = folder / STATE
    if not path.exists():
        return State(axes=tuple(axes))
    try:
        state = validate_text(State, read_text(path, 1 << 26), str(path))
    except ConfigError as error:
        raise DatasetError(f"{error}; give another --out") from None
    if state.axes != tuple(axes):
        before = ", ".join(axis_shown(one) for one in state.axes)
        raise ConfigError(
            f"{folder}: expected the settings that this sweep was begun with, {before}, got "
            f"{', '.join(axis_shown(one) for one in axes)}; give another --out"
        )
    return state


def _write(folder: Path, state: State) -> None:
    replace_file(folder / STATE, state.model_dump_json(indent=1).encode() + b"\n")
    text = io.StringIO()
    names = [one.name for one in state.axes]
    scores = list(dict.fromkeys(name for trial in state.trials for name in trial.scores))
    columns = ["trial", *names, "score", "epoch", "steps", "seconds", "error", *scores]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for number, trial in enumerate(state.trials):
        values = {
            name: value if isinstance(value, int | float | str) else json.dumps(value)
            for name, value in trial.settings.items()
        }
        rest = trial.model_dump(include={"score", "epoch", "steps", "seconds", "error"})
        writer.writerow({"trial": number, **trial.scores, **values, **rest})
    replace_file(folder / TABLE, text.getvalue().encode())


def trial_folder(folder: Path, number: int) -> Path:
    """Return the folder of a trial."""
    return folder / f"trial-{number:03d}"


def _check_same(stored: RunConfig, planned: RunConfig, place: Path) -> None:
    """Refuse to resume a run with other settings."""
    chosen = {"threads": stored.engine.threads} if planned.engine.threads is None else {}
    engine = planned.engine.model_copy(update=chosen)
    other = differing(stored, planned.model_copy(update={"engine": engine}))
    if other:
        raise ConfigError(
            f"{place}: expected {other[0]} as this trial was begun with, got another value; give "
            "the sweep the same settings again, or another --out"
        )


def run_sweep(
    folder: Path,
    axes: Sequence[Axis],
    n_trials: int,
    seed: int,
    plan: Callable[[Settings], RunConfig],
    train: Callable[[RunConfig, Path, bool], Fitted],
    note: Callable[[str], None],
    take_over: bool = False,
) -> tuple[State, Fitted | None]:
    """Train all remaining trials; return the sweep, and how a stopped run ended.

    Parameters
    ----------
    folder
        Folder of the sweep, in which each trial has one.
    axes
        What is varied.
    n_trials
        Number of trials, if a range is varied; all combinations of lists are trained.
    seed
        Seed of the proposals.
    plan
        Function from settings to the configuration of a run.
    train
        Function that trains a run in a folder, and resumes it if asked to.
    note
        Called with a line before each trial, and after one that failed.
    take_over
        Ignore a process on another machine that holds the sweep.
    """
    combinations = grid(axes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None
    with BuilderLock(folder, take_over, remove_lock_files):
        state = read_sweep(folder, axes)
        for number in range(n_trials if combinations is None else len(combinations)):
            begun = state.trials[number] if number < len(state.trials) else None
            place = trial_folder(folder, number)
            if begun is not None and begun.is_done:
                if number == 0 and (place / CONFIG).is_file():
                    _check_same(_stored(place), plan(begun.settings), place)
                continue
            if begun is None:
                settings = (
                    propose(axes, state.trials, seed)
                    if combinations is None
                    else combinations[number]
                )
                begun = Trial(settings=settings)
                state = state.model_copy(update={"trials": (*state.trials, begun)})
                _write(folder, state)
            note(f"trial {number}: {described(begun.settings)}")
            config, resume = plan(begun.settings), (place / CONFIG).is_file()
            if resume:
                stored = _stored(place)
                _check_same(stored, config, place)
                config = stored.model_copy(update={"stream": config.stream})
            try:
                done = train(config, place, resume)
            except (NotFiniteError, OutOfMemoryError) as error:
                trial = begun.model_copy(update={"error": str(error)})
                note(f"trial {number} failed: {error}")
            else:
                if not done.finished:
                    return state, done
                trial = begun.model_copy(update=_result(done))
            state = state.model_copy(update={"trials": (*state.trials[:number], trial)})
            _write(folder, state)
    return state, None


def _stored(place: Path) -> RunConfig:
    return read_config(read_text(place / CONFIG), str(place / CONFIG))


def _result(done: Fitted) -> dict[str, Any]:
    best, scores = done.position.best, done.scores
    if best is None or scores is None:
        return {"error": "it ended without a score"}
    return {
        "score": best.score,
        "epoch": best.epoch + 1,
        "steps": done.position.step,
        "seconds": done.seconds,
        "scores": {
            name: value if value is not None and math.isfinite(value) else None
            for name, value in scores.logged.items()
        },
    }
