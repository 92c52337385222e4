"""Scores of novelty, held against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from tersgen.separation import auroc, false_positives_at_95

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("decimals", [6, 1])  # without and with ties
def test_separation(decimals):
    known, foreign = RNG.normal(0, 1, 300).round(decimals), RNG.normal(1, 1, 200).round(decimals)
    truth, values = np.repeat([0, 1], [300, 200]), np.concatenate([known, foreign])
    assert auroc(known, foreign) == pytest.approx(roc_auc_score(truth, values))
    # known rows are those to be found, and novelty speaks against them
    false, true, _ = roc_curve(1 - truth, -values, drop_intermediate=False)
    expected = false[true >= 0.95].min()
    assert false_positives_at_95(known, foreign) == pytest.approx(expected)
