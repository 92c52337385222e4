"""What growing costs: builds of many tiny shards, opening them, workers beside one process.

Shards are as small as they may be, so that what is measured is the price of a shard and not of its
rows. Put ``--folder`` on a file system in memory to leave out the disk.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from machine import Json, describe, spread, write_json
from numpy_generator import CANONICAL

_SHARD_ROWS = 256
_PARTS = ("shards", "workers")
_TINY = """\
seed = 1
[fields]
maps = false
sticks = false
tensors = false
params = false
[grid]
n_points = 16
"""
_OPEN = """\
import json, resource, sys, time
import tersgen
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
dataset = tersgen.open(sys.argv[1])
opened = time.perf_counter()
rows = dataset["spectra"][dataset.n_samples - 1 :]
read = time.perf_counter()
print(json.dumps({
    "open_s": opened - start,
    "first_row_s": read - opened,
    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3,
    "more_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1.024e-3,
}))
"""


def tersgen(*arguments: str) -> tuple[float, Json]:
    """Run a command with ``--json`` in a process of its own; return wall time and answer.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    command = [sys.executable, "-c", "from tersgen.cli import main; main()", *arguments, "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, json.loads(done.stdout.strip().splitlines()[-1])


def opened(path: Path) -> Json:
    """Open a dataset and read its last row, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(path)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def many_shards(folder: Path, count: int, suffix: str, rounds: int) -> Json:
    """Build a dataset of so many shards, go on with it at its end, and open it."""
    recipe, path = folder / "tiny.toml", folder / f"{count}{suffix}"
    recipe.write_text(_TINY)
    build = ["build", "--config", str(recipe), "--shard-rows", str(_SHARD_ROWS), "--out", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, built = tersgen(*build, "--n", str(count * _SHARD_ROWS))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    inside = path if suffix == ".zarr" else path.with_name(path.name + ".d")
    journal, manifest = inside / "journal.jsonl", inside / "manifest.json"
    manifest.unlink()  # as if it had been killed behind its last shard
    resumed, _ = tersgen(*build, "--n", str(count * _SHARD_ROWS))
    looks = [opened(path) for _ in range(rounds)]
    result = {
        "n_shards": count,
        "build_s": built["seconds"],
        "build_ms_a_shard": round(1e3 * built["seconds"] / count, 3),
        "processor_ms_a_shard": round(
            1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count, 3
        ),
        "journal_bytes_a_shard": round(journal.stat().st_size / count, 1),
        "manifest_bytes": manifest.stat().st_size,
        "resume_s": round(resumed, 3),
        "open": {name: spread([look[name] for look in looks]) for name in looks[0]},
    }
    shutil.rmtree(inside)
    path.unlink(missing_ok=True)
    return result


def worker_cases(folder: Path, n: int, rounds: int) -> Json:
    """Build the canonical dataset with one process, one worker and two, in turn."""
    cases: dict[str, list[str]] = {
        "in process, 1 thread": ["--threads", "1"],
        "in process, 2 threads": ["--threads", "2"],
        "1 worker of 1 thread": ["--workers", "1", "--threads", "1"],
        "2 workers of 1 thread": ["--workers", "2", "--threads", "1"],
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    digests = set()
    for _ in range(rounds):
        for name, options in cases.items():
            path = folder / "workers.zarr"
            shutil.rmtree(path, ignore_errors=True)
            common = ["build", "--config", str(CANONICAL), "--n", str(n), "--out", str(path)]
            _, built = tersgen(*common, *options)
            digests.add(built["digest"])
            found[name].append(n / built["seconds"])
            print(f"{name:<24} {n / built['seconds']:>10.0f} samples/s", flush=True)
    if len(digests) != 1:
        raise RuntimeError(f"expected one digest, got {digests}")
    ratios = {
        "2 workers / 1 worker": ("2 workers of 1 thread", "1 worker of 1 thread"),
        "2 threads / 1 thread": ("in process, 2 threads", "in process, 1 thread"),
        "2 workers / 2 threads": ("2 workers of 1 thread", "in process, 2 threads"),
    }
    return {
        "n": n,
        "samples_per_s": {name: spread(rates) for name, rates in found.items()},
        "ratios": {
            name: spread([a / b for a, b in zip(found[one], found[other], strict=True)], 3)
            for name, (one, other) in ratios.items()
        },
    }


def dask_overhead(folder: Path, count: int) -> Json:
    """Build many tiny shards by two local workers: the price of a shard to who coordinates."""
    recipe, path = folder / "tiny.toml", folder / "dask.zarr"
    recipe.write_text(_TINY)
    shutil.rmtree(path, ignore_errors=True)
    build = ["build", "--config", str(recipe), "--shard-rows", str(_SHARD_ROWS), "--out", str(path)]
    _, built = tersgen(*build, "--n", str(count * _SHARD_ROWS), "--workers", "2", "--threads", "1")
    shutil.rmtree(path)
    return {
        "n_shards": count,
        "build_s": built["seconds"],
        "build_ms_a_shard": round(1e3 * built["seconds"] / count, 3),
    }


def main() -> int:
    """Measure what shards and workers cost."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where datasets are built")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 1000, 100_000])
    parser.add_argument("--n", type=int, default=131_072, help="rows of the builds by workers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    stat = os.statvfs(options.folder)
    result: Json = {"machine": describe(), "free_gb": stat.f_bavail * stat.f_frsize / 1e9}
    if "shards" in options.parts:
        result["shards"] = {}
        for suffix in (".zarr", ".h5"):
            for count in options.counts:
                found = many_shards(options.folder, count, suffix, options.rounds)
                result["shards"][f"{count} {suffix[1:]}"] = found
                print(suffix, json.dumps(found), flush=True)
    if "workers" in options.parts:
        result["workers"] = worker_cases(options.folder, options.n, options.rounds)
        result["dask"] = dask_overhead(options.folder, max(options.counts[:2]))
        print(json.dumps(result["dask"]))
    write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
