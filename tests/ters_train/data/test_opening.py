"""Which files a rank opens: those of its own blocks, when it needs them, and no others."""

import ctypes
import os
import re
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest

import tersgen
from ters_train.data.order import Order, Partition
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")

N_SHARDS = 24
FIELDS = ["spectra", "label"]
N_FILES = {"zarr": 2, "hdf5": 1}
"""Files of these fields in a shard."""
_IN_OPEN, _IN_ISDIR = 0x20, 0x40000000


class Opened:
    """Sees which files below a folder are opened, by whatever means: inotify."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._file >= 0, os.strerror(ctypes.get_errno())
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        self._folders = {
            libc.inotify_add_watch(self._file, bytes(path), _IN_OPEN): path for path in folders
        }
        assert -1 not in self._folders, os.strerror(ctypes.get_errno())
        self._root = folder

    def files(self) -> Counter[str]:
        """Return how often each file was opened since this was last called."""
        found: Counter[str] = Counter()
        while True:
            try:
                data = os.read(self._file, 1 << 16)
            except BlockingIOError:
                return found
            while data:
                watch, mask, _, size = struct.unpack_from("iIII", data)
                name = data[16 : 16 + size].rstrip(b"\0").decode()
                data = data[16 + size :]
                if not mask & _IN_ISDIR:
                    found[str((self._folders[watch] / name).relative_to(self._root))] += 1

    def close(self) -> None:
        os.close(self._file)


@pytest.mark.parametrize("back_end", ["zarr", "hdf5"])
def test_a_rank_opens_the_shards_of_its_blocks_once_and_no_others(tiny_recipe, tmp_path, back_end):
    plan = make_plan(tiny_recipe, 256 * N_SHARDS, back_end, chunk_rows=64, shard_rows=256)
    run(plan, tmp_path / "data")
    opened = Opened(tmp_path)
    try:
        dataset = tersgen.open(tmp_path / "data")
        order = Order(all_rows(dataset), batch_size=32, mix_blocks=4)
        streams = [Stream(dataset, FIELDS, order, Partition(rank, 2)) for rank in range(2)]
        before = opened.files()
        assert sorted(Path(name).name for name in before) == ["manifest.json", "recipe.json"]

        shards: list[set[int]] = []
        for rank, stream in enumerate(streams):
            assert sum(1 for _ in stream) == order.n_batches
            files = opened.files()
            assert set(files.values()) == {1}
            blocks = {visit.block for visit in order.visits(0, partition=Partition(rank, 2))}
            numbers = Counter(int(re.findall(r"[0-9]+", Path(name).name)[0]) for name in files)
            assert numbers == dict.fromkeys(blocks, N_FILES[back_end])
            shards.append(blocks)
        assert [len(one) for one in shards] == [N_SHARDS // 2] * 2
        assert set.union(*shards) == {*range(N_SHARDS)}
    finally:
        opened.close()
