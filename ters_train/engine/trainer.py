"""One training step: forward, loss, backward, clip, update."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tersgen.dataset.dataset import Dataset
from tersgen.errors import DatasetError, TersError

from ..config import RunConfig
from ..data.outliers import Outliers, load_pool
from ..data.stream import Batch
from ..data.transforms import Transforms
from ..errors import NotFiniteError, OutOfMemoryError
from ..models.model import build_model
from ..tasks.task import make_task
from .checkpoint import Checkpoint
from .optimiser import (
    Average,
    Precision,
    learning_rate,
    load_state_tensors,
    make_optimiser,
    state_tensors,
)
from .pretrained import load_pretrained
from .ranks import Ranks
from .weights import check_optimiser, check_weights

_MASK = 2**63 - 1
_DIVERGED = "the training has diverged; lower --lr, or clip gradients more (optim.clip)"


def _seed_of(seed: int, step: int, part: int, rank: int) -> int:
    """Return the seed of dropout in a part of a step on a rank: nothing needs to be remembered."""
    word = ((seed * 0x9E3779B97F4A7C15 + step) * 0xBF58476D1CE4E5B9 + part) * 0x94D049BB133111EB
    return (word + rank) & _MASK


def input_range(dataset: Dataset) -> float:
    """Return the lower end of the range of a dataset's spectra and maps: 0 or -1."""
    return -1.0 if dataset.scale == "symmetric" else 0.0


def make_transforms(config: RunConfig, low: float) -> Transforms:
    """Return what is done to the batches of a run."""
    return Transforms(config.transforms, config.engine.seed, config.model.inputs, low)


class Trainer:
    """A model in training, with all that changes from step to step.

    Parameters
    ----------
    config
        The run.
    low
        Lower end of the range of the inputs, 0 or -1.
    class_weights
        w_c of Eq. (8.2), or None.
    ranks
        The processes that train together.
    n_steps
        Steps of the whole run.
    """

    def __init__(
        self,
        config: RunConfig,
        low: float,
        class_weights: Sequence[float] | None,
        ranks: Ranks,
        n_steps: int,
    ) -> None:
        self.config = config
        self.ranks = ranks
        self.step = 0
        self.n_steps = n_steps
        self.task = make_task(config)
        torch.manual_seed(config.engine.seed)
        self.model = build_model(config.model).to(ranks.device)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.loss = self.task.make_loss(config.loss, weights).to(ranks.device)
        self.transforms = make_transforms(config, low)
        self._outliers = self._make_outliers(low)
        self.precision = Precision(config.engine.amp, ranks.device)
        self.optimiser, self._names = make_optimiser(self.model, config.optim)
        self.average = Average(self.model, config.engine.ema) if config.engine.ema else None
        self._forward: nn.Module = self.model
        if config.engine.compile:
            self._forward = torch.compile(self.model)  # type: ignore[assignment]
        if ranks.world_size > 1:
            self._forward = DistributedDataParallel(self._forward)
        self._unseen: tuple[int, Tensor, Batch] | None = None

    def _make_outliers(self, low: float) -> Outliers | None:
        exposure = self.config.exposure
        if not exposure.share:
            return None
        pool = load_pool(exposure, self.config.data, self.ranks.device)
        return Outliers(exposure, self.config.engine.seed, low, pool)

    def _fed(self, batch: Batch, epoch: int) -> Batch:
        """Return a training batch as the model is fed it, with outliers, changed at random."""
        if self._outliers is not None:
            batch = self._outliers(batch, epoch)
        return self.transforms(batch, epoch, train=True)

    def load_pretrained(self, path: str, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Take the weights of another run, by the names of classes; return outputs it has not."""
        fresh = load_pretrained(self.model, path, classes)
        if self.average is not None:
            self.average = Average(self.model, self.config.engine.ema)
        return fresh

    def train(
        self, batches: Sequence[Batch], epoch: int, rate: float | None = None
    ) -> dict[str, Tensor]:
        """Take one step on some batches, whose gradients are averaged.

        Parameters
        ----------
        batches
            This rank's shares, on its device.
        epoch
            Epoch, from 0: it enters the random changes.
        rate
            Learning rate; by default that of the schedule.

        Returns
        -------
        dict
            ``loss`` and its terms, means over the batches, and ``grad_norm`` if it is clipped.

        Raises
        ------
        NotFiniteError
            If the loss is not finite; on a GPU, of this step or of the one before.
        OutOfMemoryError
            If a batch does not fit.
        """
        self._forward.train()
        if rate is None:
            rate = learning_rate(self.config.optim, self.step, self.n_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        try:
            return self._train(batches, epoch)
        except (RuntimeError, MemoryError) as error:
            if not _is_memory(error):
                raise
        # after the handler, whose error keeps alive what did not fit
        raise self._too_large(batches[0], epoch)

    def _train(self, batches: Sequence[Batch], epoch: int) -> dict[str, Tensor]:
        totals: dict[str, Tensor] = {}
        for part, batch in enumerate(batches):
            self._seed(_seed_of(self.config.engine.seed, self.step, part, self.ranks.rank))
            for name, value in self._backward(batch, epoch, part, len(batches)).items():
                totals[name] = totals.get(name, 0) + value / len(batches)
        scaler = self.precision.scaler
        if self.config.optim.clip:
            scaler.unscale_(self.optimiser)
            totals["grad_norm"] = nn.utils.clip_grad_norm_(
                self.model.parameters(), self.config.optim.clip
            )
        scaler.step(self.optimiser)
        scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model)
        self.step += 1
        return totals

    def _seed(self, seed: int) -> None:
        """Seed what dropout draws from; ``torch.manual_seed`` would take a millisecond."""
        torch.default_generator.manual_seed(seed)
        if self.ranks.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _backward(self, batch: Batch, epoch: int, part: int, n_parts: int) -> dict[str, Tensor]:
        wait = isinstance(self._forward, DistributedDataParallel) and part < n_parts - 1
        with self._forward.no_sync() if wait else nullcontext():  # type: ignore[operator]
            fed = self._fed(batch, epoch)
            with self.precision.autocast():
                outputs = self._forward(fed)
            losses: dict[str, Tensor] = self.loss(outputs, fed)  # targets may be turned with maps
            self._check(losses["loss"], batch)
            self.precision.scaler.scale(losses["loss"] / n_parts).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in losses.items()}

    def _check(self, loss: Tensor, batch: Batch) -> None:
        """Look at the loss; on a GPU at that of the batch before, not to wait for this one."""
        if loss.device.type == "cpu":
            self._refuse(self.step, loss, batch)
            return
        before, self._unseen = self._unseen, (self.step, loss.detach(), batch)
        if before is not None:
            self._refuse(*before)

    def check_finite(self) -> None:
        """Look at the last loss and the weights, before anything is saved."""
        before, self._unseen = self._unseen, None
        if before is not None:
            self._refuse(*before)
        tensors = self.model.state_dict()
        good = torch.stack([value.isfinite().all() for value in tensors.values()])
        if not good.all():
            name = list(tensors)[int(good.int().argmin())]
            raise NotFiniteError(
                f"step {self.step - 1}: the loss is finite, but {name} is not any more: {_DIVERGED}"
            )

    def _refuse(self, step: int, loss: Tensor, batch: Batch) -> None:
        if torch.isfinite(loss):
            return
        for name in (*self.model.shapes, *self.task.fields):
            if name in batch:
                values = batch[name]
                bad = ~torch.isfinite(values.reshape(len(values), -1)).all(dim=1)
                if bad.any():
                    row = int(batch["row"][bad][0])
                    raise NotFiniteError(
                        f"step {step}: the loss is {loss.item()}: row {row} has values in {name} "
                        "that are not finite; run tersgen verify on the dataset"
                    )
        with torch.no_grad(), self.precision.autocast():
            outputs = self.model(self.transforms.prepared(batch))
            terms = self.loss.terms(outputs, batch)
        bad = ~torch.stack([torch.isfinite(term) for term in terms.values()]).all(dim=0)
        rows = batch["row"][bad] if bad.any() else batch["row"]
        raise NotFiniteError(
            f"step {step}: the loss is {loss.item()}, at row {int(rows[0])} and {len(rows) - 1} "
            f"more of {len(batch['row'])}, whose inputs are finite: {_DIVERGED}"
        )

    def _too_large(self, batch: Batch, epoch: int) -> OutOfMemoryError:
        """Return the error that names a batch size that fits, found by trying."""
        n_rows = len(batch["row"])
        fits = n_rows // 2
        # a quarter more is tried: another process reads ahead and places its memory in its own way
        while fits and not self._fits(batch, fits + fits // 4, epoch):
            fits //= 2
        world = self.ranks.world_size
        least = f"batch size {n_rows * world}: the model does not fit in memory with it"
        if not fits:
            return OutOfMemoryError(f"{least}, nor with one row; take a smaller model")
        return OutOfMemoryError(
            f"{least}; try --batch-size {fits * world}, and optim.accumulate for the rest"
        )

    def _fits(self, batch: Batch, n_rows: int, epoch: int) -> bool:
        """Return whether a step on the first rows of a batch fits; it changes no weight."""
        self.optimiser.zero_grad(set_to_none=True)
        if self.ranks.device.type == "cuda":
            torch.cuda.empty_cache()
        # what the optimiser holds while later steps go forward and back: two moments of each
        # weight, and what an update is worked out in
        n_held = 1 if self.optimiser.state else 3
        try:
            held = [torch.zeros_like(one) for one in self.model.parameters() for _ in range(n_held)]
            fed = self._fed({name: value[:n_rows] for name, value in batch.items()}, epoch)
            with self.precision.autocast():
                outputs = self.model(fed)
            self.loss(outputs, fed)["loss"].backward()
            del held
        except (RuntimeError, MemoryError) as error:
            if not _is_memory(error):
                raise
            return False
        return True

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint holds, by file."""
        files = {
            "model": dict(self.model.state_dict()),
            "optimiser": state_tensors(self.optimiser, self._names),
        }
        if self.average is not None:
            files["average"] = self.average.weights
        return files

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that are evaluated and kept as the best: the average if there is."""
        return self.average.weights if self.average is not None else dict(self.model.state_dict())

    def load(self, checkpoint: Checkpoint) -> None:
        """Restore the state of a checkpoint."""
        folder, tensors = checkpoint.folder, checkpoint.tensors
        for part in self.tensors().keys() - tensors.keys():
            raise DatasetError(f"{folder}: expected tensors of the {part}, got none")
        check_weights(folder, self.config.model, tensors["model"])
        check_optimiser(folder, dict(self.model.named_parameters()), tensors["optimiser"])
        self.precision.load_state_dict(dict(checkpoint.state.scaler), folder)
        self.model.load_state_dict(tensors["model"])
        load_state_tensors(self.optimiser, self._names, tensors["optimiser"])
        if self.average is not None:
            average = tensors["average"]
            check_weights(folder, self.config.model, average)
            for name, value in average.items():
                self.average.weights[name].copy_(value)
        self.step = checkpoint.state.position.step


def _is_memory(error: RuntimeError | MemoryError) -> bool:
    """Return whether an error means that memory is short."""
    if isinstance(error, TersError):
        return False
    short = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return short or any(text in str(error) for text in ("allocate memory", "bad_alloc"))
