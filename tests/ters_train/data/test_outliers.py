"""Rows of no class in training batches, and what they are trained to be."""

import torch
from torch.nn import functional

from ters_train.config import ExposureConfig
from ters_train.data.measured import MEASURED
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
    pool = torch.full((5, 256), 0.25), torch.zeros(5, 256)
    given = batch(400)
    given[MEASURED] = torch.ones(400, 256)
    given[MEASURED][:, 200:] = 0
    made = Outliers(ExposureConfig(share=1.0), 7, 0.0, pool)(given, 0)
    is_foreign = (made["spectra"][400:] == 0.25).all(dim=1)
    assert 0.4 < float(is_foreign.float().mean()) < 0.6
    n_measured = made[MEASURED][400:].sum(dim=1)  # what is moved takes along where it was measured
    assert torch.equal(n_measured, torch.where(is_foreign, 0.0, 200.0))


def test_rows_of_no_class_have_a_class_of_their_own_whose_logit_is_0():
    logits = torch.tensor([[2.0, 0.0, -1.0], [2.0, 0.0, -1.0]])
    further = torch.cat([logits, torch.zeros(2, 1)], dim=1)
    found = cross_entropy(logits, torch.tensor([0, NO_CLASS]))
    torch.testing.assert_close(found, functional.cross_entropy(further, torch.tensor([0, 3]),
                                                               reduction="none"))  # fmt: skip
    weights = torch.tensor([5.0, 1.0, 1.0])  # of the classes among themselves
    known = cross_entropy(logits[:1], torch.tensor([0]), weights)
    known += functional.softplus(-logits[:1].logsumexp(dim=1))
    both = cross_entropy(logits, torch.tensor([0, NO_CLASS]), weights)
    torch.testing.assert_close(both[:1], known)
