"""Epochs of datasets that are mapped or read, beside a float32 memory map, in one process.

All fields, two threads, in memory. In each round every case runs once, one after the other. Ratios
are those of the smallest times: on a machine that others use, too, these are disturbed least.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

from loader import compare_sums
from loader_stock import ALL_PEERS, Stock
from machine import Json, describe, spread, write_json

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from common import Batch, sums, timed
from memmap import read as read_memmap

from ters_train.config import StreamConfig
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.dataset.opening import open as open_dataset
from tersgen.store import shard_files

_BATCH = 256
_THREADS = 2
MEMMAPS = ("one flat matrix, new batches", "an array for each field, two batches used in turn")
OURS = {"Zarr, LZ4": "dataset.zarr", "Zarr, not compressed": "plain.zarr", "HDF5": "dataset.h5"}

Epoch = Callable[[], Iterator[Batch]]


class Case:
    """A dataset that is streamed epoch after epoch, mapped or not."""

    def __init__(self, path: Path, n: int, mapping: bool) -> None:
        dataset = open_dataset(path, n)
        order = Order(all_rows(dataset), _BATCH, drop_last=False)
        self._stream = Stream(
            dataset, tuple(dataset.fields), order, config=StreamConfig(threads=_THREADS)
        )
        self._mapping = mapping

    def epoch(self) -> Iterator[Batch]:
        """Yield the batches of the next epoch."""
        unmapped = patch.object(shard_files, "mapped", lambda _: None)
        with nullcontext() if self._mapping else unmapped:
            yield from self._stream


def measure(stock: Stock, rounds: int) -> tuple[Json, Json]:
    """Return what each case took in each round, and the ratios to the best memory map."""
    cases: dict[str, Epoch] = {}
    for name, path in OURS.items():
        for how in ("read",) if "LZ4" in name else ("mapped", "read"):
            cases[f"{name}, {how}"] = Case(stock.source / path, stock.n, how == "mapped").epoch
    maps = {
        f"memory map, {setting}": read_memmap(stock.data / "memmap", _BATCH, setting)
        for setting in MEMMAPS
    }
    cases |= maps
    expected = sums(cases["Zarr, LZ4, read"]())
    for name in [one for one in cases if one not in maps]:  # the first epoch reads, the second maps
        for _ in range(2):
            compare_sums(sums(cases[name]()), expected)
    taken: dict[str, list[Json]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, epoch in cases.items():
            taken[name].append(timed(epoch))
    result: Json = {}
    ratios: Json = {}
    for clock in ("seconds", "cpu_seconds"):
        least = {name: min(one[clock] for one in all_) for name, all_ in taken.items()}
        base = min(least[name] for name in maps)
        for name, all_ in taken.items():
            result.setdefault(name, {})[f"{clock} an epoch"] = spread([one[clock] for one in all_])
            ratios.setdefault(name, {})[clock] = round(base / least[name], 3)
    return result, ratios


def main() -> int:
    """Compare mapped and read datasets with a float32 memory map."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=32768)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--data", type=Path, help="folder for files, kept for reuse")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tersgen-benchmark-") as folder:
        data = options.data or Path(folder)
        peers = [peer for peer in ALL_PEERS if peer.name == "memmap"]
        stock = Stock(data, data / "envs", options.n, peers)
        stock.prepare(None)
        times, ratios = measure(stock, options.rounds)
    print(f"{'rate over that of the best memory map':<62} {'wall':>6} {'processor':>9}")
    for name, ratio in ratios.items():
        print(f"{name:<62} {ratio['seconds']:>6} {ratio['cpu_seconds']:>9}")
    result = {
        "machine": describe(), "n": options.n, "rounds": options.rounds, "threads": _THREADS,
        "times": times, "rate over that of the best memory map": ratios,
    }  # fmt: skip
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
