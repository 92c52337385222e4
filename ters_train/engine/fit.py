"""The training loop: epochs of steps, checkpoints, scores, the log, and going on after a kill.

A run is decided by its configuration and the dataset; where it stands is a step, an epoch and a
batch. Order, changes to batches and dropout are functions of these, so a run that is resumed does
what it would have done.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.locking import BuilderLock
from tersgen.errors import ConfigError, DamagedDataError, OutputError

from ..config import RunConfig
from ..data.order import Order
from ..data.rows import RowSet, rows_of_part
from ..data.stream import Batch, Stream
from ..errors import TrainingError
from ..metrics import Scores
from ..models.build import build_model
from ..planning import differing, fields_of, open_data, training_weights
from ..reporting import Report
from ..reporting.logs import RunLog
from .checkpoint import (
    CONFIG,
    Best,
    Position,
    State,
    newest,
    prune,
    save_checkpoint,
    write_config,
)
from .device import moved
from .evaluate import evaluate, every_row
from .ranks import Ranks
from .results import make_report, write_results
from .trainer import Trainer, input_range

_ENTRIES_PER_EPOCH = 20


class Watch(Protocol):
    """Is told how a run goes on; by the first process only."""

    def begin(self, n_steps: int, position: Position, notes: list[str]) -> None:
        """Learn how many steps there are, where the run stands, and what a user should know."""

    def step(self, step: int, loss: float, samples_per_s: float, waiting: float) -> None:
        """Learn of a step: loss, rate, and the share of the time spent waiting for data."""

    def epoch(self, epoch: int, scores: Scores) -> None:
        """Learn of an epoch that was scored."""

    @property
    def stop(self) -> int:
        """Number of the signal that asks to stop after this step, or 0."""


class Fitted(NamedTuple):
    """How a run ended."""

    position: Position
    scores: Scores | None
    """On the part that chooses, of the best epoch."""
    finished: bool
    """False if it was stopped and can go on."""
    seconds: float
    waited: float
    """Seconds spent waiting for data."""
    n_repaired: int
    """Damaged blocks made again in memory."""


class _Clock:
    """Rate and waiting share since the last entry."""

    def __init__(self) -> None:
        self.total_waited = 0.0
        self.reset()

    def reset(self) -> None:
        self._start = time.perf_counter()
        self._rows = 0
        self._waited = 0.0

    def waited(self, seconds: float, rows: int) -> None:
        self._waited += seconds
        self.total_waited += seconds
        self._rows += rows

    @property
    def rate(self) -> float:
        return self._rows / max(1e-9, time.perf_counter() - self._start)

    @property
    def waiting(self) -> float:
        return self._waited / max(1e-9, time.perf_counter() - self._start)


class _Run:
    """A run on this process."""

    def __init__(self, config: RunConfig, dataset: Dataset, folder: Path, ranks: Ranks) -> None:
        self.config, self.dataset, self.folder, self.ranks = config, dataset, folder, ranks
        order, engine = config.order, config.engine
        fields = fields_of(config)
        self.val = rows_of_part(dataset, config.data, config.data.val_part)
        train = Order(
            rows_of_part(dataset, config.data, config.data.train_part),
            order.batch_size,
            order.mix_blocks,
            engine.seed,
        )
        pin = ranks.device.type == "cuda"
        self.stream = Stream(dataset, fields, train, ranks.partition, config.stream, pin)
        self.val_stream = every_row(dataset, self.val, fields, order, config.stream, ranks)
        self.steps_per_epoch = len(self.stream) // config.optim.accumulate
        if not self.steps_per_epoch:
            raise ConfigError(
                f"optim.accumulate: expected at most {len(self.stream)}, the batches of an epoch, "
                f"got {config.optim.accumulate}"
            )
        self.n_steps = self.steps_per_epoch * config.optim.epochs
        split = dataset.splits.get(config.data.split)
        weights = None
        if split is not None and config.loss.class_weights:
            weights = training_weights(split, config.data.train_part)
        self.low = input_range(dataset)
        self.trainer = Trainer(config, self.low, weights, ranks, self.n_steps)
        self.position = Position()
        self.lock: BuilderLock | None = None

    def state(self) -> State:
        axis = self.dataset.shift_cm1
        return State(
            position=self.position,
            config=self.config,
            classes=self.dataset.classes,
            axis_cm1=(float(axis[0]), float(axis[-1])) if self.config.model.spectrum else None,
            low=self.low,
            scaler=self.trainer.precision.state_dict(),
        )

    def save(self) -> None:
        """Write a checkpoint of where the run stands."""
        self.trainer.settle()
        if self.ranks.is_first:
            self.check_lock()
            save_checkpoint(self.folder, self.state(), self.trainer.tensors())
            prune(self.folder, self.position, self.config.engine.keep)
        self.ranks.meet()

    def save_best(self) -> None:
        if self.ranks.is_first:
            self.check_lock()
            tensors = {"model": self.trainer.weights()}
            save_checkpoint(self.folder, self.state(), tensors, best=True)
        self.ranks.meet()

    def check_lock(self) -> None:
        """Refuse to write into a run that another process has taken over."""
        if self.lock is not None:
            self.lock.check()

    def groups(self, epoch: int, batch: int, clock: _Clock) -> Iterator[list[Batch]]:
        """Yield the batches of each step of the rest of an epoch."""
        n_parts = self.config.optim.accumulate
        self.stream.load_state_dict({"epoch": epoch, "batch": batch})
        batches = moved(self.stream, self.ranks.device)
        for _ in range(self.steps_per_epoch - batch // n_parts):
            start = time.perf_counter()
            group = list(islice(batches, n_parts))
            clock.waited(time.perf_counter() - start, n_parts * self.config.order.batch_size)
            yield group

    def score(self) -> Scores:
        """Return the scores on the part that chooses."""
        trainer = self.trainer
        model = trainer.model
        # rows in the same order each time, so that sums over them are the same to the bit
        self.val_stream.load_state_dict({"epoch": 0, "batch": 0})
        self.ranks.share(list(model.buffers()))
        if trainer.average is not None:
            self.ranks.share(list(trainer.average.weights.values()))
            model = build_model(self.config.model).to(self.ranks.device)
            model.load_state_dict(trainer.average.weights)
        return evaluate(
            model, self.val_stream, trainer.transforms, trainer.loss, trainer.precision, self.ranks
        )

    def choose(self, scores: Scores, epoch: int) -> None:
        """Keep the weights if they are the best so far."""
        best = self.position.best
        if best is None or scores.macro_f1 > best.macro_f1:
            best = Best(macro_f1=scores.macro_f1, epoch=epoch, step=self.position.step)
            self._move(best=best, since_best=0)
            self.save_best()
        else:
            self._move(since_best=self.position.since_best + 1)

    def _move(self, **update: object) -> None:
        self.position = self.position.model_copy(update=update)

    def done_steps(self, epoch: int, batch: int) -> None:
        self._move(step=self.trainer.step, epoch=epoch, batch=batch)

    @property
    def has_enough(self) -> bool:
        """Whether the epochs without a better score are as many as were to be waited for."""
        patience = self.config.engine.patience
        return 0 < patience <= self.position.since_best


def _resume(run: _Run, notes: list[str]) -> None:
    """Stand where the newest whole checkpoint of the run was saved, if there is any."""
    found, wrong = newest(run.folder)
    notes += [f"passed over: {one}" for one in wrong]
    if found is None:
        notes.append(f"{run.folder}: no whole checkpoint yet; starting from the beginning")
        return
    other = differing(found.state.config, run.config)
    if other:
        raise ConfigError(
            f"{run.folder / CONFIG}: {other[0]} is not what {found.folder.name} was trained with; "
            "put it back, or begin another run"
        )
    run.trainer.load(found)
    run.position = found.state.position


def _check_classes(dataset: Dataset, rows: RowSet, split: str, notes: list[str]) -> None:
    """Note classes without a row to train on."""
    known = dataset.splits.get(split)
    if known is None or rows.name not in known.rule.names:
        return
    number = known.rule.names.index(rows.name)
    counts = zip(dataset.classes, known.counts, strict=True)
    none = [name for name, row in counts if not row[number]]
    if none:
        notes.append(
            f"{rows.name}: no rows of {', '.join(none[:8])}{', ...' if len(none) > 8 else ''}: "
            "the model cannot learn these classes"
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
        If the folder cannot be written.
    BusyError
        If another process trains this run; ``take_over`` ignores one on another machine.
    """
    start = time.perf_counter()
    if config.engine.deterministic:
        torch.use_deterministic_algorithms(True)
    dataset = open_data(config.data)
    run = _Run(config, dataset, folder, ranks)
    notes: list[str] = []
    clock = _Clock()
    with ExitStack() as stack:
        log = None
        if ranks.is_first:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: cannot be made: {error.strerror}") from None
            run.lock = stack.enter_context(BuilderLock(folder, take_over))
        if resume:
            ranks.meet()
            _resume(run, notes)
        _check_classes(dataset, run.stream.order.rows, config.data.split, notes)
        if ranks.is_first:
            write_config(folder, config)
            log = stack.enter_context(RunLog(folder, run.position.step if resume else None))
            watch.begin(run.n_steps, run.position, notes)
        stopped = _epochs(run, watch, log, clock)
        if ranks.is_first:
            prune(folder, run.position, config.engine.keep)
        scores = _best_scores(run) if not stopped else None
        if scores is not None and ranks.is_first and log is not None:
            write_results(folder, _report(run, log, scores))
    return Fitted(
        run.position,
        scores,
        not stopped,
        time.perf_counter() - start,
        clock.total_waited,
        run.stream.n_repaired,
    )


def _epochs(run: _Run, watch: Watch, log: RunLog | None, clock: _Clock) -> bool:
    """Run the epochs that are left; return whether a signal stopped them."""
    try:
        while run.position.epoch < run.config.optim.epochs and not run.has_enough:
            if _epoch(run, watch, log, clock):
                return True
    except TrainingError as error:
        kept, _ = newest(run.folder)
        left = (
            f"the last good checkpoint is {kept.folder}" if kept else "no checkpoint was saved yet"
        )
        raise type(error)(f"{error}; {left}") from None
    except DamagedDataError as error:
        raise DamagedDataError(
            f"{error}: tersgen repair {run.dataset.path}; then ters-train fit --resume "
            f"{run.folder} (with --on-damage repair it makes them in memory and goes on)"
        ) from None
    return False


def _epoch(run: _Run, watch: Watch, log: RunLog | None, clock: _Clock) -> bool:
    """Run what is left of an epoch and score it; return whether a signal stopped it before."""
    epoch = run.position.epoch
    clock.reset()
    if _steps(run, watch, log, clock):
        run.save()
        return True
    run.trainer.settle()
    scores = run.score()
    run.done_steps(epoch + 1, 0)
    run.choose(scores, epoch)
    if log is not None:
        log.append(
            {
                "step": run.position.step,
                "epoch": epoch,
                "part": "val",
                "loss": scores.loss,
                "accuracy": scores.accuracy,
                "macro_f1": scores.macro_f1,
            }
        )
        watch.epoch(epoch, scores)
    run.save()
    return False


def _steps(run: _Run, watch: Watch, log: RunLog | None, clock: _Clock) -> bool:
    """Take the steps that are left of an epoch; return whether a signal asks to stop."""
    config, trainer = run.config, run.trainer
    epoch, batch = run.position.epoch, run.position.batch
    every = max(1, run.steps_per_epoch // _ENTRIES_PER_EPOCH)
    for group in run.groups(epoch, batch, clock):
        losses = trainer.train(group, epoch)
        batch += len(group)
        run.done_steps(epoch, batch)
        if trainer.step % every == 0:
            values = {name: run.ranks.mean(float(value)) for name, value in losses.items()}
            if log is not None:
                watch.step(trainer.step, values["loss"], clock.rate, clock.waiting)
                log.append(
                    {
                        "step": trainer.step,
                        "epoch": epoch,
                        "part": "train",
                        **values,
                        "lr": float(trainer.optimiser.param_groups[0]["lr"]),
                        "samples_per_s": clock.rate,
                        "waiting": clock.waiting,
                    }
                )
            clock.reset()
        if run.ranks.agree(bool(watch.stop)):
            return True
        steps = config.engine.checkpoint_steps
        # at the end of an epoch it is saved behind its scores, which then are in the log once
        if steps and trainer.step % steps == 0 and trainer.step % run.steps_per_epoch:
            run.save()
    return False


def _best_scores(run: _Run) -> Scores | None:
    """Return the scores of the best weights on the part that chooses."""
    found, _ = newest(run.folder, "best")
    if found is None:
        return None
    model = build_model(run.config.model).to(run.ranks.device)
    model.load_state_dict(found.tensors["model"])
    trainer = run.trainer
    return evaluate(
        model, run.val_stream, trainer.transforms, trainer.loss, trainer.precision, run.ranks
    )


def _report(run: _Run, log: RunLog, scores: Scores) -> Report:
    facts = {
        "parameters": sum(value.numel() for value in run.trainer.model.parameters()),
        "steps": run.position.step,
        "processes": run.ranks.world_size,
        "device": str(run.ranks.device),
        "torch": torch.__version__,
    }
    part = run.config.data.val_part
    return make_report(run.folder.name, run.config, run.dataset, scores, part, log.entries, facts)


def is_run(folder: Path) -> bool:
    """Return whether a run was begun in a folder."""
    return (folder / CONFIG).exists()
