"""A run in one process: what it reads, trains and saves, and its position."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.stratify import class_weights
from tersgen.errors import ConfigError
from tersgen.store.lock import BuilderLock
from tersgen.text import counted

from ..callbacks import Callbacks
from ..config import RunConfig
from ..data.measured import has_parts
from ..data.order import Order
from ..data.rows import rows_of_part
from ..data.stream import Batch
from ..models.model import Model, build_model
from ..planning import class_counts
from ..tasks.scores import TaskScores
from ..tasks.task import make_task
from .checkpoint import Best, Position, State, prune, save_checkpoint
from .device import moved
from .evaluate import evaluate, every_row, fields_of, make_stream, with_progress
from .ranks import Ranks
from .statistics import N_BATCHES, recompute, tracking_layers
from .trainer import Trainer, input_range


class Clock:
    """Rate and waiting share since the last entry."""

    def __init__(self) -> None:
        self.total_waited = 0.0
        self.reset()

    def reset(self) -> None:
        """Start an entry."""
        self._start = time.perf_counter()
        self._rows = 0
        self._waited = 0.0

    def waited(self, seconds: float, rows: int) -> None:
        """Count rows, and the time that passed until they were there."""
        self._waited += seconds
        self.total_waited += seconds
        self._rows += rows

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self._rows / max(1e-9, time.perf_counter() - self._start)

    @property
    def waiting(self) -> float:
        """Share of the time that was spent waiting for data."""
        return self._waited / max(1e-9, time.perf_counter() - self._start)


class Run:
    """A run on this process."""

    def __init__(self, config: RunConfig, dataset: Dataset, folder: Path, ranks: Ranks) -> None:
        self.config, self.dataset, self.folder, self.ranks = config, dataset, folder, ranks
        order, engine = config.order, config.engine
        self.task = make_task(config)
        self.callbacks = Callbacks(config)
        fields = fields_of(config, self.task, dataset)
        self._has_parts = has_parts(dataset, fields)
        self.val = rows_of_part(dataset, config.data, config.data.val_part)
        train = Order(
            rows_of_part(dataset, config.data, config.data.train_part),
            order.batch_size,
            order.mix_blocks,
            engine.seed,
        )
        self.stream = make_stream(dataset, fields, train, config.stream, ranks)
        self.val_stream = every_row(dataset, self.val, fields, order, config.stream, ranks)
        self._first_batches = make_stream(dataset, fields, train, config.stream, ranks)
        self.steps_per_epoch = len(self.stream) // config.optim.accumulate
        if not self.steps_per_epoch:
            raise ConfigError(
                f"optim.accumulate: expected at most {len(self.stream)}, the batches of an epoch, "
                f"got {config.optim.accumulate}"
            )
        self.n_steps = self.steps_per_epoch * config.optim.epochs
        self.class_counts = class_counts(dataset, config.data, config.data.train_part)
        weights = class_weights(self.class_counts) if config.loss.class_weights else None
        self.low = input_range(dataset)
        self.trainer = Trainer(config, self.low, weights, ranks, self.n_steps)
        self.position = Position()
        self.lock: BuilderLock | None = None
        self._saved_at = time.monotonic()

    @property
    def is_save_due(self) -> bool:
        """Whether the last checkpoint of this process is as old as one may be."""
        minutes = self.config.engine.checkpoint_minutes
        return minutes > 0 and time.monotonic() - self._saved_at > 60.0 * minutes

    def state(self) -> State:
        """Return the readable part of a checkpoint of the run's position."""
        axis = self.dataset.shift_cm1
        return State(
            position=self.position,
            config=self.config,
            classes=self.dataset.classes,
            axis_cm1=(float(axis[0]), float(axis[-1]))
            if "spectra" in self.config.model.inputs
            else None,
            low=self.low,
            parts=self._has_parts,
            order=self.stream.order.digest,
            scaler=self.trainer.precision.state_dict(),
        )

    def save(self) -> None:
        """Write a checkpoint of the run's position."""
        self.trainer.check_finite()
        if self.ranks.is_first:
            self.check_lock()
            save_checkpoint(self.folder, self.state(), self.trainer.tensors())
            prune(self.folder, self.position, self.config.engine.keep)
        self.ranks.barrier()
        self._saved_at = time.monotonic()

    def save_best(self) -> None:
        """Write the weights that are evaluated as the best."""
        if self.ranks.is_first:
            self.check_lock()
            tensors = {"model": self.trainer.weights()}
            save_checkpoint(self.folder, self.state(), tensors, best=True)
        self.ranks.barrier()

    def check_lock(self) -> None:
        """Refuse to write into a run that another process has taken over."""
        if self.lock is not None:
            self.lock.check()

    def groups(self, epoch: int, batch: int, clock: Clock) -> Iterator[list[Batch]]:
        """Yield the batches of each step of the rest of an epoch."""
        n_parts = self.config.optim.accumulate
        self.stream.enter(epoch, batch)
        batches = moved(self.stream, self.ranks.device)
        for _ in range(self.steps_per_epoch - batch // n_parts):
            start = time.perf_counter()
            group = list(islice(batches, n_parts))
            clock.waited(time.perf_counter() - start, n_parts * self.config.order.batch_size)
            yield group

    def describe(self) -> str:
        """Return in one line what is trained on what, where and for how long."""
        config, data = self.config, self.config.data
        read = "the rows of" if self.dataset.manifest is not None else "rows generated from"
        n_train = self.stream.order.rows.counts().sum()
        n_outliers = round(config.exposure.share * int(n_train))
        others = f" (and {counted(n_outliers, 'outlier')})" if n_outliers else ""
        n_weights = sum(value.numel() for value in self.trainer.model.parameters())
        ranks = f", {self.ranks.world_size} processes" if self.ranks.world_size > 1 else ""
        amp = "" if config.engine.amp == "off" else f", {config.engine.amp}"
        return (
            f"{self.folder}: {data.input} to {self.task.description}, {read} {data.path}: "
            f"{n_train} of {data.train_part}{others}, "
            f"{self.val.counts().sum()} of {data.val_part}; "
            f"{counted(n_weights, 'parameter')} on {self.ranks.device}{ranks}{amp}; "
            f"{counted(config.optim.epochs, 'epoch')} of {counted(self.steps_per_epoch, 'step')}"
        )

    def score(self, progress: Callable[[int], None]) -> TaskScores:
        """Return the scores on the part that chooses; ``progress`` counts the batches."""
        trainer = self.trainer
        model = trainer.model
        # rows in the same order each time, so that sums over them are the same to the bit
        self.val_stream.enter(0, 0)
        if trainer.average is not None:
            model = build_model(self.config.model).to(self.ranks.device)
            model.load_state_dict(trainer.average.weights)
        self._compute_statistics(model)
        self.ranks.share(list(model.buffers()))
        if trainer.average is not None:
            trainer.average.take_buffers(model)
            self.ranks.share(list(trainer.average.weights.values()))
        return self.score_of(model, progress)

    def _compute_statistics(self, model: Model) -> None:
        """Compute the statistics of batch normalisation for the weights that are scored."""
        if not tracking_layers(model):
            return
        self._first_batches.enter(0, 0)  # the same rows each time, as a resumed run has them, too
        with closing(iter(self._first_batches)) as all_batches:
            batches = moved(islice(all_batches, N_BATCHES), self.ranks.device)
            recompute(model, batches, self.trainer.transforms, self.trainer.precision)

    def score_of(self, model: Model, progress: Callable[[int], None]) -> TaskScores:
        """Return the scores of another model of this run on the part that chooses."""
        trainer, batches = self.trainer, with_progress(self.val_stream, progress)
        return evaluate(
            model,
            self.task,
            batches,
            trainer.transforms,
            trainer.loss,
            trainer.precision,
            self.ranks,
        )

    def choose(self, scores: TaskScores, epoch: int) -> None:
        """Keep the weights if they are the best so far."""
        best = self.position.best
        if best is None or scores.chosen_by > best.score:
            best = Best(score=scores.chosen_by, epoch=epoch, step=self.position.step)
            self._move(best=best, since_best=0)
            self.save_best()
        else:
            self._move(since_best=self.position.since_best + 1)

    def _move(self, **update: object) -> None:
        self.position = self.position.model_copy(update=update)

    def done_steps(self, epoch: int, batch: int) -> None:
        """Set the position to after so many batches of an epoch."""
        self._move(step=self.trainer.step, epoch=epoch, batch=batch)

    @property
    def has_enough(self) -> bool:
        """Whether the epochs without a better score are as many as were to be waited for."""
        patience = self.config.engine.patience
        return 0 < patience <= self.position.since_best
