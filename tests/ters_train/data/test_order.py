"""P5: the order is a pure function of rows, seed and epoch, for any number of ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ters_train.data.order import Order, Partition, permutation
from ters_train.data.rows import RowSet
from tersgen.errors import ConfigError


@st.composite
def row_sets(draw):
    n = draw(st.integers(1, 300))
    block = draw(st.sampled_from([1, 4, 16, 64]))
    start = draw(st.integers(0, n - 1))
    stop = draw(st.integers(start + 1, n))
    if draw(st.booleans()):
        parts = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 3, n, dtype=np.uint8)
        parts[start] = 1
        return RowSet("some", start, stop, block, parts, 1)
    return RowSet("all", start, stop, block)


def rows_of(rows: RowSet) -> list[int]:
    """All rows of a set, worked out row by row."""
    return [
        row
        for row in range(rows.start, rows.stop)
        if rows.parts is None or rows.parts[row] == rows.number
    ]


@given(row_sets())
def test_a_row_set_has_its_rows_in_blocks(rows):
    found = [(rows.rows_in(b) + b * rows.block_rows).tolist() for b in rows.blocks]
    assert [row for one in found for row in one] == rows_of(rows)
    assert rows.counts().tolist() == [len(one) for one in found]


@given(st.integers(0, 500), st.lists(st.integers(0, 2**64 - 1), max_size=4))
def test_a_permutation_has_each_number_once(n, key):
    assert sorted(permutation(n, *key).tolist()) == list(range(n))


def test_permutations_are_fair():
    counts = np.zeros((5, 5))
    for key in range(4000):
        counts[np.arange(5), permutation(5, key)] += 1
    # each of 25 cells expects 800 with a deviation of 25
    assert np.abs(counts - 800).max() < 5 * 25.3


def test_a_key_is_not_the_sum_of_its_parts():
    assert permutation(64, 1, 2).tolist() != permutation(64, 2, 1).tolist()
    assert permutation(64, 3).tolist() != permutation(64, 3, 0).tolist()


@given(
    row_sets(),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)
def test_an_epoch_has_every_row_at_most_once(rows, batch_size, mix, epoch, shuffle, drop_last):
    wanted = rows_of(rows)
    if drop_last and batch_size > len(wanted):
        with pytest.raises(ConfigError, match="batch size: expected at most"):
            Order(rows, batch_size, mix)
        return
    order = Order(rows, batch_size, mix, 7, shuffle, drop_last)
    sequence = order.epoch(epoch).tolist()
    assert len(set(sequence)) == len(sequence) == order.n_rows
    assert set(sequence) <= set(wanted)
    if not drop_last:
        assert sorted(sequence) == wanted
        assert sum(order.batch_rows(b) for b in range(order.n_batches)) == len(wanted)
    else:
        assert len(wanted) - len(sequence) < batch_size
    if not shuffle:
        assert sequence == wanted[: len(sequence)]


def test_batches_without_rows_are_refused():
    with pytest.raises(ConfigError, match="batch size: expected at least 1, got 0"):
        Order(RowSet("all", 0, 10, 16), 0)


def test_epochs_and_seeds_differ():
    rows = RowSet("all", 0, 1000, 16)
    first = Order(rows, 10, 4, 0)
    assert first.epoch(0).tolist() != first.epoch(1).tolist()
    assert first.epoch(0).tolist() != Order(rows, 10, 4, 1).epoch(0).tolist()
    assert first.epoch(3).tolist() == Order(rows, 10, 4, 0).epoch(3).tolist()


def laid_out(order, visits):
    """The rows of visits by (batch, place), each of which is there once."""
    found = {}
    for block, rows, batches, places in visits:
        assert len(rows)
        assert (np.diff(rows) > 0).all()
        for row, batch, place in zip(rows.tolist(), batches.tolist(), places.tolist(), strict=True):
            assert (batch, place) not in found
            found[batch, place] = row + block * order.rows.block_rows
    return found


@given(row_sets(), st.integers(1, 20), st.integers(1, 5), st.integers(0, 30), st.booleans())
def test_an_epoch_can_be_entered_at_any_batch(rows, batch_size, mix, first, shuffle):
    order = Order(rows, batch_size, mix, shuffle=shuffle, drop_last=False)
    first = min(first, order.n_batches - 1)
    whole = laid_out(order, order.visits(2))
    entered = laid_out(order, order.visits(2, first))
    assert entered == {at: row for at, row in whole.items() if at[0] >= first}


@given(row_sets(), st.integers(1, 20), st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_ranks_together_have_what_one_has(rows, batch_size, mix, world_size, drop_last):
    if drop_last and batch_size > len(rows_of(rows)):
        return
    order = Order(rows, batch_size, mix, drop_last=drop_last)
    found = {}
    for rank in range(world_size):
        partition = Partition(rank, world_size)
        for at, row in laid_out(order, order.visits(1, 0, partition)).items():
            assert at not in found
            assert at[1] in partition.share(order.batch_rows(at[0]))
            found[at] = row
    assert found == laid_out(order, order.visits(1))


@given(row_sets(), st.integers(1, 20), st.integers(1, 5), st.booleans(), st.booleans())
def test_blocks_come_in_the_order_of_need_and_are_not_spread_further(
    rows, batch_size, mix, shuffle, drop_last
):
    if drop_last and batch_size > len(rows_of(rows)):
        return
    order = Order(rows, batch_size, mix, shuffle=shuffle, drop_last=drop_last)
    # rows of a block are cut off where a lane begins, so its first may be in a later batch
    firsts = [int(visit.batches.min()) for visit in order.visits(0)]
    for visit in order.visits(0):
        assert int(visit.batches.max() - visit.batches.min()) <= order.spread
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("world_size", [1, 2, 4, 8, 16])
def test_a_rank_reads_its_own_blocks_only(world_size):
    """The number of lanes is the most that all ranks together read more than once."""
    order = Order(RowSet("all", 0, 100_000, 256), 256, 16)
    n_blocks = -(-100_000 // 256)
    read = [
        sum(1 for _ in order.visits(0, 0, Partition(rank, world_size)))
        for rank in range(world_size)
    ]
    assert sum(read) <= n_blocks + 16
    assert max(read) <= n_blocks / world_size + 16 / world_size + 1


@pytest.mark.parametrize("n_rows", [0, 1, 5, 256])
@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_ranks_share_a_batch(n_rows, world_size):
    shares = [list(Partition(rank, world_size).share(n_rows)) for rank in range(world_size)]
    assert [row for one in shares for row in one] == list(range(n_rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_classes_of_batches_are_mixed_as_by_a_true_shuffle():
    """Rows of a dataset come in no order of class; blocks then cost nothing."""
    n, n_classes, batch = 65536, 32, 256
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(n) % n_classes)

    def chi_square(sequence):
        counts = [np.bincount(labels[b], minlength=n_classes) for b in sequence.reshape(-1, batch)]
        return float(((np.array(counts) - batch / n_classes) ** 2).sum() / (batch / n_classes))

    found = chi_square(Order(RowSet("all", 0, n, 256), batch, 16).epoch(0))
    degrees = n // batch * (n_classes - 1)
    assert abs(found - degrees) < 5 * np.sqrt(2 * degrees)
