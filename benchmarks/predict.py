"""Prediction of rows of a dataset and of text files, and how much of it is reading them.

``python benchmarks/predict.py --out FOLDER`` builds a dataset, fits the default model for one
epoch, and writes spectra as texts of two columns. Then it predicts all rows, and all files, in
turn with reading them alone: seconds of the whole process tree, without imports.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import Json, describe, spread, write_json

import ters_train
import tersgen
from ters_train.prediction.predict import predict_batches
from ters_train.prediction.sources import SourceOptions, read_sources
from tersgen.cpus import available_cpus
from tersgen.measured.on_axis import TargetAxis, read_many_on_axis


def used() -> float:
    """Return processor seconds of this process and of those that it has waited for."""
    mine, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def timed(work: Callable[[], int]) -> Json:
    """Return wall and processor seconds of some work, and its rows."""
    start, before = time.perf_counter(), used()
    rows = work()
    return {
        "rows": rows, "wall_s": time.perf_counter() - start, "cpu_s": used() - before
    }  # fmt: skip


def main() -> int:
    """Measure predictions; results go to a file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="rows of the dataset")
    parser.add_argument("--files", type=int, default=10_000, help="text files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="folder for data and run")
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    data = wanted.out / "predict.zarr"
    tersgen.build({"map": {"height": 8, "width": 8}}, wanted.n, data)
    tersgen.split(data)
    dataset = tersgen.open(data)
    settings = {"optim": {"epochs": 1}}
    ters_train.fit(ters_train.plan(dataset, "cnn", settings=settings), wanted.out / "run")
    trained = ters_train.load(wanted.out / "run")
    texts = wanted.out / "texts"
    texts.mkdir(exist_ok=True)
    axis = dataset.shift_cm1
    for row in range(wanted.files):
        table = np.c_[axis, dataset["spectra"][row]]
        np.savetxt(
            texts / f"{row:06}.txt", table, "%.3f\t%.5g", header="Raman shift (cm-1)\tcounts"
        )
    files = sorted(texts.iterdir())
    options = SourceOptions(processes=available_cpus())
    target = TargetAxis(axis)

    def predicted(paths: list[Path]) -> int:
        batches = predict_batches(trained, read_sources(trained, paths, options))
        return sum(len(one) for one in batches)

    def read() -> int:
        return sum(1 for _ in read_many_on_axis(files, target, processes=available_cpus()))

    cases: dict[str, Callable[[], int]] = {
        "rows of a dataset": lambda: predicted([data]),
        "files": lambda: predicted(files),
        "files, read only": read,
    }
    rounds: dict[str, list[Json]] = {name: [] for name in cases}
    for _ in range(wanted.rounds):
        for name, work in cases.items():
            rounds[name].append(timed(work))
            print(name, rounds[name][-1], flush=True)
    ratios = [
        one["wall_s"] / other["wall_s"]
        for one, other in zip(rounds["files"], rounds["files, read only"], strict=True)
    ]
    result = {
        "machine": describe(),
        "points": len(axis),
        "files_over_reading_wall": spread(ratios),
        "rows_per_s": {
            name: spread([one["rows"] / one["wall_s"] for one in found])
            for name, found in rounds.items()
        },
        "rounds": rounds,
    }
    write_json(wanted.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
