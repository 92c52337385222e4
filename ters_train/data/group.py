"""The processes that train together, from the process group of torch.distributed."""

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


def checked_partition(asked: Partition | None, before: Partition | None) -> Partition:
    """Return the partition that holds in this process now.

    Parameters
    ----------
    asked
        The one that the user gave, if any.
    before
        That of the group of the process this was pickled in: a worker of a DataLoader has none.

    Raises
    ------
    ConfigError
        If the one asked for contradicts the group: ranks would train on the same rows, or on too
        few.
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
