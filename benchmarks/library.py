"""What a large library of species costs: to store, to open, to begin a build with.

Each figure is of a new process. ``--before TREE`` also measures ten species, written out as JSON,
with the package of another source tree, the two in turn.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from machine import Json, describe, measured, usage_of, write_json

_HERE = Path(__file__).resolve().parent
_MAKE = [sys.executable, str(_HERE / "many_species.py")]
"""In a process of its own: a child's peak memory begins at that of its parent."""
_LONGEST_S = 600.0
"""Seconds until the first shard; more is an error."""
_FEW, _ROUNDS = 10, 3

RECIPE = """
library = ["{library}"]
[lineshape]
fwhm_cm1 = 60.0
[grid]
n_points = 256
[map]
height = 16
width = 16
sigma_px = [1.0, 3.0]
[fields]
n_modes = 48
"""

OPEN = """
import sys, tersgen
data = tersgen.open(sys.argv[1])
assert len(data.classes) == int(sys.argv[2])
"""
ROW = OPEN + "data['label'][0], data.species[len(data.species) - 1].modes\n"


def until_first_shard(command: list[str], journal: Path, tree: Mapping[str, str]) -> Json:
    """Return what a build takes to its first sealed shard; it is then stopped.

    Raises
    ------
    RuntimeError
        If it ends, or takes too long, without one.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=tree)
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        if time.perf_counter() - start > _LONGEST_S:
            process.kill()
            break
        time.sleep(0.005)
    seconds = round(time.perf_counter() - start, 3)
    if process.returncode is not None or not journal.exists():
        raise RuntimeError(f"no shard of {' '.join(command)} after {seconds} s")
    process.send_signal(signal.SIGTERM)
    return {"seconds": seconds, **usage_of(process)}


def measure(library: Path, n: int, folder: Path, tree: Mapping[str, str]) -> Json:
    """Return the figures of a library of ``n`` species; ``tree`` is the environment."""
    config, data, begun = folder / "recipe.toml", folder / "data.zarr", folder / "begun.zarr"
    config.write_text(RECIPE.format(library=library))
    build = [sys.executable, "-m", "tersgen", "build", "--config", str(config), "--n"]
    python = [sys.executable, "-c"]
    first = [*build, "100000", "--out", str(begun), "--shard-rows", "256"]
    whole = [*build, "256", "--out", str(data)]
    # compiles what is not in the cache
    measured([*build, "256", "--out", str(folder / "warm.zarr")], tree)
    return {
        "species": n,
        "library_bytes_per_species": round(library.stat().st_size / n),
        "dry_run": measured([*build, "256", "--dry-run", "--out", str(data)], tree),
        "first_shard": until_first_shard(first, begun / "journal.jsonl", tree),
        "build_256": measured(whole, tree),
        "recipe_bytes": (data / "recipe.json").stat().st_size,
        "import": measured([*python, "import tersgen.dataset.opening"], tree),
        "open": measured([*python, OPEN, str(data), str(n)], tree),
        "open_and_last_species": measured([*python, ROW, str(data), str(n)], tree),
    }


def before_and_after(before: Path, place: Path | None) -> Json:
    """Return the figures of few species with the package of another tree and of this one."""
    found: Json = {"before": [], "after": []}
    for _ in range(_ROUNDS):
        for name, tree in (("before", before.resolve()), ("after", _HERE.parent)):
            with tempfile.TemporaryDirectory(dir=place) as folder:
                library = Path(folder) / "few.json"
                measured([*_MAKE, str(_FEW), str(library)])
                environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
                found[name].append(measure(library, _FEW, Path(folder), environment))
    return found


def main() -> int:
    """Measure libraries of several sizes, of species of 18 atoms and 48 modes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--species", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--before", type=Path, default=None, help="another source tree")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--folder", type=Path, default=None, help="where to put the datasets")
    arguments = parser.parse_args()
    results: Json = {"machine": describe(), "libraries": []}
    for n in arguments.species:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            library = Path(folder) / "many.tlib"
            measured([*_MAKE, str(n), str(library)])
            results["libraries"].append(measure(library, n, Path(folder), os.environ))
            print(json.dumps(results["libraries"][-1]))
    if arguments.before is not None:
        results["ten_species"] = before_and_after(arguments.before, arguments.folder)
    write_json(arguments.out / "library.json", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
