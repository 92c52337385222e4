"""The ranks of a process group of torch.distributed share each batch, asked to or not."""

import json
import os
import subprocess
import sys
from itertools import chain

import pytest

from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError

BATCH_SIZE = 60

START = """
import json, pickle, sys, tersgen
from torch import distributed
from torch.utils.data import DataLoader
from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.errors import ConfigError

path, file, rank, world = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def join():
    distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=world
    )

def stream(size=60, *partition):
    dataset = tersgen.open(path)
    return Stream(dataset, ["label"], Order(all_rows(dataset), size, 2, seed=7), *partition)

def rows(batches):
    return [batch["row"].tolist() for batch in batches]

def main():
__CODE__
    print(json.dumps(said))
    if distributed.is_initialized():
        distributed.destroy_process_group()

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def said_by(stored, tmp_path):
    """Return a function that runs code in real processes, and returns what each has said."""

    def run(code: str, world: int = 2) -> list:
        script = tmp_path / "ranks.py"
        body = "\n".join(f"    {line}" for line in code.strip().splitlines())
        script.write_text(START.replace("__CODE__", body))
        store = tmp_path / f"store-{world}"
        commands = [
            [sys.executable, script, stored["zarr"], store, str(rank), str(world)]
            for rank in range(world)
        ]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
        started = [
            subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment)
            for command in commands
        ]
        ends = [process.communicate(timeout=240) for process in started]
        for process, (_, errors) in zip(started, ends, strict=True):
            assert process.returncode == 0, errors
        return [json.loads(said) for said, _ in ends]

    return run


@pytest.fixture
def batches(dataset):
    """Return the rows of each batch of the first two epochs, without any group."""
    stream = Stream(dataset, ["label"], Order(all_rows(dataset), BATCH_SIZE, 2, seed=7))
    return [[batch["row"].tolist() for batch in stream] for _ in range(2)]


def joined(ranks: list) -> list:
    return [list(chain(*parts)) for parts in zip(*ranks, strict=True)]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_share_each_batch_and_the_order_is_that_of_one(said_by, batches, world):
    ranks = said_by("join()\none = stream()\nsaid = [rows(one), rows(one)]", world)
    for epoch in range(2):
        assert joined([rank[epoch] for rank in ranks]) == batches[epoch]


def test_a_stream_that_is_older_than_the_group_is_shared_from_the_next_epoch_on(said_by, batches):
    code = "one = stream()\nfirst = rows(one)\njoin()\nsaid = [first, rows(one)]"
    ranks = said_by(code)
    assert [rank[0] for rank in ranks] == [batches[0]] * 2
    assert joined([rank[1] for rank in ranks]) == batches[1]


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_workers_of_a_data_loader_work_for_their_rank(said_by, batches, context):
    code = f"""
join()
loader = DataLoader(stream(), batch_size=None, num_workers=2, multiprocessing_context="{context}")
said = rows(loader)
"""
    assert joined(said_by(code)) == batches[0]


def test_a_stream_that_one_rank_sends_to_the_others_is_shared(said_by, batches):
    code = """
join()
sent = [stream()]
distributed.broadcast_object_list(sent, 0)
said = rows(sent[0])
"""
    assert joined(said_by(code)) == batches[0]


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
    assert joined([said[4] for said in ranks]) == batches[0]


@pytest.mark.parametrize(("rank", "world"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_is_none_of_them_is_refused(rank, world):
    with pytest.raises(ConfigError, match=f"below the {world} processes, got {rank}"):
        Partition(rank, world)
