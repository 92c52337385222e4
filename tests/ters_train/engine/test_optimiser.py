"""Learning rate against torch's schedulers, the average against NumPy, who decays by name."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from ters_train.config import ModelConfig, OptimConfig
from ters_train.engine.optimiser import (
    Average,
    Precision,
    learning_rate,
    make_optimiser,
    slowdown,
)
from ters_train.models import build_model


@pytest.mark.parametrize(("n_steps", "warmup"), [(50, 0.2), (50, 0.0), (7, 0.3)])
def test_the_learning_rate_is_that_of_the_schedulers_of_torch(n_steps, warmup) -> None:
    config = OptimConfig(lr=0.2, min_lr=0.01, warmup=warmup)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    n_warm = int(warmup * n_steps)
    cosine = CosineAnnealingLR(optimiser, n_steps - 1 - n_warm, 0.01)
    schedule = cosine
    if n_warm:
        rise = LinearLR(optimiser, 1 / n_warm, 1.0, n_warm - 1) if n_warm > 1 else None
        parts = [rise or LinearLR(optimiser, 1.0, 1.0, 1), cosine]
        schedule = SequentialLR(optimiser, parts, [n_warm])
    rates = []
    for _ in range(n_steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    mine = [learning_rate(config, step, n_steps) for step in range(n_steps)]
    np.testing.assert_allclose(mine, rates, rtol=1e-9)


def test_matrices_decay_and_nothing_else() -> None:
    vit = {"size": "custom", "width": 8, "depth": 1, "heads": 2, "patch": 2}
    model = build_model(
        ModelConfig(
            name="cnn+vit",
            options={"cnn": {"widths": [4]}, "vit": vit},
            inputs={"spectra": (64,), "maps": (1, 4, 4)},
            outputs={"logits": (3,)},
        )
    )
    optimiser, names = make_optimiser(model, OptimConfig(weight_decay=0.3))
    parameters = dict(model.named_parameters())
    assert sorted(names) == sorted(parameters)
    decay = {
        names[number]: group["weight_decay"]
        for group, numbers in zip(
            optimiser.param_groups, optimiser.state_dict()["param_groups"], strict=True
        )
        for number in numbers["params"]
    }
    for name, value in decay.items():
        free = name.endswith(("bias", "class_token", "position")) or "norm" in name
        if parameters[name].ndim > 1 and not free:
            assert value == 0.3, name
        else:
            assert value == 0.0, name
    assert set(decay.values()) == {0.0, 0.3}


def test_the_average_of_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = Average(model, 0.9)
    wanted = {name: value.numpy().astype(float) for name, value in model.state_dict().items()}
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        with torch.no_grad():
            for value in model.parameters():
                value.copy_(torch.randn(value.shape, generator=generator))
            model[1].running_mean += 1.0
            model[1].num_batches_tracked += 1
        average.update(model)
        for name, value in model.named_parameters():
            wanted[name] = 0.9 * wanted[name] + 0.1 * value.detach().numpy().astype(float)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        np.testing.assert_allclose(average.weights[name], wanted[name], rtol=1e-5, atol=1e-6)
    assert average.weights["1.running_mean"].tolist() == [5.0, 5.0]  # as it is, not averaged
    assert average.weights["1.num_batches_tracked"].item() == 5


@pytest.mark.parametrize(
    ("amp", "dtype"),
    [("off", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_what_is_computed_in_half(amp, dtype) -> None:
    precision = Precision(amp, torch.device("cpu"))
    with precision.autocast():
        assert nn.Linear(4, 4)(torch.ones(2, 4)).dtype == dtype
    assert precision.scaler.is_enabled() == (amp == "fp16")


def test_the_scale_of_the_loss_is_kept() -> None:
    first, second = (Precision("fp16", torch.device("cpu")) for _ in range(2))
    weight = nn.Parameter(torch.ones(()))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    first.scaler.scale(weight * torch.inf).backward()  # an overflow: no step, half the scale
    first.scaler.step(optimiser)
    first.scaler.update()
    assert weight.item() == 1.0
    assert first.state_dict()["scale"] == 32768.0
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()


def test_no_precision_is_not_slow() -> None:
    assert slowdown("off", torch.device("cpu")) is None
    assert slowdown("bf16", torch.device("meta")) is None
