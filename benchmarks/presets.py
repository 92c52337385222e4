"""All presets beside each other: rows a second, bytes of a row, and where the time goes.

``python benchmarks/presets.py --out /dev/shm --json presets.json``. One thread, processor time,
best of what ``--seconds`` allow; bytes are those of a dataset of ``--n`` rows, LZ4 and all.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from machine import describe, write_json

import tersgen
from tersgen.generator import Generator
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.presets import PRESETS


def shares(generator: Generator, rows: int) -> dict[str, float]:
    """Return the share of each effect in the time of generation, the largest first."""
    buffer, profile = generator.buffer(rows), cProfile.Profile(time.process_time)
    profile.runcall(generator.fill, 0, buffer)
    found: dict[str, float] = {}
    for (file, _, name), (_, _, _, seconds, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        place = Path(file)
        if name == "apply" and "effects" in place.parts and callers:
            effect = place.parent.name if place.stem == "effect" else place.stem
            found[effect] = found.get(effect, 0.0) + seconds
    total = sum(found.values())
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return {name: round(seconds / total, 3) for name, seconds in ordered if seconds > 0.01 * total}


def measure(name: str, seconds: float, n: int, folder: Path) -> dict[str, Any]:
    """Return what a preset costs."""
    recipe = tersgen.resolve(tersgen.Recipe.model_validate(PRESETS[name]))
    generator = Generator(recipe)
    begun = time.process_time()
    generator.block(0, 1, 1)
    first = time.process_time() - begun
    rows = 1024 if sum(spec.row_bytes for spec in generator.table) < 100_000 else 64
    buffer, best, k = generator.buffer(rows), 1e9, 0
    stop = time.process_time() + seconds
    while time.process_time() < stop:
        begun, k = time.process_time(), k + 1
        generator.fill(k * rows, buffer)
        best = min(best, time.process_time() - begun)
    built = run(make_plan(recipe, n, "zarr"), folder / f"{name}.zarr", threads=1)
    return {
        "rows_per_second_and_thread": round(rows / best),
        "first_row_seconds": round(first, 2),
        "bytes_a_row": sum(spec.row_bytes for spec in generator.table),
        "stored_bytes_a_row": round(built.manifest.bytes_stored / n),
        "shares": shares(generator, rows),
    }


def main() -> int:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", tersgen.errors.TersWarning)
    found = {}
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        for name in options.presets:
            found[name] = measure(name, options.seconds, options.n, Path(folder))
            print(name, found[name])
    if options.json:
        write_json(options.json, {"machine": describe(), "presets": found})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
