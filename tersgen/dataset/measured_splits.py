"""Splits of measured rows: as they were given, or so that no sample is in two parts."""

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DamagedDataError
from ..random.philox import philox
from ..random.streams import SPLIT
from ..schema.measured import Measured
from ..schema.split import Split, SplitRule
from .dataset import Dataset
from .labels import check_labels
from .stratify import class_weights, split_digest

Parts = NDArray[np.uint8]
_NOTHING = 1e-9
"""Rows that a part lacks by rounding alone, at most."""


def default_by(dataset: Dataset) -> str:
    """Return how rows are split by default: samples stay together, where there are several."""
    basis = dataset.basis
    if isinstance(basis, Measured) and len(basis.groups or basis.files) > 1:
        return "sample"
    return "species"


def assign_measured(dataset: Dataset, name: str, rule: SplitRule) -> tuple[Split, Parts]:
    """Return a split of measured rows by ``given`` or ``sample``, and the part of each row."""
    basis = dataset.basis
    if not isinstance(basis, Measured):
        raise ConfigError(
            f"by: expected species or group for a synthetic dataset, got {rule.by}: its rows have "
            "no samples that were measured more than once"
        )
    labels = dataset["label"][:]
    n_classes = len(dataset.classes)
    check_labels(labels, n_classes, 0, f"{dataset.path}: ")
    if rule.by == "given":
        if rule.names != basis.parts:
            raise ConfigError(
                f"by: expected the parts that were given ({', '.join(basis.parts) or 'none'}), got "
                f"{', '.join(rule.names)}; give a column part to tersgen ingest"
            )
        given = dataset["source/part"][:]
        if given.min() < 0 or given.max() >= len(rule.names):
            raise DamagedDataError(f"{dataset.path}: source/part: expected parts, got others")
        parts = given.astype(np.uint8)
    else:
        sample = dataset["source/group" if basis.groups else "source/file"][:]
        parts = assign_samples(sample, labels, rule, n_classes)
    counts = np.zeros((n_classes, len(rule.names)), np.int64)
    np.add.at(counts, (labels, parts), 1)
    weighed = rule.names.index("train") if "train" in rule.names else 0
    split = Split(
        name=name,
        rule=rule,
        sizes=(dataset.n_samples,),
        counts=tuple(map(tuple, counts.tolist())),
        class_weights=class_weights(counts[:, weighed].tolist()),
        digest=split_digest(parts),
    )
    return split, parts


def assign_samples(
    sample: NDArray[np.int32], labels: NDArray[np.int32], rule: SplitRule, n_classes: int
) -> Parts:
    """Return the part of each row so that rows of one sample are together, class by class.

    Samples come in random order, each to the part that lacks most of its share of the sample's
    class; a sample counts for the class of its first row. Where no part lacks a whole sample, what
    the parts lack of the classes before counts, too. A part called train gets the first sample of
    each class: what is not learnt cannot be tested.
    """
    ids, first, inverse, sizes = np.unique(
        sample, return_index=True, return_inverse=True, return_counts=True
    )
    words = [int(philox(0, int(one), 0, rule.seed, SPLIT)[0]) for one in ids]
    train = rule.names.index("train") if "train" in rule.names else None
    wanted = np.bincount(labels[first], sizes, n_classes)[:, None] * np.array(rule.ratios)
    part_of = np.empty(len(ids), np.uint8)
    owed, before = np.zeros(len(rule.names)), -1
    for k in sorted(range(len(ids)), key=lambda k: (labels[first[k]], words[k], k)):
        label = int(labels[first[k]])
        lacking = wanted[label]
        is_first = label != before
        if is_first and before >= 0:
            owed += wanted[before]
        before = label
        if is_first and train is not None and lacking[train] > 0:
            part = train
        elif lacking.max() >= sizes[k]:
            part = int(np.argmax(lacking))
        else:
            part = int(np.argmax(np.where(lacking > _NOTHING, lacking + owed, -np.inf)))
        part_of[k] = part
        lacking[part] -= sizes[k]
    return np.asarray(part_of[inverse])
