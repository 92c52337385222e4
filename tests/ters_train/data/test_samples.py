"""Samples by number: every row as stored, batches as one piece, in workers and ranks, too."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import tersgen
from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.samples import RowBatch, Samples
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError, RowIndexError, TersWarning, UnknownFieldError

N = 3000
FIELDS = ["spectra", "label", "sticks/position"]
BLOCK_MB = 0.06
"""About that of a block of these fields."""


@pytest.fixture(scope="module")
def whole(dataset):
    return {name: dataset[name][:] for name in FIELDS}


def check(batch, whole):
    assert set(batch) == {*FIELDS, "row"}
    rows = batch["row"].numpy()
    for name, values in whole.items():
        np.testing.assert_array_equal(batch[name].numpy(), values[rows])
        assert batch[name].numpy().dtype == values.dtype
    return rows.tolist()


@pytest.mark.parametrize("kind", ["zarr", "hdf5", "plain zarr"])
def test_samples_and_batches_are_the_rows(kind, stored, whole):
    samples = Samples(tersgen.open(stored[kind]), FIELDS)
    assert len(samples) == N
    for k in (0, 2999, -1):
        one = samples[k]
        assert one["row"] == k % N
        np.testing.assert_array_equal(one["spectra"], whole["spectra"][k])
    batch = samples.__getitems__([5, 2000, 5, -3])
    assert check(batch.together, whole) == [5, 2000, 5, 2997]
    assert [one["row"].item() for one in batch] == [5, 2000, 5, 2997]
    assert isinstance(batch[1:3], RowBatch)


def test_a_plain_data_loader_shuffles_all_rows_once(dataset, whole):
    loader = DataLoader(Samples(dataset, FIELDS), batch_size=64, shuffle=True)
    rows = [row for batch in loader for row in check(batch, whole)]
    assert sorted(rows) == list(range(N))
    assert rows != sorted(rows)


def test_a_collate_function_of_the_user_gets_single_samples(dataset, whole):
    def labels(samples):
        return [(one["row"].item(), one["label"].item()) for one in samples]

    loader = DataLoader(Samples(dataset, FIELDS), batch_size=100, collate_fn=labels)
    found = [pair for batch in loader for pair in batch]
    assert found == list(enumerate(whole["label"].tolist()))
    mixed = torch.utils.data.ConcatDataset([Samples(dataset, FIELDS), Samples(dataset, FIELDS)])
    (batch,) = DataLoader(mixed, batch_size=3, sampler=[1, N + 1, 7])
    assert check(batch, whole) == [1, 1, 7]


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.exhaustive)])
def test_worker_processes_read_the_same(context, dataset, whole):
    samples = Samples(dataset, FIELDS)
    samples[0]  # files are open, and a block is there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forks beside threads
        loader = DataLoader(
            samples, batch_size=500, shuffle=True, num_workers=2 if context == "fork" else 1,
            multiprocessing_context=context,
        )  # fmt: skip
        rows = [row for batch in loader for row in check(batch, whole)]
    assert sorted(rows) == list(range(N))


@pytest.mark.parametrize("memory_mb", [2 * BLOCK_MB, 6 * BLOCK_MB, 100.0])
def test_any_memory_gives_the_same_rows(memory_mb, dataset, whole):
    samples = Samples(dataset, FIELDS, memory_mb)
    rng = np.random.default_rng(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TersWarning)
        for _ in range(20):
            wanted = rng.integers(0, N, 40).tolist()
            assert check(samples.__getitems__(wanted).together, whole) == wanted


def test_an_order_that_does_not_suit_the_memory_is_told(dataset):
    samples = Samples(dataset, FIELDS, 3 * BLOCK_MB)
    with pytest.warns(TersWarning, match=r"batch_sampler=samples.batches"):
        for _ in DataLoader(samples, batch_size=64, shuffle=True, generator=torch.Generator()):
            pass


def test_views_have_their_rows_and_parts(dataset, whole):
    train = dataset.select(part="train")
    samples = Samples(train, FIELDS)
    rows = [row for batch in DataLoader(samples, batch_size=64) for row in check(batch, whole)]
    assert rows == dataset.rows_in("train").tolist()
    backwards = Samples(dataset.select(rows=slice(None, None, -1)), FIELDS)
    assert backwards[0]["row"] == N - 1
    again = pickle.loads(pickle.dumps(samples))
    assert check(again.__getitems__([0, 5]).together, whole) == [rows[0], rows[5]]
    with pytest.raises(ConfigError, match="a view with one twice"):
        Samples(dataset.select(rows=[1, 1]), FIELDS).batches(2)


def test_its_batches_are_those_of_the_stream(dataset, whole):
    order = Order(all_rows(dataset), 60, 4, seed=7)
    stream = Stream(dataset, ["label"], order)
    samples = Samples(dataset, FIELDS, 9 * BLOCK_MB)
    batches = samples.batches(60, seed=7, mix_blocks=4)
    loader = DataLoader(samples, batch_sampler=batches)
    for _ in range(2):
        found = [check(batch, whole) for batch in loader]
        assert found == [batch["row"].tolist() for batch in stream]
        assert len(found) == len(loader)
    assert samples._n_decoded <= 4 * samples._n_blocks
    shares = [
        [*samples.batches(60, seed=7, mix_blocks=4, partition=Partition(rank, 2))]
        for rank in (0, 1)
    ]
    both = [one + other for one, other in zip(*shares, strict=True)]
    assert both == [*samples.batches(60, seed=7, mix_blocks=4)]


def test_its_batches_go_on_from_a_state(dataset):
    samples = Samples(dataset.select(part="train"), FIELDS)
    one, other = samples.batches(50, seed=1), samples.batches(50, seed=1)
    reading = iter(one)
    first = [next(reading) for _ in range(7)]
    other.load_state_dict(one.state_dict())
    rest = list(other)
    assert first + rest == list(samples.batches(50, seed=1))
    assert other.state_dict()["epoch"] == 1
    other.set_epoch(0)
    assert list(other) == first + rest
    with pytest.raises(ConfigError, match="this order"):
        samples.batches(50, seed=2).load_state_dict(one.state_dict())
    with pytest.raises(ConfigError, match="expected an epoch and a batch"):
        other.load_state_dict({**one.state_dict(), "batch": 10**9})


@pytest.mark.parametrize("index", [N, -N - 1])
def test_what_is_no_sample_is_refused(dataset, index):
    samples = Samples(dataset, FIELDS)
    with pytest.raises(RowIndexError, match=f"row {index}: expected a row from"):
        samples[index]
    with pytest.raises(UnknownFieldError):
        Samples(dataset, ["nothing"])
    with pytest.raises(ConfigError, match="room for two blocks"):
        Samples(dataset, FIELDS, 0.01)
    with pytest.raises(ConfigError, match="at most 3000, the rows of all rows"):
        samples.batches(5000)
