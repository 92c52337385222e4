"""Intervals of fractions and of coverage, compared with SciPy."""

import numpy as np
import pytest

from ters_train.calibration.intervals import coverage_interval, paired, wilson

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(("n_right", "n"), [(0, 5), (7, 19), (45, 45), (4000, 5000)])
def test_wilson(n_right, n):
    expected = stats.binomtest(n_right, n).proportion_ci(method="wilson")
    assert wilson(n_right, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 0), (8, 1), (300, 240)])
def test_mcnemar(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    found = paired(first, second, 1000)
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert found.difference == (first - second) / 1000


def test_the_interval_of_a_difference_contains_it_as_often_as_stated():
    rng = np.random.default_rng(2)
    chances = [0.08, 0.03, 0.89]
    inside = 0
    for first, second, _ in rng.multinomial(200, chances, 2000):
        low, high = paired(first, second, 200).interval
        inside += low <= 0.05 <= high
    assert 0.93 < inside / 2000 < 0.98


@pytest.mark.parametrize(("share", "n_calibrated", "n"), [(0.9, 100, 50), (0.95, 2000, 500)])
def test_coverage_is_beta_binomial(share, n_calibrated, n):
    rank = int(np.ceil((n_calibrated + 1) * share))
    theory = stats.betabinom(n, rank, n_calibrated + 1 - rank)
    expected = theory.ppf([0.025, 0.975]) / n
    assert coverage_interval(share, n_calibrated, n) == pytest.approx(tuple(expected))
