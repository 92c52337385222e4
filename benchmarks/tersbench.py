"""Baselines of TERSBench: make the data of tasks, train and predict, score.

python benchmarks/tersbench.py --out FOLDER --json results/tersbench.json [task ...]

Everything is kept in the folder: data, runs, predictions and scores, so a second call resumes.
Each baseline is trained with several seeds; seconds are processor seconds of training and
prediction. Needs pip install 'tersgen[train,test]'.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import Json, describe, write_json
from tip_oracle import dipole_field

import tersgen
from tersgen.bench import load_task, make, score, task_names
from tersgen.bench.making import load_images
from tersgen.bench.metrics import matched_atoms
from tersgen.units import BOHR_ANGSTROM

RESULTS = Path(__file__).parent / "results" / "tersbench.json"
LIBRARY_SEARCH = "library-search"
MOST_ROWS = 10_000
"""Rows that scikit-learn's models are trained on."""
_MORE_EPOCHS = 4
"""Times as many epochs of the task on structures, the small form of which has only 300 rows."""
STRETCHES_CM1 = 2500.0
"""Where the stretches of bonds to H begin."""
MAP_STEP = 4
"""Every so many pixels of a map are given to them."""


def used() -> float:
    """Return processor seconds of the children that this process has waited for, and its own."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def ters_train(*words: object) -> None:
    """Run ``ters-train``."""
    command = [sys.executable, "-W", "ignore", "-m", "ters_train", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr[-2000:]}")


def features(dataset, rows=None):
    """Return what a model of scikit-learn sees of rows, shape (n, F)."""
    if rows is not None:
        dataset = dataset.select(rows=rows)
    if "spectra" in dataset:
        return np.asarray(dataset["spectra"][:], np.float32)
    maps = np.asarray(dataset["maps"][:, :, ::MAP_STEP, ::MAP_STEP], np.float32)
    return maps.reshape(len(maps), -1)


def fractions(dataset):
    """Return the fraction of each class, shape (n, K)."""
    n, classes = len(dataset), len(dataset.classes)
    out = np.zeros((n, classes), np.float32)
    if "mixture/label" not in dataset:
        out[np.arange(n), dataset["label"][:]] = 1.0
        return out
    label, share = dataset["mixture/label"][:], dataset["mixture/fraction"][:]
    for row, count in enumerate(dataset["mixture/count"][:]):
        out[row, label[row, :count]] = share[row, :count]
    return out


def write_table(path, shares, classes, word):
    """Write shares of classes as JSON lines, as ters-train predict does."""
    lines = []
    for row, one in enumerate(shares):
        best = np.argsort(-one)[:26]
        named = [{"name": classes[k], word: float(one[k])} for k in best]
        lines.append(json.dumps({"row": row, "species": named}))
    path.write_text("\n".join(lines) + "\n")


def by_scikit(model_of: Callable, wanted, task, folder, out, seed) -> None:
    """Train a model of scikit-learn on some rows, and write predictions."""
    train = tersgen.open(folder / "train.zarr").select(part="train")
    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[: wanted.rows])
    train = train.select(rows=rows)
    model = model_of(seed).fit(features(train), fractions(train))
    word = "fraction" if task.kind == "mixture" else "probability"
    for part in ("test", "foreign"):
        if (folder / f"{part}.zarr").exists():
            shares = np.clip(model.predict(features(tersgen.open(folder / f"{part}.zarr"))), 0, 1)
            shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
            write_table(out / f"{part}.jsonl", shares, train.classes, word)


def forest(seed):
    """Return a random forest that is trained on fractions."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(60, min_samples_leaf=2, max_features="sqrt", random_state=seed)


def pls(_seed):
    """Return partial least squares; the seed only chooses rows."""
    from sklearn.cross_decomposition import PLSRegression

    return PLSRegression(n_components=30, scale=False)


def by_network(options: tuple, wanted, task, folder, out, seed) -> None:
    """Train a network of ters_train, and write predictions."""
    run = out / "run"
    epochs = wanted.epochs * (_MORE_EPOCHS if task.kind == "structure" else 1)
    if not (run / "scores.json").exists():
        start = ("--resume", run) if (run / "config.json").exists() else (
            "--data", folder / "train.zarr", "--out", run, "--seed", seed, *options,
            *(() if LIBRARY_SEARCH in options else ("--epochs", epochs)),
        )  # fmt: skip
        ters_train("fit", "--quiet", *start)
    if task.kind == "structure":
        ters_train("predict", run, folder / "test.zarr", "--out", out)
        return
    if task.kind == "open_set":
        ters_train("calibrate", run)
    for part in ("test", "foreign"):
        if (folder / f"{part}.zarr").exists():
            table = out / f"{part}.jsonl"
            ters_train("predict", run, folder / f"{part}.zarr", "--top", 26, "--out", table)


def by_field(model: str, _wanted, _task, _folder, out, _seed) -> None:
    """Write amplitudes of a model of the response in the field of the tip's dipole."""
    given = load_images()
    found = {}
    for name in sorted({key.partition("/")[0] for key in given}):
        atoms, tips, directions, tensors = (
            given[f"{name}/{key}"] for key in ("atoms", "tips", "directions", "atom_tensors")
        )
        field = dipole_field(atoms, tips, directions)
        if model == "far":  # as if the field were that at the middle, everywhere
            field = np.broadcast_to(field.mean(axis=1, keepdims=True), field.shape)
        found[name] = np.einsum("tia,miab,tib->tm", field, tensors, field, optimize=True)
    np.savez(out / "test.npz", **found)


def by_sites(basis: str, _wanted, _task, _folder, out, _seed) -> None:
    """Write amplitudes of the response at sites, computed by RHF in a basis set."""
    from tersgen.library import responding
    from tersgen.library.displacing import Finished, ResponseLevel
    from tersgen.library.geometry import atomic_number

    given = load_images()
    found = {}
    for name in sorted({key.partition("/")[0] for key in given}):
        symbols, atoms, tips, directions, modes = (
            given[f"{name}/{key}"]
            for key in ("symbols", "atoms", "tips", "directions", "displacements")
        )
        numbers = np.array([atomic_number(str(one)) for one in symbols])
        molecule = responding.Geometry(numbers, atoms.astype(float) / BOHR_ANGSTROM)
        level = ResponseLevel(functional="hf", basis=basis)
        parts = out / "parts" / name
        made = responding.derive(molecule, level, tips[:1].astype(float), Finished(parts))
        response = np.tensordot(modes, made.matrices, axes=([1, 2], [0, 1])) * BOHR_ANGSTROM**2
        field = dipole_field(made.sites, tips, directions).reshape(len(tips), -1)
        found[name] = np.einsum("tp,mpq,tq->tm", field, response, field, optimize=True)
    np.savez(out / "test.npz", **found)


def maxima(cube, places, shift, share):
    """Return local maxima of two bands of a cube as atoms: C of the low one, H of the other."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    low = shift < STRETCHES_CM1
    found = []
    for element, band in ((6, low), (1, ~low)):
        image = gaussian_filter(cube[..., band].sum(axis=-1), 1.0)
        image -= np.median(image)
        high = (image == maximum_filter(image, 5)) & (image > share * image.max())
        found += [(element, places[row], places[column]) for row, column in np.argwhere(high)]
    return np.array(found).reshape(-1, 3)


def by_maxima(shares: tuple, _wanted, _task, folder, out, _seed) -> None:
    """Write local maxima as atoms, above the share of the maximum that is best for some rows."""
    train, test = (tersgen.open(folder / f"{part}.zarr") for part in ("train", "test"))
    axes = [train.to_xarray()[name].values for name in ("row", "shift_channel")]

    def f1(share):
        hits = total = 0
        for row in range(min(60, len(train))):
            n = int(train["structure/count"][row])
            true = train["structure/positions"][row][:n, :2].astype(float)
            elements = train["structure/elements"][row][:n]
            found = maxima(np.asarray(train["cube"][row], np.float32), *axes, share)
            total += n + len(found)
            for one in np.unique(elements):
                near = matched_atoms(found[found[:, 0] == one, 1:], true[elements == one])
                hits += len(near)
        return 2 * hits / total

    share = max(shares, key=f1)
    found = [maxima(np.asarray(cube, np.float32), *axes, share) for cube in test["cube"]]
    atoms = np.concatenate(found)
    np.savez(
        out / "test.npz",
        symbols=["H", "C"],
        atom_rows=np.repeat(np.arange(len(found)), [len(one) for one in found]),
        atom_elements=(atoms[:, 0] == 6).astype(int),
        atom_positions=atoms[:, 1:],
    )


def baselines(task) -> dict[str, tuple]:
    """Return the baselines of a task by name: a function and what it gets first."""
    if task.kind == "response":
        return {
            "atom sum": (by_field, "atoms"),
            "Raman tensor": (by_field, "far"),
            "sites, 6-31G*": (by_sites, "6-31g*"),
            "sites, aug-cc-pVDZ": (by_sites, "aug-cc-pvdz"),
        }
    if task.kind == "structure":
        return {
            "local maxima": (by_maxima, (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
            "U-Net": (by_network, ("--model", "unet", "--input", "cube")),
        }
    models = {"random forest": (by_scikit, forest), "PLS": (by_scikit, pls)}
    if task.name == "species_from_maps":
        return {**models, "ViT": (by_network, ("--model", "vit"))}
    if task.kind != "mixture":
        models["library search"] = (by_network, ("--model", LIBRARY_SEARCH))
    options = ("--task", "mixture") if task.kind == "mixture" else ()
    networks = {"CNN": "cnn", "ConvNeXt": "convnext"}
    models |= {name: (by_network, ("--model", one, *options)) for name, one in networks.items()}
    return models


def run(wanted, name: str) -> Json:
    """Return the scores of all baselines of a task."""
    task = load_task(name)
    folder = wanted.out / name
    measured = wanted.measured if task.measured else None
    made = make(name, folder / "data", wanted.size, measured, print)
    out = {}
    for baseline, (function, first) in baselines(task).items():
        if wanted.only is not None and baseline not in wanted.only:
            continue
        results = []
        for seed in range(1 if task.kind == "response" else wanted.seeds):
            here = folder / "".join(c if c.isalnum() else "_" for c in baseline) / str(seed)
            done = here / "score.json"
            if not done.exists():
                here.mkdir(parents=True, exist_ok=True)
                before = used()
                function(first, wanted, task, made.folder, here, seed)
                is_table = task.kind not in ("structure", "response")
                foreign = here / "foreign.jsonl" if task.kind == "open_set" else None
                found = score(made.folder, here / f"test.{'jsonl' if is_table else 'npz'}", foreign)
                done.write_text(
                    json.dumps({**found.as_dict(), "seconds": round(used() - before, 1)})
                )
            results.append(json.loads(done.read_text()))
            print(name, baseline, seed, json.dumps(results[-1]["scores"]), flush=True)
        out[baseline] = results
    return out


def table(results: Json) -> str:
    """Return the leaderboard of docs/tersbench.md: a table for each task."""
    lines = []
    for name, rows in results["tasks"].items():
        task = load_task(name)
        metrics = list(next(iter(rows.values()))[0]["scores"])
        lines += [f"**{name}**: {task.title}.", ""]
        lines += ["| model | " + " | ".join(metrics) + " | processor s |"]
        lines += ["|---" * (len(metrics) + 2) + "|"]
        sign = -1 if task.higher_is_better else 1
        for baseline, runs in sorted(rows.items(), key=lambda one: sign * ranked(one[1], task)):
            cells = []
            for metric in metrics:
                values = [run["scores"][metric]["value"] for run in runs if metric in run["scores"]]
                if not values:
                    cells.append("none matched")
                    continue
                low, high = (
                    np.mean(
                        [run["scores"][metric][side] for run in runs if metric in run["scores"]]
                    )
                    for side in ("low", "high")
                )
                spread = (
                    f", seeds {min(values):.3f} to {max(values):.3f}" if len(values) > 1 else ""
                )
                cells.append(f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]{spread}")
            seconds = np.mean([run["seconds"] for run in runs])
            lines.append("| " + " | ".join([baseline, *cells, f"{seconds:.0f}"]) + " |")
        lines.append("")
    return "\n".join(lines)


def ranked(runs: list[Json], task) -> float:
    """Return the mean score that ranks a baseline."""
    return float(np.mean([run["scores"][task.metric]["value"] for run in runs]))


def main() -> int:
    """Score the baselines of tasks; results go to a file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tasks", nargs="*", help="tasks; by default all that can be scored")
    parser.add_argument("--size", default="small", choices=["trial", "small", "full"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=None, help="baselines")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="rows for scikit-learn")
    parser.add_argument("--measured", type=Path, default=None, help="for sim_to_real")
    parser.add_argument("--out", type=Path, help="folder for data and runs")
    parser.add_argument("--table", type=Path, nargs="?", const=RESULTS, help="only print that of "
                        "results, by default of those in this folder")  # fmt: skip
    parser.add_argument("--json", type=Path, default=None)
    wanted = parser.parse_args()
    if wanted.table:
        print(table(json.loads(wanted.table.read_text())))
        return 0
    if wanted.out is None:
        parser.error("expected --out FOLDER, got none")
    names = wanted.tasks or [
        name for name in task_names() if wanted.measured or not load_task(name).measured
    ]
    results: Json = {"machine": describe(), "size": wanted.size, "seeds": wanted.seeds}
    results["tasks"] = {name: run(wanted, name) for name in names}
    if wanted.json:
        write_json(wanted.json, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
