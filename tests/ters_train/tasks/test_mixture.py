"""Mixtures: soft targets, and scores of presence and composition against scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from ters_train.config import LossConfig
from ters_train.tasks.classification.losses import make_loss
from ters_train.tasks.composition import composition
from ters_train.tasks.mixture.counting import MixtureCount
from tersgen.errors import ConfigError

K, PRESENT = 4, 0.1


def batch_of(n, seed=0):
    """Return labels, fractions and logits of mixtures of 1 to 3 of 4 species."""
    draw = np.random.default_rng(seed)
    labels, fractions = np.zeros((n, 3), np.int32), np.zeros((n, 3), np.float32)
    for row in range(n):
        count = draw.integers(1, 4)
        labels[row, :count] = draw.permutation(K)[:count]
        fractions[row, :count] = -np.sort(-draw.dirichlet(np.ones(count)))
    batch = {
        "label": torch.from_numpy(labels[:, 0].copy()),
        "mixture/label": torch.from_numpy(labels),
        "mixture/fraction": torch.from_numpy(fractions),
    }
    return batch, torch.from_numpy(draw.normal(0, 2, (n, K)).astype(np.float32))


def dense(batch):
    truth = np.zeros((len(batch["label"]), K))
    pairs = zip(batch["mixture/label"].numpy(), batch["mixture/fraction"].numpy(), strict=True)
    for row, (labels, fractions) in enumerate(pairs):
        for label, fraction in zip(labels, fractions, strict=True):
            truth[row, label] += fraction
    return truth


def test_compositions():
    batch, _ = batch_of(50)
    assert np.allclose(composition(batch, K).numpy(), dense(batch))
    pure = composition({"label": torch.tensor([2, 0])}, K)
    assert pure.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 0.5])])
def test_the_loss_is_the_cross_entropy_of_the_fractions(smoothing, weights):
    batch, logits = batch_of(40)
    loss = make_loss(LossConfig(label_smoothing=smoothing), weights)
    wanted = (1 - smoothing) * dense(batch) + smoothing / K
    if weights is not None:
        wanted = wanted * weights.numpy()
    expected = -(wanted * torch.log_softmax(logits.double(), 1).numpy()).sum(axis=1).mean()
    assert float(loss({"logits": logits}, batch)["loss"]) == pytest.approx(expected, rel=1e-5)


def test_scores_are_those_of_scikit_learn_however_batches_are_cut():
    batch, logits = batch_of(500)
    scores = []
    for cuts in ((0, 500), (0, 7, 300, 301, 500)):
        count = MixtureCount(K, PRESENT)
        for first, last in pairwise(cuts):
            part = {name: values[first:last] for name, values in batch.items()}
            count.count({"logits": logits[first:last]}, part, torch.tensor(1.0))
        scores.append(count.compute())
    assert scores[0].present_f1 == scores[1].present_f1
    (one, _) = scores
    truth, fractions = dense(batch), logits.softmax(1).numpy()
    found, present = fractions >= PRESENT, truth >= PRESENT
    p, r, f1, n = precision_recall_fscore_support(present, found, zero_division=0)
    assert one.present_precision == pytest.approx(p)
    assert one.present_recall == pytest.approx(r)
    assert one.present_f1 == pytest.approx(f1)
    assert one.present_support == tuple(n)
    assert one.present_macro_f1 == pytest.approx(f1.mean())
    assert one.chosen_by == 1 - one.composition_error
    assert one.exact == pytest.approx((found == present).all(axis=1).mean())
    error = 0.5 * np.abs(fractions - truth).sum(axis=1).mean()
    assert one.composition_error == pytest.approx(error, rel=1e-5)
    assert one.accuracy == pytest.approx((logits.argmax(1) == batch["label"]).float().mean())


def test_words():
    batch, _ = batch_of(100)
    right = torch.from_numpy(np.log(dense(batch) + 1e-9))
    count = MixtureCount(K, 1e-6)
    count.count({"logits": right}, batch, torch.tensor(0.0))
    best = count.compute()
    assert best.exact == 1
    assert best.present_macro_f1 == pytest.approx(1)
    assert best.composition_error < 1e-6
    _, logits = batch_of(100, 1)
    count.count({"logits": logits}, batch, torch.tensor(0.0))
    scores = count.compute()
    lines = scores.details("abcd", 2)
    assert len(lines) == 2
    assert lines[0].startswith("abcd"[int(np.argmin(scores.present_f1))] + ": F1 0.")
    with pytest.raises(ConfigError, match="expected 4 names"):
        scores.details("abc")
    assert f"all species right in {scores.exact:.1%}" in scores.headline
