"""Machine code in the package beside kernels compiled on this machine: first build, rows, digests.

Makes two copies of the package, one with machine code as a wheel has it, and uses both in turn, by
processor time. The digests must be the same.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from effects import figures
from machine import Json, describe, measured, spread, write_json

_HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_HERE))

import hatch_build  # noqa: E402

_PRESETS = ("canonical", "realistic", "mixture", "nearfield", "structure")


def options(name: str) -> list[str]:
    """Return the options of ``tersgen build`` for a preset."""
    return ["--preset", name]


def trees(folder: Path, presets: list[str]) -> dict[str, Path]:
    """Return copies of the package, with machine code and without."""
    made = {"shipped": folder / "shipped", "compiled": folder / "compiled"}
    for tree in made.values():
        shutil.copytree(_HERE / "tersgen", tree / "tersgen")
    (folder / "code").mkdir(mode=0o700)
    recipes = [" ".join(options(name)) for name in presets]
    code = hatch_build.compile_apart(folder / "code", recipes)
    shutil.move(code, made["shipped"] / "tersgen" / "machine_code")
    return made


def first_build(tree: Path, name: str, n: int, folder: Path) -> tuple[Json, str]:
    """Return what the first build of a preset takes on a new machine, and its digest."""
    data = folder / "first.zarr"
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        environment["NUMBA_CACHE_DIR"] = cache
        command = [sys.executable, "-m", "tersgen", "build", "--n", str(n), "--out", str(data)]
        took = measured([*command, *options(name)], environment)
    digest = json.loads((data / "manifest.json").read_text("utf-8"))["digest"]
    shutil.rmtree(data)
    return took, digest


def main() -> int:
    """Compare both, preset by preset."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--presets", nargs="+", choices=_PRESETS, default=_PRESETS)
    parser.add_argument("--n", type=int, default=1000, help="samples of a first build")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of generating rows, each time")
    parser.add_argument("--out", type=Path, help="folder for temporary data")
    parser.add_argument("--json", type=Path, help="write the result here")
    wanted = parser.parse_args()
    found: dict[str, Json] = {}
    with tempfile.TemporaryDirectory(dir=wanted.out) as name:
        folder = Path(name)
        both = trees(folder, wanted.presets)
        for preset in wanted.presets:
            first = {
                side: first_build(tree, preset, wanted.n, folder) for side, tree in both.items()
            }
            digests = {digest for _, digest in first.values()}
            if len(digests) != 1:
                raise RuntimeError(f"{preset}: expected one digest, got {digests}")
            rows: dict[str, list[float]] = {side: [] for side in both}
            for pair in range(wanted.pairs + 1):
                for side in list(both) if pair % 2 else list(both)[::-1]:
                    cache = folder / f"cache-{side}"
                    cache.mkdir(mode=0o700, exist_ok=True)
                    _, row = figures(both[side], preset, cache, wanted.seconds)
                    if pair:  # the first one compiles
                        rows[side].append(row)
            ratios = [a / b for a, b in zip(rows["shipped"], rows["compiled"], strict=True)]
            found[preset] = {
                "first_build": {side: took for side, (took, _) in first.items()},
                "digest": digests.pop(),
                "microseconds_a_row": rows,
                "rows_shipped_over_compiled": spread(ratios),
            }
            print(preset, json.dumps(found[preset]), flush=True)
    write_json(wanted.json, {"machine": describe(), "n": wanted.n, "presets": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
