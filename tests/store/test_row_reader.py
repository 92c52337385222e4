"""Rows read one at a time: each is that of its chunk, and checked whenever it is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.errors import DamagedDataError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.store import row_reader

ROWS = 100


@pytest.fixture(scope="module", params=["zarr", "hdf5"])
def built(request, tiny_recipe, tmp_path_factory):
    """A dataset whose chunks are not compressed, in one shard; and the values of its rows."""
    out = tmp_path_factory.mktemp("rows") / ("a.h5" if request.param == "hdf5" else "a.zarr")
    plan = make_plan(tiny_recipe, ROWS, request.param, chunk_rows=64, compression="none")
    run(plan, out)
    return out, tersgen.generate(tiny_recipe, 0, ROWS)


@pytest.fixture
def reader(built, tmp_path, monkeypatch):
    monkeypatch.setattr(row_reader, "_PIECE", 100)
    for path in built[0].parent.iterdir():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, tmp_path / path.name)
    return tersgen.open(tmp_path / built[0].name)._source._source


def row_of(reader, name, row):
    part = reader.read_part(name, row)
    return part.values[row - part.first]


def test_each_row_of_each_field(reader, built):
    for name, values in built[1].items():
        for row in (0, 63, 64, ROWS - 1, 0, 1, 63):  # and again, from what is known of its chunk
            np.testing.assert_array_equal(row_of(reader, name, row), values[row])


def test_what_changes_after_the_first_row_is_noticed(reader, built, tmp_path):
    expected = built[1]["spectra"]
    np.testing.assert_array_equal(row_of(reader, "spectra", 3), expected[3])
    place = expected[40].astype("<" + expected.dtype.str[1:]).tobytes()
    (file,) = (
        path for path in tmp_path.rglob("*") if path.is_file() and place in path.read_bytes()
    )
    good = file.read_bytes()
    at = good.index(place) + 1
    file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    np.testing.assert_array_equal(row_of(reader, "spectra", 3), expected[3])
    with pytest.raises(DamagedDataError, match=r"spectra, rows 0 to 63: .*CRC32C.*tersgen repair"):
        row_of(reader, "spectra", 40)
    mended = file.with_name("mended")
    mended.write_bytes(good)
    mended.replace(file)  # as tersgen repair does
    np.testing.assert_array_equal(row_of(reader, "spectra", 40), expected[40])


def test_a_missing_file_is_named(reader, tmp_path):
    for path in [*tmp_path.rglob("c.0*"), *tmp_path.rglob("000000.h5")]:
        path.unlink()
    with pytest.raises(DamagedDataError, match=r"rows 64 to 99: the file is missing"):
        reader.read_part("spectra", 70)


def open_files():
    return len(list(Path("/dev/fd").iterdir()))


def test_no_more_files_stay_open_than_may(tiny_recipe, tmp_path):
    run(make_plan(tiny_recipe, 1280, chunk_rows=64, shard_rows=256), tmp_path / "a.zarr")
    reader = tersgen.open(tmp_path / "a.zarr")._source._source
    reader._rows._files._most_files = 2
    row_of(reader, "spectra", 0)  # opens folders, too
    before = open_files()
    for row in [*range(0, 1280, 64)] * 2:
        row_of(reader, "spectra", row)
    assert open_files() == before + 1
