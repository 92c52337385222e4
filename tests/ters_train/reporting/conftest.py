"""A finished run in plain data."""

import pytest

from ters_train.reporting import Report

CLASSES = ["benzene", "pyridine", "p-xylene"]
CONFUSION = [[8, 2, 0], [3, 6, 1], [0, 0, 0]]
SCORES = {
    "accuracy": 0.7,
    "macro_f1": 0.4751,
    "precision": [8 / 11, 0.75, 0.0],
    "recall": [0.8, 0.6, 0.0],
    "f1": [0.7619, 0.6667, 0.0],
    "support": [10, 10, 0],
    "confusion": CONFUSION,
    "ece": 0.05,
    "reliability": [{"samples": 0, "correct": 0, "probability": 0.0}] * 14
    + [{"samples": 20, "correct": 14, "probability": 0.95}],
}


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Make pictures of fewer pixels, which takes less time."""
    monkeypatch.setattr("tersgen.plotting.training._DPI", 60)


@pytest.fixture
def log():
    entries = [
        {"part": "train", "step": step, "epoch": step // 5, "loss": 2.0 / step, "lr": 1e-3 / step}
        for step in range(1, 11)
    ]
    val = [
        {"part": "val", "step": step, "loss": 1 / step, "macro_f1": 0.1 * step, "accuracy": 0.5}
        for step in (5, 10)
    ]
    return entries + val


@pytest.fixture
def report(log):
    return Report(
        name="cnn on spectra",
        config={"data": {"path": "data.zarr", "input": "spectrum", "split": "default"}},
        classes=CLASSES,
        scores=SCORES,
        part="test",
        log=log,
        digest="abc123",
        version="v1.0",
        recipe={"species": "3 of the built-in library"},
        facts={"parameters": 12345},
    )
