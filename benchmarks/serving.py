"""The rate at which virtual datasets are read through zarr, beside that of generation in memory.

A server and a client on this machine, which share its processors. ``in_memory`` makes rows with all
threads; ``http`` reads the same rows with zarr-python and obstore, eight requests in flight, either
what a training reads (spectra, maps, labels) or all fields. ``chunk`` is the time from a request to
its answer of a chunk that must be made, ``preview`` that of one row of a recipe that is new.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import zarr
from machine import Json, describe, write_json
from obstore.store import HTTPStore
from zarr.storage import ObjectStore

import tersgen
from tersgen.cpus import available_cpus
from tersgen.generator import Generator
from tersgen.schema.presets import PRESETS

IN_FLIGHT = 8
TRAINED = ("spectra", "maps", "cube", "label")
TOKEN = "0123456789abcdef0123456789abcdef"


@contextmanager
def server() -> Iterator[str]:
    """Run a server of an empty folder; its URL."""
    with tempfile.TemporaryDirectory() as place:
        root, token = Path(place) / "root", Path(place) / "token"
        root.mkdir()
        token.write_text(TOKEN)
        process = subprocess.Popen(
            [sys.executable, "-m", "tersgen", "serve", str(root), "--port", "0",
             "--token-file", str(token)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            yield re.sub(r"/\n", "", process.stdout.readline())
        finally:
            process.terminate()
            process.wait()


def in_memory(recipe: tersgen.Recipe, seconds: float) -> float:
    """Return rows per second that all threads make."""
    generator, rows = Generator(recipe), 512 * available_cpus()
    generator.stored_block(0, rows)
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        generator.stored_block(n, n + rows)
        n += rows
    return n / (time.perf_counter() - start)


class Reader:
    """Reads a virtual dataset from where it has not been read before."""

    def __init__(self, url: str, name: str) -> None:
        options = {"default_headers": {"Authorization": f"Bearer {TOKEN}"}, "allow_http": True}
        store = HTTPStore.from_url(f"{url}/virtual/{name}.zarr", client_options=options)
        group = zarr.open_group(ObjectStore(store, read_only=True), mode="r")
        nodes = group.metadata.consolidated_metadata.flattened_metadata
        names = [name for name, node in nodes.items()
                 if node.node_type == "array"]  # fmt: skip
        self.arrays = {name: group[name] for name in names if group[name].shape[0] > 1 << 20}
        self.rows = self.arrays["label"].chunks[0]
        self.at = 0

    def read(self, names: list[str], seconds: float) -> float:
        """Return rows per second, of which all fields of these names are read."""
        arrays = [self.arrays[name]._async_array for name in names]
        step = self.rows * max(1, IN_FLIGHT // len(arrays))

        async def part(start: int) -> None:
            rows = slice(start, start + step)
            await asyncio.gather(*(array.getitem((rows,)) for array in arrays))

        async def all_parts() -> int:
            n, begin = 0, time.perf_counter()
            while time.perf_counter() - begin < seconds:
                await part(self.at)
                self.at += step
                n += step
            return n

        start = time.perf_counter()
        n = zarr.core.sync.sync(all_parts())
        return n / (time.perf_counter() - start)


def answer_ms(url: str, method: str, paths: Iterator[tuple[str, bytes | None]], n: int) -> float:
    """Return the median time of an answer, in milliseconds."""
    connection = HTTPConnection(url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    times = []
    for _, (path, body) in zip(range(n), paths, strict=False):
        start = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - start)
        assert answer.status == 200, path
    return 1e3 * statistics.median(times)


def main() -> int:
    """Measure some presets."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--presets", nargs="+", default=["canonical", "realistic", "nearfield"])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the object store of zarr is marked experimental
    zarr.config.set({"async.concurrency": IN_FLIGHT, "threading.max_workers": os.cpu_count()})
    results: Json = {"machine": describe(), "in_flight": IN_FLIGHT, "recipes": {}}
    with server() as url:
        for name in arguments.presets:
            recipe = tersgen.resolve(tersgen.Recipe(**PRESETS[name]))
            reader = Reader(url, name)
            names = [one for one in TRAINED if one in reader.arrays]
            rounds: list[Json] = []
            for _ in range(arguments.rounds):
                memory = in_memory(recipe, arguments.seconds)
                trained = reader.read(names, arguments.seconds)
                whole = reader.read([*reader.arrays], arguments.seconds)
                rounds.append({"in_memory": memory, "http": trained, "http_all_fields": whole,
                               "share": trained / memory, "share_all": whole / memory})  # fmt: skip
            chunks = ((f"/virtual/{name}.zarr/label/c.{k}", None) for k in count(500_000))
            result: Json = {
                "chunk_rows": reader.rows,
                "rounds": rounds,
                **{key: statistics.median(one[key] for one in rounds) for key in rounds[0]},
                "chunk_ms": answer_ms(url, "GET", chunks, 10),
            }
            results["recipes"][name] = result
            print(name, {key: value for key, value in result.items() if key != "rounds"})
        bodies = (
            ("/api/v1/preview", b'{"recipe": {"grid": {"n_points": %d}}, "index": 7}' % k)
            for k in count(1000)
        )
        results["preview_ms"] = answer_ms(url, "POST", bodies, 20)
        print("preview", results["preview_ms"])
    if arguments.json:
        write_json(arguments.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
