"""Inputs and models of spectra on an instrument that training has not seen: accuracy by seed.

``python benchmarks/inputs.py CASE [CASE ...] --out FOLDER --json inputs.json`` builds two datasets
of 34 substances in FOLDER, one for each of two instruments, trains on the first, and scores the
best epoch on both. A case is a model and its settings, ``cnn:inputs=views,mask=true`` or
``cnn:ema=0.99``. Cases and seeds that are in the file are not run again.
"""

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import torch
from machine import describe, write_json

import ters_train.engine.results
import tersgen
from ters_train import fit, load, plan

ters_train.engine.results.write_report = lambda *_: None  # pictures

NAMES = (
    *("anatase", "calcite", "graphite", "quartz", "silicon", "atacamite", "azurite", "cinnabar"),
    *("crocoite", "gypsum", "hematite", "lazurite", "litharge", "malachite", "massicot", "minium"),
    *("orpiment", "realgar", "chromium_oxide", "cobalt_blue", "diamond", "fluorite", "benzene"),
    *("naphthalene", "pyridine", "pyrazine", "thymine", "adenine", "4-aminothiophenol"),
    *("4-nitrothiophenol", "4-mercaptopyridine", "caffeine", "cyclohexane", "paracetamol"),
)
BOTH: dict[str, Any] = {
    "library": [f"builtin:{name}" for name in NAMES],
    "grid": {"start_cm1": 100.0, "stop_cm1": 3600.0, "n_points": 1024},
    "lineshape": {"profile": "lorentzian", "fwhm_cm1": 7.0},
    "perturbations": {
        "mode_shift_cm1": 1.5,
        "uncertain_frequencies": True,
        "width": [0.6, 1.8],
        "intensity": 0.4,
    },
    "fields": {"maps": False, "tensors": False, "sticks": False},
}
DETECTOR: dict[str, Any] = {
    "gain": [0.15, 0.77],
    "bias": [1000.0, 1110.0],
    "read_noise": [3.0, 12.0],
    "full_well": 150000.0,
    "bits": 16,
    "cosmic_height": [0.05, 5.0],
    "dark": [0.0, 300.0],
}
SEEN: dict[str, Any] = {
    "resolution_cm1": [2.0, 8.0],
    "axis_shift_cm1": 1.0,
    "axis_stretch": 0.0005,
    "fluorescence": [0.03, 3.0],
    "fluorescence_share": 0.85,
    "response": 0.2,
    "missing": [0.05, 0.2],
    "electrons": [3000.0, 100000.0],
    "cosmic_rays": 0.2,
}
UNSEEN: dict[str, Any] = {
    "resolution_cm1": [6.0, 16.0],
    "axis_shift_cm1": 2.0,
    "axis_stretch": 0.001,
    "fluorescence": [0.3, 10.0],
    "response": 0.6,
    "missing": [0.08, 0.45],
    "electrons": [1000.0, 100000.0],
    "cosmic_rays": 1.0,
}
OF_RUN = {"ema": "engine", "epochs": "optim", "lr": "optim", "batch_size": "order"}


def data_of(folder: Path, name: str, seed: int, n: int, instrument: dict[str, Any]) -> Path:
    """Return a dataset of an instrument, built if it is not there."""
    path = folder / f"{name}.zarr"
    if not path.exists():
        recipe = {**BOTH, "seed": seed, "instrument": {**DETECTOR, **instrument}}
        tersgen.build(recipe, n, path)
        tersgen.split(path, {"train": 0.9, "val": 0.1})
    return path


def settings_of(text: str, seed: int, epochs: int) -> tuple[str, dict[str, Any]]:
    """Return the model of a case and the settings of its run."""
    model, _, rest = text.partition(":")
    settings: dict[str, Any] = {
        "engine": {"seed": seed, "threads": 1, "patience": 0},
        "optim": {"epochs": epochs},
        "model": {"options": {}},
    }
    for pair in filter(None, re.split(r",(?![^\[]*\])", rest)):
        name, _, value = pair.partition("=")
        try:
            known = json.loads(value)
        except ValueError:
            known = value
        group = OF_RUN.get(name)
        (settings["model"]["options"] if group is None else settings.setdefault(group, {}))[
            name
        ] = known
    return model, settings


def accuracy(run: Path, data: Path) -> float:
    """Return the share of rows whose first class is the true one."""
    trained, dataset = load(run), tersgen.open(data)
    labels, right = dataset["label"][:], 0
    for first in range(0, len(dataset), 2000):
        rows = slice(first, first + 2000)
        said = trained.predict(trained.inputs_of(dataset, rows), top=1)
        names = [one.content["species"][0]["name"] for one in said]
        right += sum(
            name == trained.classes[label] for name, label in zip(names, labels[rows], strict=True)
        )
    return right / len(dataset)


def main() -> int:
    """Run the cases that are missing; the file is written after each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--n", type=int, default=8000, help="rows of the instrument seen")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True, help="folder of datasets and runs")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    seen = data_of(given.out, "seen", 1, given.n, SEEN)
    unseen = data_of(given.out, "unseen", 2, given.n // 2, UNSEEN)
    results = json.loads(given.json.read_text()) if given.json.exists() else {"cases": {}}
    for seed in range(given.seeds):
        for case in given.cases:
            there = results["cases"].setdefault(case, {})
            if str(seed) in there:
                continue
            model, settings = settings_of(case, seed, given.epochs)
            config = plan(tersgen.open(seen), model, settings=settings)
            run = given.out / "runs" / f"{int(time.time() * 1000)}"
            start = time.process_time()
            fit(config, run)
            cpu_s = time.process_time() - start
            log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
            val = [one for one in log if one["part"] == "val"]
            there[str(seed)] = {
                "seen": max(one["accuracy"] for one in val),
                "unseen": accuracy(run, unseen),
                "val_losses": [round(one["loss"], 4) for one in val],
                "cpu_seconds": round(cpu_s, 1),
            }
            print(case, seed, there[str(seed)], flush=True)
            write_json(given.json, {**results, "machine": describe()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
