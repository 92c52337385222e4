"""What holds for every format: selections, names that are taken, exports that are stopped."""

import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import tersgen
from tersgen import plugins
from tersgen.errors import BusyError, ConfigError, OutputError, UnknownFieldError
from tersgen.exports.exporter import row_blocks

SLOW = """
import sys, time
from tersgen.exports.exporter import Exporter
from tersgen.plugins import register

@register("tersgen.exporters", "slow")
class Slow(Exporter):
    format = "waits in the middle"

    def write(self, dataset, fields, out, report):
        out.mkdir()
        (out / "half").write_bytes(bytes(1000))
        print("half", flush=True)
        time.sleep(60)

@register("tersgen.exporters", "broken")
class Broken(Exporter):
    format = "fails in the middle"

    def write(self, dataset, fields, out, report):
        out.write_bytes(b"half")
        raise ValueError("no more ink")
"""


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path / "slow.py"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_stopped_leaves_nothing_of_its_name(path, slow, tmp_path, number):
    place = tmp_path / "there"
    place.mkdir()
    command = ["export", path, "--to", "slow", "--plugin", slow, "--out", place / "out"]
    arguments = [sys.executable, "-m", "tersgen", *map(str, command)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout.readline() == b"half\n"
        with pytest.raises(BusyError, match="one that is running"):
            tersgen.export(path, place / "out", "bagit")
        child.send_signal(number)
        code = child.wait(60)
    left = [one.name for one in place.iterdir()]
    if number == signal.SIGTERM:
        assert (code, left) == (143, [])
    else:
        assert left == [".out.partial"]
        tersgen.export(path, place / "out", "bagit")
        assert [one.name for one in place.iterdir()] == ["out"]
        assert not (place / "out" / "half").exists()


def test_an_error_names_the_plug_in_and_leaves_nothing(path, slow, tmp_path, forgotten_plugins):
    plugins.import_module(str(slow))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"exporter 'broken' \(slow\): ValueError: no more ink"):
        tersgen.export(path, tmp_path / "out", "broken")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_replaced(path, tmp_path, about):
    for name, format in (("a.cff", "citation"), ("bag", "bagit")):
        out = tmp_path / name
        out.symlink_to("nowhere")
        with pytest.raises(OutputError, match="exports replace nothing"):
            tersgen.export(path, out, format, **(about if format == "citation" else {}))
    with pytest.raises(OutputError, match="outside datasets"):
        tersgen.export(path, path / "new.cff", "citation", **about)
    with pytest.raises(OutputError, match="no folder"):
        tersgen.export(path, tmp_path / "no" / "new.cff", "citation", **about)


def test_what_came_meanwhile_is_not_replaced(path, tmp_path, slow, forgotten_plugins):
    class Rival(plugins.load("tersgen.exporters", "citation")):
        def write(self, dataset, fields, out, report):
            out.write_text("mine")
            (tmp_path / "new.cff").write_text("other")

    plugins.register("tersgen.exporters", "rival")(Rival)
    with pytest.raises(OutputError, match="exports replace nothing"):
        tersgen.export(path, tmp_path / "new.cff", "rival")
    assert (tmp_path / "new.cff").read_text() == "other"
    assert not list(tmp_path.glob(".new*"))


def test_rows_species_parts_and_fields_are_selected(path, ds, tmp_path):
    def exported(name, **selection):
        out = tersgen.export(path, tmp_path / f"{name}.h5", "hdf5", **selection)
        with h5py.File(out) as file:
            return file["sample"][:].tolist(), {key for key in file if key in ds or key == "params"}

    every = set(ds.fields) - {name for name in ds.fields if "/" in name} | {"params"}
    assert exported("rows", rows=slice(3, 7)) == ([3, 4, 5, 6], every)
    rows, _ = exported("train", part="train", species="benzene")
    assert rows == [row for row in ds.rows_in("train") if ds["label"][row] == 0]
    assert exported("one", rows=[5], fields="spectra") == ([5], {"spectra"})
    assert exported("view", fields=["label"])[0] == list(range(len(ds)))


def test_wrong_requests_are_one_line(path, tmp_path):
    def refused(error, match, to="parquet", out="x.parquet", **more):
        with pytest.raises(error, match=match):
            tersgen.export(path, tmp_path / out, to, **more)

    refused(ConfigError, "did you mean 'parquet'", to="parkett")
    refused(ConfigError, "preview: expected", preview="many")
    refused(ConfigError, "colour: unknown field", colour="red")
    refused(ConfigError, "without any", rows=slice(0, 0))
    refused(UnknownFieldError, "'cubes'", fields="cubes")
    refused(OutputError, r"ends in \.parquet", out="x.csv")
    refused(ConfigError, "one field", to="hyperspy", out="x.hspy", fields=["maps", "cube"])
    meant = (
        r"license: expected the SPDX identifier .* got 'CC BY 4.0' \(did you mean 'CC-BY-4.0'\?\)"
    )
    refused(ConfigError, meant, to="citation", out="x.cff", license="CC BY 4.0")
    for name in ("none", "LicenseRef-mine", "MIT OR Apache-2.0", "(", "MIT+"):
        refused(ConfigError, "license: expected the SPDX", to="huggingface", license=name)
    refused(ConfigError, "authors: expected a value", to="citation", out="x.cff")
    refused(ConfigError, "the dataset's own files", to="bagit", rows=slice(3))
    refused(ConfigError, "along samples alone", to="hyperspy", out="x.hspy", fields="label")
    with pytest.raises(OutputError, match="got a URL"):
        tersgen.export(path, "s3://bucket/x.parquet", "parquet")
    assert not list(tmp_path.iterdir())


def test_blocks_of_rows_cover_the_dataset_in_bounded_memory(ds, monkeypatch):
    row_bytes = ds["cube"].spec.value_bytes
    monkeypatch.setattr("tersgen.exports.exporter._BLOCK_BYTES", 7 * row_bytes)
    blocks = list(row_blocks(ds, ["cube"]))
    assert {rows.stop - rows.start for rows in blocks[:-1]} == {7}
    assert np.concatenate([np.r_[rows] for rows in blocks]).tolist() == list(range(len(ds)))


def test_the_command_selects_and_sets(path, ds, tmp_path):
    from click.testing import CliRunner

    from tersgen.cli import main

    def run(*arguments):
        return CliRunner().invoke(main, ["export", *map(str, arguments)])

    out = tmp_path / "i.h5"
    done = run(path, "--to", "hdf5", "-o", out, "--rows", "2:4", "--field", "maps", "--field",
               "label")  # fmt: skip
    assert (done.exit_code, done.output) == (0, f"wrote {out}\n")
    with h5py.File(out) as file:
        assert np.array_equal(file["maps"][:], ds["maps"][2:4])
    cff = tmp_path / "a.cff"
    people = "authors=[{family: Raman, given: C. V., orcid: 0000-0002-1825-0097}]"
    assert run(path, "--to", "citation", "-o", cff, "--set", people, "--set", "version=1.10",
               "--set", "title=A: B").exit_code == 0  # fmt: skip
    text = Path(cff).read_text()
    for line in ("orcid: https://orcid.org/0000-0002-1825-0097", "version: '1.10'", "'A: B'"):
        assert line in text
    assert "expected rows such as" in run(path, "--to", "hdf5", "-o", out, "--rows", "a").output
    help = run("--help").output
    assert "preview (parquet)" in help
    assert "nexus        NeXus file" in help
