"""What models learn, how fast, and what that depends on: each run through the command line.

Cases: ``cnn`` (spectra to species), ``vit`` (maps to species), ``weights`` (an imbalanced dataset
with and without class weights), ``shuffle`` (the default order beside a true shuffle), ``threads``
(threads of torch).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import harmonic_mean, mean, stdev

from machine import Json, describe, spread, write_json

EXAMPLES = Path(__file__).parents[1] / "examples"
CANONICAL = EXAMPLES / "canonical.toml"
BLOCK_ROWS = 256
"""Rows of a block of the canonical dataset."""
CURVE_STEPS = 5
"""Entries of the log that make a point of a training curve."""


class Bench:
    """A folder for datasets and runs, which are kept: what is there is not made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def call(self, module: str, *arguments: str, threads: int = 1) -> tuple[str, Json]:
        """Run a command in a new process; return what it printed and what it took.

        Raises
        ------
        subprocess.CalledProcessError
            If it fails.
        """
        command = [sys.executable, "-m", module, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        start, before = time.perf_counter(), os.times()
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        after = os.times()
        used = sum(after[2:4]) - sum(before[2:4])
        seconds = time.perf_counter() - start
        return done.stdout.decode(), {"seconds": round(seconds, 1), "cpu_seconds": round(used, 1)}

    def dataset(self, name: str, n: int, ratios: str, *settings: str) -> Path:
        """Return a dataset of n rows of the canonical recipe, changed by settings, and split."""
        path = self.folder / f"{name}-{n}.zarr"
        done = path.with_suffix(".done")
        if not done.exists():
            chosen = [part for setting in settings for part in ("--set", setting)]
            place = ["--n", str(n), "--out", str(path), "--overwrite"]
            self.call("tersgen", "build", "--config", str(CANONICAL), *chosen, *place)
            self.call("tersgen", "split", str(path), "--ratios", ratios)
            done.touch()
        return path

    def fit(self, data: Path, *options: str, test: bool = True, threads: int = 1) -> Json:
        """Train, score on the test rows; return scores, times and the entries of the log."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            run = Path(folder) / "run"
            source = "--recipe" if data.is_file() else "--data"
            arguments = ["fit", source, str(data), "--out", str(run), "--quiet", *options]
            _, took = self.call("ters_train", *arguments, threads=threads)
            named = [option.replace(f"{EXAMPLES.parent}/", "") for option in options]
            result: Json = {"options": named, **took}
            entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
            steps = [entry for entry in entries if entry["part"] == "train"]
            result["log"] = entries
            result["rows_per_s"] = round(harmonic_mean(x["samples_per_s"] for x in steps[1:]), 1)
            result["waiting"] = round(mean(x["waiting"] for x in steps), 4)
            if test:
                score = ["evaluate", str(run), "--data", str(data), "--json"]
                text, _ = self.call("ters_train", *score, threads=threads)
                scores = json.loads(text)
                result["test"] = _summary(scores)
        print(data.name, *options, {key: result[key] for key in result if key != "log"}, flush=True)
        return result


def _summary(scores: Json) -> Json:
    """Return the scores of a test, and its most frequent confusions."""
    classes, confusion = scores["classes"], scores["confusion"]
    wrong = sorted(
        (
            (n, classes[i], classes[j], scores["support"][i])
            for i, row in enumerate(confusion)
            for j, n in enumerate(row)
            if i != j and n
        ),
        reverse=True,
    )
    worst = min(range(len(classes)), key=lambda c: scores["f1"][c])
    return {
        "macro_f1": round(scores["macro_f1"], 4),
        "accuracy": round(scores["accuracy"], 4),
        "rows": scores["n_samples"],
        "wrong": sum(n for n, *_ in wrong),
        "worst_class": {"name": classes[worst], "f1": round(scores["f1"][worst], 4)},
        "confusions": [f"{a} taken for {b}, {n} of {of} times" for n, a, b, of in wrong[:5]],
    }


def _without_log(result: Json) -> Json:
    return {key: value for key, value in result.items() if key != "log"}


def cnn(bench: Bench, options: argparse.Namespace) -> Json:
    """Learn species from spectra: the defaults, one epoch."""
    data = bench.dataset("canonical", options.n, "train=0.8,val=0.1,test=0.1")
    runs = [
        bench.fit(data, "--model", "cnn", "--epochs", "1", "--seed", str(seed))
        for seed in range(options.seeds)
    ]
    return {"n": options.n, "runs": [_without_log(run) for run in runs]}


def vit(bench: Bench, options: argparse.Namespace) -> Json:
    """Learn species from maps: the defaults, and the same without the stem, one epoch."""
    data = bench.dataset("canonical", options.n, "train=0.8,val=0.1,test=0.1")
    config = ["--model", "vit", "--epochs", "1"]
    result: Json = {"n": options.n}
    for stem in ("conv", "linear"):
        runs = [
            bench.fit(data, *config, "--set", f"model.options.stem={stem}", "--seed", str(seed))
            for seed in range(options.seeds if stem == "conv" else 1)
        ]
        result[stem] = [_without_log(run) for run in runs]
    return result


def weights(bench: Bench, options: argparse.Namespace) -> Json:
    """Learn Zipf classes from few rows, weighted by Eq. (8.2) or not, over several seeds.

    Seven tenths of the rows are the test, so that the rarest classes have enough of them.
    """
    result: Json = {}
    for exponent, rows, most in ((1.0, 20_000, 10), (1.0, 20_000, 40), (1.5, 40_000, 10)):
        n, epochs = rows // options.divide, max(1, most // options.divide)
        name = f"zipf-{exponent}"
        settings = ["classes.balance=zipf", f"classes.exponent={exponent}"]
        data = bench.dataset(name, n, "train=0.2,val=0.1,test=0.7", *settings)
        scores: dict[str, list[float]] = {"with": [], "without": []}
        runs = []
        for seed in range(options.weight_seeds):
            for which, value in (("with", "true"), ("without", "false")):
                chosen = ["--set", f"loss.class_weights={value}", "--seed", str(seed)]
                run = bench.fit(data, "--model", "cnn", "--epochs", str(epochs), *chosen)
                scores[which].append(run["test"]["macro_f1"])
                runs.append(_without_log(run))
        gains = [a - b for a, b in zip(scores["with"], scores["without"], strict=True)]
        result[f"{name}, {epochs} epochs"] = {
            "n": n,
            "macro_f1": scores,
            "gain": {"mean": round(mean(gains), 4), "sd": round(_sd(gains), 4)},
            "runs": runs,
        }
        print(name, epochs, scores, round(mean(gains), 4), flush=True)
    return result


def _sd(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def shuffle(bench: Bench, options: argparse.Namespace) -> Json:
    """Compare loss against steps of the default order, 16 blocks mixed, and of a true shuffle."""
    n, seeds = 40_960 // options.divide, range(options.curve_seeds)
    data = bench.dataset("canonical", n, "train=0.8,val=0.1,test=0.1")
    every = n // BLOCK_ROWS
    curves: dict[tuple[int, int], list[float]] = {}
    runs = []
    for seed in seeds:
        for mixed in (1, 16, every):
            chosen = ["--set", f"order.mix_blocks={mixed}", "--seed", str(seed)]
            run = bench.fit(data, "--model", "cnn", "--epochs", "4", *chosen)
            log = run.pop("log")
            steps = [entry["loss"] for entry in log if entry["part"] == "train"]
            curves[mixed, seed] = [
                round(mean(steps[i : i + CURVE_STEPS]), 4)
                for i in range(0, len(steps) - CURVE_STEPS + 1, CURVE_STEPS)
            ]
            val = [round(entry["loss"], 4) for entry in log if entry["part"] == "val"]
            runs.append({**run, "train_loss": curves[mixed, seed], "val_loss": val})
    differences = {
        "16 blocks beside all": max(
            _largest_difference(curves[16, seed], curves[every, seed]) for seed in seeds
        ),
        "1 block beside all": max(
            _largest_difference(curves[1, seed], curves[every, seed]) for seed in seeds
        ),
        "all, one seed beside the other": max(
            _largest_difference(curves[every, 0], curves[every, seed]) for seed in seeds
        ),
        "16 blocks, one seed beside the other": max(
            _largest_difference(curves[16, 0], curves[16, seed]) for seed in seeds
        ),
    }
    print(differences, flush=True)
    return {"n": n, "blocks": every, "largest_difference": differences, "runs": runs}


def _largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    return round(max(abs(a - b) for a, b in zip(one, other, strict=True)), 4)


def threads(bench: Bench, options: argparse.Namespace) -> Json:
    """Compare rows a second of whole runs with one and two threads of torch, in turn."""
    models: Mapping[str, tuple[str, ...]] = {
        "cnn": ("--model", "cnn", "--n", str(65_536 // options.divide), "--epochs", "1"),
        "vit": ("--model", "vit", "--n", str(16_384 // options.divide), "--epochs", "1"),
    }
    result: Json = {}
    for model, chosen in models.items():
        runs: dict[int, list[Json]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for number, done in runs.items():
                done.append(bench.fit(CANONICAL, *chosen, test=False, threads=number))
        ratios = [
            two["rows_per_s"] / one["rows_per_s"] for one, two in zip(*runs.values(), strict=True)
        ]
        result[model] = {"two_over_one": spread(ratios)} | {
            key: {number: spread([run[key] for run in done]) for number, done in runs.items()}
            for key in ("rows_per_s", "cpu_seconds")
        }
        print(model, result[model], flush=True)
    return result


CASES: dict[str, Callable[[Bench, argparse.Namespace], Json]] = {
    "cnn": cnn, "vit": vit, "weights": weights, "shuffle": shuffle, "threads": threads,
}  # fmt: skip


def main() -> int:
    """Run some cases; results of others that are in the file stay there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all if none is given")
    parser.add_argument("--n", type=int, default=131_072, help="rows of the canonical dataset")
    parser.add_argument("--seeds", type=int, default=1, help="runs of cnn and vit")
    parser.add_argument("--weight-seeds", type=int, default=3, help="runs with and without weights")
    parser.add_argument("--curve-seeds", type=int, default=2, help="curves of each shuffle")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the threads")
    parser.add_argument("--divide", type=int, default=1, help="divide other rows and epochs by it")
    parser.add_argument("--out", type=Path, required=True, help="folder for datasets and runs")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"expected some of {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    result: Json = {}
    if options.json is not None and options.json.exists():
        result = json.loads(options.json.read_text(encoding="utf-8"))
    bench = Bench(options.out)
    for name in options.cases or CASES:
        result[name] = {"machine": describe(), **CASES[name](bench, options)}
        write_json(options.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
