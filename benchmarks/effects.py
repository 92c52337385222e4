"""Generation and first compiling of two source trees in turn, recipe by recipe.

``python benchmarks/effects.py TREE`` compares the package of another checkout with this one, in one
thread, by processor time. Each figure is of a new process: generation with machine code from a
cache, best of what two seconds allow; compiling is the first block with an empty cache. The other
tree may be one from before effects had rooms of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import Json, describe, spread, write_json

_HERE = Path(__file__).resolve().parent.parent
_RECIPES = ("canonical", "ideal", "realistic", "mixture", "nearfield", "structure")

RATE = """
import sys, time, warnings
warnings.simplefilter("ignore")
import tersgen
from tersgen.schema.presets import PRESETS
from tersgen.generator import Generator
name, rows, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
recipe = tersgen.resolve(tersgen.Recipe.model_validate(PRESETS.get(name, {})))
generator = Generator(recipe)
made = generator.buffer(rows)
begun = time.process_time()
generator.fill(0, made)
first, best, k = time.process_time() - begun, 1e9, 0
stop = time.process_time() + seconds
while time.process_time() < stop:
    k, begun = k + 1, time.process_time()
    generator.fill(k * rows, made)
    best = min(best, time.process_time() - begun)
print(first, best / rows * 1e6)
"""


def figures(tree: Path, name: str, cache: Path, seconds: float) -> tuple[float, float]:
    """Return processor seconds of the first block and microseconds of a row after it."""
    rows = 128 if name in ("nearfield", "structure") else 1024
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    environment["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-c", RATE, name, str(rows), str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, row = map(float, done.stdout.split())
    return first, row


def main() -> int:
    """Compare two trees, pair by pair."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("before", type=Path, help="source tree to compare with")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--recipes", nargs="*", default=_RECIPES)
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    trees = {"before": wanted.before.resolve(), "after": _HERE}
    found: dict[str, Json] = {}
    for name in wanted.recipes:
        first: dict[str, float] = {}
        rows: dict[str, list[float]] = {tree: [] for tree in trees}
        with tempfile.TemporaryDirectory() as folder:
            for pair in range(wanted.pairs + 1):
                for tree in list(trees) if pair % 2 else list(trees)[::-1]:
                    cache = Path(folder, tree)
                    cache.mkdir(0o700, exist_ok=True)
                    compiling, row = figures(trees[tree], name, cache, wanted.seconds)
                    if pair:
                        rows[tree].append(row)
                    else:
                        first[tree] = compiling
        ratios = [
            after / before for after, before in zip(rows["after"], rows["before"], strict=True)
        ]
        found[name] = {
            "compiling_cpu_seconds": first,
            "microseconds_a_row": rows,
            "rows_after_over_before": spread(ratios),
        }
        print(name, json.dumps(found[name]))
    write_json(wanted.json, {"machine": describe(), "recipes": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
