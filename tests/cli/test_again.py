"""The same command again changes nothing, and says so."""

import json
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.dataset.verify import verify

SMALL = ["--preset", "canonical", "--library", "random:2", "--set", "grid.n_points=64",
         "--set", "lineshape.fwhm_cm1=150", "--set", "map.height=8"]  # fmt: skip


def state(root: Path) -> dict[Path, bytes]:
    """Return every file, and what it holds."""
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def data(good, tmp_path):
    good("build", "--n", 300, *SMALL, "--out", tmp_path / "data.zarr")
    return tmp_path / "data.zarr"


def test_an_extension_by_a_number_adds_once(good, data):
    good("extend", data, "--n", 200)
    before = state(data)
    said = good("extend", data, "--n", 200)
    created = tersgen.open(data).manifest.created
    assert said == (
        f"{data}: was extended by 200 samples to 500 at {created}, nothing to do; to add another "
        f"200: tersgen extend {data} --to 700\n"
    )
    told = json.loads(good("extend", data, "--n", 200, "--json"))
    assert (told["n_samples"], told["n_kept"]) == (500, 500)
    assert state(data) == before
    good("extend", data, "--to", 700)
    assert tersgen.open(data).n_samples == 700
    good("extend", data, "--to", 700)
    assert "to 700 at" in good("extend", data, "--n", 200), "--to 700 added as many"
    good("extend", data, "--n", 100)
    assert tersgen.open(data).n_samples == 800
    good("split", data)
    good("extend", data, "--n", 100)
    assert tersgen.open(data).n_samples == 900, "something else was done in between"
    assert verify(data).sound


def test_commands_on_a_dataset(good, data, tmp_path):
    steps = [
        ("build", "--n", 300, *SMALL, "--out", data),
        ("convert", data, tmp_path / "b.h5"),
        ("finalize", data),
        ("split", data, "--seed", 1),
        ("split", data, "--seed", 2, "--overwrite"),
        ("tag", data, "v1"),
        ("tag", data, "v1", "--delete"),
        ("repair", data),
    ]
    for step in steps:
        good(*step)
        before = state(tmp_path)
        good(*step)
        assert state(tmp_path) == before, step


def test_replacing_again_gives_the_same(good, data):
    again = ("build", "--n", 300, *SMALL, "--seed", 5, "--out", data, "--overwrite")
    good(*again)
    digest = tersgen.open(data).digest
    good(*again)
    assert tersgen.open(data).digest == digest
    assert [path.name for path in data.parent.iterdir()] == ["data.zarr"]


def test_a_library_file_that_is_there_already(quick_cli, tmp_path):
    good, bad = quick_cli.good, quick_cli.bad
    (tmp_path / "two.csv").write_text("shift,activity\n1000,1\n2000,2\n")
    command = ("library", "import", tmp_path / "two.csv", "-o", tmp_path / "two.json")
    assert "wrote" in good(*command)
    before = state(tmp_path)
    assert "holds two already, nothing to do" in good(*command)
    assert state(tmp_path) == before
    (tmp_path / "two.json").write_text("mine")
    assert "exists already; pass --overwrite" in bad(*command)
    assert (tmp_path / "two.json").read_text() == "mine"
    (tmp_path / "folder.json").mkdir()
    line = bad(*command[:-1], tmp_path / "folder.json", "--overwrite")
    assert "expected the name of a file to write, got a folder" in line


def test_an_ingest_reads_no_output_of_its_own(quick_cli, tmp_path):
    folder = tmp_path / "exp"
    folder.mkdir()
    for k in range(3):
        lines = (f"{x} {(x - 300 * k) ** 2:.3f}\n" for x in np.arange(200.0, 1200.0, 10.0))
        (folder / f"{k}.txt").write_text("".join(lines))
    out = folder / "real.zarr"
    command = ("ingest", folder, "--label", "x", "--out", out)
    assert "3 samples" in quick_cli.good(*command)
    assert "complete already, nothing to do" in quick_cli.good(*command)
    (tmp_path / "link").symlink_to(folder)
    elsewhere = (*command[:-1], tmp_path / "link" / "real.zarr")
    assert "complete already" in quick_cli.good(*elsewhere)
    assert "expected files of measured spectra, got a dataset" in quick_cli.bad(
        "ingest", out, "--label", "x", "--out", out
    )
    labels = folder / "labels.csv"
    labels.write_text("file,label\n0,a\n1,b\n2,c\n")
    quick_cli.good("ingest", folder, "--labels", tmp_path / "link" / "labels.csv", "--out", out,
                   "--overwrite")  # fmt: skip
    assert tersgen.open(out).classes == ("a", "b", "c")
