"""AdamW, its learning rate, mixed precision and the average of weights: Eqs. (7.1)-(7.3)."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tersgen.errors import DatasetError

from ..config import Amp, OptimConfig

_AMP_TYPES: dict[Amp, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}
_LARGEST_SCALE = 1e30
_SLOW = 1.5
"""Slower than this, against float32, is worth telling: no noise of a measurement looks like it."""


def make_optimiser(
    model: nn.Module, config: OptimConfig
) -> tuple[torch.optim.AdamW, tuple[str, ...]]:
    """Return AdamW with decoupled decay, Eq. (7.1), and the names of its parameters in order.

    Only matrices and kernels decay; biases, normalisations, tokens and positions do not, as usual.
    """
    decayed: dict[str, nn.Parameter] = {}
    others: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or name.endswith(("position", "class_token"))
        (others if plain else decayed)[name] = parameter
    groups = [
        {"params": list(decayed.values()), "weight_decay": config.weight_decay},
        {"params": list(others.values()), "weight_decay": 0.0},
    ]
    on_cpu = all(value.device.type == "cpu" for value in model.parameters())
    optimiser = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.lr,
        betas=(config.beta_1, config.beta_2),
        fused=on_cpu or None,  # there 3.5 to 4.5 times as fast; on a GPU torch chooses
    )
    return optimiser, (*decayed, *others)


def state_tensors(optimiser: torch.optim.Optimizer, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the state of an optimiser as named tensors: ``parameter/key``."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{names[number]}/{key}": torch.as_tensor(value)
        for number, values in state.items()
        for key, value in values.items()
    }


def load_state_tensors(
    optimiser: torch.optim.Optimizer, names: Sequence[str], tensors: Mapping[str, Tensor]
) -> None:
    """Set the state of an optimiser from named tensors."""
    whole = optimiser.state_dict()
    numbers = {name: number for number, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        state.setdefault(numbers[name], {})[key] = value
    optimiser.load_state_dict({**whole, "state": state})


def learning_rate(config: OptimConfig, step: int, n_steps: int) -> float:
    """Return the learning rate of a step: a linear rise, then Eq. (7.2) down to ``min_lr``.

    Parameters
    ----------
    config
        Highest and lowest rate, and the share of the rise.
    step
        Step, from 0.
    n_steps
        Steps in all.

    Examples
    --------
    >>> config = OptimConfig(lr=1.0, min_lr=0.0, warmup=0.0)
    >>> [round(learning_rate(config, step, 5), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    n_warm = int(config.warmup * n_steps)
    if step < n_warm:
        return config.lr * (step + 1) / n_warm
    low = min(config.min_lr, config.lr)
    passed = (step - n_warm) / max(1, n_steps - 1 - n_warm)
    return low + (config.lr - low) * (1 + math.cos(math.pi * min(1.0, passed))) / 2


def _seconds(dtype: torch.dtype) -> float:
    """Return the time of a small convolution and its gradients, and of a product of matrices."""
    rows = torch.ones(4, 32, 256, dtype=dtype)
    kernel = torch.ones(32, 32, 7, dtype=dtype, requires_grad=True)
    square = torch.ones(128, 128, dtype=dtype)
    times = []
    for _ in range(4):  # the first of them sets up what the others use
        start = time.perf_counter()
        nn.functional.conv1d(rows, kernel, padding=3).sum().backward()  # type: ignore[no-untyped-call]
        _ = square @ square
        times.append(time.perf_counter() - start)
    return min(times)


def slowdown(amp: Amp, device: torch.device) -> float | None:
    """Return how many times as long half precision takes here as float32, if it is much longer.

    Processors differ, and so does how well torch uses them: with instructions for bfloat16 it is
    about as fast as float32, without them, as float16 nearly everywhere, 10 to 100 times slower.
    Lists of instructions would have to say for each type, layer and version of torch which path is
    taken, so it is measured, which takes some ms. It is measured on CPUs only.
    """
    dtype = _AMP_TYPES.get(amp)
    if dtype is None or device.type != "cpu":
        return None
    times = _seconds(dtype) / _seconds(torch.float32)
    return times if times > _SLOW else None


class Precision:
    """Mixed precision: what is computed in half, and the scale of a loss in float16, Eq. (7.3)."""

    def __init__(self, amp: Amp, device: torch.device) -> None:
        self._type = _AMP_TYPES.get(amp)
        self._device = device.type
        self.scaler = torch.amp.GradScaler(self._device, enabled=amp == "fp16")

    def autocast(self) -> torch.autocast:
        """Return the context in which a model is run."""
        return torch.autocast(self._device, self._type, enabled=self._type is not None)

    def state_dict(self) -> dict[str, Any]:
        """Return the scale of the loss and what decides when it changes."""
        return dict(self.scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any], origin: Path | str = "scaler") -> None:
        """Set them.

        Raises
        ------
        DatasetError
            If they are not those of a scale; it names ``origin``.
        """
        if not state or not self.scaler.is_enabled():
            return
        own = self.scaler.state_dict()
        for name, value in own.items():
            got = state.get(name)
            kinds = int if isinstance(value, int) else (int, float)  # whole numbers count steps
            if not isinstance(got, kinds) or not 0 <= got < _LARGEST_SCALE:
                raise DatasetError(
                    f"{origin}: scaler: expected {name} as a number from 0 to "
                    f"{_LARGEST_SCALE:g}, got {got!r:.40}"
                )
        if len(state) > len(own):
            raise DatasetError(f"{origin}: scaler: expected {', '.join(own)}, got more")
        self.scaler.load_state_dict(state)


class Average:
    """The exponential moving average of a model's parameters, with its buffers as they are."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._names = tuple(name for name, _ in model.named_parameters())
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's weights."""
        now = model.state_dict()
        mine: list[Tensor] = [self.weights[name] for name in self._names]
        torch._foreach_lerp_(mine, [now[name] for name in self._names], 1 - self._decay)
        self.take_buffers(model)

    def take_buffers(self, model: nn.Module) -> None:
        """Take the buffers of a model: they are not averaged."""
        for name, value in model.state_dict().items():
            if name not in self._names:
                self.weights[name].copy_(value)
