"""Batches for Lightning: a data module whose place in an epoch is part of the checkpoint."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tersgen.dataset.dataset import Dataset
from tersgen.dataset.opening import open as open_dataset
from tersgen.errors import ConfigError, MissingExtraError

from .config import DataConfig, StreamConfig
from .data.order import Order
from .data.rows import rows_of_part
from .data.stream import Batch, Stream

if TYPE_CHECKING:
    _Base = object
else:
    try:
        from lightning import LightningDataModule as _Base
    except ModuleNotFoundError:

        class _Base:
            def __init__(self) -> None:
                raise MissingExtraError(
                    "expected the package lightning for DataModule, got no such package; run: pip "
                    "install 'tersgen[lightning]'"
                )


class Epochs:
    """A stream for a trainer: each iteration is an epoch from its start, unless one is resumed.

    A trainer may leave an epoch early (``limit_val_batches``, the check before the training); the
    stream alone would go on from there.

    Parameters
    ----------
    stream
        The stream.
    again
        Whether each epoch is the first one: for validation and tests.
    """

    def __init__(self, stream: Stream, again: bool) -> None:
        self.stream = stream
        self._again = again
        self._resumed = False
        self._going: Iterator[Batch] | None = None

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self.stream)

    def __iter__(self) -> Iterator[Batch]:
        """Return the batches of an epoch."""
        if isinstance(self._going, Generator):
            self._going.close()
        if self._again:
            self.stream.enter(0, 0)
        elif not self._resumed and self.stream.batch:
            self.stream.enter(self.stream.epoch + 1, 0)
        self._resumed = False
        self._going = iter(self.stream)
        return self._going

    def state_dict(self) -> dict[str, Any]:
        """Return the place of the stream; the trainer's checkpoints hold it."""
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a place, in the next iteration."""
        self.stream.load_state_dict(state)
        self._resumed = True


class DataModule(_Base):
    """Streams of the parts of a dataset, for ``lightning.Trainer``.

    Batches are dicts of tensors by the names of their fields, and ``row``. Each process of a
    distributed strategy gets its share of every batch; ``batch_size`` counts the rows of all. The
    trainer's checkpoints hold the place in the epoch: a run that is resumed from one, also in the
    middle of an epoch and with another number of processes, goes on with the next batch.

    Parameters
    ----------
    dataset
        An open dataset, its path, or that of a recipe.
    fields
        Names of its fields.
    batch_size
        Rows of a batch, over all processes.
    split
        Name of the split; of a recipe, parts are ranges of its rows.
    train, val, test
        Parts to train on, to validate and to test with; None for one that is not wanted.
    seed
        Seed of the order of training.
    mix_blocks
        Blocks that are shuffled into each other.
    config
        Threads, memory, and what to do at a damaged chunk.
    pin
        Whether to lock the memory for copies to a GPU.

    Raises
    ------
    MissingExtraError
        If Lightning is not installed (the extra ``lightning``).
    ConfigError
        If the dataset is a view; or, when the trainer asks, there is no such split or part.
    """

    def __init__(
        self,
        dataset: Dataset | str | Path,
        fields: Sequence[str],
        batch_size: int = 256,
        *,
        split: str = "default",
        train: str = "train",
        val: str | None = "val",
        test: str | None = "test",
        seed: int = 0,
        mix_blocks: int = 16,
        config: StreamConfig | None = None,
        pin: bool = False,
    ) -> None:
        super().__init__()
        self.dataset = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
        if self.dataset.is_view:
            raise ConfigError(
                f"{self.dataset.path}: expected a whole dataset, got a view; name a split and its "
                "parts instead"
            )
        self.fields = tuple(fields)
        self.batch_size = batch_size
        self._data = DataConfig(
            path=str(self.dataset.path), split=split, n_samples=self.dataset.n_samples
        )
        self._parts = {"train": train, "val": val, "test": test}
        self._seed, self._mix_blocks = seed, mix_blocks
        self._config, self._pin = config, pin

    def _stream(self, role: str, shuffle: bool) -> Epochs | list[Any]:
        part = self._parts[role]
        if part is None:
            return []
        rows = rows_of_part(self.dataset, self._data, part)
        order = Order(
            rows, self.batch_size, self._mix_blocks, self._seed, shuffle, drop_last=shuffle
        )
        stream = Stream(self.dataset, self.fields, order, config=self._config, pin=self._pin)
        return Epochs(stream, again=not shuffle)

    def train_dataloader(self) -> Epochs | list[Any]:
        """Return the batches of training, shuffled anew in each epoch."""
        return self._stream("train", True)

    def val_dataloader(self) -> Epochs | list[Any]:
        """Return the batches of validation, in the order of the dataset."""
        return self._stream("val", False)

    def test_dataloader(self) -> Epochs | list[Any]:
        """Return the batches of the test."""
        return self._stream("test", False)

    def predict_dataloader(self) -> Epochs | list[Any]:
        """Return the batches of the test, to predict them."""
        return self._stream("test", False)
