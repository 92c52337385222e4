"""Molecules computed by jobs of a real SLURM: the library of one process."""

import pytest

import tersgen
from tersgen.library.libraryfile import read_library

pytestmark = pytest.mark.slurm


def test_jobs_compute_the_library_of_one_process(slurm, tmp_path):
    for package in ("rdkit", "tblite", "geometric"):
        pytest.importorskip(package, reason="pip install 'tersgen[xtb]'")
    source, output = tmp_path / "list.smi", tmp_path / "jobs.tlib"
    source.write_text("O water\nC#N hydrogen cyanide\nC methane\nN ammonia\n")
    command = ("tersgen", "library", "compute", source, "-o", output, "--engine", "xtb")
    done = slurm.good(*command, "--cluster", "slurm", "--workers", 2, "--memory", "1GB")
    assert "4 molecules: 4 computed" in done
    alone = tersgen.compute_library(source, tmp_path / "alone.tlib", engine="xtb")
    assert read_library(output).digest == alone.digest
