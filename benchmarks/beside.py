"""Builds and epochs of two source trees in turn: what a change costs.

``python benchmarks/beside.py TREE`` compares the package of another checkout with this one, on the
canonical recipe, by processor time, which other work on the machine disturbs least. Each figure is
of a new process; a first pair, which compiles, is not counted.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from machine import Json, describe, measured, spread, write_json

_HERE = Path(__file__).resolve().parent.parent
_RECIPE = _HERE / "examples" / "canonical.toml"

EPOCH = """
import sys, tersgen
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
data = tersgen.open(sys.argv[1])
stream = Stream(data, tuple(data.fields), Order(all_rows(data), 256, 1))
assert sum(len(batch["label"]) for batch in stream) == data.n_samples // 256 * 256
"""


def figures(tree: Path, n: int, folder: Path, round: int) -> Json:
    """Return what a build of ``n`` rows and an epoch of all fields cost with a tree's package."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    environment["PYTHONSAFEPATH"] = "1"  # else the working directory comes first
    data = folder / f"{tree.name}-{round}.zarr"
    build = [sys.executable, "-m", "tersgen", "build", "--config", str(_RECIPE), "--n", str(n),
             "--out", str(data)]  # fmt: skip
    return {
        "build": measured(build, environment),
        "epoch": measured([sys.executable, "-c", EPOCH, str(data)], environment),
    }


def main() -> int:
    """Compare two trees, pair by pair."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("before", type=Path, help="source tree to compare with")
    parser.add_argument(
        "--after", type=Path, default=_HERE, help="source tree; this one by default"
    )
    parser.add_argument("--n", type=int, default=65_536, help="rows")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="where to put the datasets")
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    trees = {"before": wanted.before.resolve(), "after": wanted.after.resolve()}
    pairs: list[Json] = []
    for round in range(wanted.pairs + 1):
        with tempfile.TemporaryDirectory(dir=wanted.out) as folder:
            order = list(trees) if round % 2 else list(trees)[::-1]
            found = {k: figures(trees[k], wanted.n, Path(folder) / k, round) for k in order}
        if round:  # the first pair compiles
            pairs.append(found)
            print(json.dumps(found))
    ratios = {
        what: spread(
            [
                one["after"][what]["cpu_seconds"] / one["before"][what]["cpu_seconds"]
                for one in pairs
            ]
        )
        for what in ("build", "epoch")
    }
    result = {"machine": describe(), "n": wanted.n, "after_over_before": ratios, "pairs": pairs}
    write_json(wanted.json, result)
    print(json.dumps(ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
