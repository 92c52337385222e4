"""``tersgen library compute``: lists, reports, and runs that are killed."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from tersgen.api.computing import prepare_library
from tersgen.library.level import Level
from tersgen.library.libraryfile import read_library

SMALL = "O water\nC#N hydrogen cyanide\nC methane\nN ammonia\n"
BAD = "O water\nc1ccc broken\nC[CH2] radical\n[Na+].[Cl-] salt\nN water\nC methane\n"


@pytest.fixture(autouse=True)
def needed():
    for package in ("rdkit", "tblite", "geometric"):
        pytest.importorskip(package, reason="pip install 'tersgen[xtb]'")


def compute(*options):
    return ("library", "compute", *options, "--engine", "xtb")


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def test_a_killed_run_resumes_and_ends_with_the_same_library(tmp_path, quick_cli):
    (tmp_path / "list.smi").write_text(SMALL)
    options = compute("list.smi", "-o", "small.tlib")
    process = subprocess.Popen(
        [sys.executable, "-m", "tersgen", *options],
        cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    parts = tmp_path / "small.tlib.parts"
    while not any(parts.glob("*.tlib")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "small.tlib").exists()
    (damaged, *_) = parts.glob("*.tlib")
    content = bytearray(damaged.read_bytes())
    content[-9] ^= 255
    damaged.write_bytes(content)
    assert "was damaged and is removed; the same command" in quick_cli.bad(*options, cwd=tmp_path)
    resumed = quick_cli.run(*options, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "3 of 4 molecules are computed already and kept" in resumed.stderr
    assert not parts.exists()
    quick_cli.good(*compute("list.smi", "-o", "whole.tlib"), cwd=tmp_path)
    here, there = (read_library(tmp_path / f"{name}.tlib") for name in ("small", "whole"))
    assert here.digest == there.digest
    assert here.names == tuple(line.partition(" ")[2] for line in SMALL.splitlines())
    again = quick_cli.good(*options, cwd=tmp_path)
    assert again == "small.tlib: holds these molecules already, nothing to do\n"


def test_workers_get_the_largest_molecules_first(tmp_path):
    (tmp_path / "list.smi").write_text(SMALL)
    prepared = prepare_library(
        str(tmp_path / "list.smi"), tmp_path / "small.tlib", engine="xtb", level=Level(), name=None,
        charge=0, follow=True, conformers=1, skip_bad=False, report=None, overwrite=False,
    )  # fmt: skip
    listed = ["water", "hydrogen cyanide", "methane", "ammonia"]
    order = ["methane", "ammonia", "water", "hydrogen cyanide"]
    for on_workers, names in ((False, listed), (True, order)):
        remaining = prepared.computation.remaining(on_workers)
        assert [entry.name for entry in remaining] == names


def test_bad_molecules_are_lines_of_a_report(tmp_path, quick_cli):
    (tmp_path / "list.smi").write_text(BAD)
    options = compute("list.smi", "-o", "good.json")
    refused = quick_cli.bad(*options, cwd=tmp_path, code=1)
    assert refused.startswith("Error: molecule 2 (broken): expected a SMILES such as c1ccncc1, got")
    assert refused.endswith("(and 3 more); or leave such molecules out (--skip-bad)")
    done = quick_cli.good(*options, "--skip-bad", "--report", "report.csv", cwd=tmp_path)
    assert "6 molecules: 2 computed, 4 refused; see report.csv" in done
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["number"], row["name"], row["status"]) for row in rows] == [
        ("1", "water", "computed"),
        ("2", "broken", "refused"),
        ("3", "radical", "refused"),
        ("4", "salt", "refused"),
        ("5", "water", "refused"),
        ("6", "methane", "computed"),
    ]
    assert "that of molecule 1; rename one" in rows[4]["reason"]


ONCE = """
from tblite.ase import TBLite

class Fails(TBLite):
    implemented_properties = [*TBLite.implemented_properties, "polarizability"]

    def get_property(self, name, atoms=None, allow_calculation=True):
        if len(atoms) == 4:
            raise RuntimeError("no convergence")
        if name == "polarizability":
            return atoms.positions.T @ atoms.positions
        return super().get_property(name, atoms, allow_calculation)

def make():
    return Fails(method="GFN1-xTB", verbosity=0)
"""


@pytest.mark.usefixtures("forgotten_plugins")
def test_a_molecule_that_fails_ends_the_run_or_is_skipped(tmp_path, quick_cli):
    pytest.importorskip("ase")
    (tmp_path / "failing_calculator.py").write_text(ONCE)
    (tmp_path / "list.smi").write_text("O water\nN ammonia\nC#N hydrogen cyanide\n")
    options = ("library", "compute", "list.smi", "-o", "some.tlib",
               "--engine", "ase:failing_calculator.py:make")  # fmt: skip
    failed = quick_cli.bad(*options, cwd=tmp_path, code=1)
    assert "molecule 2 (ammonia): engine ase: failing_calculator.py:make: expected" in failed
    assert "got RuntimeError: no convergence; 1 of 3 molecules are computed and kept in" in failed
    assert "the same command resumes; --skip-bad leaves out such molecules" in failed
    done = quick_cli.good(*options, "--skip-bad", cwd=tmp_path)
    assert "wrote some.tlib: 2 species (water, hydrogen cyanide), 7 modes" in done
    assert "3 molecules: 2 computed, 1 failed" in done


@pytest.mark.exhaustive
def test_workers_make_the_same_library_as_this_process(tmp_path, tersgen_cli):
    (tmp_path / "list.smi").write_text(SMALL)
    for name, more in (("serial", ()), ("workers", ("--workers", "2"))):
        tersgen_cli.good(*compute("list.smi", "-o", f"{name}.tlib", *more), cwd=tmp_path)
    here, there = (read_library(tmp_path / f"{name}.tlib") for name in ("serial", "workers"))
    assert here.digest == there.digest


@pytest.mark.exhaustive
@pytest.mark.skipif(
    not os.environ.get("TERSGEN_ALL_FAULTS"),
    reason="Dask at times does not replace a worker that dies as it starts: docs/faults.md",
)
def test_a_molecule_of_which_workers_die_is_a_failure_like_others(tmp_path, tersgen_cli):
    pytest.importorskip("ase")
    deadly = ONCE.replace('raise RuntimeError("no convergence")', "os._exit(9)")
    (tmp_path / "deadly_calculator.py").write_text("import os\n" + deadly)
    (tmp_path / "list.smi").write_text("O water\nN ammonia\nC#N hydrogen cyanide\n")
    options = ("--engine", "ase:deadly_calculator.py:make", "--workers", "1", "--skip-bad")
    command = ("library", "compute", "list.smi", "-o", "some.tlib", *options)
    done = tersgen_cli.run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "molecule 2 (ammonia): failed: workers died of it" in done.stderr
    assert "wrote some.tlib: 2 species (water, hydrogen cyanide)" in done.stdout
