"""A learning rate for a run: the loss while the rate rises from step to step.

L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017 (arXiv:1506.01186),
section 3.3. The rate rises exponentially; the loss is smoothed; what is suggested is the rate at
which it falls fastest, before it diverges.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tersgen.errors import ConfigError

from ..config import RunConfig
from ..errors import NotFiniteError
from ..models.model import is_fitted
from ..planning import open_data
from .cost import choose_threads, threads
from .ranks import Ranks
from .run import Clock, Run

_SMOOTHING = 0.9
"""Decay of the running mean of the loss, by which divergence is detected."""
_NEIGHBOURS = 20
_DIVERGED = 4.0
"""The loss has diverged when it is this many times the smallest so far."""
_LEAST_STEPS = 10


class RateTest(NamedTuple):
    """The loss at each learning rate."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Losses, each of one batch."""
    smoothed: tuple[float, ...]
    suggested: float | None
    """Rate at which the smoothed loss falls fastest; None if it never falls."""
    diverged: bool
    """Whether the loss diverged before the highest rate."""


def smooth(losses: Sequence[float]) -> list[float]:
    """Return the mean of each loss and its neighbours, one twentieth of all on each side.

    Centred, so that it does not lag behind the rate; fewer neighbours count at both ends.

    Examples
    --------
    >>> smooth([1.0, 2.0, 3.0, 4.0])
    [1.5, 2.0, 3.0, 3.5]
    """
    reach = max(1, len(losses) // _NEIGHBOURS)
    return [
        math.fsum(near) / len(near)
        for k in range(len(losses))
        for near in [losses[max(0, k - reach) : k + reach + 1]]
    ]


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which a smoothed loss falls fastest over the logarithm of the rate.

    Only losses before the smallest are considered. None if it never falls.

    Examples
    --------
    >>> steepest([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], [3.0, 2.9, 2.0, 1.9, 5.0])
    0.001
    """
    stop = int(np.argmin(losses)) + 1
    if stop < 2:
        return None
    slopes = np.gradient(np.array(losses[:stop]), np.log(np.array(rates[:stop])))
    place = int(np.argmin(slopes))
    return float(rates[place]) if slopes[place] < 0 else None


def find_rate(
    config: RunConfig,
    ranks: Ranks,
    low: float = 1e-6,
    high: float = 1.0,
    n_steps: int = 200,
    step: Callable[[int, float, float], None] = lambda *_: None,
) -> RateTest:
    """Return the loss of a new run while its learning rate rises; nothing is written.

    Parameters
    ----------
    config
        The run. Its schedule of learning rates is not used.
    ranks
        This process, alone.
    low, high
        First and last rate.
    n_steps
        Steps from one to the other.
    step
        Called with number, rate and loss of each step.
    """
    if ranks.world_size > 1:
        raise ConfigError(f"expected one process, got {ranks.world_size}; leave out torchrun")
    if is_fitted(config.model.name):
        raise ConfigError(
            f"model: expected one that is trained by steps, got {config.model.name}, which is "
            "fitted at once and has no learning rate"
        )
    if not 0 < low < high:
        raise ConfigError(f"expected learning rates 0 < LOW < HIGH, got {low:g} and {high:g}")
    if n_steps < _LEAST_STEPS:
        raise ConfigError(f"expected at least {_LEAST_STEPS} steps, got {n_steps}")
    dataset = open_data(config.data)
    rates: list[float] = []
    losses: list[float] = []
    least, mean, diverged = math.inf, 0.0, False
    with ExitStack() as stack:
        n_threads = config.engine.threads or choose_threads(config, ranks)
        stack.enter_context(threads(n_threads))
        run = Run(config, dataset, Path(), ranks)
        if config.engine.init is not None:
            run.trainer.load_pretrained(config.engine.init, dataset.classes)
        groups = (
            (epoch, group) for epoch in range(n_steps) for group in run.groups(epoch, 0, Clock())
        )
        for number, (epoch, group) in zip(range(n_steps), groups, strict=False):
            rate = low * (high / low) ** (number / (n_steps - 1))
            try:
                loss = float(run.trainer.train(group, epoch, rate)["loss"])
            except NotFiniteError:
                loss = math.nan
            if not math.isfinite(loss):
                diverged = True
                break
            rates.append(rate)
            losses.append(loss)
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
            step(number + 1, rate, loss)
            unbiased = mean / (1 - _SMOOTHING ** len(losses))
            least = min(least, unbiased)
            if number >= _LEAST_STEPS and unbiased > _DIVERGED * least:
                diverged = True
                break
    smoothed = smooth(losses)
    suggested = steepest(rates, smoothed) if rates else None
    return RateTest(tuple(rates), tuple(losses), tuple(smoothed), suggested, diverged)
