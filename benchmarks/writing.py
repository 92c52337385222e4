"""A build beside what bounds it: its processor time, and writing its bytes.

In each round every case runs once, one after the other; ratios are taken within a round. Nothing is
removed before the end: a file system takes longer to make files after others were removed.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

from generation import shard_sizes
from machine import Json, describe, spread, write_json
from numpy_generator import CANONICAL
from writers import write_raw

from tersgen.cpus import available_cpus
from tersgen.dataset.recipes import load_recipe
from tersgen.jobs.plan import Plan, make_plan
from tersgen.jobs.run import run
from tersgen.resolution import resolve

_RAW_THREADS = 2
MEMORY, RAW = "build on a memory disk", "raw writes alone"


def make_alone(plan: Plan, threads: int) -> None:
    """Make, hash and encode every run of rows as a build does, and drop it."""
    maker = plan.maker(plan.store())
    runs = (
        run for shard in range(plan.n_shards) for run in maker.units(shard, plan.rows_of(shard))
    )
    with ThreadPoolExecutor(threads) as pool:
        making = deque(pool.submit(maker.make, *one) for one in islice(runs, 2 * threads))
        while making:
            making.popleft().result()
            making.extend(pool.submit(maker.make, *one) for one in islice(runs, 1))


def timed(call: Callable[[], object]) -> Json:
    """Return the wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
    }


def measure(plan: Plan, folder: Path, memory: Path, rounds: int, threads: int) -> list[Json]:
    """Return the seconds of all cases in each round."""
    run(plan, folder / "sizes", threads=threads)
    sizes = shard_sizes(folder / "sizes")
    numbers = count()
    cases: dict[str, Callable[[], object]] = {
        "making alone": lambda: make_alone(plan, threads),
        MEMORY: lambda: run(plan, memory / "build", threads=threads),
        RAW: lambda: write_raw(folder / str(next(numbers)), sizes, True, _RAW_THREADS),
        "build": lambda: run(plan, folder / str(next(numbers)), threads=threads),
    }
    found = []
    for number in range(rounds):
        results: Json = {}
        for name, call in cases.items():
            results[name] = timed(call)
            shutil.rmtree(memory / "build", ignore_errors=True)
            shown = {key: round(value, 2) for key, value in results[name].items()}
            print(f"round {number + 1}  {name:<20} {shown}", flush=True)
        found.append(results)
    return found


def main() -> int:
    """Compare the wall time of a build with the larger of making and writing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="samples of a build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--compression", choices=("lz4", "none"), default="lz4")
    parser.add_argument("--out", type=Path, help="folder for temporary data, on the disk to test")
    parser.add_argument("--memory", type=Path, default="/dev/shm", help="folder on a memory disk")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    plan = make_plan(resolve(load_recipe(CANONICAL)), options.n, compression=options.compression)
    with (
        tempfile.TemporaryDirectory(dir=options.out, prefix="tersgen-benchmark-") as folder,
        tempfile.TemporaryDirectory(dir=options.memory, prefix="tersgen-benchmark-") as memory,
    ):
        rounds = measure(plan, Path(folder), Path(memory), options.rounds, options.threads)
    ratios = {}
    for computing in (MEMORY, "making alone"):
        ratios[f"build / the larger of {computing}, {RAW}"] = spread(
            [one["build"]["wall"] / max(one[computing]["wall"], one[RAW]["wall"]) for one in rounds]
        )
    result = {
        "machine": describe(),
        "n": options.n,
        "threads": options.threads,
        "compression": options.compression,
        "seconds": {
            name: {
                kind: spread([one[name][kind] for one in rounds]) for kind in ("wall", "processor")
            }
            for name in rounds[0]
        },
        "ratios of wall times": ratios,
    }
    for name, ratio in ratios.items():
        print(name, ratio)
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
