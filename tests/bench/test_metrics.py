"""Scores, held against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tersgen.bench import metrics

RNG = np.random.default_rng(0)


def test_macro_f1():
    truth, predicted = RNG.integers(0, 7, 500), RNG.integers(-1, 9, 500)
    labels = np.unique(truth)
    expected = f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    assert metrics.macro_f1(truth, predicted) == pytest.approx(expected)


def test_an_interval_covers_what_it_should():
    n, p = 200, 0.3
    hits = 0
    for _ in range(100):
        draws = (RNG.random(n) < p).astype(float)
        low, high = metrics.interval(lambda rows, x=draws: float(x[rows].mean()), n, 200)
        hits += low <= p <= high
    assert 86 <= hits <= 100  # 95 expected, four standard deviations


def test_atoms_are_matched_once_and_nearest_first():
    true = np.array([[0.0, 0.0], [0.4, 0.0]])
    assert metrics.matched_atoms(np.array([[0.3, 0.0]]), true).tolist() == pytest.approx([0.1])
    assert len(metrics.matched_atoms(np.empty((0, 2)), true)) == 0


def test_amplitudes():
    truth = RNG.normal(size=(40, 3))
    error, cosine = metrics.amplitude_errors(truth, truth * [1.0, 0.5, -1.0])
    assert error == pytest.approx([0.0, 0.5, 2.0])
    assert cosine == pytest.approx([1.0, 1.0, -1.0])
    assert metrics.amplitude_errors(truth, 0 * truth)[1].tolist() == [0.0, 0.0, 0.0]
