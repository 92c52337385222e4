"""Trains, calibrates and scores a model of the zoo, and writes its folder.

``python benchmarks/zoo.py --out FOLDER --measured MEASURED --json results/zoo.json`` makes
``zoo:minerals`` in FOLDER/minerals; with ``--install`` it replaces the one in the package, whose
model card is kept. MEASURED has spectra in folders that are named after classes. Calibration is on
instruments beyond the ranges that are trained on, scores are on another one and on MEASURED;
foreign species of both were not trained on. Everything is kept in the folder, so a second call
resumes.
"""

import argparse
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inputs import DETECTOR, UNSEEN
from machine import describe, write_json
from torch import Tensor

import ters_train
import tersgen
from ters_train import zoo
from ters_train.calibration.calibrate import expected_calibration_error
from ters_train.calibration.intervals import wilson
from ters_train.calibration.measures import separation
from ters_train.engine.checkpoint import choose, save_checkpoint, write_config
from ters_train.engine.trained import Trained
from tersgen.errors import TersWarning
from tersgen.schema.presets import PRESETS, merged

NAME = "minerals"
DESCRIPTION = "48 minerals, pigments and reference substances by Raman spectra of any laser"
GROUPS = ("crystals", "measured", "positions")
SAME = ("acetonitrile", "benzonitrile", "bis_methylstyryl_benzene", "cyclohexane", "naphthalene",
        "paracetamol", "sulfur", "toluene")  # fmt: skip
"""Molecules that are classes in another phase."""
COMMON: dict[str, Any] = {
    "grid": {"start_cm1": 100.0, "stop_cm1": 3400.0, "n_points": 1024},
    "fields": {"tensors": False, "sticks": False},
}
OTHERS: dict[str, Any] = {
    "instrument": {
        "resolution_cm1": [1.0, 18.0],
        "axis_shift_cm1": 3.0,
        "axis_stretch": 0.002,
        "response": 0.5,
        "electrons": [1000.0, 100000.0],
        "optics": {"lasers_nm": [488.0, 514.5, 660.0, 780.0, 976.0], "support_share": 0.0},
    },
    "perturbations": {"mode_shift_cm1": 1.5, "intensity": 0.6},
}
"""What calibration has instead of what was trained on: wider ranges and other lasers."""
RECIPES = ("recipe.toml", "foreign.toml", "calibration.toml")
"""What the folder of the model has."""
NEVER_SEEN: dict[str, Any] = {
    "geometry": {"orientation": "powder"},
    "lineshape": {"profile": "lorentzian", "fwhm_cm1": 7.0},
    "perturbations": {"mode_shift_cm1": 1.5, "width": [0.6, 1.8], "intensity": 0.4},
    "instrument": {**DETECTOR, **UNSEEN},
}


def run(*words: object) -> str:
    """Run a command of this project, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr[-2000:]}")
    return done.stdout


def names_of(group: str) -> list[str]:
    """Return the species of a group."""
    return [one["name"] for one in json.loads(run("tersgen", "library", "list", group, "--json"))]


def write_recipes(folder: Path) -> None:
    """Write what is trained on, calibrated on and scored on, and foreign species of each."""
    molecules = names_of("gfn")
    trained_on = names_of("builtin") + [one for k, one in enumerate(molecules) if k % 3]
    shown, held_out = (
        [f"builtin:{one}" for one in names if one not in SAME]
        for names in (trained_on, molecules[::3])
    )
    preset = merged(PRESETS["realistic"], COMMON)
    for name, seed, settings, library in (
        ("recipe", 1, preset, GROUPS),
        ("foreign", 2, preset, [*shown, "random:100"]),
        ("calibration", 4, merged(preset, OTHERS), GROUPS),
        ("calibration_foreign", 5, merged(preset, OTHERS), held_out),
        ("unseen", 6, merged(NEVER_SEEN, COMMON), GROUPS),
        ("unseen_foreign", 7, merged(NEVER_SEEN, COMMON), held_out),
    ):
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**settings, "seed": seed, "library": list(library)}))
        toml = folder / f"{name}.toml"
        toml.write_text(run("tersgen", "config", "show", "--config", path))


def write_run(folder: Path, out: Path) -> None:
    """Write the best checkpoint of a run, with its recipes next to it, by their names alone."""
    best = choose(folder / "run")
    config = best.state.config
    data = config.data.model_copy(update={"path": "recipe.toml"})
    foreign = tuple(
        one.model_copy(update={"path": Path(one.path).name}) for one in config.exposure.data
    )
    exposure = config.exposure.model_copy(update={"data": foreign})
    config = config.model_copy(update={"data": data, "exposure": exposure})
    out.mkdir()
    for name in RECIPES:
        shutil.copy(folder / name, out)
    write_config(out, config)
    state = best.state.model_copy(update={"config": config})
    save_checkpoint(out, state, {"model": best.tensors["model"]}, best=True)


def outputs_of(trained: Trained, dataset: tersgen.Dataset, n: int) -> tuple[Tensor, Tensor]:
    """Return the logits of the first rows, shape (n, K), and their novelty, shape (n,)."""
    rows = trained.inputs_of(dataset, slice(n))
    logits, novelty = [], []
    assert trained.certainty is not None
    with torch.inference_mode():
        for batch in trained.batches(rows):
            logits.append(trained.model(batch)["logits"].float())
            novelty.append(trained.certainty.scores(trained.model, batch, logits[-1]))
    return torch.cat(logits), torch.cat(novelty)


def scores_of(trained: Trained, known: Path, foreign: Path, n: int) -> dict[str, Any]:
    """Return scores on the first rows of a dataset, and of foreign ones."""
    dataset = tersgen.open(known, n)
    logits, novelty = outputs_of(trained, dataset, n)
    _, strange = outputs_of(trained, tersgen.open(foreign, n), n)
    names = [dataset.classes[k] for k in np.asarray(dataset["label"][:n])]
    labels = torch.tensor([trained.classes.index(one) for one in names])
    n_right = int((logits.argmax(dim=1) == labels).sum())
    low, high = wilson(n_right, len(labels))
    auroc, _ = separation(novelty, strange)
    assert trained.certainty is not None
    typical = trained.certainty.typical
    flagged, detected = (
        float(np.mean(np.asarray(typical(one)) < 1 - 0.95)) for one in (novelty, strange)
    )
    return {
        "n_rows": len(labels), "accuracy": n_right / len(labels), "low": low, "high": high,
        "calibration_error": expected_calibration_error(logits, labels), "auroc": auroc,
        "known_refused": flagged, "foreign_refused": detected,
    }  # fmt: skip


def main() -> int:
    """Make the model, or whatever of it is missing in the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of recipes and runs")
    parser.add_argument("--measured", type=Path, help="measured spectra in folders by class")
    parser.add_argument("--n", type=int, default=200_000, help="training rows")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--scored", type=int, default=3000, help="rows of each score")
    parser.add_argument("--install", action="store_true", help="replace the model in the package")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore", TersWarning)  # of bands beyond the grid
    folder = given.out
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "unseen_foreign.toml").exists():
        write_recipes(folder)
    fit = ("fit", "--recipe", "recipe.toml", "--n", given.n, "--foreign", "foreign.toml",
           "--set", "exposure.share=0.25", "--epochs", given.epochs,
           "--set", "engine.threads=1")  # fmt: skip
    calibrate = ("--data", "calibration.toml", "--novelty", "energy")

    def located(words: tuple[object, ...]) -> list[object]:
        return [folder / str(one) if one in RECIPES else one for one in words]

    is_begun = (folder / "run" / "config.json").exists()
    if not (folder / "run" / "report.html").exists():
        begin = ["fit", "--resume", folder / "run"] if is_begun else located(fit)
        out = [] if is_begun else ["--out", folder / "run"]
        run("ters_train", *begin, *out, "--quiet")
    out = folder / NAME
    if not (out / zoo.ABOUT).exists():
        shutil.rmtree(out, ignore_errors=True)
        write_run(folder, out)
        run("ters_train", "calibrate", out, *located(calibrate))
    trained = ters_train.load(out)
    places = {
        "synthetic spectra, instruments drawn as for calibration": "calibration",
        "synthetic spectra of an instrument beyond those trained on": "unseen",
    }
    scores = {
        text: scores_of(
            trained, folder / f"{one}.toml", folder / f"{one}_foreign.toml", given.scored
        )
        for text, one in places.items()
    }
    if given.measured is not None:
        real = folder / "measured.zarr"
        if not real.exists():
            run("tersgen", "ingest", given.measured, "--label-from", "folder", "--grid",
                "100:3400:1024", "--allow-extrapolation", "--skip-bad", "--out", real)  # fmt: skip
        n = len(tersgen.open(real))
        scores["measured spectra (never trained on)"] = scores_of(
            trained, real, folder / "calibration_foreign.toml", n
        )
    about = {
        "description": DESCRIPTION,
        "commands": [
            " ".join(map(str, ("ters-train", *fit, "--out", NAME))),
            " ".join(("ters-train calibrate", NAME, *calibrate)),
        ],
        "scores": [
            {"rows": rows, "n_rows": one["n_rows"]}
            | {key: round(one[key], 4) for key in ("accuracy", "low", "high")}
            for rows, one in scores.items()
        ],
    }
    (out / zoo.ABOUT).write_text(json.dumps(about, indent=1) + "\n")
    write_json(given.json, {"machine": describe(), "scores": scores})
    for rows, one in scores.items():
        print(rows, {key: round(value, 4) for key, value in one.items()})
    if given.install:
        home = Path(zoo.__file__).parent / NAME
        card = (home / zoo.CARD).read_text()
        shutil.rmtree(home)
        shutil.copytree(out, home)
        (home / zoo.CARD).write_text(card)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
