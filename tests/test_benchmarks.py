"""Every benchmark runs, in its smallest form: what it measures so is worth nothing."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"

SMALLEST = {
    "beside": f"{ROOT} --n 1024 --pairs 1 --out OUT --json OUT/result.json",
    "defaults": f"{ROOT} --data OUT/data.zarr --model cnn --seeds 1 --json OUT/result.json",
    "effects": f"{ROOT} --pairs 1 --seconds 0.01 --recipes mixture --json OUT/result.json",
    "frequency_errors": f"{ROOT / 'tersgen/library/data/water.json'} --json OUT/result.json",
    "generation": "--n 2048 --rounds 1 --skip-check --out OUT --json OUT/result.json",
    "gpu_twin": "--device cpu --n 16 --repeats 1 --json OUT/result.json",
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
    "samples": "OUT/data.zarr --epochs 1 --obvious 100 --rows 20 --json OUT/result.json",
    "remote": "--n 1024 --rounds 1 --epochs 1 --rows 2 --out OUT --json OUT/result.json",
    "scaling": "--folder OUT --counts 2 3 --n 512 --rounds 1 --json OUT/result.json",
    "serving": "--presets default --seconds 0.2 --rounds 1 --json OUT/result.json",
    "shipped": "--presets canonical --pairs 1 --seconds 0.01 --out OUT --json OUT/result.json",
    "startup": "--n 500 1000 --rounds 1 --out OUT --json OUT/result.json",
    "tip_oracle": "hydrogen_sulfide --basis sto-3g --folder OUT/parts --json OUT/result.json",
    "tight_binding": "time symmetry agreement table --molecules 1 --json OUT/result.json",
    "trust": "--n 2048 --rounds 1 --out OUT --json OUT/result.json",
    "writing": "--n 2048 --rounds 1 --out OUT --memory OUT --json OUT/result.json",
}
"""Options of each script; OUT is a folder."""
NEEDED = {
    "defaults": "torch",
    "gpu_twin": "torch",
    "tip_oracle": "pyscf",
    "learning": "torch",
    "loader": "torch",
    "precision": "torch",
    "predict": "torch",
    "samples": "torch",
    "remote": "torch",
    "mapping": "torch",
    "serving": "obstore",
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


def test_none_is_left_out():
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "argparse" in path.read_text()}
    assert scripts == set(SMALLEST)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SMALLEST)
def test_benchmark(name, tmp_path):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    arguments = SMALLEST[name].replace("OUT", str(tmp_path)).split()
    if f"{tmp_path}/data.zarr" in arguments:
        run("-m", "tersgen", "build", "--n", "1024", "--out", f"{tmp_path}/data.zarr")
        run("-m", "tersgen", "split", f"{tmp_path}/data.zarr")
    run(str(BENCHMARKS / f"{name}.py"), *arguments)
    for result in tmp_path.glob("*.json"):
        content = json.loads(result.read_text())
        measured = [content] if "machine" in content else list(content.values())  # case by case
        assert measured
        assert all(one["machine"]["cpu"] for one in measured)


def test_the_table_of_tight_binding_is_current():
    spec = importlib.util.spec_from_file_location("tight_binding", BENCHMARKS / "tight_binding.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    results = json.loads(module.RESULTS.read_text())
    assert module.table(results) in (ROOT / "docs" / "outside_checks.md").read_text()


@pytest.mark.exhaustive
def test_benchmarks_of_kernels():
    options = ("--import-mode=prepend", "--benchmark-disable", "-p", "no:cacheprovider")
    run("-m", "pytest", "-q", *options, str(BENCHMARKS / "test_kernels.py"))
