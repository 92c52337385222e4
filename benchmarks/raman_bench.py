"""RamanBench (raman-bench 1.4): ``ters_train`` on its tasks and folds, beside its results.

python benchmarks/raman_bench.py DATA --folds folds.parquet --out ours.csv

DATA is a folder as the benchmark's mirror has it: NAME/data/train-00000-of-00001.parquet for each
dataset, with a column for each Raman shift and for each target. The folds are the table that
``raman_bench.folds.export_folds`` writes, .parquet or .csv. Results of other models come from
``raman_bench``, if it is installed or unpacked in a folder (--reference); it is not imported.

Each fold is trained with the default model and settings, but for as many epochs of small batches
as --steps needs: most datasets have few rows. A part of the training rows chooses the best epoch
and, for classes, the temperature of the probabilities. Spectra are min-max scaled on 1024 points,
as all measured ones here, so absolute intensities are lost.

Results are rows of one fold each, which raman_bench.compare.compare takes as a pandas.DataFrame:
compare(pandas.read_csv("ours.csv"), tasks="own"). A second call with the same --out resumes.
Needs pip install 'tersgen[train,test]'.
"""

import argparse
import csv
import importlib.util
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import torch
from machine import describe, write_json
from sklearn import metrics

import ters_train.engine.results
import tersgen
from ters_train import fit, load, plan
from ters_train.calibration.measures import fit_temperature
from ters_train.parts import use_plugins

FILE = "data/train-00000-of-00001.parquet"
REFERENCE = "data/precomputed/v1/reference_results.parquet"
GROUP = "_group_id"
FOLDS = ("task", "dataset", "target_idx", "problem_type", "repeat", "spectrum_id", "fold")
COLUMNS = (
    *("dataset", "fold", "model", "metric_error", "metric", "task", "time_train_s"),
    *("time_infer_s", "num_instances", "reference", "accuracy", "roc_auc", "log_loss"),
    *("rmse", "mae", "r2"),
)
"""Columns of a table of results, as in that of the benchmark."""
BATCH = 32
HELD_OUT = 0.15
"""Share of the training rows that chooses the best epoch."""
EPS = float(np.finfo(np.float32).eps)
"""Least probability that is scored, as in the benchmark."""
Row = dict[str, Any]

ters_train.engine.results.write_report = lambda *_: None  # pictures


class Fold(NamedTuple):
    """A task of the benchmark, and the fold of each of its spectra."""

    task: str
    dataset: str
    target: int
    is_classes: bool
    rows: np.ndarray
    fold: np.ndarray


class Spectra(NamedTuple):
    """The spectra of a task."""

    shift_cm1: np.ndarray
    spectra: np.ndarray
    target: np.ndarray
    group: np.ndarray | None


def read_folds(path: Path, wanted: list[str]) -> list[Fold]:
    """Return the tasks of a table of folds, those of ``wanted`` only if there are any."""
    if not path.is_file():
        raise SystemExit(f"{path}: expected the table that export_folds writes, got no file")
    read = pyarrow.csv.read_csv if path.suffix == ".csv" else pyarrow.parquet.read_table
    table = read(path)
    missing = sorted(set(FOLDS) - set(table.column_names))
    if missing:
        raise SystemExit(f"{path}: expected the columns {', '.join(FOLDS)}, got no {missing}")
    arrays = {name: np.asarray(table[name].to_pylist()) for name in FOLDS}
    known = dict.fromkeys(arrays["task"].tolist())
    unknown = sorted(set(wanted) - set(known) - set(arrays["dataset"].tolist()))
    if unknown:
        raise SystemExit(f"{path}: expected tasks of the table, got {', '.join(unknown)}")
    found = []
    for task in known:
        of = (arrays["task"] == task) & (arrays["repeat"] == 0)
        first = {name: values[of][0].item() for name, values in arrays.items()}
        if not wanted or {task, first["dataset"]} & set(wanted):
            kind = first["problem_type"] != "regression"
            place = (task, first["dataset"], first["target_idx"], kind)
            found.append(Fold(*place, arrays["spectrum_id"][of], arrays["fold"][of]))
    return found


def is_number(name: str) -> bool:
    """Return whether the name of a column is a Raman shift."""
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def read_spectra(folder: Path, of: Fold) -> Spectra:
    """Return the rows of a task, in the order of the table of folds."""
    path = folder / of.dataset / FILE
    if not path.is_file():
        raise SystemExit(f"{path}: expected the spectra of {of.task}, got no file")
    table = pyarrow.parquet.read_table(path)
    shifts = sorted(filter(is_number, table.column_names), key=float)
    targets = [one for one in table.column_names if not is_number(one) and one != GROUP]
    if not 0 <= of.target < len(targets):
        raise SystemExit(
            f"{path}: expected a target number {of.target}, got {len(targets)} targets"
        )
    if of.rows.max() >= table.num_rows:
        raise SystemExit(f"{path}: expected row {of.rows.max()} of {of.task}, got {table.num_rows}")
    table = table.take(of.rows)
    values = np.stack([table[name].to_numpy() for name in shifts], axis=1).astype(np.float64)
    target = np.asarray(table[targets[of.target]].to_pylist())
    group = np.asarray(table[GROUP].to_pylist()) if GROUP in table.column_names else None
    return Spectra(np.array(shifts, np.float64), values, target, group)


def held_out(data: Spectra, train: np.ndarray, is_classes: bool, seed: int) -> np.ndarray:
    """Return the training rows that choose the best epoch: of each class, or whole groups."""
    rng = np.random.default_rng(seed)
    if data.group is not None:
        groups = rng.permutation(np.unique(data.group[train]))
        chosen = groups[: math.ceil(HELD_OUT * len(groups))]
        return train[np.isin(data.group[train], chosen)]
    names = data.target[train] if is_classes else np.zeros(len(train))
    found = []
    for name in np.unique(names):
        rows = rng.permutation(train[names == name])
        found.append(rows[: math.ceil(HELD_OUT * len(rows))])
    return np.concatenate(found)


def outputs_of(run, dataset, part: str, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and labels of the rows of a part, in the order of the dataset."""
    rows = dataset.select(part=part)
    found = []
    for batch in run.batches(run.inputs_of(rows)):
        with torch.inference_mode():
            found.append(run.model(batch)[name].float().cpu())
    return torch.cat(found), torch.from_numpy(rows["label"][:]).long()


def scores_of_classes(probability: np.ndarray, label: np.ndarray) -> Row:
    """Return scores of classes; that of the benchmark is 1 - ROC AUC of two, else the log loss."""
    p = np.clip(probability[np.arange(len(label)), label], EPS, 1 - EPS)
    found = {
        "accuracy": float((probability.argmax(axis=1) == label).mean()),
        "log_loss": float(-np.log(p).mean()),
    }
    if probability.shape[1] > 2:
        return {**found, "metric": "log_loss", "metric_error": found["log_loss"]}
    auc = float(metrics.roc_auc_score(label, probability[:, 1]))
    return {**found, "roc_auc": auc, "metric": "roc_auc", "metric_error": 1 - auc}


def scores_of_numbers(value: np.ndarray, true: np.ndarray) -> Row:
    """Return scores of numbers; that of the benchmark is the root of the mean square error."""
    rmse = float(np.sqrt(np.mean((value - true) ** 2)))
    return {
        **{"metric": "rmse", "metric_error": rmse, "rmse": rmse},
        "mae": float(np.abs(value - true).mean()),
        "r2": float(metrics.r2_score(true, value)) if len(true) > 1 else math.nan,
    }


def run_fold(of: Fold, data: Spectra, fold: int, given: argparse.Namespace) -> Row:
    """Train on all other folds, and score on this one."""
    train = np.flatnonzero(of.fold != fold)
    part = np.where(of.fold == fold, "test", "train").astype("U5")
    part[held_out(data, train, of.is_classes, given.seed)] = "val"
    n_train = int((part == "train").sum())
    batch = min(BATCH, n_train)
    values, label = np.unique(data.target, return_inverse=True)
    settings: dict[str, Any] = {
        "engine": {"seed": given.seed, "threads": given.threads, "patience": 0},
        "order": {"batch_size": batch},
        "optim": {"epochs": math.ceil(given.steps / math.ceil(n_train / batch))},
    }
    if not of.is_classes:
        settings["task"] = {"options": {"values": values.astype(np.float64).tolist()}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(
            folder / "rows.npz",
            spectra=data.spectra,
            shift_cm1=data.shift_cm1,
            label=label.astype(np.int64),
            classes=np.array([f"value {k:06d}" for k in range(len(values))]),
            part=part,
        )
        dataset = tersgen.ingest(folder / "rows.npz", folder / "rows.zarr", threads=given.threads)
        task = "classification" if of.is_classes else "labelled_number"
        start = time.perf_counter()
        fit(plan(dataset, given.model, task, settings=settings), folder / "run")
        run = load(folder / "run")
        output = "logits" if of.is_classes else "value"
        temperature = (
            fit_temperature(*outputs_of(run, dataset, "val", output)) if of.is_classes else 1
        )
        trained = time.perf_counter()
        found, labels = outputs_of(run, dataset, "test", output)
        done = time.perf_counter()
    if of.is_classes:
        probability = (found / temperature).double().softmax(dim=1).numpy()
        scores = scores_of_classes(probability, labels.numpy())
    else:
        options = run.task.options
        value = found[:, 0].double().numpy() * options.deviation + options.mean
        scores = scores_of_numbers(value, values.astype(np.float64)[labels])
    return {
        **{"dataset": of.task, "fold": fold, "model": given.name, "reference": False},
        **{"task": "classification" if of.is_classes else "regression", **scores},
        **{"time_train_s": trained - start, "time_infer_s": done - trained},
        "num_instances": len(of.rows),
    }


def reference_file(given: Path | None) -> Path | None:
    """Return the results of the benchmark's models, if they are here."""
    places = (
        [given, *(given / one for one in (REFERENCE, f"raman_bench/{REFERENCE}"))] if given else []
    )
    if given is None:
        spec = importlib.util.find_spec("raman_bench")
        places = [Path(one) / REFERENCE for one in (spec and spec.submodule_search_locations) or ()]
    found = next((one for one in places if one.is_file()), None)
    if given is not None and found is None:
        raise SystemExit(
            f"{given}: expected raman_bench, or its {Path(REFERENCE).name}, got neither"
        )
    return found


def beside(rows: list[Row], reference: Path | None) -> Iterator[str]:
    """Yield a line for each task: our mean error and rank, the best model's, and the median."""
    theirs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    if reference is not None:
        table = pyarrow.parquet.read_table(
            reference, columns=["dataset", "model", "metric_error", "metric", "reference", "fold"]
        )
        ours = {(one["dataset"], int(one["fold"])) for one in rows}
        for one in table.to_pylist():
            if (one["dataset"], one["fold"]) in ours and one["model"] != "DUMMY":
                theirs[one["dataset"]][one["model"]].append(one["metric_error"])
    yield "| task | error | ours | rank | best | median |"
    yield "|---|---|---|---|---|---|"
    for task in dict.fromkeys(one["dataset"] for one in rows):
        own = [one for one in rows if one["dataset"] == task]
        mean = statistics.fmean(float(one["metric_error"]) for one in own)
        error = {"roc_auc": "1 - ROC AUC"}.get(own[0]["metric"], own[0]["metric"])
        others = {
            model: statistics.fmean(errors)
            for model, errors in theirs[task].items()
            if len(errors) == len(own)
        }
        line = f"| {task} | {error} | {mean:.4g} |"
        if not others:
            yield f"{line} | | |"
            continue
        best = min(others, key=lambda model: others[model])
        rank = 1 + sum(one < mean for one in others.values())
        median = statistics.median(others.values())
        yield f"{line} {rank} of {len(others) + 1} | {others[best]:.4g} ({best}) | {median:.4g} |"


def read_results(path: Path) -> list[Row]:
    """Return the results that are there already."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_results(path: Path, rows: list[Row]) -> None:
    """Write all results, replacing the file at once."""
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def main() -> int:
    """Run the folds that are missing; the table is written after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of datasets")
    parser.add_argument("--folds", type=Path, required=True, help="table of folds")
    parser.add_argument("--tasks", nargs="+", default=[], help="tasks or datasets; default all")
    parser.add_argument("--reference", type=Path, help="raman_bench, unpacked, or its results")
    parser.add_argument("--out", type=Path, default=Path("ours.csv"))
    parser.add_argument("--name", default="TERS_TRAIN", help="name of our model in the table")
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--steps", type=int, default=2000, help="least steps of a training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    use_plugins([str(Path(__file__).with_name("labelled_numbers.py"))])
    reference = reference_file(given.reference)
    tasks, rows = read_folds(given.folds, given.tasks), read_results(given.out)
    done = {(one["dataset"], int(one["fold"])) for one in rows if one["model"] == given.name}
    for of in tasks:
        missing = [k for k in np.unique(of.fold).tolist() if (of.task, k) not in done]
        data = read_spectra(given.data, of) if missing else None
        for fold in missing:
            rows.append(run_fold(of, data, fold, given))
            write_results(given.out, rows)
    lines = list(beside([one for one in rows if one["model"] == given.name], reference))
    print("\n".join(lines))
    if reference is None:
        print("results of other models: pip install raman-bench, or unpack it and name the folder")
    write_json(given.json, {"table": lines, "machine": describe()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
