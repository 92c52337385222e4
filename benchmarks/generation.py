"""Generation and building side by side with NumPy, other writers, and what the hardware allows.

All cases run one after the other in each round, and ratios are taken within a round, so that a
machine that slows down slows both sides. Rates are samples per second of the canonical sample.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from machine import Json, describe, spread, write_json
from numpy_generator import CANONICAL, SCHEMES, NumpyGenerator, check_statistics
from writers import numpy_to_hdf5, numpy_to_zarr, tensorstore_build, write_raw

from tersgen.cpus import available_cpus
from tersgen.dataset.recipes import load_recipe
from tersgen.generator import Buffer, Generator
from tersgen.jobs.chunks import unit_rows
from tersgen.jobs.finish import Origin
from tersgen.jobs.plan import SHARDS_IN_FLIGHT, Plan, make_plan
from tersgen.jobs.rows import GeneratedRuns
from tersgen.jobs.run import run
from tersgen.recipe import Recipe
from tersgen.resolution import resolve
from tersgen.store.digest import leaf_digests
from tersgen.store.encode import checksum, encode_chunk

_WRITER_ROWS = 256
_MEMORY_ROWS = 32768
_COPIES = 4
_PART_REPEATS = 40


class Case(NamedTuple):
    """One thing to be timed: it handles ``n`` samples."""

    name: str
    n: int
    call: Callable[[], object]


class Ratio(NamedTuple):
    """A ratio of the rates of two cases."""

    name: str
    over: str
    under: str


class Pregenerated(Generator):
    """A generator that fills each buffer once: a build with it is encoding and writing alone."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._filled: weakref.WeakSet[Buffer] = weakref.WeakSet()

    def fill(self, start: int, buffer: Buffer, n_rows: int | None = None) -> None:  # noqa: ARG002
        """Generate rows only if the buffer is new; each thread of a build has its own."""
        if buffer not in self._filled:
            super().fill(start, buffer)
            self._filled.add(buffer)


def generate_alone(generator: Generator, buffers: list[Buffer], n: int) -> None:
    """Generate ``n`` rows with a thread for each buffer, again and again into the same memory."""
    rows = buffers[0].n_rows
    starts = iter(range(0, n, rows))
    lock = threading.Lock()

    def work(buffer: Buffer) -> None:
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            generator.fill(start, buffer, min(rows, n - start))

    threads = [threading.Thread(target=work, args=(buffer,)) for buffer in buffers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def numpy_alone(peer: NumpyGenerator, n: int) -> None:
    """Generate ``n`` rows, a multiple of the peer's batch."""
    for _ in range(n // peer.rows):
        peer.batch()


def shard_sizes(dataset: Path) -> list[int]:
    """Return the sizes of all files of a dataset that hold chunks."""
    return [
        path.stat().st_size for path in sorted(dataset.rglob("*")) if path.name.startswith("c.")
    ]


class Bench:
    """The cases, and the temporary data they share."""

    def __init__(self, generator: Generator, n: int, folder: Path, threads: int) -> None:
        self.generator, self.n, self.folder, self.threads = generator, n, folder, threads
        recipe = generator.recipe
        self.plan = make_plan(recipe, n)
        self.buffers = [generator.buffer(_WRITER_ROWS) for _ in range(threads)]
        self.peers = {scheme: NumpyGenerator(recipe, scheme) for scheme in SCHEMES}
        self.writing_peer = NumpyGenerator(recipe, "boxmuller", _WRITER_ROWS)
        rows = min(n, _MEMORY_ROWS)
        self.source = generator.block(0, rows)
        self.target = {name: np.ones_like(values) for name, values in self.source.items()}
        run(self.plan, self._new("sizes"))
        self.sizes = shard_sizes(folder / "sizes")
        shutil.rmtree(folder / "sizes")

    def _new(self, name: str) -> Path:
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return path

    def _made_before(self) -> Origin:
        """Return rows that take no time to make."""
        rows = unit_rows(self.plan.table, self.plan.layout)
        return Origin("build", rows=GeneratedRuns(Pregenerated(self.plan.recipe), rows))

    def _copy(self) -> None:
        for _ in range(_COPIES):
            for name, values in self.source.items():
                np.copyto(self.target[name], values)

    def cases(self) -> list[Case]:
        """Return what is timed, in order."""
        n, folder, threads = self.n, self.folder, self.threads
        small = max(_WRITER_ROWS, n // 20 // _WRITER_ROWS * _WRITER_ROWS)
        sealers = SHARDS_IN_FLIGHT - 1
        rows = len(self.source["label"])
        memory = max(_WRITER_ROWS, n // 4)
        cases = [
            Case(
                "tersgen, 1 thread", memory,
                lambda: generate_alone(self.generator, self.buffers[:1], memory),
            ),
            Case(
                f"tersgen, {threads} threads", memory,
                lambda: generate_alone(self.generator, self.buffers, memory),
            ),
        ]  # fmt: skip
        for scheme, peer in self.peers.items():
            cases.append(Case(f"numpy {scheme}", small, partial(numpy_alone, peer, small)))
        return [
            *cases,
            Case("memcpy of the rows", rows * _COPIES, self._copy),
            Case("build", n, lambda: run(self.plan, folder / "build", threads=threads)),
            Case(
                "encoding and writing alone", n,
                lambda: run(
                    self.plan, folder / "writing", threads=threads, origin=self._made_before()
                ),
            ),
            Case(
                "generation alone", n,
                lambda: generate_alone(self.generator, self.buffers, n),
            ),
            Case(
                "build through TensorStore", n,
                lambda: tensorstore_build(self.plan, folder / "tensorstore", threads),
            ),
            Case(
                "raw files, buffered", n,
                lambda: write_raw(folder / "raw_b", self.sizes, False, sealers),
            ),
            Case(
                "raw files, direct", n,
                lambda: write_raw(folder / "raw_d", self.sizes, True, sealers),
            ),
            Case(
                "numpy to h5py gzip", small,
                lambda: numpy_to_hdf5(self.writing_peer, folder / "peer.h5", small),
            ),
            Case(
                "numpy to zarr-python", small,
                lambda: numpy_to_zarr(self.writing_peer, folder / "peer.zarr", small),
            ),
        ]  # fmt: skip

    def clean(self) -> None:
        """Remove what the last case wrote; not timed."""
        for path in self.folder.iterdir():
            self._new(path.name)


def ratios(threads: int) -> list[Ratio]:
    """Return the comparisons that are reported."""
    ours = f"tersgen, {threads} threads"
    return [
        Ratio("threads scaling", ours, "tersgen, 1 thread"),
        *(Ratio(f"tersgen / numpy {scheme}", ours, f"numpy {scheme}") for scheme in SCHEMES),
        *(
            Ratio(f"tersgen, 1 thread / numpy {scheme}", "tersgen, 1 thread", f"numpy {scheme}")
            for scheme in SCHEMES
        ),
        Ratio("memcpy / tersgen", "memcpy of the rows", ours),
        Ratio("build / numpy to h5py gzip", "build", "numpy to h5py gzip"),
        Ratio("build / numpy to zarr-python", "build", "numpy to zarr-python"),
        Ratio("build / build through TensorStore", "build", "build through TensorStore"),
        Ratio("raw files, buffered / build", "raw files, buffered", "build"),
        Ratio("raw files, direct / build", "raw files, direct", "build"),
    ]


def chunk_parts(generator: Generator, plan: Plan) -> Json:
    """Return the thread time of the parts of one unit of a build, and their shares of the whole.

    One thread; the unit as a whole is timed apart, as the build runs it.
    """
    maker = plan.maker(plan.store())
    rows = maker.unit_rows
    buffer = generator.buffer(rows)
    arrays = [(buffer.arrays[spec.name], spec) for spec in generator.table]
    maker.make(0, rows)
    generator.fill(0, buffer)
    chunks = [encode_chunk(values, spec) for values, spec in arrays]

    def digest() -> None:
        for values, _ in arrays:
            leaf_digests(values, rows)

    def encode() -> None:
        for values, spec in arrays:
            encode_chunk(values, spec)

    def check() -> None:
        for chunk in chunks:
            checksum(chunk.payload)

    parts: dict[str, Callable[[], object]] = {
        "generate": lambda: generator.fill(0, buffer),
        "logical digest": digest,
        "compress and CRC32C": encode,
        "CRC32C": check,
        "whole unit": lambda: maker.make(0, rows),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(_PART_REPEATS):
        for name, call in parts.items():
            start = time.thread_time()
            call()
            times[name].append(time.thread_time() - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    seconds["compress"] = seconds.pop("compress and CRC32C") - seconds["CRC32C"]
    whole = seconds.pop("whole unit")
    return {
        "rows": rows,
        "microseconds_per_sample": {
            name: round(value / rows * 1e6, 3) for name, value in seconds.items()
        },
        "whole": round(whole / rows * 1e6, 3),
        "share": {name: round(value / whole, 4) for name, value in seconds.items()},
    }


def measure(bench: Bench, rounds: int) -> tuple[Json, Json]:
    """Run all cases in each round; return rates and ratios."""
    cases = bench.cases()
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    rates: dict[str, list[float]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            start = time.perf_counter()
            case.call()
            taken = time.perf_counter() - start
            bench.clean()
            seconds[case.name].append(taken)
            rates[case.name].append(case.n / taken)
            print(f"round {number + 1}  {case.name:<28} {case.n / taken:>12,.0f} samples/s")
    compared = {
        ratio.name: spread(
            [a / b for a, b in zip(rates[ratio.over], rates[ratio.under], strict=True)]
        )
        for ratio in ratios(bench.threads)
    }
    alone = [seconds["generation alone"], seconds["encoding and writing alone"]]
    walls = list(zip(seconds["build"], *alone, strict=True))
    compared["wall(build) / max(generation, writing)"] = spread(
        [b / max(g, w) for b, g, w in walls]
    )
    compared["wall(build) / (generation + writing)"] = spread([b / (g + w) for b, g, w in walls])
    return {name: spread(values) for name, values in rates.items()}, compared


def main() -> int:
    """Compare tersgen's generation and building with NumPy, other writers and the hardware."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=200_000, help="samples of a build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--out", type=Path, help="folder for temporary data, on the disk to test")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--skip-check", action="store_true", help="leave the statistics unchecked")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    generator = Generator(resolve(load_recipe(CANONICAL)))
    agreement = {}
    if not options.skip_check:
        agreement = {scheme: check_statistics(generator.recipe, scheme) for scheme in SCHEMES}
    with tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-benchmark-") as folder:
        bench = Bench(generator, options.n, Path(folder), options.threads)
        rates, compared = measure(bench, options.rounds)
        row_bytes, stored = bench.plan.row_bytes, sum(bench.sizes)
    result = {
        "machine": describe(),
        "n": options.n,
        "threads": options.threads,
        "row_bytes": row_bytes,
        "stored_bytes_per_sample": round(stored / options.n, 1),
        "samples_per_s": rates,
        "ratios": compared,
        "unit_of_a_build": chunk_parts(generator, bench.plan),
        "largest_z_against_numpy": agreement,
    }
    print(f"\n{'ratio of rates, higher is better':<44} {'median':>8} {'min':>8} {'max':>8}")
    for name, value in compared.items():
        print(f"{name:<44} {value['median']:>8.4g} {value['min']:>8.4g} {value['max']:>8.4g}")
    print("\nthread time of a unit of a build, microseconds a sample:", result["unit_of_a_build"])
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
