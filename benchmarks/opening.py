"""What it costs to open a dataset of very many shards, and to read its first and last rows.

The dataset is a genuine one: labels and sticks of single-mode species, 256 rows a shard, so that
its shards are as small as shards can be. Each figure is of a new process.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from machine import Json, describe, measured, write_json

SHARD_ROWS = 256
RECIPE = """
library = ["random:2"]
[random]
n_modes = [1, 1]
[lineshape]
fwhm_cm1 = 300.0
[grid]
n_points = 64
[fields]
spectra = false
maps = false
tensors = false
params = false
"""

STEPS = {
    "import": "import sys, tersgen.dataset.opening",
    "open": "import sys, tersgen; d = tersgen.open(sys.argv[1])",
    "first_row": "import sys, tersgen; d = tersgen.open(sys.argv[1]); d['label'][0]",
    "last_row": "import sys, tersgen; d = tersgen.open(sys.argv[1]); d['label'][-1]",
}
"""What is done in a process; each holds the one before it."""


def measure(n_shards: int, format: str, folder: Path) -> Json:
    """Return the figures of a dataset of ``n_shards`` shards."""
    config = folder / "recipe.toml"
    config.write_text(RECIPE)
    data = folder / ("data.zarr" if format == "zarr" else "data.h5")
    command = [sys.executable, "-m", "tersgen", "build", "--config", str(config), "--format",
               format, "--n", str(n_shards * SHARD_ROWS), "--chunk-rows", str(SHARD_ROWS),
               "--shard-rows", str(SHARD_ROWS), "--out", str(data)]  # fmt: skip
    build = measured(command)
    found: Json = {"format": format, "shards": n_shards, "build": build}
    for name, code in STEPS.items():
        measured([sys.executable, "-c", code, str(data)])
        found[name] = measured([sys.executable, "-c", code, str(data)])
    return found


def main() -> int:
    """Measure datasets of some numbers of shards, in both back ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--formats", nargs="+", default=["zarr", "hdf5"])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--folder", type=Path, default=None, help="where to put the datasets")
    arguments = parser.parse_args()
    results: Json = {"machine": describe(), "shard_rows": SHARD_ROWS, "datasets": []}
    for n_shards in arguments.shards:
        for format in arguments.formats:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                results["datasets"].append(measure(n_shards, format, Path(folder)))
                print(json.dumps(results["datasets"][-1]))
    write_json(arguments.out / "opening.json", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
