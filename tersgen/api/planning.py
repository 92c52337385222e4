"""What a build by many workers will take."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..cpus import available_cpus
from ..jobs.executors.memory import worker_memory
from ..jobs.plan import Estimate, Plan, estimate
from ..store.location import DatasetLocation

Compiling = Callable[[str, int], None]
"""Told the effect whose kernels are compiled, and how many are left."""


class Workload(NamedTuple):
    """What a build takes, estimated from a trial in memory."""

    estimate: Estimate
    """Arrays, bytes, shards and files; its seconds are those of this machine alone."""
    workers: int
    threads_per_worker: int
    threads_measured: int
    memory_bytes_per_worker: int
    busy_workers: int
    """Workers that have a shard to make."""
    seconds: float
    """Of the whole build by these workers."""

    @property
    def n_samples(self) -> int:
        """Rows."""
        return self.estimate.n_samples

    @property
    def bytes_stored(self) -> int:
        """Bytes on disk."""
        return self.estimate.bytes_stored

    @property
    def samples_per_s_per_thread(self) -> float:
        """Rows per second of one thread."""
        return self.estimate.samples_per_s / self.threads_measured

    @property
    def bytes_per_s(self) -> float:
        """Bytes per second that the storage must sustain."""
        return self.bytes_stored / self.seconds

    def content(self) -> dict[str, Any]:
        """Return it as ``tersgen plan --json`` prints it."""
        expected = self.estimate
        return {
            "n_samples": expected.n_samples,
            "n_shards": expected.n_shards,
            "shard_rows": expected.shard_rows,
            "n_files": expected.n_files,
            "bytes_stored": expected.bytes_stored,
            "workers": self.workers,
            "threads_per_worker": self.threads_per_worker,
            "memory_bytes_per_worker": self.memory_bytes_per_worker,
            "samples_per_s_per_thread": self.samples_per_s_per_thread,
            "threads_measured": self.threads_measured,
            "hours": self.seconds / 3600,
            "bytes_per_s": self.bytes_per_s,
            "roundings": [one.model_dump(mode="json") for one in expected.roundings],
        }


def workload(
    plan: Plan, location: DatasetLocation, workers: int, threads: int | None, compiling: Compiling
) -> Workload:
    """Measure the rate of this machine, and return what so many workers will take.

    ``compiling`` is called as ``jobs.plan.estimate`` says.
    """
    threads = threads or available_cpus()
    measured = min(threads, available_cpus())
    expected = estimate(plan, location, measured, compiling)
    busy = min(workers, plan.n_shards)
    rate = expected.samples_per_s * threads / measured * busy
    memory = worker_memory(plan, threads)
    return Workload(expected, workers, threads, measured, memory, busy, plan.n_samples / rate)
