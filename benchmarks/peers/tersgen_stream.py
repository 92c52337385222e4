"""tersgen's own stream, with everything that can be turned on it; and generation without it."""

import argparse
import json
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from common import Batch, Epoch, measure, sums, timed

from ters_train.config import StreamConfig
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen.cpus import available_cpus
from tersgen.dataset.opening import open as open_dataset
from tersgen.dataset.recipes import load_recipe
from tersgen.generator import Buffer, Generator
from tersgen.store import shard_files

_GENERATED_ROWS = 256


def slow_reads(seconds: float) -> ExitStack:
    """Make every read take so much longer, as on a network, with the GIL released."""
    stack = ExitStack()
    for name in ("pread", "preadv"):
        real = getattr(os, name)

        def slow(*arguments: Any, real: Any = real) -> Any:
            time.sleep(seconds)
            return real(*arguments)

        stack.enter_context(patch.object(os, name, slow))
    return stack


def widened(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches with float16 as float32."""
    for batch in batches:
        yield {
            name: value.float() if value.dtype == torch.float16 else value
            for name, value in batch.items()
        }


def generate(path: Path, n: int) -> dict[str, Any]:
    """Time the generation of all fields in memory, by all processors, into memory used again."""
    from tersgen.resolution import resolve

    generator = Generator(resolve(load_recipe(path)))
    buffers = [generator.buffer(_GENERATED_ROWS) for _ in range(available_cpus())]

    def work(buffer: Buffer, starts: Iterator[int]) -> None:
        while (start := next(starts, None)) is not None:
            generator.fill(start, buffer, min(_GENERATED_ROWS, n - start))

    def everything() -> None:
        starts = iter(range(0, n, _GENERATED_ROWS))
        threads = [threading.Thread(target=work, args=(buffer, starts)) for buffer in buffers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for buffer in buffers:
        generator.fill(0, buffer)
    start = time.perf_counter()
    everything()
    return {"samples": n, "seconds": time.perf_counter() - start}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch_memory(epoch: Epoch, n_epochs: int) -> dict[str, Any]:
    """Return resident memory after each epoch, and its peak so far."""
    after, peaks = [], []
    for _ in range(n_epochs):
        timed(epoch)
        after.append(round(_resident_mb(), 1))
        peaks.append(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3, 1))
    return {"resident_mb": after, "peak_mb": peaks}


def main() -> None:
    """Read an epoch of a dataset or a recipe."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--n", type=int, default=100_000, help="rows of a recipe")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fields", nargs="+")
    parser.add_argument("--widen", action="store_true", help="float16 to float32")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds added to each read")
    parser.add_argument("--reads", action="store_true", help="map no file")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--generate", action="store_true", help="generate only, in memory")
    parser.add_argument("--memory", type=int, default=0, help="watch memory over so many epochs")
    parser.add_argument("--check", action="store_true", help="print sums of fields, no times")
    options = parser.parse_args()
    if options.generate:
        print(json.dumps(generate(options.path, options.n)))
        return
    if options.reads:
        patch.object(shard_files, "mapped", lambda _: None).start()
    streams: list[Stream] = []

    def open_epoch() -> Epoch:
        dataset = open_dataset(options.path, options.n)
        order = Order(all_rows(dataset), options.batch, drop_last=False)
        config = StreamConfig(threads=options.threads)
        stream = Stream(dataset, options.fields or tuple(dataset.fields), order, config=config)
        streams.append(stream)
        return lambda: widened(iter(stream)) if options.widen else stream

    result: dict[str, Any]
    if options.check:
        result = {"sums": sums(open_epoch()())}
    elif options.memory:
        result = watch_memory(open_epoch(), options.memory)
    else:
        folder = options.path
        if folder.suffix == ".h5":
            folder = folder.with_name(folder.name + ".d")
        if options.delay:
            epoch = open_epoch()
            with slow_reads(options.delay):
                first = timed(epoch)
                result = timed(epoch)
            result["first_epoch_seconds"] = first["seconds"]
        elif folder.is_dir():
            result = measure(open_epoch, folder, options.cold)
        else:
            timed(open_epoch())
            result = timed(open_epoch())
        times = streams[-1].times
        result["threads"] = times.n_threads
        result["thread_seconds"] = {
            "read": times.threads.read,
            "decode": times.threads.decode,
            "gather": times.threads.gather,
        }
        result["waited_seconds"] = times.waited
    print(json.dumps(result))


if __name__ == "__main__":
    main()
