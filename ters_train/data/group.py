"""The processes that train together, from the process group of torch.distributed."""

import os
import sys
from types import FrameType

from torch import distributed

from tersgen.errors import ConfigError

from .order import Partition


def group_partition() -> Partition | None:
    """Return which one of torch's default process group this is; None if there is no group.

    Lightning and Accelerate make that group, too.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return None
    return Partition(distributed.get_rank(), distributed.get_world_size())


def refuse_lonely(partition: Partition, asked: Partition | None) -> None:
    """Refuse to give every process the same rows, or a share of a share.

    Raises
    ------
    ConfigError
        If torchrun, or another launcher that sets ``WORLD_SIZE``, started several processes, and
        there is no process group; or if Accelerate, which shares batches, too, is to do it again.
    """
    launched = os.environ.get("WORLD_SIZE", "1")
    n_launched = int(launched) if launched.isdecimal() else 1
    # a worker of a DataLoader is in no group, but knows that of the process that started it
    alone = asked is None and partition.world_size == 1 and group_partition() is None
    if alone and n_launched > 1:
        raise ConfigError(
            f"partition: expected a process group of torch.distributed, as WORLD_SIZE is "
            f"{launched}, got none, so that all processes would get the same rows; call "
            "torch.distributed.init_process_group first, or pass Partition(rank, world_size)"
        )
    if partition.world_size > 1 and _is_called_by("accelerate.data_loader"):
        raise ConfigError(
            "partition: expected a loop over the stream itself, got a DataLoader that was prepared "
            "by Accelerate: it would share out again what each process gets its share of already; "
            "leave the stream out of prepare()"
        )


def _is_called_by(module: str) -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False


def checked_partition(asked: Partition | None, before: Partition | None) -> Partition:
    """Return the partition that holds in this process now.

    Parameters
    ----------
    asked
        The one that the user gave, if any.
    before
        That of the group of the process this was pickled in: a worker of a DataLoader has none.
    """
    group = group_partition()
    if asked is None:
        return group or before or Partition()
    if group is not None and asked != group and not asked.apart:
        raise ConfigError(
            f"partition: expected rank {group.rank} of {group.world_size}, as in the process group "
            f"of torch.distributed, got rank {asked.rank} of {asked.world_size}; leave the "
            "partition out, or pass Partition(..., apart=True) if these are other processes"
        )
    return asked
