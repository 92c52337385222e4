"""What training a model costs: floating-point operations, threads of a CPU, time to the end."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tersgen.cpus import available_cpus

from ..config import ModelConfig, RunConfig
from ..models.model import build_model
from .ranks import Ranks

_TRIAL_FLOPS = 2e10
"""Size of a trial step: about half a second on one core."""
_LEAST_ROWS, _MOST_ROWS = 8, 256
_TIE = 1.05
"""Threads that gain less than this are not taken: others may use the processors."""
_FORECAST_STEPS, _FORECAST_S = 20, 5.0


def flops_per_row(config: ModelConfig) -> int | None:
    """Return the floating-point operations of a model for a row, forward and backward.

    Matrix products and convolutions are counted, by torch's own counter, on tensors without
    memory. None if the code of a plug-in does not run on such tensors.
    """
    n_rows = 2
    try:
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            _loss(config, n_rows)().backward()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - a plug-in's code may raise anything on such tensors
        return None
    return int(counter.get_total_flops()) // n_rows


def _loss(config: ModelConfig, n_rows: int) -> Callable[[], Tensor]:
    """Return a function that runs a fresh model on some rows, and makes one number of the rest."""
    model = build_model(config).train()
    rows = {name: torch.zeros(n_rows, *shape) for name, shape in config.inputs.items()}
    return lambda: torch.stack([value.square().sum() for value in model(rows).values()]).sum()


def choose_threads(config: RunConfig, ranks: Ranks) -> int | None:
    """Return the number of threads that trains a run fastest on this CPU, measured now.

    None, so that torch's own number stays, if there is nothing to choose: on a GPU, for several
    processes, for one processor, with ``OMP_NUM_THREADS`` or for a run that is to give the same
    bits each time: sums depend on the number of threads.
    """
    most = min(torch.get_num_threads(), available_cpus())
    alone = ranks.world_size == 1 and ranks.device.type == "cpu"
    if not alone or most == 1 or config.engine.deterministic or "OMP_NUM_THREADS" in os.environ:
        return None
    flops = flops_per_row(config.model)
    n_rows = _LEAST_ROWS if flops is None else int(_TRIAL_FLOPS / max(flops, 1))
    n_rows = min(max(n_rows, _LEAST_ROWS), _MOST_ROWS, config.order.batch_size)
    with torch.random.fork_rng(devices=[]):
        loss = _loss(config.model, n_rows)

        def seconds(n_threads: int) -> float:
            with threads(n_threads):
                times = [_seconds(loss) for _ in range(3)]
            return min(times[1:])  # the first of them sets up what the others use

        return fastest(most, seconds)


def _seconds(loss: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    loss().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def fastest(most: int, seconds: Callable[[int], float]) -> int:
    """Return the number of threads of the shortest time, or a smaller one that is as good.

    Parameters
    ----------
    most
        Largest number; besides it powers of two are tried, in rising order.
    seconds
        Returns the time of a number of threads.
    """
    chosen, best = 1, seconds(1)
    for n_threads in sorted({*(1 << k for k in range(1, most.bit_length())), most} - {1}):
        time_s = seconds(n_threads)
        if time_s * _TIE < best:
            chosen, best = n_threads, time_s
    return chosen


@contextmanager
def threads(n_threads: int | None) -> Iterator[None]:
    """Let torch compute with so many threads inside; with its own number if there is none."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Forecast(NamedTuple):
    """What a run is expected to take."""

    rows_per_s: float
    """Rows that are trained on, by all processes."""
    seconds: float
    """Until the last step; the scoring of epochs comes on top."""
    flops_per_row: int | None
    """Floating-point operations, forward and backward; None if they cannot be counted."""
    threads: int
    """Threads of torch on a CPU, in each process."""


class Forecaster:
    """Measures the first steps; the very first, which sets things up, does not count.

    Parameters
    ----------
    config
        The run.
    n_left
        Steps that are left.
    n_epoch
        Those of them before an epoch is scored, whose time does not count.
    """

    def __init__(self, config: RunConfig, n_left: int, n_epoch: int) -> None:
        self._config = config
        self._n_left = n_left
        self._n_enough = min(_FORECAST_STEPS, n_epoch - 1)
        self._n_steps = -1
        self._start = 0.0
        self._is_done = False

    def step(self) -> Forecast | None:
        """Count a step; return the forecast once, as soon as enough steps were measured."""
        now = time.perf_counter()
        self._n_steps += 1
        if self._n_steps == 0:
            self._start = now
        seconds = now - self._start
        enough = self._n_steps >= self._n_enough or seconds >= _FORECAST_S
        if self._is_done or not self._n_steps or not enough:
            return None
        self._is_done = True
        config, each = self._config, seconds / self._n_steps
        return Forecast(
            config.order.batch_size * config.optim.accumulate / each,
            (self._n_left - 1 - self._n_steps) * each,
            flops_per_row(config.model),
            torch.get_num_threads(),
        )
