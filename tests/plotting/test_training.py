"""Pictures: their content is checked on the arrays that are drawn, and on the pixels."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from tersgen.plotting.training import _coarse, confusion_png, curves_png, series, shares

LOG = [
    *({"part": "train", "step": k, "loss": 2.0 / k, "lr": 1e-3 / k} for k in range(1, 11)),
    {"part": "val", "step": 5, "loss": 0.2, "macro_f1": 0.5, "accuracy": 0.5},
    {"part": "val", "step": 10, "loss": 0.1, "macro_f1": 1.0, "accuracy": 0.5},
]


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Make pictures of fewer pixels, which takes less time."""
    monkeypatch.setattr("tersgen.plotting.training._DPI", 60)


def pixels(png):
    return imread(io.BytesIO(png))[..., :3]


def test_series_are_sorted_and_leave_gaps_out():
    log = [
        {"part": "train", "step": 3, "loss": 1.0},
        {"part": "val", "step": 1, "loss": 9.0},
        {"part": "train", "step": 1, "loss": 3.0},
        {"part": "train", "step": 2, "loss": None},
    ]
    assert series(log, "train", "loss").tolist() == [[1, 3], [3, 1]]
    assert series(log, "train", "lr").shape == (2, 0)


@pytest.mark.parametrize("n", [999, 1000, 1001, 4321])
def test_long_series_are_averaged(n):
    log = [{"part": "train", "step": k, "loss": float(k % 7)} for k in range(n)]
    steps, values = series(log, "train", "loss")
    assert len(steps) <= 1000
    group = -(-n // 1000)
    blocks = [range(first, min(first + group, n)) for first in range(0, n, group)]
    assert steps == pytest.approx([np.mean(block) for block in blocks])
    assert values == pytest.approx([np.mean([k % 7 for k in block]) for block in blocks])


def test_curves_of_a_run_and_of_none():
    drawn, empty = pixels(curves_png(LOG)), pixels(curves_png([]))
    assert drawn.shape == empty.shape
    colourful = [np.ptp(picture, axis=2).max() for picture in (drawn, empty)]
    assert colourful[0] > 0.3 > colourful[1]


def test_scores_of_any_task_are_drawn():
    entries = [{"part": "val", "step": k, "epoch": k, "mae": 1 / k} for k in range(1, 9)]
    drawn = pixels(curves_png(entries))
    colourful = np.ptp(drawn, axis=2).max(axis=0) > 0.3
    (columns,) = np.nonzero(colourful)
    width = drawn.shape[1]
    assert columns.size
    assert width / 3 < columns.min() < columns.max() < 2 * width / 3


def test_shares_of_each_true_class():
    got = shares([[8, 2, 0], [3, 6, 1], [0, 0, 0]])
    assert got[:2] == pytest.approx(np.array([[0.8, 0.2, 0], [0.3, 0.6, 0.1]]))
    assert np.isnan(got[2]).all()


@pytest.mark.parametrize(("n", "group"), [(7, 2), (9, 3), (5, 4)])
def test_coarse_cells_show_the_largest(n, group):
    matrix = np.random.default_rng(n).uniform(size=(n, n))
    matrix[0] = np.nan
    got = _coarse(matrix, group)
    for (i, j), value in np.ndenumerate(got):
        block = matrix[i * group : (i + 1) * group, j * group : (j + 1) * group]
        assert value == np.nanmax(block)


@pytest.mark.parametrize("n", [2, 10, 600])
def test_matrices_of_any_size_show_the_diagonal_and_one_confusion(n):
    confusion = np.diag(np.full(n, 100))
    names = [f"species {k:04d}" for k in range(n)]
    plain = confusion_png(confusion.tolist(), names)
    confusion[0, n - 1] = 1
    confused = confusion_png(confusion.tolist(), names)
    red, blue = pixels(plain)[..., 0], pixels(plain)[..., 2]
    assert ((red < 0.1) & (blue > 0.3)).sum() > 300  # the diagonal, in the darkest blue
    differ = np.abs(pixels(plain) - pixels(confused)).max(axis=2)
    assert (differ > 0.15).any()  # one sample of a hundred, in one cell, can be seen


def test_names_that_a_picture_could_choke_on():
    names = ["$\\frac{$", "\x1b[31m", "苯", "x" * 500, "a\nb"]
    png = confusion_png(np.eye(5, dtype=int).tolist(), names)
    height, width, _ = pixels(png).shape
    assert max(height, width) < 800


def test_no_samples_at_all():
    grey = pixels(confusion_png([[0, 0], [0, 0]], ["a", "b"]))
    assert np.isclose(grey, 0.85, atol=0.01).all(axis=2).mean() > 0.1
