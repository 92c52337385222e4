"""Eqs. (9.1)-(9.4) against scikit-learn; and counted by two processes.

Run as a script, this file is one of those processes.
"""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ters_train.tasks.classification.counting import ConfusionCount
from ters_train.tasks.classification.scores import Scores, score
from tersgen.errors import ConfigError

N_CLASSES = 4
COUNTS = st.integers(2, 6).flatmap(
    lambda k: arrays(np.int64, (k, k), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 30]))
)


def samples(confusion):
    """Labels and predictions, in some order, that have this confusion matrix."""
    i, j = np.indices(confusion.shape)
    labels, predicted = (np.repeat(x.ravel(), confusion.ravel()) for x in (i, j))
    order = np.random.default_rng(len(labels)).permutation(len(labels))
    return labels[order], predicted[order]


def logits_of(predicted, k):
    """Logits, random but largest at what is to be predicted."""
    noise = np.random.default_rng(1).uniform(-1, 1, (len(predicted), k))
    noise[np.arange(len(predicted)), predicted] += 3
    return torch.from_numpy(noise).float()


@given(COUNTS, st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_scores_by_sklearn(confusion, batch):
    sklearn = pytest.importorskip("sklearn.metrics", reason="the reference of the scores")
    k = len(confusion)
    labels, predicted = samples(confusion)
    metric = ConfusionCount(k)
    for start in range(0, max(len(labels), 1), batch):
        rows = slice(start, start + batch)
        metric.update(logits_of(predicted[rows], k), torch.from_numpy(labels[rows]).int())
    scores = metric.compute()
    assert np.array_equal(scores.confusion, confusion)
    assert scores.n_samples == len(labels)
    assert scores.n_absent == k - len(set(labels))
    if not len(labels):
        assert (scores.accuracy, scores.macro_f1) == (0, 0)
        return
    classes = list(range(k))
    each = sklearn.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0
    )
    got = (scores.precision, scores.recall, scores.f1, scores.support)
    for mine, reference in zip(got, each, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-9)
    assert scores.accuracy == pytest.approx(sklearn.accuracy_score(labels, predicted))
    assert scores.macro_f1 == pytest.approx(
        sklearn.f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)
    )
    assert np.array_equal(
        scores.confusion, sklearn.confusion_matrix(labels, predicted, labels=classes)
    )


def test_absent_class_counts_in_the_mean():
    """By hand: class 2 has no sample and is never predicted; class 3 has none and is, once."""
    scores = score([[3, 1, 0, 0], [0, 4, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    f1 = [2 * 1 * 0.75 / 1.75, 0.8, 0, 0]
    assert scores.f1 == pytest.approx(f1)
    assert scores.macro_f1 == pytest.approx(sum(f1) / 4)
    assert scores.n_absent == 2
    assert scores.support == (4, 5, 0, 0)


def test_mean_loss_is_that_of_samples():
    """Batches of other sizes weigh as many samples; by batch or by sample, the same."""
    losses = torch.tensor([1.0, 2.0, 4.0, 9.0, 16.0])
    by_batch, by_sample = ConfusionCount(2), ConfusionCount(2)
    for rows in (slice(0, 4), slice(4, 5), slice(5, 5)):
        logits, labels = torch.zeros(5, 2)[rows], torch.zeros(5, dtype=torch.int64)[rows]
        by_batch.update(logits, labels, losses[rows].mean())
        by_sample.update(logits, labels, losses[rows])
    assert by_batch.compute().loss == pytest.approx(32 / 5)
    assert by_sample.compute().loss == pytest.approx(32 / 5)
    by_batch.reset()
    by_batch.update(torch.zeros(1, 2), torch.tensor([1]))
    assert by_batch.compute().loss is None
    assert by_batch.compute().confusion == ((0, 0), (1, 0))


def test_json():
    scores = score([[5, 1], [0, 3]], loss=0.25)
    assert Scores.model_validate_json(scores.model_dump_json()) == scores
    diverged = score([[5, 1], [0, 3]], loss=float("nan"))
    assert Scores.model_validate_json(diverged.model_dump_json()).loss is None
    with pytest.raises(ValueError, match="frozen"):
        scores.accuracy = 1.0


def test_confusions_most_first():
    scores = score([[9, 2, 0], [5, 1, 2], [0, 0, 4]])
    assert scores.confusions() == ((1, 0, 5), (0, 1, 2), (1, 2, 2))
    assert scores.confusions(1) == ((1, 0, 5),)
    assert scores.details(["a", "b", "c"], 2) == (
        "b taken for a, 5 of 8 times",
        "a taken for b, 2 of 11 times",
    )
    with pytest.raises(ConfigError, match="expected 3 names, as many as were scored, got 2"):
        scores.details(["a", "b"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    metric = ConfusionCount(3)
    metric.update(torch.tensor([[0.0, 2.0, 1.0]], dtype=dtype), torch.tensor([2]), torch.ones(()))
    assert metric.compute().confusion == ((0, 0, 0), (0, 0, 0), (0, 1, 0))


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_outside_the_classes(label):
    with pytest.raises(IndexError):
        ConfusionCount(3).update(torch.zeros(1, 3), torch.tensor([label]))


@pytest.mark.parametrize(
    ("logits", "labels"), [((2, 3), (2,)), ((2, 4), (2, 1)), ((4,), (1,)), ((2, 4), (3,))]
)
def test_shapes_that_do_not_fit(logits, labels):
    with pytest.raises(ConfigError, match=r"expected logits \(B, 4\) and labels \(B,\), got"):
        ConfusionCount(4).update(torch.zeros(logits), torch.zeros(labels, dtype=torch.int64))


def shares(unequal):
    """Rows of each of two processes: the second has fewer batches, or none."""
    return (range(37), range(37, 50)) if unequal else (range(50), range(0))


def batches(rows):
    """Batches of up to 8 of 50 samples, the same in every process."""
    rng = np.random.default_rng(5)
    labels, predicted = rng.integers(0, N_CLASSES, (2, 50))
    losses = torch.from_numpy(rng.uniform(0, 2, 50))
    logits = logits_of(predicted, N_CLASSES)
    for start in range(rows.start, rows.stop, 8):
        part = slice(start, min(start + 8, rows.stop))
        yield logits[part], torch.from_numpy(labels[part]), losses[part], torch.arange(50)[part]


def count_as_rank(rank, folder):
    """Count one's share, and write what both together have."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    for unequal in (True, False):
        metric = ConfusionCount(N_CLASSES)
        for batch in batches(shares(unequal)[rank]):
            metric.update(*batch)
        text = metric.compute().model_dump_json()
        Path(folder, f"{unequal}-{rank}.json").write_text(text, encoding="utf-8")
    torch.distributed.destroy_process_group()


def test_calibration_error_by_torchmetrics():
    functional = pytest.importorskip("torchmetrics.functional.classification")
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(400, 5, generator=generator)
    labels = torch.randint(0, 5, (400,), generator=generator)
    metric = ConfusionCount(5)
    metric.update(logits, labels)
    want = functional.multiclass_calibration_error(logits, labels, 5, n_bins=15, norm="l1")
    scores = metric.compute()
    assert scores.ece == pytest.approx(float(want), abs=1e-6)
    assert sum(one.samples for one in scores.reliability) == 400


@pytest.mark.parametrize("buffered", [1, 1 << 18])
def test_the_rows_that_are_listed(monkeypatch, buffered):
    """By brute force: of each confused pair the five most certain rows; right ones by class."""
    monkeypatch.setattr("ters_train.tasks.classification.certainty._MOST_BUFFERED", buffered)
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(300, 4, generator=generator)
    logits[:, 3] -= 9.0  # never predicted, so no row of it is right
    labels = torch.randint(0, 4, (300,), generator=generator)
    rows = torch.randperm(10_000, generator=generator)[:300]
    metric = ConfusionCount(4)
    for part in torch.arange(300).split(64):
        metric.update(logits[part], labels[part], rows=rows[part])
    scores = metric.compute()
    shares, predicted = logits.softmax(1).max(1)
    every = sorted(
        zip(labels.tolist(), predicted.tolist(), (-shares).tolist(), rows.tolist(), strict=True)
    )
    for i in range(4):
        for j in range(4):
            want = [row for *pair, _, row in every if pair == [i, j]]
            found = scores.misread if i != j else scores.correct
            got = [one.row for one in found if (one.label, one.predicted) == (i, j)]
            assert got == want[: 5 if i != j else 1], (i, j)


@pytest.mark.exhaustive
def test_two_processes_give_the_scores_of_one(tmp_path):
    alone = ConfusionCount(N_CLASSES)
    for batch in batches(range(50)):
        alone.update(*batch)
    want = alone.compute()
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], errors
    for unequal in (True, False):
        for rank in range(2):
            got = Scores.model_validate_json((tmp_path / f"{unequal}-{rank}.json").read_text())
            assert got.loss == pytest.approx(want.loss, rel=1e-12)
            assert got.model_copy(update={"loss": None}) == want.model_copy(update={"loss": None})


if __name__ == "__main__":
    count_as_rank(int(sys.argv[1]), sys.argv[2])
