"""Rows one at a time: batches of ``Samples`` beside the stream, single rows beside a fancy index.

Rates are the best of some epochs, all of one run; see ``docs/decisions/0044-samples.md``.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe, write_json
from torch.utils.data import DataLoader

import tersgen
from ters_train import Order, Samples, Stream, all_rows


class Obvious:
    """What one writes first: a sample at a time."""

    def __init__(self, dataset: tersgen.Dataset, fields: list[str]) -> None:
        self.fields = [dataset[name] for name in fields]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.fields[0])

    def __getitem__(self, index: int) -> list[Any]:
        """Return a row of each field."""
        return [field[index] for field in self.fields]


def rate(batches: Iterable[Any], rows: int) -> float:
    """Return the rows per second of an epoch."""
    start = time.perf_counter()
    n = sum(1 for _ in batches) * rows
    return n / (time.perf_counter() - start)


def loaders(path: str, fields: list[str], size: int, epochs: int, obvious: int) -> dict[str, float]:
    """Return the rows per second of each way to read shuffled batches."""
    dataset = tersgen.open(path)
    order = Order(all_rows(dataset), size, seed=1)
    row_bytes = sum(dataset[name].spec.value_bytes for name in fields)
    whole_mb = 1.2 * max(len(dataset), 2 * dataset.block_rows) * row_bytes / 1e6
    some_mb = 40 * dataset.block_rows * row_bytes / 1e6

    def shuffled() -> DataLoader[Any]:
        samples = Samples(dataset, fields, whole_mb)
        return DataLoader(samples, batch_size=size, shuffle=True, drop_last=True)

    def ordered(memory_mb: float) -> DataLoader[Any]:
        samples = Samples(dataset, fields, memory_mb)
        return DataLoader(samples, batch_sampler=samples.batches(size, seed=1))

    few = tersgen.open(path).select(rows=slice(obvious))
    one_by_one: Any = Obvious(few, fields)
    rate(Stream(dataset, fields, order), size)  # files come into the cache of the system
    ways: dict[str, Any] = {
        "stream": Stream(dataset, fields, order),
        "shuffle=True": shuffled(),
        "samples.batches, all in memory": ordered(whole_mb),
        "samples.batches, 40 blocks in memory": ordered(some_mb),
    }
    found = {f"{name}, first epoch": rate(ways[name], size) for name in ("stream", "shuffle=True")}
    for _ in range(epochs):  # in turn: other work on the machine is shared
        for name, batches in ways.items():
            found[name] = max(found.get(name, 0.0), rate(batches, size))
    found["a sample at a time"] = rate(DataLoader(one_by_one, size, shuffle=True), size)
    return found


def single_rows(path: str, n: int) -> dict[str, dict[str, float]]:
    """Return the seconds for random rows of all fields: at once, and one at a time, in turn."""
    rows = np.random.default_rng(0).integers(0, len(tersgen.open(path)), n)
    ways: dict[str, Callable[[tersgen.Dataset], object]] = {
        "at once": lambda dataset: dataset[rows],
        "one at a time": lambda dataset: [dataset[row] for row in rows],
    }
    seconds = dict.fromkeys(ways, (np.inf, np.inf))
    for _ in range(5):
        for name, read in ways.items():
            dataset = tersgen.open(path)
            start, used = time.perf_counter(), time.process_time()
            read(dataset)
            found = time.perf_counter() - start, time.process_time() - used
            seconds[name] = min(seconds[name][0], found[0]), min(seconds[name][1], found[1])
    wall, processor = zip(*(seconds[name] for name in ways), strict=True)
    return {
        what: {
            **{name: round(value, 4) for name, value in zip(ways, values, strict=True)},
            "ratio": round(values[1] / values[0], 2),
        }
        for what, values in (("seconds", wall), ("processor_seconds", processor))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--fields", nargs="+")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--obvious", type=int, default=2000, help="rows of the obvious way")
    parser.add_argument("--rows", type=int, default=1000, help="single rows")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", tersgen.TersWarning)
    dataset = tersgen.open(options.data)
    fields = options.fields or list(dataset.fields)
    rates = loaders(options.data, fields, options.batch_size, options.epochs, options.obvious)
    result = {
        "machine": describe(),
        "rows": len(dataset),
        "fields": fields,
        "batch_size": options.batch_size,
        "samples_per_s": {name: round(value) for name, value in rates.items()},
        "times_slower_than_stream": {
            name: round(rates["stream"] / value, 2) for name, value in rates.items()
        },
        "single_rows": {"rows": options.rows, **single_rows(options.data, options.rows)},
    }
    write_json(options.json, result)


if __name__ == "__main__":
    main()
