"""P5 on real datasets: the same batches for any ranks, threads, back end and entry point."""

import json
import multiprocessing
import os
import pickle
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import tersgen
from ters_train.config import DataConfig, StreamConfig
from ters_train.data.order import Order, Partition
from ters_train.data.rows import RowSet, all_rows, rows_of_part
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError, DamagedDataError, UnknownFieldError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

FIELDS = ("spectra", "maps", "sticks/count", "tensors", "label", "params/hotspots")


def batches_of(stream):
    """All batches of the epoch as NumPy arrays, copied."""
    return [{name: value.numpy().copy() for name, value in batch.items()} for batch in stream]


def same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].dtype == b[name].dtype
            np.testing.assert_array_equal(a[name], b[name])


def process_group(ranks):
    """The batches of all ranks, put together batch by batch."""
    return [
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for parts in zip(*ranks, strict=True)
    ]


@pytest.mark.parametrize("back_end", ["zarr", "hdf5", "plain zarr", "fixed point"])
def test_a_batch_is_what_the_plain_reader_reads(stored, back_end):
    dataset = tersgen.open(stored[back_end])
    names = tuple(dataset.fields)
    order = Order(all_rows(dataset), 48, 3, seed=5)
    whole = {name: dataset[name][:] for name in names}
    rows = order.epoch(0).reshape(-1, 48)
    for batch, wanted in zip(batches_of(Stream(dataset, names, order)), rows, strict=True):
        np.testing.assert_array_equal(batch["row"], wanted)
        for name in names:
            assert batch[name].dtype == whole[name].dtype
            np.testing.assert_array_equal(batch[name], whole[name][wanted])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.sampled_from([12, 24, 60, 240]),
    st.integers(1, 6),
    st.integers(0, 2),
    st.booleans(),
    st.data(),
)
def test_the_sequence_is_that_of_one_rank_with_one_thread(
    dataset, world_size, threads, batch_size, mix, epoch, whole, data
):
    rows = rows_of_part(dataset, DataConfig(path="x"), "train") if whole else all_rows(dataset)
    drop_last = data.draw(st.booleans())
    order = Order(rows, batch_size, mix, seed=3, drop_last=drop_last)
    first = data.draw(st.integers(0, order.n_batches - 1))

    def read(partition, n_threads, start):
        config = StreamConfig(threads=n_threads, prefetch_mb=1)
        stream = Stream(dataset, ("spectra", "label"), order, partition, config)
        stream.enter(epoch, start)
        return batches_of(stream)

    plain = read(Partition(), 1, 0)
    ranks = [read(Partition(rank, world_size), threads, first) for rank in range(world_size)]
    same(process_group(ranks), plain[first:])
    sequence = np.concatenate([batch["row"] for batch in plain])
    np.testing.assert_array_equal(sequence, order.epoch(epoch))


def test_a_recipe_streams_what_its_dataset_holds(dataset, tiny_recipe, tmp_path):
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, path)
    generated = tersgen.open(path, 3000)
    for names in (FIELDS, ("maps", "label"), ("spectra",)):
        order = Order(all_rows(dataset), 50, 4, seed=1)
        again = Order(all_rows(generated), 50, 4, seed=1)
        same(batches_of(Stream(generated, names, again)), batches_of(Stream(dataset, names, order)))


def test_the_parts_of_a_recipe_do_not_overlap(tiny_recipe, tmp_path):
    path = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, path)
    generated = tersgen.open(path, 10)
    data = DataConfig(path=str(path), n_samples=95)
    parts = [rows_of_part(generated, data, part) for part in ("train", "val", "test")]
    assert [(one.start, one.stop) for one in parts] == [(0, 95), (95, 105), (105, 115)]
    with pytest.raises(ConfigError, match="expected one of train, val, test"):
        rows_of_part(generated, data, "train2")


def test_every_epoch_of_a_part_has_its_rows(dataset):
    rows = rows_of_part(dataset, DataConfig(path="x"), "val")
    order = Order(rows, 7, 2, shuffle=False, drop_last=False)
    stream = Stream(dataset, ("label",), order)
    wanted = dataset.rows_in("val").tolist()
    for epoch in range(2):
        assert stream.epoch == epoch
        assert np.concatenate([b["row"] for b in batches_of(stream)]).tolist() == wanted


def test_it_stands_where_it_was_left(dataset):
    order = Order(all_rows(dataset), 100, 2, seed=9)
    whole = Stream(dataset, FIELDS, order)
    first, second = batches_of(whole), batches_of(whole)
    stream = Stream(dataset, FIELDS, order)
    taken = []
    for batch in stream:
        taken.append({name: value.numpy().copy() for name, value in batch.items()})
        if len(taken) == 4:
            break
    state = json.loads(json.dumps(stream.state_dict()))
    assert (state["epoch"], state["batch"]) == (0, 4)
    again = Stream(dataset, FIELDS, order)
    again.load_state_dict(state)
    same(taken + batches_of(again), first)
    same(batches_of(again), second)
    for bad in (
        {},
        {"batch": 31},
        {"epoch": -1},
        {"epoch": None},
        {"batch": 1.5},
        {"epoch": "1"},
        {"epoch": [1]},
        {"epoch": 10**400},
    ):
        place = {**state, **bad} if bad else {"of": state["of"]}
        with pytest.raises(ConfigError, match="state: expected an epoch"):
            again.load_state_dict(place)
    assert (again.epoch, again.batch) == (2, 0)


def test_a_state_belongs_to_one_order_of_one_dataset(dataset, tiny_recipe, tmp_path):
    def stream(data=dataset, fields=FIELDS, rows=None, size=100, mix=2, seed=9, rank=0):
        order = Order(rows or all_rows(data), size, mix, seed=seed)
        return Stream(data, fields, order, Partition(rank, 2))

    state = json.loads(json.dumps(stream().state_dict()))
    stream(rank=1).load_state_dict(state)  # whichever rank, of how many
    Stream(dataset, FIELDS, stream().order).load_state_dict(state)
    path = tmp_path / "other.zarr"
    run(make_plan(tiny_recipe.model_copy(update={"seed": 8}), 3000, chunk_rows=64), path)
    others = {
        "dataset": [stream(tersgen.open(path))],
        "fields": [stream(fields=FIELDS[:1])],
        "order": [
            stream(rows=rows_of_part(dataset, DataConfig(path="x"), "train")),
            stream(size=50),
            stream(mix=4),
            stream(seed=8),
        ],
    }
    for name, streams in others.items():
        for other in streams:
            with pytest.raises(ConfigError, match=f"state: expected the {name} of this stream, "):
                other.load_state_dict(state)
    for bad in ({}, {"epoch": 0, "batch": 4}, {**state, "of": None}, {**state, "of": ["a"]}):
        with pytest.raises(ConfigError, match="state: expected one of state_dict"):
            stream().load_state_dict(bad)


def test_a_batch_that_is_kept_stays_what_it_was(dataset):
    order = Order(all_rows(dataset), 50, 2, seed=2)
    stream = Stream(dataset, FIELDS, order, config=StreamConfig(prefetch_mb=1))
    kept = list(stream)
    same([{n: v.numpy() for n, v in batch.items()} for batch in kept],
         batches_of(Stream(dataset, FIELDS, Order(all_rows(dataset), 50, 2, seed=2))))  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("context", ["spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_data_loader_gives_the_same_batches(dataset, context):
    order = Order(all_rows(dataset), 100, 2, seed=4)
    plain = batches_of(Stream(dataset, ("spectra", "label"), order))
    stream = Stream(dataset, ("spectra", "label"), order)
    same(batches_of(DataLoader(stream, batch_size=None)), plain)
    workers = DataLoader(
        Stream(dataset, ("spectra", "label"), order),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=context,
    )
    same(batches_of(workers), plain)


def test_a_stream_can_be_pickled(dataset):
    order = Order(all_rows(dataset), 100, 2, seed=4)
    stream = Stream(dataset, ("label",), order)
    stream.enter(1, 3)
    copy = pickle.loads(pickle.dumps(stream))
    same(batches_of(copy), batches_of(stream))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_in_the_middle_is_refused_and_one_before_works(dataset):
    order = Order(all_rows(dataset), 100, 2, seed=4)
    stream = Stream(dataset, ("label",), order)

    def child(queue):
        try:
            queue.put(sum(len(batch["label"]) for batch in stream))
        except ConfigError as error:
            queue.put(str(error))

    def in_child():
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        process.join(60)
        assert process.exitcode == 0
        return queue.get()

    assert in_child() == 3000
    iterator = iter(stream)
    next(iterator)
    assert "start processes by spawn or forkserver" in in_child()
    with pytest.raises(ConfigError, match="it is being read already"):
        next(iter(stream))
    iterator.close()
    assert len(batches_of(stream)) == 29


def test_a_data_loader_is_told_not_to_make_batches_of_batches(dataset):
    stream = Stream(dataset, ("label",), Order(all_rows(dataset), 50, 2))
    with pytest.raises(ConfigError, match=r"expected batch_size=None, .* got batches of 32"):
        next(iter(DataLoader(stream, batch_size=32)))


def damaged(stored, tmp_path, array="spectra", shard=1):
    path = tmp_path / "damaged.zarr"
    shutil.copytree(stored["zarr"], path)
    file = next((path / array).glob(f"c.{shard}*"))
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    return tersgen.open(path)


def test_a_damaged_chunk_is_named(stored, tmp_path):
    dataset = damaged(stored, tmp_path)
    stream = Stream(dataset, ("spectra", "label"), Order(all_rows(dataset), 50, 2))
    with pytest.raises(DamagedDataError, match=r"spectra/c\.1.*rows 512 to 575.*tersgen repair"):
        batches_of(stream)


def test_a_damaged_chunk_is_made_again(stored, dataset, tmp_path):
    hurt = damaged(stored, tmp_path)
    order = Order(all_rows(dataset), 50, 2)
    stream = Stream(hurt, FIELDS, order, config=StreamConfig(on_damage="repair"))
    same(batches_of(stream), batches_of(Stream(dataset, FIELDS, order)))
    assert stream.n_repaired == 1


def test_a_file_that_is_truncated_between_epochs_is_made_again(stored, dataset, tmp_path):
    path = tmp_path / "plain.zarr"
    shutil.copytree(stored["plain zarr"], path)
    order = Order(all_rows(dataset), 50, 2)
    stream = Stream(tersgen.open(path), FIELDS, order, config=StreamConfig(on_damage="repair"))
    other = Stream(dataset, FIELDS, order)
    for epoch in range(4):  # the second maps what the first has read
        if epoch == 2:
            os.truncate(next((path / "maps").glob("c.1*")), 0)
        same(batches_of(stream), batches_of(other))
        assert (stream.n_repaired > 0) == (epoch >= 2)


def test_a_missing_shard_and_a_link_are_damage(stored, tmp_path):
    for number, spoil in enumerate((lambda p: p.unlink(), _link)):
        path = tmp_path / f"{number}.zarr"
        shutil.copytree(stored["zarr"], path)
        spoil(next((path / "maps").glob("c.0*")))
        dataset = tersgen.open(path)
        with pytest.raises(DamagedDataError, match=r"maps/c\.0"):
            batches_of(Stream(dataset, ("maps",), Order(all_rows(dataset), 50, 2)))


def _link(path):
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def test_what_cannot_be_is_refused(dataset):
    order = Order(all_rows(dataset), 50, 2)
    with pytest.raises(UnknownFieldError, match="expected one of"):
        Stream(dataset, ("nothing",), order)
    with pytest.raises(ConfigError, match="expected a multiple of the 3 processes, got 50"):
        Stream(dataset, ("label",), order, Partition(0, 3))
    wide = Order(all_rows(dataset), 1500, 12)
    with pytest.raises(ConfigError, match=r"expected room for twice 12 blocks, .* got 1;"):
        Stream(dataset, tuple(dataset.fields), wide, config=StreamConfig(prefetch_mb=1))
    with pytest.raises(ConfigError, match="expected at most 3000"):
        Order(all_rows(dataset), 3001)
    with pytest.raises(ConfigError, match="expected a split named 'other', got default"):
        rows_of_part(dataset, DataConfig(path="x", split="other"), "train")
    with pytest.raises(ConfigError, match=r"got default \(did you mean 'default'\?\)$"):
        rows_of_part(dataset, DataConfig(path="x", split="defalt"), "train")


def test_threads_end_with_the_iteration(dataset):
    code = (
        "import sys, threading, tersgen\n"
        "from ters_train.data.order import Order\n"
        "from ters_train.data.rows import all_rows\n"
        "from ters_train.data.stream import Stream\n"
        "dataset = tersgen.open(sys.argv[1])\n"
        "stream = Stream(dataset, ('label',), Order(all_rows(dataset), 50, 2))\n"
        "for batch in stream:\n    break\n"
        "del batch\n"
        "import gc; gc.collect()\n"
        "print(sum(t.name == 'ters-train-read' for t in threading.enumerate()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(dataset.path)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


FEW_THREADS = """
import resource, sys, threading, tersgen
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream, StreamConfig
from tersgen.files import refused
dataset = tersgen.open(sys.argv[1])
order = Order(all_rows(dataset), 50, 2)
def count(stream):
    return sum(len(batch["label"]) for batch in stream)
stream = Stream(dataset, ("label",), order, config=StreamConfig(threads=2, prefetch_mb=1))
whole = count(stream)
threading.stack_size(1 << 30)  # a limit of memory decides how many threads there can be
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room = now + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    print(count(stream) == whole)
except RuntimeError as error:
    print(refused(error))
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address space")
@pytest.mark.parametrize(
    ("room_mb", "expected"),
    [
        (1536, "True"),
        (512, r"can't start new thread: the limit is \d+ MiB \(ulimit -v\); raise it"),
    ],
)
def test_memory_for_fewer_threads_is_used_and_for_none_named(dataset, room_mb, expected):
    done = subprocess.run(
        [sys.executable, "-c", FEW_THREADS, str(dataset.path), str(room_mb)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert re.fullmatch(expected, done.stdout.strip()), done


def test_rows_of_a_set_are_streamed_from_the_middle(dataset):
    rows = RowSet("some", 100, 433, dataset.block_rows)
    order = Order(rows, 10, 2, drop_last=False)
    found = np.concatenate([b["row"] for b in batches_of(Stream(dataset, ("label",), order))])
    assert sorted(found.tolist()) == list(range(100, 433))
    assert torch.is_tensor(next(iter(Stream(dataset, ("label",), order)))["row"])
