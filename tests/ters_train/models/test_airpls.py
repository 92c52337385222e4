"""Baselines by airPLS: against the published procedure with dense matrices."""

import numpy as np
import torch

from ters_train.models.airpls import airpls, whittaker

L = 160


def dense(y, weights, smoothness):
    """Return the smoothed line by its definition."""
    second = np.diff(np.eye(len(y)), 2, axis=0)
    return np.linalg.solve(np.diag(weights) + smoothness * second.T @ second, weights * y)


def published(y, smoothness):
    """Return the baseline of a spectrum that is not negative, as Zhang et al. write it."""
    weights = np.ones(len(y))
    for number in range(1, 16):
        line = dense(y, weights, smoothness)
        d = y - line
        total = np.abs(d[d < 0].sum())
        if total < 0.001 * np.abs(y).sum():
            break
        weights[d >= 0] = 0
        weights[d < 0] = np.exp(number * np.abs(d[d < 0]) / total)
        weights[[0, -1]] = np.exp(number * d[d < 0].max() / total)
    return line


def rows():
    x = np.linspace(0, 1, L)
    rng = np.random.default_rng(5)
    bands = [np.exp(-(((x - place) / 0.012) ** 2)) for place in (0.2, 0.45, 0.8)]
    slopes = [0 * x, 2 * x, 3 * np.exp(-(((x - 0.6) / 0.4) ** 2))]
    found = np.stack([band + slope for band, slope in zip(bands, slopes, strict=True)])
    return found + 0.01 * rng.normal(size=found.shape), np.stack(slopes)


def test_lines_are_those_of_dense_matrices():
    rng = np.random.default_rng(4)
    y, weights = rng.random((4, L)), rng.random((4, L))
    weights[1, 40:100] = 0  # a gap is bridged
    wanted = [dense(one, w, 1e4) for one, w in zip(y, weights, strict=True)]
    np.testing.assert_allclose(whittaker(y, weights, 1e4), wanted, atol=1e-6)


def test_baselines_are_those_of_the_published_procedure():
    y, slopes = rows()
    found = airpls(torch.tensor(y), torch.ones(y.shape), 10).numpy()
    least = y.min(axis=1, keepdims=True)
    wanted = np.stack([published(one, 1e4) for one in y - least]) + least
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(found - slopes)[:2].max() < 0.05  # a hump is taken for a band, as published


def test_what_was_not_measured_is_bridged_and_does_not_matter():
    y, _ = rows()
    mask = torch.ones(y.shape)
    mask[:, :20] = mask[:, 90:110] = 0
    mask[2] = 0
    found = airpls(torch.tensor(y), mask, 10)
    y[:, :20] = 7.0
    y[:, 90:110] = -7.0
    torch.testing.assert_close(airpls(torch.tensor(y[:2]), mask[:2], 10), found[:2])
    assert found.isfinite().all()  # of a row that was not measured at all, too
