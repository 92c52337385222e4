"""Sequential assignment against its definition, and every outcome equally likely."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tersgen.random.assignment import fill_parts, shuffled
from tersgen.random.philox import philox
from tersgen.random.streams import SPLIT

FEW = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any)


def by_single_rows(labels, held, start, quotas, seed):
    """Reference: lay out the parts that a class has left as tickets, and draw one."""
    parts = []
    for index, label, out in zip(range(start, start + len(labels)), labels, held, strict=True):
        tickets = [j for j, n in enumerate(quotas[label]) for _ in range(n)]
        low, high, _, _ = map(int, philox(0, index, 0, seed, SPLIT))
        parts.append(99 if out else tickets[(high * 2**32 + low) % len(tickets)])
        if not out:
            quotas[label][parts[-1]] -= 1
    return parts


@given(COUNTS, st.integers(0, 2**63 - 1000), SEEDS, st.data())
@FEW
def test_the_kernel_is_its_definition(counts, start, seed, data):
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    labels = np.random.default_rng(0).permutation(labels)
    held = np.array(data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels))))
    quotas = [[n // 2, 0, n - n // 2] for n in counts]
    parts = np.full(len(labels), 99, np.uint8)
    assert fill_parts(parts, labels, held, start, np.array(quotas), seed) == -1
    assert parts.tolist() == by_single_rows(labels, held, start, quotas, seed)


def test_every_arrangement_is_equally_likely():
    ways = list(itertools.permutations([0, 0, 1, 1, 2]))
    seen = dict.fromkeys(ways, 0)
    labels, held = np.zeros(5, np.int32), np.zeros(5, bool)
    parts = np.empty(5, np.uint8)
    for seed in range(30_000):
        assert fill_parts(parts, labels, held, 0, np.array([[2, 2, 1]]), seed) == -1
        seen[tuple(parts.tolist())] += 1
    assert len(seen) == 30
    assert stats.chisquare(list(seen.values())).pvalue > 1e-6


def test_every_order_of_species_is_equally_likely():
    orders = [tuple(shuffled(4, seed)) for seed in range(24_000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-6


def test_an_order_is_as_it_always_was():
    assert shuffled(10, 7).tolist() == [4, 1, 6, 9, 2, 8, 3, 7, 5, 0]


def test_it_stops_where_a_quota_is_used_up():
    parts, labels = np.full(4, 99, np.uint8), np.array([0, 1, 0, 1], np.int32)
    quotas = np.array([[1, 0], [0, 5]])
    assert fill_parts(parts, labels, np.zeros(4, bool), 0, quotas, 3) == 2
    assert parts.tolist() == [0, 1, 99, 99]
    assert quotas.tolist() == [[0, 0], [0, 4]]
