"""Counts per part: tables that can be read, and properties against a row-by-row reference."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tersgen.dataset.apportionment import apportion, apportion_classes, assign_groups
from tersgen.errors import ConfigError
from tersgen.schema.split import SplitRule

THIRD = 1 / 3
RATIOS = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1.0)), min_size=1, max_size=6).filter(any)


@pytest.mark.parametrize(
    ("n", "ratios", "expected"),
    [
        (10, (0.8, 0.1, 0.1), (8, 1, 1)),
        (0, (0.8, 0.1, 0.1), (0, 0, 0)),
        (1, (0.8, 0.1, 0.1), (1, 0, 0)),
        (3, (0.8, 0.1, 0.1), (3, 0, 0)),  # 2.4, 0.3, 0.3
        (4, (0.8, 0.1, 0.1), (3, 1, 0)),  # 3.2, 0.4, 0.4: the earlier of two
        (5, (0.8, 0.1, 0.1), (4, 1, 0)),  # 4.0, 0.5, 0.5
        (6, (0.8, 0.1, 0.1), (5, 1, 0)),  # 4.8, 0.6, 0.6
        (7, (0.8, 0.1, 0.1), (5, 1, 1)),  # 5.6, 0.7, 0.7
        (11, (0.8, 0.1, 0.1), (9, 1, 1)),
        (100, (THIRD, THIRD, THIRD), (34, 33, 33)),
        (2, (0.25, 0.25, 0.25, 0.25), (1, 1, 0, 0)),
        (7, (0.0, 1.0), (0, 7)),
        (9, (0.5, 0.0, 0.5), (5, 0, 4)),
        (10, (0.7, 0.3), (7, 3)),  # in binary 0.7 * 10 is not 7
        (1000, (0.333, 0.333, 0.334), (333, 333, 334)),
        (10**15 + 1, (0.1, 0.9), (10**14, 9 * 10**14 + 1)),
        (12, (8, 1, 1), (10, 1, 1)),  # any common factor
    ],
)
def test_largest_remainders(n, ratios, expected):
    assert apportion(n, ratios) == expected


@pytest.mark.parametrize(
    ("n", "ratios", "at_least", "expected"),
    [
        (20, (0.8, 0.1, 0.1), (8, 1, 1), (16, 2, 2)),  # nothing in the way
        (10, (0.8, 0.1, 0.1), (0, 0, 3), (7, 0, 3)),  # 8, 1, 1 less 1 each from the two others
        (11, (0.8, 0.1, 0.1), (0, 0, 4), (7, 0, 4)),  # 8.8, 1.1 less 1.45 each: below 0 for one
        (10, (0.8, 0.1, 0.1), (4, 3, 3), (4, 3, 3)),  # no row is free
        (13, (0.8, 0.1, 0.1), (4, 3, 3), (7, 3, 3)),
        (5, (0.5, 0.25, 0.25), (2, 1, 1), (3, 1, 1)),
        (10, (1.0, 0.0), (2, 3), (7, 3)),  # what a part of ratio 0 has, it keeps
        (9, (0.4, 0.4, 0.2), (5, 0, 0), (5, 3, 1)),  # 3.6, 3.6, 1.8: 2.9 and 1.1
    ],
)
def test_nothing_shrinks(n, ratios, at_least, expected):
    assert apportion(n, ratios, at_least) == expected


def by_single_rows(n, ratios, at_least):
    """Reference: give one row at a time to the part that is furthest below its share."""
    shares = [Fraction(repr(r)) for r in ratios]
    targets = [n * share / sum(shares) for share in shares]
    counts = list(at_least)
    while sum(counts) < n:
        lacking = [target - count for target, count in zip(targets, counts, strict=True)]
        counts[lacking.index(max(lacking))] += 1
    return tuple(counts)


@given(st.data(), RATIOS, st.integers(0, 60))
def test_the_same_as_one_row_after_the_other(data, ratios, spare):
    some = st.lists(st.integers(0, 30), min_size=len(ratios), max_size=len(ratios))
    at_least = data.draw(some)
    n = sum(at_least) + spare
    counts = apportion(n, ratios, at_least)
    assert counts == by_single_rows(n, ratios, at_least)
    assert sum(counts) == n
    assert all(count >= least for count, least in zip(counts, at_least, strict=True))


@given(st.integers(0, 10**12), RATIOS)
@example(10**12, [0.1] * 6)
def test_within_one_of_the_share(n, ratios):
    counts = apportion(n, ratios)
    shares = [Fraction(repr(ratio)) for ratio in ratios]
    assert sum(counts) == n
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - n * share / sum(shares)) < 1
        assert share > 0 or count == 0
    assert apportion(n, ratios, [0] * len(ratios)) == counts


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([4] * 25, (80, 10, 10)),  # 3.2, 0.4, 0.4 of each
        ([5] * 20, (80, 10, 10)),
        ([14] * 10, (112, 14, 14)),
        ([1] * 10, (10, 0, 0)),  # what is not learnt cannot be tested
        ([1] * 10 + [100], (90, 10, 10)),  # no class is a whole row off its share
        ([3, 0, 2], (4, 1, 0)),
    ],
)
def test_shares_of_all_classes_together(totals, expected):
    found = apportion_classes(totals, SplitRule(), [[0] * 3] * len(totals))
    assert tuple(map(sum, zip(*found, strict=True))) == expected
    assert all(counts[0] > 0 for n, counts in zip(totals, found, strict=True) if n)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_folds_are_as_large_as_their_shares(totals):
    rule = SplitRule(names=("a", "b", "c", "d"), ratios=(0.25,) * 4)
    found = apportion_classes(totals, rule, [[0] * 4] * len(totals))
    sizes = list(map(sum, zip(*found, strict=True)))
    assert max(sizes) - min(sizes) <= 2


@pytest.mark.parametrize("ratios", [(0.0, 0.0), (1.5, -0.5)])
def test_impossible_ratios(ratios):
    with pytest.raises(ConfigError, match="expected none below 0 and one above"):
        apportion(10, ratios)


def test_too_few_rows():
    with pytest.raises(ConfigError, match="expected at least 7 rows, those there already, got 6"):
        apportion(6, (0.5, 0.5), (3, 4))


def test_equal_species_are_shared_like_rows():
    classes = [f"s{k}" for k in range(20)]
    for counts in ([50] * 20, [0] * 20):
        rule = SplitRule(by="group", seed=5)
        groups = list(assign_groups(rule, classes, counts).values())
        assert [groups.count(name) for name in rule.names] == [16, 2, 2]


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_whole_species(counts, seed, hold):
    classes = [f"s{k}" for k in range(len(counts))]
    rule = SplitRule(
        names=("a", "none", "b", "c"),
        ratios=(0.5, 0.0, 0.3, 0.2),
        seed=seed,
        by="group",
        hold_out=("s0",) if hold else (),
        hold_out_to="c",
    )
    groups = assign_groups(rule, classes, counts)
    assert list(groups) == classes
    assert groups == assign_groups(rule, classes, counts)
    assert "none" not in groups.values()
    if hold:
        assert [name for name in classes if groups[name] == "c"] == ["s0"]
    # the part that lacks most gets the next: none ends above its share by a whole species or more
    sizes = {name: max(n, 1) for name, n in zip(classes, counts, strict=True)}
    free = [name for name in classes if not (hold and name == "s0")]
    total = sum(sizes[name] for name in free)
    for part, share in zip(rule.names, rule.shares, strict=True):
        mine = [sizes[name] for name in free if groups[name] == part]
        assert sum(mine) <= share / sum(rule.shares) * total + max(mine, default=0) + 1e-6


def test_the_seed_decides_which_species():
    classes = [f"s{k}" for k in range(20)]
    drawn = {
        tuple(assign_groups(SplitRule(by="group", seed=seed), classes, [9] * 20).values())
        for seed in range(30)
    }
    assert len(drawn) == 30
    tested = {name for groups in drawn for name, part in zip(classes, groups, strict=True)
              if part == "test"}  # fmt: skip
    assert len(tested) > 15
