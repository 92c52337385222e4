"""Importers, readers and executors from outside: installed, or named with --plugin, or gone."""

import json
import tomllib

import numpy as np
import pytest

import tersgen
from tersgen.dataset.verify import verify

WATER = "VIB 1\nname water-like\n1595 0.1 0 0 0.4 0 0.2\n3657 1 0 0 1.5 0 2\n"
SMALL = """
grid = {n_points = 32}
lineshape = {fwhm_cm1 = 300.0}
fields = {maps = false, tensors = false, params = false}
"""
DIGITS = "0123456789abcdef"


@pytest.fixture
def water(tmp_path):
    (tmp_path / "water.vib").write_text(WATER)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path / "water.vib"


@pytest.fixture
def spectra(tmp_path):
    path = tmp_path / "exp" / "quartz" / "a.dat"
    path.parent.mkdir(parents=True)
    counts = np.random.default_rng(3).random((4, 50)).astype("<f4")
    header = json.dumps({"start_cm1": 100.0, "step_cm1": 10.0, "spectra": 4})
    path.write_bytes(f"EXAMPLE SPECTROMETER\n{header}\n".encode() + counts.tobytes())
    return path


def is_example(record, name):
    """Return whether a record names a part of the package, and all that is needed to find it."""
    digest = record.pop("digest")
    return len(digest) == 64 and {*digest} <= {*DIGITS} and record == {
        "name": name, "module": "ters_example", "package": "ters-example", "version": "0.1",
    }  # fmt: skip


def registered(installed):
    """Return the module of the importer as a script that registers it itself."""
    source = (installed / "ters_example" / "importer.py").read_text()
    end = 'from tersgen.plugins import register\nregister("tersgen.importers", "my")(Vib)\n'
    return f"{source}\n{end}"


# ---- importers


@pytest.mark.exhaustive
def test_a_file_of_modes_is_imported_and_says_by_what(outside, alone, water):
    outside.good("library", "import", "water.vib", "-o", "water.json")
    (species,) = json.loads((water.parent / "water.json").read_text())["species"]
    provenance = species["provenance"]
    assert species["name"] == "water-like"
    assert provenance["file"] == "water.vib"
    assert len(provenance["sha256"]) == 64
    assert is_example(provenance["importer"], "vib")
    shown = outside.good("library", "show", "water.vib")
    assert "read by 'vib' (ters-example 0.1, sources " in shown
    assert "expected one of these formats" in alone.bad("library", "show", "water.vib")
    # what was imported is a library as any other
    assert "water-like" in alone.good("library", "list", "water.json")
    assert "wrote renamed.tlib: 1 species (w)" in outside.good(
        "library", "import", "water.vib", "-o", "renamed.tlib", "--name", "w"
    )


@pytest.mark.exhaustive
def test_a_dataset_outlives_the_importer_of_its_species(outside, alone, water):
    build = ("build", "--config", "small.toml", "--n", 300, "--out", "a.zarr")
    outside.good(*build, "--library", "water.vib", "--library", "random:1")
    path = water.parent / "a.zarr"
    (record,) = json.loads((path / "lock.json").read_text())["plugins"]
    assert is_example(record, "vib")
    assert "plugins" not in json.loads((path / "recipe.json").read_text())
    assert alone.good("reproduce", "a.zarr", "--fraction", 1).endswith("to the bit\n")
    alone.good("verify", "a.zarr")
    alone.good("info", "a.zarr")
    alone.good("extend", "a.zarr", "--to", 400)
    (kept,) = json.loads((path / "lock.json").read_text())["plugins"]
    assert is_example(kept, "vib")
    dataset = tersgen.open(path)
    assert dataset.recipe.species[0].provenance.importer.version == "0.1"
    assert np.isfinite(dataset["spectra"][:]).all()


@pytest.mark.exhaustive
def test_a_dataset_is_streamed_without_the_importer_of_its_species(outside, alone, water):
    pytest.importorskip("torch")
    options = ("--config", "small.toml", "--library", "water.vib")
    outside.good("build", *options, "--n", 300, "--out", "a.zarr")
    code = (
        "import tersgen; from ters_train.data.order import Order;"
        "from ters_train.data.rows import all_rows; from ters_train.data.stream import Stream;"
        "d = tersgen.open('a.zarr'); stream = Stream(d, ['spectra'], Order(all_rows(d), 50));"
        "print(sum(len(batch['spectra']) for batch in stream))"
    )
    assert alone.python(code) == "300\n"


def test_opening_imports_nothing_from_outside(outside, water):
    options = ("--config", "small.toml", "--library", "water.vib")
    outside.good("build", *options, "--n", 50, "--out", "a.zarr")
    code = (
        "import sys, tersgen; d = tersgen.open('a.zarr'); d['spectra'][:], d.recipe.species[0];"
        "print([m for m in sys.modules if m.startswith(('ters_example', 'tersgen.library.importers'"
        ", 'tersgen.measured.readers', 'distributed', 'tersgen.jobs'))])"
    )
    assert outside.python(code) == "[]\n"


def test_what_is_installed_changes_no_digest(outside, water):
    options = ("--config", "small.toml", "--library", "random:2", "--n", 50, "--out", "a.zarr")
    outside.good("build", *options)
    recipe = {**tomllib.loads(SMALL), "library": ["random:2"]}
    tersgen.build(recipe, 50, water.parent / "b.zarr")
    (a, b) = (tersgen.open(water.parent / name) for name in ("a.zarr", "b.zarr"))
    assert a.digest == b.digest
    texts = [(water.parent / name / "recipe.json").read_bytes() for name in ("a.zarr", "b.zarr")]
    assert texts[0] == texts[1]


TWIN = """
from tersgen.library.importer import Importer
from tersgen.plugins import register

@register("tersgen.importers", "twin")
class Twin(Importer):
    format = "VIB again"

    def matches(self, path, head):
        return path.suffix == ".vib"{more}

    def read(self, path):
        {body}
"""


@pytest.mark.exhaustive
def test_two_importers_of_one_file_are_named(outside, water):
    (water.parent / "twin.py").write_text(TWIN.format(body="return []", more=""))
    line = outside.bad("library", "show", "water.vib", "--plugin", "twin.py")
    assert "'twin' (twin) and 'vib' (ters-example 0.1)" in line
    assert "--importer" in line
    importing = ("library", "import", "water.vib", "-o", "a.tlib", "--plugin", "twin.py")
    outside.good(*importing, "--importer", "vib")
    line = outside.bad(*importing, "--importer", "twin", "--overwrite")
    assert "importer 'twin' (twin): expected one Species or several, got []" in line
    assert "did you mean 'vib'?" in outside.bad(*importing, "--importer", "vob", "--overwrite")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('a\\n\\x1b[31mb')",
         r"importer 'twin' (twin): KeyError: 'a\n\x1b[31mb', at {file}:13"),
        pytest.param("return 5", "importer 'twin' (twin): TypeError: 'int' object is not iterable",
                     marks=pytest.mark.exhaustive),
        ("return [None]", "importer 'twin' (twin): expected one Species or several, got [None]"),
    ],
)  # fmt: skip
def test_an_importer_that_fails_is_one_line(alone, water, body, message):
    (water.parent / "twin.py").write_text(TWIN.format(body=body, more=""))
    line = alone.bad("library", "show", "water.vib", "--plugin", "twin.py")
    message = message.replace("{file}", str(water.parent / "twin.py"))
    assert line == f"Error: water.vib: {message}"


@pytest.mark.exhaustive
def test_a_recipe_names_its_modules(outside, alone, water, installed):
    folder = water.parent / "recipes"
    folder.mkdir()
    (folder / "my_vib.py").write_text(registered(installed))
    head = 'plugins = ["my_vib.py"]\nlibrary = ["../water.vib"]\n'
    (folder / "r.toml").write_text(head + SMALL)
    alone.good("build", "--config", "recipes/r.toml", "--n", 50, "--out", "a.zarr")
    (record,) = json.loads((water.parent / "a.zarr" / "lock.json").read_text())["plugins"]
    assert (record["name"], record["module"], record["package"]) == ("my", "my_vib", None)
    # its species are those of the installed importer, but for who read them
    outside.good("build", "--config", "small.toml", "--library", "water.vib", "--n", 50, "--out",
                 "b.zarr")  # fmt: skip
    rows = [tersgen.open(water.parent / name)["spectra"][:] for name in ("a.zarr", "b.zarr")]
    np.testing.assert_array_equal(*rows)
    (folder / "r.toml").write_text(head.replace("my_vib.py", "my_vib") + SMALL)
    assert "a.zarr: 50 of 50 samples are there already" in alone.good(
        "build", "--config", "recipes/r.toml", "--n", 50, "--out", "a.zarr"
    )
    (folder / "r.toml").write_text(head.replace("my_vib", "lost") + SMALL)
    assert "lost.py'; give its path" in alone.bad("plan", "--config", "recipes/r.toml", "--n", 50)


def test_an_importer_that_fails_to_look_is_named_and_the_others_tried(outside, water):
    (water.parent / "twin.py").write_text(TWIN.format(body="return []", more=" and head.colour"))
    done = outside.run("-m", "tersgen", "library", "show", "water.vib", "--plugin", "twin.py")
    assert done.returncode == 0
    assert "importer 'twin' (twin): AttributeError: 'bytes' object has no attribute" in done.stderr
    assert "cannot tell whether water.vib is its format, and is left out" in done.stderr


# ---- readers


def test_files_of_an_instrument_are_ingested_and_say_by_what(outside, alone, spectra):
    line = alone.bad("ingest", "exp", "--label-from", "folder", "--out", "real.zarr")
    assert "a.dat: expected text, got a binary file" in line
    outside.good("ingest", "exp", "--label-from", "folder", "--out", "real.zarr")
    folder = spectra.parents[2] / "real.zarr"
    (record,) = json.loads((folder / "lock.json").read_text())["plugins"]
    assert is_example(record, "dat")
    (record,) = json.loads((folder / "recipe.json").read_text())["readers"]
    assert is_example(record, "dat")
    assert verify(folder).sound
    dataset = tersgen.open(folder)
    assert dataset.n_samples == 4
    assert dataset.basis.files[0].notes == ("read by 'dat'",)
    line = alone.bad("reproduce", "real.zarr")
    assert "pip install 'ters-example==0.1' for the reader 'dat'" in line
    # the same command again: nothing to do
    outside.good("ingest", "exp", "--label-from", "folder", "--out", "real.zarr")


def test_a_damaged_file_of_an_instrument_is_one_line(outside, spectra):
    spectra.write_bytes(spectra.read_bytes()[:-3])
    line = outside.bad("ingest", "exp", "--out", "real.zarr")
    assert "a.dat: reader 'dat' (ters-example 0.1): expected 4 spectra of equal length" in line
    assert "--skip-bad" in line
    spectra.write_bytes(b"EXAMPLE SPECTROMETER\n{}\n")
    assert "KeyError: 'spectra'" in outside.bad("ingest", "exp", "--out", "real.zarr")


READER = """
import numpy as np
from tersgen.measured.reader import Reader
from tersgen.measured.spectrum import Spectrum
from tersgen.plugins import register

@register("tersgen.readers", "careless")
class Careless(Reader):
    format = "careless"

    def matches(self, path, head):
        return head.startswith(b"careless")

    def read(self, path, options):
        {body}
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return Spectrum('a', np.arange(9.0), np.full(9, np.nan))", "got NaN or infinity"),
        ("return Spectrum('a', np.array([1.0, 3, 2]), np.ones(3))", "got one that turns"),
        ("return Spectrum('a', np.arange(9.0), np.ones(8))", r"got shapes \(8,\) and \(9,\)"),
        ("return [1.0]", "expected spectra, got 1.0"),
        ("return []", "expected at least one spectrum, got none"),
    ],
)
def test_what_a_reader_brings_is_checked(alone, tmp_path, body, message):
    (tmp_path / "careless.py").write_text(READER.format(body=body))
    (tmp_path / "a.txt").write_text("careless")
    line = alone.bad("ingest", "a.txt", "--plugin", "careless.py", "--out", "a.zarr")
    assert "a.txt: reader 'careless' (careless): " in line
    assert message.replace("\\", "") in line


# ---- executors


SERIAL = """
from contextlib import contextmanager
from tersgen.jobs.chunks import Shard
from tersgen.jobs.executors.interface import Launcher
from tersgen.plugins import register

class OneByOne:
    def run(self, job):
        maker = job.plan.maker(job.store, job.rows)
        for shard in job.todo[:MOST]:
            units = maker.units(shard, job.plan.rows_of(shard))
            job.committer.commit(Shard(shard, [maker.make(*unit) for unit in units]))
            job.counter.add(job.committer.committed)

@register("tersgen.executors", "serial")
class Serial(Launcher):
    @contextmanager
    def open(self, options, plan):
        yield OneByOne(), "one by one"

MOST = {most}
"""
ROWS = ("--library", "random:2", "--n", 600, "--shard-rows", 256)


@pytest.mark.exhaustive
def test_an_executor_of_a_plug_in_makes_the_same_dataset(alone, water):
    (water.parent / "serial.py").write_text(SERIAL.format(most="None"))
    build = ("build", "--config", "small.toml", *ROWS, "--out")
    alone.good(*build, "a.zarr")
    alone.good(*build, "b.zarr", "--plugin", "serial.py", "--scheduler", "serial")
    (a, b) = (tersgen.open(water.parent / name) for name in ("a.zarr", "b.zarr"))
    assert a.digest == b.digest
    assert "plugins" not in json.loads((water.parent / "b.zarr" / "lock.json").read_text())
    line = alone.bad(*build, "c.zarr", "--scheduler", "serial")
    assert "expected one of dask, local, lsf, pbs, slurm, threads, got 'serial'" in line


@pytest.mark.parametrize(
    ("most", "message"),
    [
        ("1", "expected the executor to make 3 shards, got none of 1:3"),
        ("1 / 0", "ZeroDivisionError"),
        ("'x'", "executor 'serial' (serial): TypeError: slice indices must be"),
    ],
)
def test_an_executor_that_fails_is_one_line(alone, water, most, message):
    (water.parent / "serial.py").write_text(SERIAL.format(most=most))
    options = ("--plugin", "serial.py", "--scheduler", "serial")
    assert message in alone.bad("build", "--config", "small.toml", *ROWS, *options, "--out", "a")


@pytest.mark.exhaustive
def test_workers_import_what_the_builder_did(alone, water, installed):
    source = registered(installed)
    mark = water.parent / "imported"
    source += f"import os\nopen({str(mark)!r}, 'a').write(str(os.getpid()) + ' ')\n"
    (water.parent / "my_vib.py").write_text(source)
    build = ("build", "--config", "small.toml", "--library", "water.vib", "--n", 300, "--plugin",
             "my_vib", "--out")  # fmt: skip
    alone.good(*build, "a.zarr")
    alone.good(*build, "b.zarr", "--workers", 1)
    (a, b) = (tersgen.open(water.parent / name) for name in ("a.zarr", "b.zarr"))
    assert a.digest == b.digest
    assert len({*mark.read_text().split()}) == 3  # two builders, one worker


@pytest.mark.exhaustive
def test_jobs_of_an_array_import_the_module_too(alone, water, installed):
    source = registered(installed)
    (water.parent / "my_vib.py").write_text(source)
    build = ("build", "--config", "small.toml", "--library", "water.vib", "--n", 600,
             "--shard-rows", 256, "--plugin", "my_vib.py", "--out", "a.zarr")  # fmt: skip
    alone.good(*build, "--shard-range", "0:2")
    # another version of the module makes, perhaps, another species
    (water.parent / "my_vib.py").write_text(source + "# changed\n")
    line = alone.bad(*build, "--shard-range", "2:3")
    assert "library.water-like.provenance.importer.digest: " in line
    assert "modes" not in line
    (water.parent / "my_vib.py").write_text(source)
    alone.good(*build, "--shard-range", "2:3")
    alone.good("finalize", "a.zarr")
    assert tersgen.open(water.parent / "a.zarr").n_samples == 600
