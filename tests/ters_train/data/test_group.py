"""The ranks of a process group of torch.distributed share each batch, asked to or not."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError

BATCH_SIZE = 60

SERVER = """
import json, os, sys, traceback, tersgen, tersgen.numeric.fixed, tersgen.numeric.rows
from tersgen.random.assignment import shuffled
from torch import distributed
from torch.utils.data import DataLoader
from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError

def stream(size=60, *partition):
    dataset = tersgen.open(path)
    return Stream(dataset, ["label"], Order(all_rows(dataset), size, 2, seed=7), *partition)

def join():
    distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=world
    )

def rows(batches):
    return [batch["row"].tolist() for batch in batches]

def answer(code, out):
    global said
    try:
        exec(code, globals())
        if distributed.is_initialized():
            distributed.destroy_process_group()
    except BaseException:
        said = traceback.format_exc()
    with open(out, "w") as file:
        json.dump(said, file)

if __name__ == "__main__":
    shuffled(2, 0)  # the first kernel of a process takes a third of a second
    for line in sys.stdin:
        path, file, world, code = json.loads(line)
        outs = [f"{file}-{rank}" for rank in range(world)]
        started = []
        for rank, out in enumerate(outs):
            started.append(os.fork())
            if not started[-1]:
                answer(code, out)
                os._exit(0)
        for pid in started:
            os.waitpid(pid, 0)
        print(json.dumps(outs), flush=True)
"""
"""Runs code in processes that are forked from it: each has what it would take seconds to import."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    script = tmp_path_factory.mktemp("server") / "ranks.py"
    script.write_text(SERVER)
    process = subprocess.Popen(
        [sys.executable, script], stdin=-1, stdout=-1, text=True,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    yield process
    process.communicate(timeout=60)


@pytest.fixture
def said_by(server, stored, tmp_path):
    """Return a function that runs code in real processes, and returns what each has said."""

    def run(code: str, world: int = 2) -> list:
        request = [str(stored["zarr"]), str(tmp_path / "store"), world, code]
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        said = [json.loads(Path(out).read_text()) for out in json.loads(server.stdout.readline())]
        assert [one for one in said if isinstance(one, str)] == []
        return said

    return run


@pytest.fixture
def batches(dataset):
    """Return the rows of each batch of the first two epochs, without any group."""
    stream = Stream(dataset, ["label"], Order(all_rows(dataset), BATCH_SIZE, 2, seed=7))
    return [[batch["row"].tolist() for batch in stream] for _ in range(2)]


def process_group(ranks: list) -> list:
    return [list(chain(*parts)) for parts in zip(*ranks, strict=True)]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_each_batch_and_the_order_is_that_of_one(said_by, batches, world):
    ranks = said_by("join()\none = stream()\nsaid = [rows(one), rows(one)]", world)
    for epoch in range(2):
        assert process_group([rank[epoch] for rank in ranks]) == batches[epoch]


def test_a_stream_that_is_older_than_the_group_is_shared_from_the_next_epoch_on(said_by, batches):
    code = "one = stream()\nfirst = rows(one)\njoin()\nsaid = [first, rows(one)]"
    ranks = said_by(code)
    assert [rank[0] for rank in ranks] == [batches[0]] * 2
    assert process_group([rank[1] for rank in ranks]) == batches[1]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("context", "n_workers"), [("spawn", 1), ("fork", 2)])
def test_workers_of_a_data_loader_work_for_their_rank(said_by, batches, context, n_workers):
    code = f"""
join()
loader = DataLoader(
    stream(), batch_size=None, num_workers={n_workers}, multiprocessing_context="{context}"
)
said = rows(loader)
"""
    assert process_group(said_by(code)) == batches[0]


def test_a_stream_that_one_rank_sends_to_the_others_is_shared(said_by, batches):
    code = """
join()
sent = [stream()]
distributed.broadcast_object_list(sent, 0)
said = rows(sent[0])
"""
    assert process_group(said_by(code)) == batches[0]


def test_a_partition_that_contradicts_the_group_is_refused(said_by, batches):
    code = """
early = stream(60, Partition(0, 1))
join()
said = []
for make in (
    lambda: stream(60, Partition(0, 1)),
    lambda: stream(60, Partition(1 - rank, 2)),
    lambda: next(iter(early)),
    lambda: stream(75),
):
    try:
        make()
        said.append("")
    except ConfigError as error:
        said.append(str(error))
said.append(rows(stream(60, Partition(rank, 2))))
said.append(rows(stream(60, Partition(0, 1, apart=True))))
"""
    ranks = said_by(code)
    for rank, said in enumerate(ranks):
        expected = f"expected rank {rank} of 2, as in the process group"
        assert expected in said[0]
        assert f"{expected} of torch.distributed, got rank {1 - rank} of 2" in said[1]
        assert expected in said[2]
        assert said[3] == "batch size: expected a multiple of the 2 processes, got 75"
        assert said[5] == batches[0]
    assert process_group([said[4] for said in ranks]) == batches[0]


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_is_none_of_them_is_refused(rank, world):
    with pytest.raises(ConfigError, match=f"below the {world} processes, got {rank}"):
        Partition(rank, world)


def test_processes_that_were_launched_without_a_group_are_refused(said_by, batches):
    code = """
os.environ["WORLD_SIZE"] = "2"
said = []
from ters_train.data.samples import Samples
one = stream()
samples = Samples(tersgen.open(path), ["label"])
for read in (one, samples.batches(60), DataLoader(stream(), batch_size=None)):
    try:
        next(iter(read))
        said.append("")
    except ConfigError as error:
        said.append(str(error))
said.append(rows(stream(60, Partition(rank, 2))))
join()
said.append(rows(one))
"""
    ranks = said_by(code)
    for *refused, _, _ in ranks:
        for text in refused:
            assert "WORLD_SIZE is 2, got none, so that all processes would get the same" in text
    for k in (3, 4):
        assert process_group([said[k] for said in ranks]) == batches[0]


def test_batches_of_samples_are_shared_by_the_group(said_by, batches):
    code = """
join()
from ters_train.data.samples import Samples
samples = Samples(tersgen.open(path), ["label"])
said = rows(DataLoader(samples, batch_sampler=samples.batches(60, seed=7, mix_blocks=2)))
"""
    assert process_group(said_by(code)) == batches[0]
