"""What a worker process takes."""

from ..commit import STAGED_BYTES
from ..plan import Plan

SLOTS = 2
"""Shards that a worker process takes at a time: one is made while the other is flushed to disk."""
_PROCESS_BYTES = 400_000_000
"""What it takes before its first shard: Python, Numba and Dask."""
_THREAD_BYTES = 50_000_000


def worker_memory(plan: Plan, threads: int) -> int:
    """Return the bytes that a worker process takes at most, for the shards of a plan."""
    shard = plan.layout.shard_rows * plan.row_bytes
    return (
        _PROCESS_BYTES + threads * _THREAD_BYTES + (SLOTS + 1) * shard + (SLOTS + 1) * STAGED_BYTES
    )
