"""Few measured spectra of new classes: from scratch, from trained models, by a library search.

``python benchmarks/few_shots.py --out FOLDER --json results/few_shots.json --picture few.png``
trains on 1, 5 and 20 spectra of each of twelve molecules that zoo:minerals does not know, and
scores on 100 others of each. The spectra are synthetic but stand in for measured ones: each band is
off by a fixed error, as bands of computed molecules are, the instrument is none that the models
were trained on, and they are read from text files. One further spectrum of each class chooses the
epoch. "Synthetic spectra" are 20,000 of the preset realistic, of the same molecules without these
errors. Everything is kept in the folder, so a second call resumes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from inputs import DETECTOR, UNSEEN
from machine import describe, write_json

import tersgen
from tersgen.library.builtin import load_builtin, species_json
from tersgen.plotting.style import COLOURS, SINGLE_IN, new_figure
from tersgen.schema.presets import PRESETS, merged

NAMES = (
    *("4-aminothiophenol", "4-mercaptopyridine", "4-nitrothiophenol", "acetonitrile", "adenine"),
    *("benzene", "cytosine", "methanol", "pyrazine", "pyridine", "thiophenol", "thymine"),
)
ERROR_CM1 = 15.0
"""Standard deviation of the errors of bands."""
AXIS = {"start_cm1": 100.0, "stop_cm1": 3400.0, "n_points": 1024}
MOST_SHOTS = 20
STARTS = {
    "CNN, from scratch": (),
    "CNN, from zoo:minerals": ("--init", "zoo:minerals"),
    "CNN, from synthetic spectra": ("--init", "synthetic"),
    "library search": ("--model", "library-search"),
}
"""Options of ters-train fit by name; what is called synthetic lies in the folder."""


def run(*words: object) -> None:
    """Run a command of this project."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr[-2000:]}")


def write_species(folder: Path) -> list[str]:
    """Write the molecules with bands that are off, and return the files."""
    rng = np.random.default_rng(5)
    files = []
    for name in NAMES:
        species = load_builtin(name)
        modes = tuple(
            mode.model_copy(
                update={"frequency_cm1": max(20.0, mode.frequency_cm1 + rng.normal(0, ERROR_CM1))}
            )
            for mode in species.modes
        )
        file = folder / f"{name}.json"
        file.write_text(species_json(species.model_copy(update={"modes": modes})))
        files.append(str(file))
    return files


def spectra_of(folder: Path, rows: int) -> dict[str, np.ndarray]:
    """Return spectra of each class, shape (rows, L), and the axis, as ``shift``."""
    recipe = tersgen.resolve(
        tersgen.Recipe.model_validate(
            {
                "seed": 11,
                "library": write_species(folder),
                "geometry": {"orientation": "powder"},
                "grid": AXIS,
                "lineshape": {"profile": "lorentzian", "fwhm_cm1": 7.0},
                "perturbations": {"mode_shift_cm1": 0.5, "width": [0.8, 1.4], "intensity": 0.3},
                "instrument": {**DETECTOR, **UNSEEN},
                "fields": {"maps": False, "tensors": False, "sticks": False},
            }
        )
    )
    made = tersgen.generate(recipe, 0, 3 * rows * len(NAMES))
    classes = recipe.class_names
    return {
        "shift": recipe.grid.points(),
        **{name: made["spectra"][made["label"] == classes.index(name)][:rows] for name in classes},
    }


def write_spectra(folder: Path, shots: list[int], seeds: int, n_scored: int) -> None:
    """Write text files, and the labels of what is trained on and what is scored."""
    known = spectra_of(folder, MOST_SHOTS + 1 + n_scored)
    shift = known.pop("shift")
    for name, rows in known.items():
        for number, row in enumerate(rows):
            np.savetxt(folder / f"{name}_{number}.txt", np.column_stack([shift, row]), "%.6g")
    header = "file,label,part\n"
    scored = [
        f"{name}_{k}.txt,{name},test\n"
        for name in known
        for k in range(MOST_SHOTS + 1, MOST_SHOTS + 1 + n_scored)
    ]
    (folder / "test.csv").write_text(header + "".join(scored))
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(MOST_SHOTS + 1)
        for n in filter(None, shots):
            lines = [
                f"{name}_{k}.txt,{name},{'val' if place == n else 'train'}\n"
                for name in known
                for place, k in enumerate(order[: n + 1])
            ]
            (folder / f"{n}_{seed}.csv").write_text(header + "".join(lines))


def ingest(folder: Path, name: str) -> Path:
    """Return the dataset of a list of files."""
    out = folder / f"{name}.zarr"
    if not out.exists():
        table = folder / f"{name}.csv"
        files = [folder / line.partition(",")[0] for line in table.read_text().splitlines()[1:]]
        run("tersgen", "ingest", *files, "--labels", table, "--grid", "100:3400:1024",
            "--out", out)  # fmt: skip
    return out


def train_on_synthetic(folder: Path, n: int, starts: list[str]) -> None:
    """Train a CNN on synthetic spectra of the molecules, and fit a library search to them."""
    data = folder / "synthetic.zarr"
    if not data.exists():
        table = {"library": [f"builtin:{name}" for name in NAMES], "grid": AXIS, "seed": 3}
        recipe = merged(merged(PRESETS["realistic"], table), {"fields": {"tensors": False}})
        tersgen.build(recipe, n, data)
        tersgen.split(data)
    for start, out, options in (
        ("CNN, from synthetic spectra", "synthetic", ("--seed", 0)),
        ("library search", "search", STARTS["library search"]),
    ):
        if start in starts and not (folder / out / "scores.json").exists():
            run("ters_train", "fit", "--quiet", "--data", data, "--out", folder / out, *options)


def scored(folder: Path, start: str, shots: int, seed: int) -> float:
    """Return the accuracy on spectra that were not trained on."""
    is_search = start == "library search"
    if shots == 0:
        out = folder / ("search" if is_search else "synthetic")
    else:
        out = folder / f"{''.join(c if c.isalnum() else '_' for c in start)}_{shots}_{seed}"
    if not (out / "scores.json").exists():
        data = ingest(folder, f"{shots}_{seed}")
        options = [folder / one if one == "synthetic" else one for one in STARTS[start]]
        seed_option = () if is_search else ("--seed", seed)
        begin = time.perf_counter()
        run("ters_train", "fit", "--quiet", "--data", data, "--out", out, *seed_option, *options)
        (out / "seconds").write_text(f"{time.perf_counter() - begin:.1f}")
    file = out / "scores_test.json"
    if not file.exists():
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "ters_train", "evaluate", str(out), "--data",
             str(ingest(folder, "test")), "--part", "test", "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        file.write_text(done.stdout)
    return float(json.loads(file.read_text())["accuracy"])


def table(results: dict[str, Any]) -> str:
    """Return the accuracies as Markdown."""
    shots = results["shots"]
    lines = ["| spectra of a class | " + " | ".join(map(str, shots)) + " |"]
    lines += ["|---" * (1 + len(shots)) + "|"]
    for start, by_shots in results["accuracy"].items():
        found = [by_shots.get(str(n)) for n in shots]
        cells = [
            f"{100 * np.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"
            if values
            else ""
            for values in found
        ]
        lines.append(f"| {start} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the learning curves."""
    figure = new_figure(SINGLE_IN, 2.6)
    axes = figure.subplots()
    shots = results["shots"]
    places = range(len(shots))
    for color, (start, by_shots) in zip(COLOURS, results["accuracy"].items(), strict=False):
        known = [place for place in places if str(shots[place]) in by_shots]
        means = [100 * np.mean(by_shots[str(shots[place])]) for place in known]
        axes.plot(known, means, "o-", color=color, markersize=3, linewidth=1, label=start)
    axes.set_xticks(places, map(str, shots))
    axes.set_xlabel("spectra of each class")
    axes.set_ylabel("accuracy / %")
    axes.legend(fontsize=6, frameon=False)
    figure.savefig(path, dpi=200)


def main() -> int:
    """Train, score, and write the accuracies."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of spectra and runs")
    parser.add_argument("--shots", type=int, nargs="+", default=[0, 1, 5, 20])
    parser.add_argument("--only", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--n", type=int, default=20_000, help="synthetic spectra")
    parser.add_argument("--scored", type=int, default=100, help="spectra scored of each class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--picture", type=Path, default=None)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.out / "test.csv").exists():
        write_spectra(given.out, given.shots, given.seeds, given.scored)
    train_on_synthetic(given.out, given.n, given.only)
    accuracy: dict[str, dict[str, list[float]]] = {}
    for start in given.only:
        for shots in given.shots:
            if shots == 0 and start in ("CNN, from scratch", "CNN, from zoo:minerals"):
                continue
            seeds = given.seeds if shots else 1
            values = [scored(given.out, start, shots, seed) for seed in range(seeds)]
            accuracy.setdefault(start, {})[str(shots)] = values
            print(start, shots, values, flush=True)
    results = {"machine": describe(), "classes": len(NAMES), "shots": given.shots}
    results["accuracy"] = accuracy
    write_json(given.json, results)
    print(table(results))
    if given.picture:
        draw(results, given.picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
