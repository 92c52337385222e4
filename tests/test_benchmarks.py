"""Every benchmark runs, in its smallest form: what it measures so is worth nothing."""

import csv
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tersgen.bench import task_names

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"

SMALLEST = {
    "beside": f"{ROOT} --n 1024 --pairs 1 --out OUT --json OUT/result.json",
    "effects": f"{ROOT} --pairs 1 --seconds 0.01 --recipes mixture --json OUT/result.json",
    "few_shots": "--seeds 1 --shots 0 1 --n 300 --scored 1 --only 'library search' "
    "'CNN, from zoo:minerals' --out OUT/few --json OUT/result.json",
    "frequency_errors": f"{ROOT / 'tersgen/library/data/water.json'} --json OUT/result.json",
    "generation": "--n 2048 --rounds 1 --skip-check --out OUT --json OUT/result.json",
    "gpu_twin": "--device cpu --n 16 --repeats 1 --json OUT/result.json",
    "inputs": "convnext transformer:inputs=raw --n 512 --seeds 1 --epochs 1 --out OUT/inputs "
    "--json OUT/result.json",
    "learning": "cnn threads --n 512 --divide 256 --weight-seeds 1 --curve-seeds 1 --rounds 1 "
    "--out OUT --json OUT/result.json",
    "library": "--species 10 --out OUT --folder OUT",
    "loader": "--n 2048 --rounds 1 --parts settings warm --peers memmap --data OUT/data "
    "--envs OUT/envs --json OUT/result.json",
    "mapping": "--n 2048 --rounds 1 --data OUT/data --json OUT/result.json",
    "nearfield": "--pixels 16 --rounds 1 --json OUT/result.json",
    "normals": "--arrays 50 --seeds 1 --json OUT/result.json",
    "numpy_generator": "--n 64 --rows 16",
    "opening": "--shards 2 --out OUT --folder OUT",
    "precision": "--n 4096 --rounds 1 --out OUT --json OUT/result.json",
    "predict": "--n 600 --files 8 --rounds 1 --out OUT/predict --json OUT/result.json",
    "presets": "--presets canonical --seconds 0.01 --n 256 --out OUT --json OUT/result.json",
    "raman_bench": "OUT/mirror --folds OUT/folds.csv --reference OUT --steps 10 --out OUT/ours.csv "
    "--json OUT/result.json",
    "remote": "--n 1024 --rounds 1 --epochs 1 --rows 2 --out OUT --json OUT/result.json",
    "scaling": "--folder OUT --counts 2 3 --n 512 --rounds 1 --json OUT/result.json",
    "serving": "--presets canonical --seconds 0.2 --rounds 1 --json OUT/result.json",
    "startup": "--n 500 1000 --rounds 1 --out OUT --json OUT/result.json",
    "tip_oracle": "hydrogen_sulfide --basis sto-3g --folder OUT/parts --json OUT/result.json",
    "tersbench": "--size trial --only 'atom sum' PLS U-Net 'local maxima' --seeds 1 --epochs 1 "
    "--measured OUT/measured --out OUT --json OUT/result.json",
    "tight_binding": "time symmetry agreement table --molecules 1 --json OUT/result.json",
    "trust": "--n 2048 --rounds 1 --out OUT --json OUT/result.json",
    "zoo": "--n 1000 --epochs 1 --scored 200 --out OUT/zoo --json OUT/result.json",
    "writing": "--n 2048 --rounds 1 --out OUT --memory OUT --json OUT/result.json",
}
"""Options of each script; OUT is a folder."""
NEEDED = {
    "few_shots": "torch",
    "gpu_twin": "torch",
    "tip_oracle": "pyscf",
    "inputs": "torch",
    "learning": "torch",
    "loader": "torch",
    "precision": "torch",
    "predict": "torch",
    "raman_bench": "torch",
    "remote": "torch",
    "mapping": "torch",
    "serving": "obstore",
    "tersbench": "torch",
    "zoo": "torch",
    "tight_binding": "tblite",
}


def run(*command: str) -> None:
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def write_raman_bench(folder: Path) -> None:
    """Write a dataset, folds and results of another model in the layout of RamanBench."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    n, shift = 36, np.linspace(200, 1800, 64)
    rng = np.random.default_rng(1)
    share = np.repeat([0.2, 0.5, 0.9], n // 3)
    bands = np.exp(-(((shift - [[600], [1200]]) / 60) ** 2))
    spectra = share[:, None] * bands[0] + bands[1] + rng.normal(0, 0.01, (n, 64))
    columns = {f"{one:g}": values for one, values in zip(shift, spectra.T, strict=True)}
    columns |= {"name": np.where(share > 0.6, "much", "little"), "share": share}
    data = folder / "mirror" / "mixtures" / "data"
    data.mkdir(parents=True)
    pq.write_table(pa.table(columns), data / "train-00000-of-00001.parquet")
    rows = np.arange(n - 1, -1, -1)  # row 0 is in fold 2
    folds, results = [], []
    for target, kind, metric in ((0, "classification", "roc_auc"), (1, "regression", "rmse")):
        task = f"mixtures__{target}"
        folds.append(
            pa.table(
                {
                    **{"task": [task] * n, "dataset": ["mixtures"] * n, "target_idx": [target] * n},
                    **{"problem_type": [kind] * n, "repeat": [0] * n, "spectrum_id": rows},
                    "fold": np.arange(n) % 3,
                }
            )
        )
        results += [
            {"dataset": task, "fold": k, "model": name, "metric_error": error, "metric": metric,
             "reference": False}
            for k in range(3)
            for name, error in (("BEST", -1.0), ("WORST", 1e6), ("DUMMY", -2.0))
        ]  # fmt: skip
    pyarrow.csv.write_csv(pa.concat_tables(folds), folder / "folds.csv")
    place = folder / "raman_bench" / "data" / "precomputed" / "v1"
    place.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(results), place / "reference_results.parquet")


def write_measured(folder: Path) -> None:
    """Write spectra of two species, measured as far as TERSBench can tell."""
    for name, center in (("calcite", 1086), ("silicon", 520)):
        place = folder / "measured" / name
        place.mkdir(parents=True)
        lines = [f"{x} {1000 / (1 + ((x - center) / 5) ** 2):.3f}" for x in range(90, 4011, 2)]
        (place / "a.txt").write_text("\n".join(lines))


def check_tersbench(folder: Path) -> None:
    """Each task has been scored."""
    tasks = json.loads((folder / "result.json").read_text())["tasks"]
    assert [*tasks] == task_names()
    assert all(runs for runs in tasks.values())


def test_none_is_left_out():
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "argparse" in path.read_text()}
    assert scripts == set(SMALLEST)


def check_raman_bench(folder: Path) -> None:
    """Each fold has its row, with the error by which the benchmark ranks, and a rank."""
    rows = list(csv.DictReader((folder / "ours.csv").read_text().splitlines()))
    assert [(one["dataset"], one["fold"], one["metric"]) for one in rows] == [
        (f"mixtures__{target}", f"{k}", metric)
        for target, metric in enumerate(("roc_auc", "rmse"))
        for k in range(3)
    ]
    for one in rows[:3]:
        assert float(one["metric_error"]) == pytest.approx(1 - float(one["roc_auc"]))
        assert 0 <= float(one["accuracy"]) <= 1
    for one in rows[3:]:
        assert 0 < float(one["metric_error"]) < 1.0  # a number of the size of the shares
    table = json.loads((folder / "result.json").read_text())["table"]
    assert [line.count("2 of 3 | -1 (BEST)") for line in table[2:]] == [1, 1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SMALLEST)
def test_benchmark(name, tmp_path):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    arguments = shlex.split(SMALLEST[name].replace("OUT", str(tmp_path)))
    if name == "raman_bench":
        write_raman_bench(tmp_path)
    if name == "tersbench":
        write_measured(tmp_path)
    run(str(BENCHMARKS / f"{name}.py"), *arguments)
    if name == "raman_bench":
        check_raman_bench(tmp_path)
    if name == "tersbench":
        check_tersbench(tmp_path)
    for result in tmp_path.glob("*.json"):
        content = json.loads(result.read_text())
        measured = [content] if "machine" in content else list(content.values())  # case by case
        assert measured
        assert all(one["machine"]["cpu"] for one in measured)


@pytest.mark.parametrize(
    ("name", "page"), [("tight_binding", "outside_checks.md"), ("tersbench", "tersbench.md")]
)
def test_the_table_in_the_docs_is_current(name, page):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    results = json.loads(module.RESULTS.read_text())
    assert module.table(results) in (ROOT / "docs" / page).read_text()


@pytest.mark.exhaustive
def test_benchmarks_of_kernels():
    options = ("--import-mode=prepend", "--benchmark-disable", "-p", "no:cacheprovider")
    run("-m", "pytest", "-q", *options, str(BENCHMARKS / "test_kernels.py"))
