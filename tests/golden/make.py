"""Make the golden datasets of the current format version that are not there yet.

``python tests/golden/make.py`` writes, beside itself, ``vN.zarr``, ``vN.h5`` with its folder, those
with fixed-point arrays, ``vN_uint8.zarr`` and ``vN_uint12.h5``, and ``vN.json`` with what readers
must find in them. What is there stays as it is. If the format version is raised, remove those of
the version before, which is refused.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tersgen
from tersgen.dataset.parts import load_parts
from tersgen.schema.manifest import FORMAT_VERSION

HERE = Path(__file__).parent
ROWS = (0, 37, 255, 256, 257, 258, 269)
"""Rows that are spelt out: ends of chunks, shards, and of the version before the extension."""

COMMON = """
seed = 2026
library = ["random:3"]
[lineshape]
fwhm_cm1 = 900.0
[classes]
balance = "zipf"
[random]
n_modes = [1, 2]
"""

SMALL = """
[grid]
n_points = 16
[map]
height = 4
width = 5
sigma_px = [1.0, 2.0]
move_px = 0.5
[fields]
tensors = false
sticks = false
"""

# between them: every array, every precision, both ranges, every codec
RECIPES = {
    "_uint8.zarr": SMALL + 'precision = "uint8"',
    "_uint12.h5": SMALL + 'precision = "uint12"\nscale = "symmetric"',
    ".zarr": """
[grid]
n_points = 16
[map]
height = 4
width = 5
sigma_px = [1.0, 2.0]
move_px = 0.5
[fields]
params = false
precision = "float16"
""",
    ".h5": """
[grid]
n_points = 7
[map]
height = 3
width = 3
n_hotspots = 1
sigma_px = [1.0, 2.0]
move_px = 0.5
[perturbations]
roll_bins = 3
symmetry = true
[fields]
sticks = false
precision = "float32"
scale = "symmetric"
""",
}


def tersgen_run(*arguments: str | Path) -> None:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "tersgen", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make(out: Path, recipe: str, chunk_rows: int) -> None:
    """Build 258 rows, split and tag them, and extend them to 270: three versions, two shards."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "recipe.toml"
        config.write_text(COMMON + recipe)
        rows = ("--n", "258", "--chunk-rows", str(chunk_rows), "--shard-rows", "256")
        tersgen_run("build", "--config", config, *rows, "--out", out)
    tersgen_run("split", out, "--ratios", "train=0.7,val=0.2,test=0.1", "--seed", "1")
    tersgen_run("tag", out, "v1.0")
    tersgen_run("tag", out, "draft")
    tersgen_run("tag", out, "draft", "--delete")
    tersgen_run("extend", out, "--to", "270")


def expected(path: Path) -> dict[str, object]:
    """Return what any reader must find in a dataset."""
    dataset = tersgen.open(path)
    manifest = dataset.manifest
    assert manifest is not None
    tagged = tersgen.open(f"{path}@v1.0").manifest
    assert tagged is not None
    (split,) = manifest.splits
    folder = path if path.is_dir() else path.with_name(path.name + ".d")
    return {
        "format": manifest.format,
        "n_samples": manifest.n_samples,
        "version": manifest.version,
        "digest": manifest.digest,
        "v1.0": {
            "version": tagged.version,
            "digest": tagged.digest,
            "n_samples": tagged.n_samples,
        },
        "classes": list(dataset.classes),
        "class_counts": list(manifest.class_counts),
        "parts": load_parts(folder, split).tobytes().hex(),
        "arrays": {
            name: {
                "dtype": str(field.dtype),
                "shape": list(field.shape),
                "rows": {str(row): field[row].tobytes().hex() for row in ROWS},
            }
            for name, field in dataset.fields.items()
        },
    }


def main() -> None:
    """Write all files."""
    page = HERE / f"v{FORMAT_VERSION}.json"
    found = json.loads(page.read_text()) if page.exists() else {}
    for ending, recipe in RECIPES.items():
        out = HERE / f"v{FORMAT_VERSION}{ending}"
        if out.exists():  # golden files are not made twice for one version
            continue
        make(out, recipe, 8 if ending.endswith(".zarr") else 16)
        found[out.name] = expected(out)
    page.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
