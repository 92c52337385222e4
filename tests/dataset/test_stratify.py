"""Assignment of rows: exact counts, any blocks, growth, hold-outs, and no pattern in the rows."""

import tracemalloc

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tersgen.dataset.apportionment import apportion_classes
from tersgen.dataset.stratify import LEAF_ROWS, SplitAssigner, class_weights, split_digest
from tersgen.errors import ConfigError, DamagedDataError
from tersgen.schema.split import SplitRule

FEW = settings(max_examples=40, deadline=None)
NAMES = ("train", "val", "test", "extra")
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any)
CLASS_COUNTS = st.lists(COUNTS, min_size=1, max_size=4).map(
    lambda steps: [(n + [0] * 8)[: len(steps[0])] for n in steps]
)


@st.composite
def rules(draw, **fixed):
    n = draw(st.integers(2, 4))
    parts = draw(st.lists(st.integers(0, 20), min_size=n, max_size=n).filter(lambda p: any(p[:-1])))
    ratios = tuple(part / sum(parts) for part in parts)
    by = draw(st.sampled_from(["species", "group"]))
    names = NAMES[:n]
    rule = {"names": names, "ratios": ratios, "seed": draw(SEEDS), "by": by, **fixed}
    return SplitRule(**rule, hold_out_to=names[-1])


def species(counts):
    return [f"s{k}" for k in range(len(counts))]


def rows_of(counts, seed=0):
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return np.random.default_rng(seed).permutation(labels)


def make(rule, labels, n_classes, *, in_range=None, previous=None, old=(), block=None):
    """Return the parts of all rows, those of ``previous`` first, and the split."""
    free = labels if in_range is None else labels[~in_range]
    counts = np.bincount(free, minlength=n_classes).tolist()
    assigner = SplitAssigner(rule, species(counts), counts, previous)
    parts = [np.array(old, np.uint8)]
    step = block or max(len(labels), 1)
    for first in range(0, len(labels), step):
        cut = slice(first, first + step)
        parts.append(assigner.assign(labels[cut], None if in_range is None else in_range[cut]))
    every = np.concatenate(parts)
    return every, assigner.finish("a", split_digest(every))


def table(labels, parts, rule, n_classes):
    """Return rows of each class in each part, counted anew."""
    counts = np.zeros((n_classes, len(rule.names)), int)
    np.add.at(counts, (labels, parts), 1)
    return counts.tolist()


@given(rules(), COUNTS, st.integers(1, 50))
@FEW
def test_counts_are_exact_for_any_blocks(rule, counts, block):
    labels = rows_of(counts)
    parts, split = make(rule, labels, len(counts))
    assert parts.dtype == np.uint8
    assert len(parts) == split.n_samples == sum(counts)
    found = table(labels, parts, rule, len(counts))
    assert [list(row) for row in split.counts] == found
    if rule.by == "species":
        for row, n in zip(found, counts, strict=True):  # Eq. (8.1)
            assert np.all(np.abs(np.array(row) - n * np.array(rule.ratios)) < 1 + 1e-9)
            assert row[0] > 0 or n * rule.ratios[0] == 0
    else:
        assert all(
            rule.names[p] == split.groups[f"s{c}"] for c, p in zip(labels, parts, strict=True)
        )
    again, same = make(rule, labels, len(counts), block=block)
    assert np.array_equal(again, parts)
    assert same == split


@given(st.data(), CLASS_COUNTS, st.integers(1, 50))
@FEW
def test_growth_never_moves_a_row(data, steps, block):
    hold = data.draw(st.booleans())
    rule = data.draw(rules(hold_out=("s0",) if hold else ()))
    n_classes, previous, parts = len(steps[0]), None, np.zeros(0, np.uint8)
    every = np.zeros(0, np.int32)
    for step in (step for step in steps if any(step)):
        new = rows_of(step, seed=len(every))
        before, old = np.array(table(every, parts, rule, n_classes)), previous
        every = np.concatenate([every, new])
        size = len(parts)
        grown, previous = make(rule, new, n_classes, previous=old, old=parts, block=block)
        assert np.array_equal(grown[:size], parts)
        parts = grown
        found = table(every, parts, rule, n_classes)
        assert [list(row) for row in previous.counts] == found
        assert np.all(np.array(found) >= before)
        if rule.by == "species":
            totals = [0 if hold and c == 0 else sum(found[c]) for c in range(n_classes)]
            least = [[0] * len(row) if hold and c == 0 else row for c, row in enumerate(before)]
            goals = apportion_classes(totals, rule, [list(map(int, row)) for row in least])
            assert found[hold:] == [list(goal) for goal in goals[hold:]]
        assert previous.sizes == ((*old.sizes, len(every)) if old else (len(every),))
        assert old is None or previous.groups == old.groups
    assert previous.digest == split_digest(parts)


@given(st.data(), COUNTS, st.integers(1, 50))
@FEW
def test_held_out_rows_are_all_in_their_part_and_no_others(data, counts, block):
    names = data.draw(st.sets(st.sampled_from(species(counts))))
    rule = data.draw(rules(hold_out=(*sorted(names), "params/width=1.1:1.25")))
    labels = rows_of(counts)
    width = np.random.default_rng(1).uniform(1.0, 1.3, len(labels))
    in_range = (width >= 1.1) & (width < 1.25)
    held = in_range | np.isin(labels, [int(name[1:]) for name in names])
    parts, split = make(rule, labels, len(counts), in_range=in_range, block=block)
    last = len(rule.names) - 1
    assert np.array_equal(parts == last, held)
    found = table(labels, parts, rule, len(counts))
    assert [list(row) for row in split.counts] == found
    if rule.by == "species":
        rest = np.bincount(labels[~held], minlength=len(counts)).tolist()
        none = [[0] * (last + 1)] * len(rest)
        goals = [list(goal[:last]) for goal in apportion_classes(rest, rule, none)]
        assert [row[:last] for row in found] == goals
    # and grown by as many rows again
    more, grown = make(rule, labels, len(counts), in_range=in_range, previous=split, old=parts)
    assert np.array_equal(more == last, np.tile(held, 2))
    assert [list(row) for row in grown.counts] == table(np.tile(labels, 2), more, rule, len(counts))


@given(SEEDS, SEEDS)
@FEW
def test_the_seed_decides(one, other):
    labels = rows_of([40, 60])
    parts, _ = make(SplitRule(seed=one), labels, 2)
    again, _ = make(SplitRule(seed=other), labels, 2)
    assert np.array_equal(parts, again) == (one == other)


def test_one_split_is_as_it_always_was():
    parts, split = make(SplitRule(seed=7), np.arange(40, dtype=np.int32) % 2, 2)
    assert "".join(map(str, parts)) == "0001021000210000002000000000020010000000"
    assert split.counts == ((16, 2, 2), (16, 2, 2))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_weights(counts):
    n = np.array(counts, float)
    found, there = np.array(class_weights(counts)), n > 0
    raw = 1 / n[there]
    np.testing.assert_allclose(found[there], raw / raw.mean() if there.any() else raw, rtol=1e-12)
    assert not found[~there].any()


@pytest.mark.parametrize(
    ("names", "column"),
    [(("val", "train"), 1), (("a", "b"), 0), (("b", "train2"), 0)],
)
def test_weights_are_of_train_or_the_first(names, column):
    rule = SplitRule(names=names, ratios=(0.25, 0.75))
    _, split = make(rule, rows_of([40, 8, 0]), 3)
    assert split.class_weights == class_weights([row[column] for row in split.counts])


@pytest.mark.parametrize("order", ["runs", "drawn", "sorted"])
def test_no_pattern_along_the_rows(order):
    """Periodogram and counts in blocks of the training rows, as for a random arrangement."""
    n, n_classes = 2**16, 32
    labels = np.arange(n, dtype=np.int32) % n_classes
    if order == "drawn":
        labels = rows_of(np.bincount(labels))
    elif order == "sorted":
        labels.sort()
    parts, _ = make(SplitRule(seed=12), labels, n_classes)
    signal = (parts == 0) - np.mean(parts == 0)
    power = np.abs(np.fft.rfft(signal)[1:]) ** 2 / (n * signal.var())
    assert power.max() < 30  # exponential of mean 1: once in 10^8 among 2^15 frequencies
    in_blocks = (parts == 0).reshape(-1, 256).sum(axis=1)
    spread = ((in_blocks - 256 * 0.8) ** 2).sum() / (256 * 0.8 * 0.2)
    assert 1e-6 < stats.chi2.cdf(spread, 255) < 1 - 1e-6


def test_a_million_rows_take_little_memory():
    n, block = 1_000_000, 2**16
    labels = np.random.default_rng(0).integers(0, 32, block).astype(np.int32)
    counts = sum(np.bincount(labels[: min(block, n - k)], minlength=32) for k in range(0, n, block))
    assigner = SplitAssigner(SplitRule(), species(counts), counts.tolist())
    assigner.assign(labels[:0])  # compiled before memory is traced
    tracemalloc.start()
    for first in range(0, n, block):
        assigner.assign(labels[: min(block, n - first)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert assigner.finish("a", "0" * 64).n_samples == n
    assert peak < n // 2, "a byte for each row would be twice as much"


def test_digest_is_a_tree_over_leaves():
    parts = np.random.default_rng(0).integers(0, 3, 2 * LEAF_ROWS + 5).astype(np.uint8)
    a, b, c = (blake3(parts[k * LEAF_ROWS :][:LEAF_ROWS].tobytes()).digest() for k in range(3))
    assert split_digest(parts) == blake3(blake3(a + b).digest() + c).hexdigest()
    assert split_digest(parts[:9]) == blake3(parts[:9].tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 1, 2], r"row 2: expected a label from 0 to 1, got label 2; verify"),
        ([0, -1], r"row 1: expected a label from 0 to 1, got label -1; verify"),
        ([0, 0, 1, 0, 0], r"row 4: expected no more rows of this class .*, got label 0; verify"),
        ([0, 1], r"split a: expected 3 more rows after 2, got none; verify"),
    ],
)
def test_labels_that_were_not_counted(rows, message):
    assigner = SplitAssigner(SplitRule(), ["ice", "water"], [3, 2])

    def split():
        for label in rows:
            assigner.assign(np.array([label], np.int32))
        assigner.finish("a", "0" * 64)

    with pytest.raises(DamagedDataError, match=message):
        split()


def test_what_cannot_be_split_or_grown():
    _, split = make(SplitRule(), rows_of([5, 5]), 2)
    with pytest.raises(ConfigError, match=r"expected species of the dataset \(s0, s1\), got x, y$"):
        SplitAssigner(SplitRule(hold_out=("y", "s0", "x")), ["s0", "s1"], [5, 5])
    with pytest.raises(ConfigError, match="rule to grow it, seed=0, got 1; make"):
        SplitAssigner(SplitRule(seed=1), ["s0", "s1"], [5, 5], split)
    with pytest.raises(ConfigError, match="expected its 2 classes to grow it, got 3"):
        SplitAssigner(SplitRule(), ["s0", "s1", "s2"], [5, 5, 5], split)
    with pytest.raises(DamagedDataError, match="expected at least 1 more rows after 10"):
        SplitAssigner(SplitRule(), ["s0", "s1"], [0, 0], split).finish("a", split.digest)
