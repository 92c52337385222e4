"""The processes that train together: one alone, or those that torchrun or srun started."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import distributed

from tersgen.errors import ConfigError, TersError

from ..data.order import Partition
from ..errors import TrainingError

_PATIENCE = timedelta(minutes=30)
_LOST = re.compile(r"gloo|nccl|\bpeer\b|store", re.IGNORECASE)
"""What torch says when another process is gone; it has no error of its own for it."""


class Ranks(NamedTuple):
    """A process among those that train together."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def partition(self) -> Partition:
        """Which share of each batch is this process's."""
        return Partition(self.rank, self.world_size)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait for all others."""
        if self.world_size > 1:
            distributed.barrier()

    def agree(self, flag: bool) -> bool:
        """Return whether the flag is set on any process."""
        if self.world_size == 1:
            return flag
        votes = torch.tensor([int(flag)], device=self.device)
        distributed.all_reduce(votes, distributed.ReduceOp.MAX)
        return bool(votes.item())

    def share(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give all processes the tensors of the first: statistics that each has gathered alone."""
        if self.world_size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        if self.world_size == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return float(total.item()) / self.world_size


def choose_device(wanted: str | None) -> torch.device:
    """Return the device that a user wants, or a GPU if there is one, else the CPU.

    Raises
    ------
    ConfigError
        If there is no such device here.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if wanted is None:
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        if wanted == "cuda":
            device = torch.device("cuda", local)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: {wanted!r} cannot be used here: {reason}; try cpu") from None
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


@contextmanager
def joined(device: str | None = None) -> Iterator[Ranks]:
    """Join the processes that torchrun started with this one; alone if there are none.

    The variables RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT say which they are.

    Raises
    ------
    ConfigError
        If the device is not here, or the others cannot be found.
    """
    chosen = choose_device(device)
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Ranks(0, 1, chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    try:
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the {world_size} processes do not find each other: {reason}") from None
    rank = distributed.get_rank()
    try:
        yield Ranks(rank, world_size, chosen)
    except RuntimeError as error:
        if isinstance(error, TersError) or not _LOST.search(str(error)):
            raise
        raise TrainingError(
            f"process {rank} of {world_size} has lost another one, which may say why it ended; "
            "go on with --resume"
        ) from None
    finally:
        distributed.destroy_process_group()
