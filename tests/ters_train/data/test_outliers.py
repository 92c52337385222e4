"""Rows of no class in training batches, and what they are trained to be."""

import pytest
import torch

from ters_train.config import ExposureConfig
from ters_train.data.outliers import NO_CLASS, Outliers
from ters_train.tasks.classification.losses import cross_entropy


def batch(n=64, n_points=256):
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(float(n_points))
    places = 20 + 200 * torch.rand(n, 1, generator=generator)
    return {
        "spectra": torch.exp(-0.5 * ((x - places) / 3) ** 2),
        "label": torch.arange(n) % 3,
        "row": torch.arange(n),
    }


def test_outliers_follow_the_rows_and_are_in_range():
    given = batch()
    made = Outliers(ExposureConfig(share=0.5), 7, 0.0)(given, 0)
    assert len(made["spectra"]) == len(made["row"]) == 96
    assert torch.equal(made["spectra"][:64], given["spectra"])
    assert torch.equal(made["label"], torch.cat([given["label"], torch.full((32,), NO_CLASS)]))
    added = made["spectra"][64:]
    assert added.min() >= 0
    assert added.max() <= 1
    # each differs from what it was made of
    assert ((added - given["spectra"][:32]).abs().amax(1) > 0.3).all()


def test_an_outlier_depends_on_its_row_alone():
    given = batch()
    whole = Outliers(ExposureConfig(share=1.0), 7, 0.0)(given, 3)
    part = Outliers(ExposureConfig(share=1.0), 7, 0.0)({k: v[10:20] for k, v in given.items()}, 3)
    assert torch.equal(part["spectra"][10:], whole["spectra"][74:84])
    other = Outliers(ExposureConfig(share=1.0), 7, 0.0)(given, 4)
    assert not torch.equal(other["spectra"], whole["spectra"])


def test_half_of_them_are_foreign_rows():
    pool = torch.full((5, 256), 0.25)
    made = Outliers(ExposureConfig(share=1.0), 7, 0.0, pool)(batch(400), 0)["spectra"][400:]
    assert 0.4 < float((made == 0.25).all(dim=1).float().mean()) < 0.6


def test_a_row_of_no_class_has_the_uniform_distribution_as_target():
    logits = torch.tensor([[2.0, 0.0, -1.0], [2.0, 0.0, -1.0]])
    labels = torch.tensor([0, NO_CLASS])
    found = cross_entropy(logits, labels, torch.tensor([5.0, 1.0, 1.0]))
    assert float(found[1]) == pytest.approx(float(-logits[1].log_softmax(0).mean()))
    assert torch.equal(found[:1], cross_entropy(logits[:1], labels[:1], torch.tensor([5.0, 1, 1])))
