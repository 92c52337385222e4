"""The training loop: epochs of steps, checkpoints, scores, the log, and resuming after a kill.

A run is determined by its configuration and the dataset; its position is a step, an epoch and a
batch. Order, changes to batches and dropout are functions of these, so a resumed run continues
exactly as it would have without the interruption.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from tersgen.errors import ConfigError, DamagedDataError, OutputError
from tersgen.files import why
from tersgen.plugins import plugin_options
from tersgen.schema.loading import read_text
from tersgen.store.lock import BuilderLock, remove_lock_files
from tersgen.text import command

from ..callbacks import RunInfo
from ..config import RunConfig
from ..config_versions import read_config
from ..errors import TrainingError
from ..models.model import is_fitted
from ..planning import differing, open_data
from ..reporting import Report
from ..reporting.logs import RunLog
from ..tasks.scores import TaskScores
from ..tasks.task import make_task
from .at_once import check_at_once, describe, fit_at_once
from .checkpoint import CONFIG, Position, has_checkpoints, newest, prune, write_config
from .cost import Forecast, Forecaster, choose_threads, threads
from .optimiser import slowdown
from .ranks import Ranks
from .results import make_report, write_results
from .run import Clock, Run
from .weights import load_weights

_ENTRIES_PER_EPOCH = 20
_SAVE, _STOP = 1, 2
"""What a process asks all others for after a step."""


class Watch(Protocol):
    """Is notified of the progress of a run; by the first process only."""

    def begin(self, about: str, n_steps: int, position: Position, notes: list[str]) -> None:
        """Receive what is trained, the number of steps, the position and notes for the user."""

    def step(self, step: int, loss: float, samples_per_s: float, waiting: float) -> None:
        """Learn of a step: loss, rate, and the share of the time spent waiting for data."""

    def epoch(self, epoch: int, scores: TaskScores) -> None:
        """Learn of an epoch that was scored."""

    def forecast(self, forecast: Forecast) -> None:
        """Receive what the run is expected to take, once, after its first steps."""

    def score(self, batch: int, n_batches: int) -> None:
        """Learn of a batch that was scored, of so many."""

    @property
    def is_due(self) -> bool:
        """Whether a step is to be shown although it is not one that is logged."""

    @property
    def stop(self) -> int:
        """Number of the signal that asks to stop after this step, or 0."""


class Quiet:
    """A watch that shows nothing and never stops."""

    is_due, stop = False, 0

    def begin(self, *_: object) -> None:
        """Show nothing."""

    step = epoch = score = forecast = begin


class Fitted(NamedTuple):
    """How a run ended."""

    position: Position
    scores: TaskScores | None
    """On the part that chooses, of the best epoch."""
    finished: bool
    """False if it was stopped and can be resumed."""
    seconds: float
    waited: float
    """Seconds spent waiting for data."""
    n_steps: int
    """Steps taken now, without those before it was resumed."""
    n_repaired: int
    """Damaged blocks rebuilt in memory."""


def _resume(run: Run, notes: list[str]) -> None:
    """Load the newest complete checkpoint of the run, if there is any."""
    found, wrong = newest(run.folder)
    notes += [f"skipped: {one}" for one in wrong]
    if found is None:
        notes.append(f"{run.folder}: no whole checkpoint yet; starting from the beginning")
        return
    other = differing(found.state.config, run.config)
    if other:
        raise ConfigError(
            f"{run.folder / CONFIG}: {other[0]} is not what {found.folder.name} was trained with; "
            "restore it, or start a new run"
        )
    order = run.stream.order
    if found.state.order not in (None, order.digest):
        raise ConfigError(
            f"{found.folder}: expected {order.rows.name} of split {run.config.data.split!r} as it "
            "was when the run was started, got other rows; restore the split, or start a new run"
        )
    run.trainer.load(found)
    run.position = found.state.position


def _check_classes(run: Run, notes: list[str]) -> None:
    """Note classes without a row to train on."""
    if run.task.n_classes is None:
        return
    none = [
        name for name, count in zip(run.dataset.classes, run.class_counts, strict=True) if not count
    ]
    if none:
        notes.append(
            f"{run.config.data.train_part}: no rows of {', '.join(none[:8])}"
            f"{', ...' if len(none) > 8 else ''}: the model cannot learn these classes"
        )


def _check_speed(config: RunConfig, ranks: Ranks, notes: list[str]) -> None:
    """Note a mixed precision that makes a CPU slower."""
    times = slowdown(config.engine.amp, ranks.device)
    if times is not None:
        notes.append(
            f"--amp {config.engine.amp}: on this CPU its layers take about {times:.2g} times as "
            "long as in float32 (measured just now); leave it off, or train on a GPU"
        )


def fit(
    config: RunConfig,
    folder: Path,
    ranks: Ranks,
    watch: Watch,
    resume: bool = False,
    take_over: bool = False,
) -> Fitted:
    """Train, from the beginning or from the last checkpoint, until the end or a signal.

    All processes call it. The first writes into ``folder``: configuration, checkpoints, log,
    report.

    Raises
    ------
    ConfigError, DatasetError
        If run and dataset do not fit each other.
    TrainingError
        If the loss is not finite or a batch does not fit; the last checkpoint stays.
    OutputError
        If the folder cannot be written, or holds a run that is not resumed.
    BusyError
        If another process trains this run; ``take_over`` ignores one on another machine.
    """
    start = time.perf_counter()
    if is_fitted(config.model.name):
        return _fit_at_once(config, folder, ranks, watch, resume, take_over, start)
    if config.engine.deterministic:
        torch.use_deterministic_algorithms(True)
    dataset = open_data(config.data)
    notes: list[str] = []
    clock = Clock()
    with ExitStack() as stack:
        if not resume and config.engine.threads is None:
            chosen = config.engine.model_copy(update={"threads": choose_threads(config, ranks)})
            config = config.model_copy(update={"engine": chosen})
        stack.enter_context(threads(config.engine.threads))
        run = Run(config, dataset, folder, ranks)
        log = None
        if ranks.is_first:
            _make_folder(folder)
            run.lock = stack.enter_context(BuilderLock(folder, take_over, remove_lock_files))
            if not resume:
                check_no_run(folder)
        if resume:
            ranks.barrier()
            _resume(run, notes)
        elif config.engine.init is not None:
            fresh = run.trainer.load_pretrained(config.engine.init, dataset.classes)
            if fresh:
                notes.append(
                    f"{config.engine.init}: weights of another task; {', '.join(fresh)} start anew"
                )
        _check_classes(run, notes)
        if ranks.is_first:
            _check_speed(config, ranks, notes)
            write_config(folder, config)
            log = stack.enter_context(RunLog(folder, run.position.step if resume else None))
            watch.begin(run.describe(), run.n_steps, run.position, notes)
            run.callbacks.notify(
                "on_start",
                RunInfo(folder, config, dataset.classes, run.n_steps, run.position.step),
            )
        first = run.position.step
        stopped = _epochs(run, watch, log, clock)
        if ranks.is_first:
            prune(folder, run.position, config.engine.keep)
        scores = _best_scores(run, watch) if not stopped else None
        if scores is not None and ranks.is_first and log is not None:
            write_results(folder, _report(run, log, scores), run.task)
        if ranks.is_first:
            run.callbacks.notify("on_end", run.position.step, not stopped)
    return Fitted(
        run.position,
        scores,
        not stopped,
        time.perf_counter() - start,
        clock.total_waited,
        run.position.step - first,
        run.stream.n_repaired,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {why(error)}") from None


def _fit_at_once(
    config: RunConfig, folder: Path, ranks: Ranks, watch: Watch, resume: bool, take_over: bool,
    start: float,
) -> Fitted:  # fmt: skip
    """Fit a model that is not trained by steps, and report on it; resuming does it again."""
    check_at_once(config, ranks)
    dataset = open_data(config.data)
    _make_folder(folder)
    with ExitStack() as stack:
        stack.enter_context(BuilderLock(folder, take_over, remove_lock_files))
        if not resume:
            check_no_run(folder)
        watch.begin(describe(config, dataset, folder), 0, Position(), [])
        model, position, scores, log = fit_at_once(config, dataset, folder, ranks)
        stack.enter_context(log)
        watch.epoch(0, scores)
        facts = {"weights": sum(value.numel() for value in model.state_dict().values())}
        report = make_report(
            folder.name, config, dataset, scores, config.data.val_part, log.entries, facts
        )
        write_results(folder, report, make_task(config))
    return Fitted(position, scores, True, time.perf_counter() - start, 0.0, 0, 0)


def _epochs(run: Run, watch: Watch, log: RunLog | None, clock: Clock) -> bool:
    """Run the epochs that are left; return whether a signal stopped them."""
    n_epoch = run.steps_per_epoch - run.position.batch // run.config.optim.accumulate
    forecaster = Forecaster(run.config, run.n_steps - run.position.step, n_epoch)
    try:
        while run.position.epoch < run.config.optim.epochs and not run.has_enough:
            if _epoch(run, watch, log, clock, forecaster):
                return True
    except TrainingError as error:
        kept, _ = newest(run.folder)
        left = (
            f"the last good checkpoint is {kept.folder}"
            if kept
            else "no checkpoint was saved yet, so a new run can have the same --out"
        )
        raise type(error)(f"{error}; {left}") from None
    except DamagedDataError as error:
        raise DamagedDataError(
            f"{error}: {command('tersgen', 'repair', run.dataset.path)}; then "
            f"{resume_command(run.folder)} (with --on-damage repair it makes them in memory and "
            "continues)"
        ) from None
    return False


def _epoch(
    run: Run, watch: Watch, log: RunLog | None, clock: Clock, forecaster: Forecaster
) -> bool:
    """Run what is left of an epoch and score it; return whether a signal stopped it before."""
    epoch = run.position.epoch
    clock.reset()
    if _steps(run, watch, log, clock, forecaster):
        run.save()
        return True
    run.trainer.check_finite()
    scores = run.score(_progress(run, watch))
    run.done_steps(epoch + 1, 0)
    run.choose(scores, epoch)
    if log is not None:
        log.append(
            {
                "step": run.position.step,
                "epoch": epoch,
                "part": "val",
                **scores.logged,
            }
        )
        watch.epoch(epoch, scores)
        run.callbacks.notify("on_epoch", epoch, scores.logged)
    run.save()
    return False


def _steps(
    run: Run, watch: Watch, log: RunLog | None, clock: Clock, forecaster: Forecaster
) -> bool:
    """Take the steps that are left of an epoch; return whether a signal asks to stop."""
    config, trainer = run.config, run.trainer
    epoch, batch = run.position.epoch, run.position.batch
    every = max(1, run.steps_per_epoch // _ENTRIES_PER_EPOCH)
    for group in run.groups(epoch, batch, clock):
        losses = trainer.train(group, epoch)
        batch += len(group)
        run.done_steps(epoch, batch)
        if log is not None and (forecast := forecaster.step()):
            watch.forecast(forecast)
        if trainer.step % every == 0:
            values = {name: run.ranks.mean(float(value)) for name, value in losses.items()}
            if log is not None:
                watch.step(trainer.step, values["loss"], clock.rate, clock.waiting)
                values |= {
                    "lr": float(trainer.optimiser.param_groups[0]["lr"]),
                    "samples_per_s": clock.rate,
                    "waiting": clock.waiting,
                }
                log.append({"step": trainer.step, "epoch": epoch, "part": "train", **values})
                run.callbacks.notify("on_step", trainer.step, values)
            clock.reset()
        elif log is not None and watch.is_due:  # with the loss of this process: none waits for it
            watch.step(trainer.step, float(losses["loss"]), clock.rate, clock.waiting)
        asked = run.ranks.highest(_STOP if watch.stop else _SAVE if run.is_save_due else 0)
        if asked == _STOP:
            return True
        steps = config.engine.checkpoint_steps
        is_due = asked == _SAVE or (steps and trainer.step % steps == 0)
        # at the end of an epoch it is saved after its scores, which then are in the log once
        if is_due and trainer.step % run.steps_per_epoch:
            run.save()
    return False


def _progress(run: Run, watch: Watch) -> Callable[[int], None]:
    """Return what is called with the number of batches scored; the first process shows it."""
    if not run.ranks.is_first:
        return lambda _: None
    return lambda batch: watch.score(batch, len(run.val_stream))


def _best_scores(run: Run, watch: Watch) -> TaskScores | None:
    """Return the scores of the best weights on the part that chooses."""
    found, _ = newest(run.folder, "best")
    if found is None:
        return None
    weights = found.tensors["model"]
    model = load_weights(found.folder, run.config.model, weights, run.ranks.device)
    return run.score_of(model, _progress(run, watch))


def _report(run: Run, log: RunLog, scores: TaskScores) -> Report:
    facts = {
        "parameters": sum(value.numel() for value in run.trainer.model.parameters()),
        "steps": run.position.step,
        "processes": run.ranks.world_size,
        "device": str(run.ranks.device),
        "torch": torch.__version__,
    }
    part = run.config.data.val_part
    return make_report(run.folder.name, run.config, run.dataset, scores, part, log.entries, facts)


def resume_command(folder: Path) -> str:
    """Return the command that resumes a run, with the plug-ins that were imported for it."""
    return command("ters-train", "fit", "--resume", folder, *plugin_options())


def check_no_run(folder: Path) -> None:
    """Refuse the folder of a run, unless it has saved no checkpoint: then it starts over."""
    path = folder / CONFIG
    if not os.path.lexists(path):
        return
    try:
        read_config(read_text(path), str(path))
        may_begin = not has_checkpoints(folder)
    except ConfigError:
        may_begin = False  # it may be anybody's
    if not may_begin:
        raise OutputError(
            f"{folder}: holds a run already; give another --out, or resume it: "
            f"{resume_command(folder)}"
        )
