"""The loss of structure targets against NumPy in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ters_train.config import LossConfig
from ters_train.tasks.structure.losses import StructureLoss, pixel_entropy, soft_dice


def arrays(seed, bonds):
    rng = np.random.default_rng(seed)
    logits = {"masks": rng.normal(size=(3, 2, 5, 7))}
    batch = {"structure/masks": (rng.random((3, 2, 5, 7)) < 0.3).astype(float)}
    batch["structure/masks"][0, 0] = 0  # an element that is absent
    if bonds:
        logits["bonds"] = rng.normal(size=(3, 5, 7))
        batch["structure/bonds"] = rng.random((3, 5, 7))
    return logits, batch


def expected(logits, batch, weight):
    z, t = logits["masks"], batch["structure/masks"]
    if "bonds" in logits:
        z = np.concatenate([z, logits["bonds"][:, None]], axis=1)
        t = np.concatenate([t, batch["structure/bonds"][:, None]], axis=1)
    p = 1 / (1 + np.exp(-z))
    wanted = t.sum((2, 3))
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum((1, 2, 3)) / wanted.sum(1)
    ratio = (2 * (p * t).sum((2, 3)) + 1) / (p.sum((2, 3)) + wanted + 1)
    dice = np.array([(1 - r)[w > 0].mean() for r, w in zip(ratio, wanted, strict=True)])
    return entropy, dice, (entropy + weight * dice).mean()


@given(st.integers(0, 1000), st.booleans(), st.sampled_from([0.0, 0.5, 2.0]))
def test_the_loss(seed, bonds, weight):
    logits, batch = arrays(seed, bonds)
    loss = StructureLoss(LossConfig(dice_loss=weight))
    outputs = {name: torch.tensor(value, dtype=torch.float32) for name, value in logits.items()}
    given = {name: torch.tensor(value, dtype=torch.float16) for name, value in batch.items()}
    rounded = {name: value.double().numpy() for name, value in given.items()}
    entropy, dice, total = expected(logits, rounded, weight)
    terms, means = loss.terms(outputs, given), loss(outputs, given)
    np.testing.assert_allclose(terms["cross_entropy"], entropy, rtol=1e-5)
    np.testing.assert_allclose(terms["dice"], dice, rtol=1e-5)
    assert float(means["loss"]) == pytest.approx(total, rel=1e-5)


def test_an_element_that_is_absent_costs_cross_entropy_alone():
    nothing, everything = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    assert float(soft_dice(everything, everything)) == 0
    assert float(soft_dice(nothing, everything)) == pytest.approx(1 - 1 / 17)
    assert float(soft_dice(everything, nothing)) == 0
    assert float(soft_dice(nothing, nothing)) == 0
    logits = torch.full((1, 1, 4, 4), 2.0)
    assert float(pixel_entropy(logits, nothing)) == pytest.approx(16 * np.log(1 + np.exp(2)))
    both = soft_dice(torch.cat([everything, nothing], 1), torch.cat([nothing, everything], 1))
    assert float(both) == pytest.approx(1 - 1 / 17)
