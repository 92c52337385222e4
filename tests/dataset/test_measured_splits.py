"""Samples that stay whole: shares of each class and of all, train first."""

import numpy as np
import pytest

from tersgen.dataset.measured_splits import assign_samples
from tersgen.schema.split import SplitRule


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([4] * 25, (80, 10, 10)),  # 3.2, 0.4, 0.4 of each class
        ([10] * 3, (24, 3, 3)),
        ([1] * 6, (6, 0, 0)),
        ([1] * 10 + [100], (90, 10, 10)),
    ],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_shares_of_classes_of_few_samples(samples, expected, rows):
    labels = np.repeat(np.arange(len(samples), dtype=np.int32), samples).repeat(rows)
    sample = np.arange(sum(samples), dtype=np.int32).repeat(rows)
    order = np.random.default_rng(2).permutation(len(labels))
    for seed in range(3):
        rule = SplitRule(by="sample", seed=seed)
        parts = assign_samples(sample[order], labels[order], rule, len(samples))
        assert tuple(np.bincount(parts, minlength=3) // rows) == expected
        for one in range(sum(samples)):
            assert len(set(parts[sample[order] == one])) == 1
        assert set(labels[order][parts == 0]) == set(labels)
