"""Default models of two source trees in turn: rows per processor second, and what they learn.

``python benchmarks/defaults.py TREE --data data.zarr --model cnn`` trains one epoch with the
package of another checkout and with this one, each in a new process on one thread. Rows per second
are those that are trained on, over the processor seconds of the whole fit: reading, training,
scoring and checkpoints, without imports.
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

FIT = """
import json, sys, time, tersgen
import ters_train.engine.results
from ters_train import fit, plan
ters_train.engine.results.write_report = lambda *_: None  # pictures
path, model, out, settings = sys.argv[1:]
config = plan(tersgen.open(path), model, settings=json.loads(settings))
start = time.process_time()
done = fit(config, out)
seconds = time.process_time() - start
scores = [json.loads(line) for line in open(out + "/log.jsonl")]
scores = {k: v for k, v in [one for one in scores if one["part"] == "val"][-1].items()
          if isinstance(v, float)}
rows = done.n_steps * config.order.batch_size
print(json.dumps({"rows_per_cpu_s": rows / seconds, "cpu_seconds": seconds, "rows": rows, **scores,
                  "batch_size": config.order.batch_size, "options": config.model.options}))
"""


def figures(tree: Path, data: Path, model: str, settings: Json) -> Json:
    """Return the cost and the scores of a training with a tree's package."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    environment["PYTHONSAFEPATH"] = "1"  # else the working directory comes first
    with tempfile.TemporaryDirectory() as out:
        arguments = [str(data), model, f"{out}/run", json.dumps(settings)]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FIT, *arguments],
            stdout=subprocess.PIPE, text=True, check=True, env=environment,
        )  # fmt: skip
    result: Json = json.loads(done.stdout)
    return result


def main() -> int:
    """Compare the defaults of two trees; results of other names that are in the file stay there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("before", type=Path, help="source tree to compare with")
    parser.add_argument("--data", type=Path, required=True, help="dataset with a split")
    parser.add_argument("--before-data", type=Path, help="a smaller one, for a slow model before")
    parser.add_argument("--model", required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, help="of both; by default that of each")
    parser.add_argument("--seeds", type=int, default=3, help="pairs, each with a seed of its own")
    parser.add_argument("--name", help="name of the result; that of the model by default")
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    sides = {
        "before": (wanted.before.resolve(), wanted.before_data or wanted.data),
        "after": (_HERE, wanted.data),
    }
    runs: dict[str, list[Json]] = {"before": [], "after": []}
    for seed in range(wanted.seeds):
        for side in list(sides) if seed % 2 else list(sides)[::-1]:
            tree, data = sides[side]
            settings: Json = {"optim": {"epochs": wanted.epochs}, "engine": {"seed": seed}}
            if wanted.batch_size is not None:
                settings["order"] = {"batch_size": wanted.batch_size}
            runs[side].append(figures(tree, data, wanted.model, settings))
            print(side, seed, json.dumps(runs[side][-1]), flush=True)
    rates = [[run["rows_per_cpu_s"] for run in runs[side]] for side in ("before", "after")]
    result: Json = {}
    if wanted.json is not None and wanted.json.exists():
        result = json.loads(wanted.json.read_text(encoding="utf-8"))
    result[wanted.name or wanted.model] = {
        "machine": describe(),
        "data": wanted.data.name,
        "epochs": wanted.epochs,
        "after_over_before": spread([b / a for a, b in zip(*rates, strict=True)]),
        "rows_per_cpu_s": {side: spread(rate) for side, rate in zip(runs, rates, strict=True)},
        **runs,
    }
    write_json(wanted.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
