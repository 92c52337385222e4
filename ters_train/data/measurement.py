"""How fast a stream is, and what bounds it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from .stream import Stream


@dataclass(frozen=True)
class Measurement:
    """One epoch of a stream, read without a model; times in seconds."""

    n_rows: int
    n_bytes: int
    """Of the batches."""
    seconds: float
    read: float
    """Of all threads, in reads."""
    decode: float
    """Of all threads, in checksums and decompression, or generation."""
    gather: float
    """Of all threads, copying rows to their places."""
    wait: float
    """Of the thread that takes the batches."""
    transfer: float
    """Of copies to a GPU, as far as they had to be waited for."""
    n_threads: int

    @property
    def samples_per_s(self) -> float:
        """Rate."""
        return self.n_rows / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers, and the sentence on what bounds it."""
        return {
            **asdict(self),
            "samples_per_s": self.samples_per_s,
            "bottleneck": self.bottleneck(),
        }

    def describe(self) -> str:
        """Return the rate and where the time of the threads went, in one line."""
        room = self.n_threads * self.seconds
        shares = ", ".join(
            f"{name} {value / room:.0%}"
            for name, value in (
                ("read", self.read),
                ("decode", self.decode),
                ("gather", self.gather),
            )
        )
        moved = f", transfer {self.transfer:.2f} s" if self.transfer else ""
        return (
            f"{self.samples_per_s:.0f} samples/s, {self.n_bytes / self.seconds / 1e6:.0f} MB/s; "
            f"{self.n_threads} threads: {shares}; waited {self.wait / self.seconds:.0%}{moved}"
        )

    def bottleneck(self) -> str:
        """Return one sentence on what bounds the rate and what would change it."""
        busy = self.read + self.decode + self.gather
        if self.transfer > 0.5 * self.seconds:
            return "limited by copies to the device: read fewer fields"
        if busy < 0.5 * self.n_threads * self.seconds and self.wait < 0.5 * self.seconds:
            return "limited by the consumer of the batches: the threads are mostly idle"
        steps = {"read": self.read, "decode": self.decode, "gather": self.gather}
        most = max(steps, key=lambda name: steps[name])
        advice = {
            "read": "limited by reading: more threads (--threads), or a faster file system",
            "decode": "limited by checks and decompression, or generation: more processors, or "
            "fewer fields",
            "gather": "limited by memory: fewer fields, or smaller batches in flight",
        }
        return advice[most]


@contextmanager
def _timed(device: torch.device, total: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    total[0] += time.perf_counter() - start


def measure(stream: Stream, device: torch.device) -> Measurement:
    """Read the rest of an epoch and return where the time went."""
    n_rows = n_bytes = 0
    transfer = [0.0]
    start = time.perf_counter()
    for batch in stream:
        if device.type != "cpu":
            with _timed(device, transfer):
                batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        n_rows += len(batch["row"])
        n_bytes += sum(value.nbytes for value in batch.values())
    seconds = time.perf_counter() - start
    times = stream.times
    return Measurement(
        n_rows,
        n_bytes,
        seconds,
        times.threads.read,
        times.threads.decode,
        times.threads.gather,
        times.waited,
        transfer[0],
        times.n_threads,
    )
