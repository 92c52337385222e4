"""The processes that train together: one alone, or those that torchrun or srun started."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from tersgen.errors import ConfigError, TersError

from ..data.order import Partition
from ..errors import TrainingError
from .launch import (
    Launch,
    address_of,
    address_towards,
    find_launch,
    interface_of,
    names_itself_loopback,
    reachable,
)

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

PATIENCE_S = 600.0
"""How long a process may keep the others waiting, at the start or in a step."""
_LOST = re.compile(r"gloo|nccl|\bpeer\b|store|timed out waiting", re.IGNORECASE)
"""Words of torch's errors when another process is gone; there is no class for them."""
_FIRST_ADDRESS = "ters_train/first_address"


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

    def barrier(self) -> None:
        """Wait for all others."""
        if self.world_size > 1:
            distributed.barrier()

    def highest(self, number: int) -> int:
        """Return the largest number of all processes."""
        if self.world_size == 1:
            return number
        votes = torch.tensor([number], device=self.device)
        distributed.all_reduce(votes, distributed.ReduceOp.MAX)
        return int(votes.item())

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


def choose_device(wanted: str | None, local_rank: int = 0) -> torch.device:
    """Return the device that a user wants, or a GPU if there is one, else the CPU.

    The processes of a host take its GPUs in turn.
    """
    if wanted is None:
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        if wanted == "cuda":
            # srun may show each process a GPU of its own
            device = torch.device("cuda", local_rank % max(1, torch.cuda.device_count()))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: {wanted!r} cannot be used here: {reason}; try cpu") from None
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


@contextmanager
def process_group(device: str | None = None) -> Iterator[Ranks]:
    """Join the processes that torchrun or srun started with this one; alone if there are none."""
    launch = find_launch(os.environ)
    if launch is None:
        yield Ranks(0, 1, choose_device(device))
        return
    chosen = choose_device(device, launch.local_rank)
    if "RANK" not in os.environ:
        launch = launch._replace(address=reachable(launch.address))
        os.environ.update(launch.environment())
    patience = timedelta(seconds=PATIENCE_S)
    try:
        with _not_found(launch):
            store, _, _ = next(iter(rendezvous("env://", timeout=patience)))
            _choose_interface(launch, store)
            distributed.init_process_group(
                "nccl" if chosen.type == "cuda" else "gloo",
                store=store, rank=launch.rank, world_size=launch.world_size, timeout=patience,
            )  # fmt: skip
        try:
            yield Ranks(launch.rank, launch.world_size, chosen)
        except RuntimeError as error:
            if isinstance(error, TersError) or not _LOST.search(str(error)):
                raise
            raise TrainingError(
                f"process {launch.rank} of {launch.world_size}: another process ended, or did not "
                f"answer for {PATIENCE_S / 60:g} min ({_reason(error)}); torchrun or srun reports "
                "which one; continue with --resume, with any number of processes"
            ) from None
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _reason(error: RuntimeError) -> str:
    """Return torch's message on a connection, without the place in its source and the advice."""
    line = str(error).splitlines()[0]
    return re.sub(r"^\[[^]]*\] ", "", line).partition(". ")[0][:200]


def _choose_interface(launch: Launch, store: "Store") -> None:
    """Let Gloo use the interface that others are reached by, where it would choose loopback.

    On the first host, its name may mean loopback; the last process is on another host if any is.
    """
    if launch.rank == launch.world_size - 1:
        store.set(_FIRST_ADDRESS, address_of(launch.address))
    first = store.get(_FIRST_ADDRESS).decode()
    if first.startswith("127.") or "GLOO_SOCKET_IFNAME" in os.environ:
        return
    if names_itself_loopback() and (name := interface_of(address_towards(first))):
        os.environ["GLOO_SOCKET_IFNAME"] = name


@contextmanager
def _not_found(launch: Launch) -> Iterator[None]:
    """Turn torch's error when processes do not find each other into one line."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if isinstance(error, TersError):
            raise
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"the {launch.world_size} processes do not find each other at {launch.address} port "
            f"{launch.port}: {reason}"
        ) from None
