"""A number of each sample: scores against NumPy, however rows are cut into batches."""

import numpy as np
import pytest
import torch

from ters_train.engine.sums import SumCount
from ters_train.errors import NotFiniteError
from ters_train.tasks.regression import Regression, RegressionOptions

TASK = Regression(
    RegressionOptions(column="params/a", component=(1,), unit="Angstrom", mean=3.0, deviation=2.0)
)


def rows(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    batch = {
        "params/a": 3 + 2 * torch.randn(n, 2, generator=generator),
        "row": torch.arange(n),
    }
    noise = 0.3 * torch.randn(n, 1, generator=generator)
    return {"value": (batch["params/a"][:, 1:] - 3) / 2 + noise}, batch


@pytest.mark.parametrize("cuts", [[40], [1, 25, 39]])
def test_scores_by_numpy(cuts):
    outputs, batch = rows(40)
    count = SumCount(TASK)
    for first, last in zip([0, *cuts], [*cuts, 40], strict=True):
        part = {name: value[first:last] for name, value in batch.items()}
        given = {"value": outputs["value"][first:last]}
        terms = TASK.terms(given, part)["squared_error"]
        loss = terms.mean() if len(terms) else torch.tensor(0.0)
        count.count(given, part, loss)
    scores = count.compute()
    predicted = TASK.results(outputs)["value"].double().numpy()[:, 0]
    true = batch["params/a"].double().numpy()[:, 1]
    error = predicted - true
    assert scores.n_samples == 40
    assert scores.mae == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert scores.rmse == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert scores.r2 == pytest.approx(1 - (error**2).sum() / ((true - true.mean()) ** 2).sum())
    assert scores.loss == pytest.approx((error**2).mean() / 4, rel=1e-5)
    assert "Angstrom" in scores.headline


def test_of_equal_values_there_is_no_r2():
    outputs, batch = rows(5)
    batch["params/a"][:] = 4.0
    count = SumCount(TASK)
    count.count(outputs, batch, torch.tensor(1.0))
    assert count.compute().r2 is None


@pytest.mark.parametrize(("name", "text"), [("value", "predictions"), ("params/a", "params/a")])
def test_what_is_not_finite_is_named(name, text):
    outputs, batch = rows(5)
    (outputs if name == "value" else batch)[name][2] = torch.nan
    count = SumCount(TASK)
    count.count(outputs, batch, torch.tensor(1.0))
    with pytest.raises(NotFiniteError, match=f"expected finite numbers, got .*{text}"):
        count.compute()


def test_nothing_scored():
    scores = SumCount(TASK).compute()
    assert (scores.n_samples, scores.loss, scores.r2) == (0, None, None)
