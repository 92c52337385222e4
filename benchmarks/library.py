"""What a large library of species costs: to store, to open, to begin a build with.

Species are made from one built-in molecule: its tensors and frequencies are scaled by a factor of
their own, under a new name. Each figure is of a new process.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import Json, describe, write_json

from tersgen.library.builtin import load_builtin
from tersgen.library.libraryfile import library_parts
from tersgen.schema.library import Library
from tersgen.schema.species import Mode, Species
from tersgen.store.files import write_durably

MOLECULE = "naphthalene"
ATOMS, MODES = 18, 48
_TOGETHER = 100
_LONGEST_S = 600.0

RECIPE = """
library = ["{library}"]
[lineshape]
fwhm_cm1 = 60.0
[grid]
n_points = 256
[map]
height = 16
width = 16
sigma_px = [1.0, 3.0]
[fields]
n_modes = 48
"""

OPEN = """
import sys, tersgen
data = tersgen.open(sys.argv[1])
assert len(data.classes) == int(sys.argv[2])
"""
ROW = OPEN + "data['label'][0], data.species[len(data.species) - 1].modes\n"


def one_of(base: Species, number: int) -> Species:
    """Return a species of ``ATOMS`` atoms and ``MODES`` modes; each number gives another."""
    random = np.random.default_rng(number)
    modes = []
    for k, factor in enumerate(random.uniform(0.8, 1.2, MODES).tolist()):
        source = base.modes[k]
        assert source.atom_tensors is not None
        shares = np.array(source.atom_tensors)
        shares = factor * shares * random.uniform(0.5, 1.5, (ATOMS, 1, 1))
        shares = 0.5 * (shares + shares.transpose(0, 2, 1))
        modes.append(
            Mode.model_construct(
                frequency_cm1=source.frequency_cm1 * (0.99 + 0.02 * factor),
                tensor=tuple(map(tuple, shares.sum(0).tolist())),
                irrep=source.irrep,
                fwhm_cm1=None,
                atom_tensors=tuple(tuple(map(tuple, one)) for one in shares.tolist()),
                displacements=None,
            )
        )
    name = f"made-{number:05d}"
    modes.sort(key=lambda mode: mode.frequency_cm1)
    return base.model_copy(update={"name": name, "modes": tuple(modes)})


def make_library(n: int, path: Path) -> None:
    """Write a library of ``n`` species."""
    base = load_builtin(MOLECULE)
    parts = [
        Library([one_of(base, number) for number in range(first, min(n, first + _TOGETHER))])
        for first in range(0, n, _TOGETHER)
    ]
    write_durably(path, library_parts(Library.joined(parts)))


def measured(command: list[str]) -> Json:
    """Return wall and processor seconds and the peak resident memory of a new process.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
    }


def until_first_shard(command: list[str], journal: Path) -> Json:
    """Return how long a build takes to its first sealed shard; it is then stopped."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (journal.exists() and journal.stat().st_size):
        if process.poll() is not None or time.perf_counter() - start > _LONGEST_S:
            break
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, _, usage = os.wait4(process.pid, 0) if process.returncode is None else (0, 0, None)
    found: Json = {"seconds": round(seconds, 3)}
    if usage is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        found["peak_mb"] = round(usage.ru_maxrss * unit / 1e6, 1)
    return found


def measure(n: int, folder: Path) -> Json:
    """Return the figures of a library of ``n`` species."""
    library, config = folder / f"{n}.tlib", folder / f"{n}.toml"
    make_library(n, library)
    config.write_text(RECIPE.format(library=library))
    run = [sys.executable, "-m", "tersgen"]
    build = [*run, "build", "--config", str(config), "--n"]
    data = folder / f"{n}.zarr"
    measured([*build, "64", "--dry-run", "--out", str(data)])  # compiles what is not in the cache
    dry = measured([*build, "64", "--dry-run", "--out", str(data)])
    first = until_first_shard([*build, "100000", "--out", str(folder / "b.zarr"), "--shard-rows",
                               "256"], folder / "b.zarr" / "journal.jsonl")  # fmt: skip
    whole = measured([*build, "256", "--out", str(data)])
    python = [sys.executable, "-c"]
    return {
        "species": n,
        "bytes_per_molecule": round(library.stat().st_size / n),
        "recipe_bytes": (data / "recipe.json").stat().st_size,
        "import": measured([*python, "import tersgen.dataset.opening"]),
        "open": measured([*python, OPEN, str(data), str(n)]),
        "open_and_last_species": measured([*python, ROW, str(data), str(n)]),
        "dry_run": dry,
        "first_shard": first,
        "build_256": whole,
    }


def main() -> int:
    """Measure libraries of several sizes, of molecules of 18 atoms with 48 modes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--species", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--folder", type=Path, default=None, help="where to put the datasets")
    arguments = parser.parse_args()
    results: Json = {"machine": describe(), "atoms": ATOMS, "modes": MODES, "libraries": []}
    for n in arguments.species:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            results["libraries"].append(measure(n, Path(folder)))
            print(json.dumps(results["libraries"][-1]))
    write_json(arguments.out / "library.json", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
