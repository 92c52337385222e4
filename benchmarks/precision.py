"""Bytes, builds, epochs and errors by the precision of spectra and maps, side by side in one run.

Builds, with one thread, and epochs are taken in turn, round by round; processor seconds, which
other work on the machine disturbs least, stand beside wall seconds. The epochs' peer gathers
the same rows, all fields in one float32 matrix, from a memory map into two batches used in turn.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import Json, describe, spread, write_json

import tersgen
from ters_train.config import StreamConfig
from ters_train.data.order import Order
from ters_train.data.rows import all_rows
from ters_train.data.stream import Stream
from tersgen import Recipe
from tersgen.cpus import available_cpus
from tersgen.effects.chain import field_table
from tersgen.effects.precision import roundings
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.loading import load_table

_RECIPE = Path(__file__).resolve().parent.parent / "examples" / "canonical.toml"
_BATCH, _BLOCK, _MIXED = 256, 256, 16
_ERROR_ROWS = 512
NOW, WIDENED = "float16, lz4", "float16, lz4, handed over as float32"
MAP = "memory map, float32"
CASES = {
    NOW: ("float16", "zarr", "lz4"),
    "float16, none": ("float16", "zarr", "none"),
    "uint8, lz4": ("uint8", "zarr", "lz4"),
    "uint8, none": ("uint8", "zarr", "none"),
    "uint8, hdf5": ("uint8", "hdf5", None),
    "uint12, lz4": ("uint12", "zarr", "lz4"),
}


def recipe_of(precision: str) -> Recipe:
    """Return the canonical recipe in a precision."""
    table = load_table(_RECIPE)
    table["fields"] = {**table.get("fields", {}), "precision": precision}
    return tersgen.resolve(Recipe.model_validate(table))


def timed(work: Callable[[], None]) -> Json:
    """Return wall and processor seconds of some work."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - busy}


def error_of(recipe: Recipe) -> Json:
    """Return the rms error of signals, and its share of the noise."""
    exact = tersgen.generate(recipe_of("float32"), 0, _ERROR_ROWS)
    rows = tersgen.generate(recipe, 0, _ERROR_ROWS)
    found: Json = {}
    for name in ("spectra", "maps"):
        error = rows[name].astype(np.float64) - exact[name]
        found[name] = {"rms": float(np.sqrt(np.mean(error**2)))}
    for one in roundings(field_table(recipe), recipe):
        found[one.name] |= {"step": one.step, "share_of_weakest_and_strongest_noise": one.shares}
    return found


def write_matrix(path: Path, data: tersgen.Dataset) -> None:
    """Write all fields of a dataset as one float32 matrix."""
    widths = [int(np.prod(data[name].spec.shape, dtype=np.int64)) for name in data.fields]
    shape = (data.n_samples, sum(widths))
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for low in range(0, data.n_samples, 4096):
        rows = slice(low, min(low + 4096, data.n_samples))
        parts = [np.asarray(data[name][rows]) for name in data.fields]
        matrix[rows] = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    matrix.flush()


def gather(path: Path) -> Callable[[], None]:
    """Return an epoch of the memory map, in an order like that of the stream."""
    matrix = np.load(path, mmap_mode="r")
    ring = [np.empty((_BATCH, matrix.shape[1]), np.float32) for _ in range(2)]
    rng = np.random.default_rng(0)

    def epoch() -> None:
        blocks = rng.permutation(len(matrix) // _BLOCK)
        number = 0
        for low in range(0, len(blocks), _MIXED):
            firsts = blocks[low : low + _MIXED, None] * _BLOCK
            rows = rng.permutation((firsts + np.arange(_BLOCK)).ravel())
            for first in range(0, len(rows), _BATCH):
                some = rows[first : first + _BATCH]
                np.take(matrix, some, axis=0, out=ring[number % 2][: len(some)], mode="clip")
                number += 1

    return epoch


def stream_of(path: Path, widen: bool = False) -> Callable[[], None]:
    """Return an epoch of all fields of a dataset; signals as float32 if they are to be widened."""
    data = tersgen.open(path)
    order = Order(all_rows(data), _BATCH, _MIXED)
    stream = Stream(data, tuple(data.fields), order, config=StreamConfig(threads=available_cpus()))

    def epoch() -> None:
        n_rows = 0
        for batch in stream:
            n_rows += len(batch["label"])
            if widen:
                for name in ("spectra", "maps"):
                    batch[name] = batch[name].float()
        assert n_rows == len(stream) * _BATCH

    return epoch


def measure(n: int, rounds: int, folder: Path) -> Json:
    """Return what every case takes."""
    recipes = {precision: recipe_of(precision) for precision, _, _ in CASES.values()}
    plans = {
        name: make_plan(recipes[precision], n, format, compression=compression)
        for name, (precision, format, compression) in CASES.items()
    }
    for plan in plans.values():
        plan.maker(plan.store()).make(0, 256)  # compiles
    builds: dict[str, list[Json]] = {name: [] for name in CASES}
    epochs: dict[str, list[Json]] = {name: [] for name in (*CASES, WIDENED, MAP)}
    bytes_of = {}
    works: dict[str, Callable[[], None]] = {}
    for number in range(rounds):
        for name, plan in plans.items():
            path = folder / f"{list(plans).index(name)}.{'h5' if plan.format == 'hdf5' else 'zarr'}"
            shutil.rmtree(path.with_name(path.name + ".d"), ignore_errors=True)
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)
            builds[name].append(timed(lambda plan=plan, path=path: run(plan, path, threads=1)))
            if number == rounds - 1:
                data = tersgen.open(path)
                bytes_of[name] = data.manifest.bytes_stored / n
                works[name] = stream_of(path)
                if name == NOW:
                    works[WIDENED] = stream_of(path, widen=True)
                    write_matrix(folder / "rows.npy", data)
    works[MAP] = gather(folder / "rows.npy")
    for number in range(rounds + 1):
        for name, work in works.items():
            found = timed(work)
            if number:  # the first one opens files and touches memory
                epochs[name].append(found)

    def ratios(times: dict[str, list[Json]], other: str, kind: str) -> Json:
        return {
            name: spread([a[kind] / b[kind] for a, b in zip(times[other], own, strict=True)], 3)
            for name, own in times.items()
        }

    return {
        "machine": describe(),
        "n": n,
        "threads": {"builds": 1, "epochs": available_cpus(), "memory map": 1},
        "bytes_per_sample": bytes_of,
        "bytes_over_now": {name: bytes_of[name] / bytes_of[NOW] for name in CASES},
        "build_us_per_sample_cpu": {
            name: spread([1e6 * one["cpu"] / n for one in found]) for name, found in builds.items()
        },
        "build_now_over_it_cpu": ratios(builds, NOW, "cpu"),
        "epoch_us_per_row": {
            kind: {
                name: spread([1e6 * one[kind] / n for one in found])
                for name, found in epochs.items()
            }
            for kind in ("wall", "cpu")
        },
        "memory_map_over_epoch": {kind: ratios(epochs, MAP, kind) for kind in ("wall", "cpu")},
        "widened_over_epoch_cpu": ratios(epochs, WIDENED, "cpu"),
        "errors": {precision: error_of(recipe) for precision, recipe in recipes.items()},
    }


def main() -> int:
    """Measure all precisions beside each other."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=16_384, help="rows, a multiple of 4096")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None, help="where to put the datasets")
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.out) as folder:
        result = measure(wanted.n, wanted.rounds, Path(folder))
    write_json(wanted.json, result)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
