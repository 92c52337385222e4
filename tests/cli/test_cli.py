"""The commands as a user types them: some in processes of their own, the rest in this one."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

import tersgen

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = ["--preset", "canonical", "--library", "random:3", "--set", "grid.n_points=64",
         "--set", "map.height=8", "--set", "lineshape.fwhm_cm1=150"]  # fmt: skip


@pytest.fixture
def tersgen_command(tersgen_cli):
    return tersgen_cli.run


def test_build_info_and_plot(tersgen_cli, good, bad, tmp_path):
    text = tersgen_cli.good("build", "--n", "1e3", *SMALL, "--out", "data.zarr", cwd=tmp_path)
    dataset = tersgen.open(tmp_path / "data.zarr")
    assert dataset.n_samples == 1000
    assert "samples/s" in text
    assert f"digest {dataset.digest}" in text
    assert dataset.digest in good("info", "data.zarr", cwd=tmp_path)
    info = json.loads(good("info", "data.zarr", "--json", cwd=tmp_path))
    assert info["manifest"]["digest"] == dataset.digest
    error = "rounded to steps of 0.0039, rms error 0.0011, 0.038 to 0.23 of the noise"
    assert good("info", "data.zarr", cwd=tmp_path).count(error) == 2
    planned = json.loads(good("plan", "--n", 1000, *SMALL, "--json"))
    assert [one["name"] for one in planned["roundings"]] == ["spectra", "maps"]
    assert planned["roundings"] == info["roundings"]
    tersgen_cli.good("plot", "data.zarr", "--index", 7, "-o", "seven.png", cwd=tmp_path)
    assert (tmp_path / "seven.png").read_bytes()[:4] == b"\x89PNG"
    for name, separator in (("seven.txt", "\t"), ("seven.CSV", ",")):
        good("plot", "data.zarr", "--index", 7, "-o", name, cwd=tmp_path)
        table = np.loadtxt(tmp_path / name, delimiter=separator)
        np.testing.assert_allclose(table[:, 0], dataset.shift_cm1, atol=1e-3)
        np.testing.assert_allclose(table[:, 1], dataset["spectra"][7].astype(float), rtol=1e-4)
        text = (tmp_path / name).read_text()
        assert text.startswith(f"# {dataset.sample(7)['species']}: row 7 ")
        good("plot", "data.zarr", "--index", -993, "-o", name, cwd=tmp_path)
        assert (tmp_path / name).read_text() == text
    assert "expected a row" in bad(
        "plot", "data.zarr", "--index", 1000, "-o", "a.txt", cwd=tmp_path
    )
    line = bad("plot", "data.zarr", "--index", -1001, "-o", "a.txt", cwd=tmp_path)
    assert "row -1001: expected a row from -1000 to 999" in line
    assert "no .gif" not in bad("plot", "data.zarr", "-o", "a.gif2", cwd=tmp_path)
    assert "expected a row" in bad(
        "plot", "data.zarr", "--index", 1000, "-o", "a.png", cwd=tmp_path
    )


def test_name_and_format_that_disagree(bad, tmp_path):
    for name, format, other in (("a.zarr", "hdf5", "a.h5"), ("a.H5", "zarr", "a.zarr")):
        options = ["build", "--n", 10, *SMALL, "--format", format, "--out", name]
        line = bad(*options, cwd=tmp_path)
        assert f"expected a name for the format {format}, such as {other}, got one" in line
        assert not [*tmp_path.iterdir()]


def test_a_geometry_is_no_library(bad):
    line = bad("library", "show", EXAMPLES / "molecules" / "water.xyz")
    assert "compute them from it: tersgen library compute " in line


def test_build_json_and_the_same_recipe_give_the_same_digest(good, tmp_path):
    results = [
        json.loads(good("build", "--n", 500, *SMALL, "--json", "--out", tmp_path / name, *more))
        for name, more in (("a", ()), ("b", ("--threads", 1, "--shard-rows", 256)))
    ]
    assert results[0]["digest"] == results[1]["digest"]
    assert results[0]["n_samples"] == 500


def test_dry_run_writes_nothing(good, tmp_path):
    options = ("build", "--config", EXAMPLES / "mixed.toml", "--n", "1e6", "--dry-run")
    text = good(*options, "--out", tmp_path / "data.zarr")
    for part in ("spectra", "shards of up to", "files", "peak memory", "free", "samples/s"):
        assert part in text
    estimate = json.loads(good(*options, "--json", "--out", tmp_path / "data.zarr"))
    assert estimate["n_samples"] == 1_000_000
    assert not list(tmp_path.iterdir())


def test_a_table_of_sticks_can_be_imported_and_built_from(good, tmp_path):
    (tmp_path / "quinine.csv").write_text("position,activity\n1370,10\n1620,3\n")
    text = good("library", "import", "quinine.csv", "-o", "library.json", cwd=tmp_path)
    assert "quinine" in text
    assert "1370.00" in good("library", "show", "library.json", cwd=tmp_path)
    good("library", "show", "quinine.csv", "--plot", "quinine.png", cwd=tmp_path)
    build = ("build", "--preset", "canonical", "--n", 100, "--library", "library.json")
    good(*build, "--out", "data.zarr", cwd=tmp_path)
    (tmp_path / "library.json").unlink()
    assert tersgen.open(tmp_path / "data.zarr").classes == ("quinine",)


@pytest.mark.exhaustive
def test_options_say_what_strengths_are(tersgen_command, bad, tmp_path):
    (tmp_path / "dye.csv").write_text("position,intensity\n1370,10\n1620,3\n")
    (tmp_path / "all.toml").write_text('library = ["dye.csv"]\n')
    said = ("--intensity", "observed area", "--laser-nm", 785, "--temperature-k", 300)
    build = ("build", "--n", 10, "--set", "fields.maps=false")
    for command in (
        ("library", "import", "dye.csv", "-o", "dye.json"),
        ("library", "merge", "dye.csv", "-o", "dye.tlib"),
        ("library", "list", "dye.csv"),
        ("plan", "--n", 10, "--library", "dye.csv", "--set", "fields.maps=false"),
        (*build, "--config", "all.toml", "--out", "a.zarr"),
    ):
        done = tersgen_command(*command, *said, cwd=tmp_path)
        assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr
    for data in ("dye.json", "dye.tlib"):
        tersgen_command(*build, "--library", data, "--out", f"{data}.zarr", cwd=tmp_path)
    origins = {
        tersgen.open(tmp_path / name).species[0].provenance.note
        for name in ("a.zarr", "dye.json.zarr", "dye.tlib.zarr")
    }
    assert len(origins) == 1
    assert "from observed areas at 785 nm and 300 K" in origins.pop()
    done = tersgen_command("library", "show", "dye.csv", "--name", "dye", cwd=tmp_path)
    assert done.stderr.count("Warning: dye.csv: does not state all of its intensities") == 1
    for wrong, line in (
        (("--laser-nm", "nan"), "options: laser_nm: expected a finite number"),
        (("--temperature-k", "0"), "options: temperature_k: expected greater than 0"),
        (("--intensity", "activity", "--laser-nm", "532"), "dye.csv: expected activities alone"),
    ):
        assert line in bad(*build, "--library", "dye.csv", *wrong, "--out", "b", cwd=tmp_path)
    assert "got no file" in bad(*build, *said, "--out", "b", cwd=tmp_path)
    assert not (tmp_path / "b").exists()


def test_builtin_library_can_be_listed_and_shown(good):
    names = [row["name"] for row in json.loads(good("library", "list", "--json"))]
    assert {"water", "carbon_dioxide", "methane", "benzene", "pyridine", "thiophenol"} <= set(names)
    assert "benzene" in good("library", "list")
    assert "positions: measured substances" in good("library", "list", "--name", "r*")
    assert {"silicon", "calcite", "quartz", "anatase", "graphite"} <= set(names)
    assert json.loads(good("library", "show", "water", "--json"))["formula"] == "H2O"


def test_show_prints_the_table_of_a_spectroscopist(good, bad, tmp_path):
    table = good("library", "show", "benzene").splitlines()
    (head,) = [line for line in table if line.startswith("  frequency")]
    assert head.split() == [
        "frequency",
        "irrep",
        "g",
        "activity",
        "relative",
        "rho_p",
        "rho_n",
        "width",
    ]
    rows = [line.split() for line in table if line.lstrip()[:1].isdigit()]
    assert len(rows) == 20  # of 30 modes, ten pairs
    (breathing,) = [row for row in rows if row[1] == "A1g" and float(row[0]) < 1500]
    assert breathing[2] == "1"
    assert 0 < float(breathing[5]) < 0.1
    assert ["E2g", "2", "0.7500", "0.8571"] in [[*row[1:3], *row[5:7]] for row in rows]
    assert all(row[5:7] == ["-", "-"] for row in rows if row[1].endswith("u"))
    good("library", "show", "silicon", "--plot", "silicon.svg", cwd=tmp_path)
    assert (tmp_path / "silicon.svg").stat().st_size > 1000
    message = "expected one species to draw, got the 5 of crystals"
    assert message in bad("library", "show", "crystals", "--plot", "x.png", code=2, cwd=tmp_path)


def test_config_show_prints_a_recipe_that_build_takes(good, tmp_path):
    (tmp_path / "recipe.toml").write_text(good("config", "show", *SMALL, "--seed", 5))
    recipe = tersgen.load_recipe(tmp_path / "recipe.toml")
    assert (recipe.seed, recipe.grid.n_points, recipe.library) == (5, 64, ("random:3",))
    again = good("config", "show", "--config", tmp_path / "recipe.toml")
    assert again == (tmp_path / "recipe.toml").read_text()


def test_schema_export_and_show(good, bad, tmp_path):
    good("schema", "export", tmp_path / "schemas")
    assert (tmp_path / "schemas" / "recipe.schema.json").exists()
    assert "grid.start_cm1" in good("schema", "show")
    assert "expected one of recipe" in bad("schema", "show", "dog", code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--n", "0"], 2, "expected at least 1, got 0"),
        (["--n", "-5"], 2, "expected at least 1, got -5"),
        (["--n", "many"], 2, "expected a whole number such as 100000 or 1e5, got 'many'"),
        (["--n", "1.5"], 2, "expected a whole number"),
        (["--n", "nan"], 2, "expected a whole number"),
        (["--n", "inf"], 2, "expected a whole number"),
        (["--n", "1e14"], 1, "expected room for about"),
        (["--n", "1e40"], 2, "expected a whole number from 1 to 2^53"),
        (["--set", "grid.points=5"], 2, "grid.points: unknown field (did you mean 'n_points'?"),
        (["--set", "grid"], 2, "expected FIELD=VALUE"),
        (["--seed", "-1"], 2, "seed"),
        (["--chunk-rows", "100"], 2, "chunk rows: expected a power of two, got 100; try 64"),
        (["--library", "random:0"], 2, "expected K from 1"),
        (["--library", "unobtainium"], 1, "no such file; expected builtin, gfn, crystals"),
        (["--library", "builtin:unobtainium"], 1, "unobtainium"),
        (["--config", "none.toml"], 2, "cannot be read: No such file"),
        (["--set", "grid.stop_cm1=110"], 1, "expected a Raman-active mode between 100 and 110"),
    ],
)
def test_bad_options_are_one_line(bad, tmp_path, arguments, code, message):
    options = ["--preset", "canonical"]
    options += ["--library", "random:2"] if "--library" not in arguments else []
    line = bad("build", "--out", "x.zarr", *options, *arguments, code=code, cwd=tmp_path)
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.fchk", "", "a.fchk"),
        ("a.fchk", "Title\nFreq      RB3LYP      STO-3G\nNumber of atoms    I    20\n", "a.fchk"),
        ("a.csv", "position,activity\n100,0\n200,0\n", "Raman-active"),
        ("a.csv", "100,nan\n", "a.csv"),
        ("a.bin", "\x00\x01\x02", "a.bin"),
    ],
)
def test_unusable_library_files_are_one_line(bad, tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    build = ("build", "--preset", "canonical", "--n", 10, "--library", name)
    line = bad(*build, "--out", "x.zarr", cwd=tmp_path)
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_outputs_that_cannot_be_written(good, bad, tmp_path):
    good("build", "--n", 10, *SMALL, "--out", "a.zarr", cwd=tmp_path)
    again = good("build", "--n", 10, *SMALL, "--out", "a.zarr", cwd=tmp_path)
    assert "complete already, nothing to do" in again
    line = bad("build", "--n", 20, *SMALL, "--seed", 1, "--out", "a.zarr", cwd=tmp_path)
    assert "seed: 0 there, 1 here; n_samples: 10 there, 20 here" in line
    (tmp_path / "file").write_text("")
    assert "expected a folder" in bad("build", "--n", 10, *SMALL, "--out", "file/a", cwd=tmp_path)
    good("build", "--n", 20, *SMALL, "--out", "a.zarr", "--overwrite", cwd=tmp_path)
    assert tersgen.open(tmp_path / "a.zarr").n_samples == 20


def test_modes_outside_the_grid_are_counted_once(tersgen_command, tmp_path):
    (tmp_path / "two.csv").write_text("shift,activity\n1000,1\n5000,1\n6000,2\n")
    build = ("build", "--preset", "canonical", "--n", 10, "--library", "two.csv")
    done = tersgen_command(*build, "--out", "x", cwd=tmp_path)
    assert done.returncode == 0
    warning = "Warning: 2 Raman-active modes of the library outside the grid of 100 to 4000 cm^-1"
    assert done.stderr.count(warning) == 1


def test_unknown_commands_name_the_known(good, bad):
    assert "did you mean 'build'?" in bad("bild", code=2)
    assert good("--version").startswith("tersgen, version")


def test_help_imports_nothing_heavy():
    code = (
        "import sys, tersgen.cli, click.testing\n"
        "click.testing.CliRunner().invoke(tersgen.cli.main, ['--help'])\n"
        "heavy = {'numpy', 'numba', 'zarr', 'tensorstore', 'pydantic', 'dask', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.exhaustive
def test_presets(good, bad, tmp_path):
    small = ["--set", "map.height=8", "--set", "map.width=8", "--set", "nearfield.channel_cm1=500"]
    for name in ("cube.zarr", "cube.h5"):
        good(
            *("build", "--preset", "nearfield", "--n", "40", "--out", name),
            *("--set", "fields.cube=true", *small),
            cwd=tmp_path,
        )
    zarr, hdf5 = (tersgen.open(tmp_path / name) for name in ("cube.zarr", "cube.h5"))
    assert zarr.digest == hdf5.digest
    made = tersgen.generate(zarr.recipe, 0, 40)
    assert made["cube"].shape == (40, 8, 8, 7)
    assert made["maps"].shape == (40, 4, 8, 8)
    for name, values in made.items():
        assert np.array_equal(zarr[name][:], values), name
        assert np.array_equal(hdf5[name][:], values), name
    (tmp_path / "own.toml").write_text("[nearfield]\napex_angstrom = 0.25\n")
    options = ["--preset", "nearfield", "--config", "own.toml", "--set", "seed=4"]
    shown = json.loads(good("config", "show", *options, "--json", cwd=tmp_path))
    assert shown["nearfield"]["apex_angstrom"] == 0.25
    assert shown["nearfield"]["orientation"] == "tilted"
    assert shown["seed"] == 4
    both = ["--preset", "realistic", "--preset", "mixture", "--set", "mixture.least=0.1"]
    shown = json.loads(good("config", "show", *both, "--json", cwd=tmp_path))
    assert shown["mixture"]["least"] == 0.1
    assert shown["instrument"]["bits"] == 16
    assert shown["fields"]["maps"] is False
    both = ["--preset", "realistic", "--preset", "ideal"]
    shown = json.loads(good("config", "show", *both, "--json", cwd=tmp_path))
    assert shown.get("instrument") is None
    both = ["--preset", "ideal", "--preset", "nearfield"]
    shown = json.loads(good("config", "show", *both, "--json", cwd=tmp_path))
    assert shown["noise"]["map"] == [0.0, 0.0]
    assert shown["fields"].get("maps", True)
    line = bad("config", "show", "--preset", "nearfield", "--preset", "ideal", cwd=tmp_path)
    assert "use --preset ideal --preset nearfield" in line
    shown = json.loads(
        good("config", "show", *("--preset", "nearfield", "--preset", "nearfield_atoms"), "--json")
    )
    assert shown["nearfield"]["response"] == "atoms"
    assert shown["nearfield"]["tip_field"] == "radial"
    line = bad("config", "show", "--preset", "nearfield", "--preset", "canonical")
    assert "expected no other preset with it" in line
    line = bad(
        *("build", "--preset", "nearfield_atoms", "--library", "random:2", "--out", "x.zarr"),
        cwd=tmp_path,
    )
    assert "expected atom positions and atom tensors for near-field maps, got none" in line
    line = bad(
        *("build", "--preset", "nearfield", "--library", "builtin:water", "--out", "x.zarr"),
        cwd=tmp_path,
    )
    assert "water: expected a response at sites" in line
    assert 'use sites:water, or make sums over atoms (nearfield.response = "atoms")' in line


def test_what_is_built_if_nothing_is_said(good, bad, tmp_path):
    def shown(*options):
        return json.loads(good("config", "show", "--json", *options))

    near, plain = shown("--preset", "nearfield"), shown("--preset", "canonical")
    assert shown() == near
    assert shown("--seed", 3) == {**near, "seed": 3}
    assert shown("--set", "fields.maps=false", "--set", "fields.cube=true")["nearfield"]
    assert (plain["nearfield"], plain["library"]) == (None, ["builtin"])
    spectra = shown("--set", "fields.maps=false")
    assert spectra == {**plain, "fields": {**plain["fields"], "maps": False}}
    (tmp_path / "own.toml").write_text("seed = 3\n")
    assert shown("--config", tmp_path / "own.toml") == {**plain, "seed": 3}
    build = ("build", "--n", 10, "--out", tmp_path / "x.zarr", "--library", "random:2")
    atoms = shown("--preset", "nearfield_atoms", "--library", "builtin:adenine")
    assert shown("--library", "builtin:adenine") == atoms
    assert shown("--library", "sites:water")["nearfield"]["response"] == "sites"
    line = bad(*build, code=1)
    assert "random-0000: expected atom positions" in line
    assert "spectra only (fields.maps = false) or test patterns (--preset canonical)" in line
    line = bad(*build, "--set", "map.blur_px=1", code=2)
    assert "options are added to --preset nearfield_atoms; test patterns need" in line
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.exhaustive
def test_structure_targets_in_both_formats(good, bad, tmp_path):
    small = ["--set", "map.height=24", "--set", "map.width=24", "--set"]
    small += ["structure.radius_angstrom=0.6", "--set", "structure.bond_width_angstrom=0.8"]
    for name in ("s.zarr", "s.h5"):
        good("build", "--preset", "structure", "--n", "40", "--out", name, *small, cwd=tmp_path)
    zarr, hdf5 = (tersgen.open(tmp_path / name) for name in ("s.zarr", "s.h5"))
    assert zarr.digest == hdf5.digest
    made = tersgen.generate(zarr.recipe, 0, 40)
    assert made["structure/masks"].shape == (40, 4, 24, 24)
    for name, values in made.items():
        assert np.array_equal(zarr[name][:], values), name
        assert np.array_equal(hdf5[name][:], values), name
    lazy = zarr.to_xarray()
    assert lazy.structure_masks.dims == ("sample", "element", "row", "column")
    assert lazy.structure_positions.attrs["units"] == "Angstrom"
    assert np.array_equal(lazy.structure_bonds.values, made["structure/bonds"])
    good("verify", "s.zarr", cwd=tmp_path)
    good("plot", "s.zarr", "-o", "s.png", cwd=tmp_path)
    assert (tmp_path / "s.png").stat().st_size > 10_000
    wide = ["--preset", "structure", "--set", "structure.radius_angstrom=19"]
    line = bad("build", *wide, "--out", "x.zarr", code=2, cwd=tmp_path)
    assert "expected at most the frame's 18 Angstrom" in line


@pytest.mark.exhaustive
def test_scenes_in_both_formats(good, tmp_path):
    small = ["--preset", "scene", "--set", "map.height=24", "--set", "map.width=24", "--n", "40"]
    small += ["--set", "fields.cube=true", "--set", "nearfield.channel_cm1=200"]
    for name in ("s.zarr", "s.h5"):
        good("build", "--out", name, *small, cwd=tmp_path)
    zarr, hdf5 = (tersgen.open(tmp_path / name) for name in ("s.zarr", "s.h5"))
    assert zarr.digest == hdf5.digest
    made = tersgen.generate(zarr.recipe, 0, 40)
    assert made["scene/fraction"].shape == (40, 2, 24, 24)
    for name, values in made.items():
        assert np.array_equal(zarr[name][:], values), name
        assert np.array_equal(hdf5[name][:], values), name
    tersgen.save_recipe(zarr.recipe, tmp_path / "recipe.json")
    generated = tersgen.open(tmp_path / "recipe.json")  # of its fields, none but this is made
    assert np.array_equal(generated["scene/species"][5:9], made["scene/species"][5:9])
    good("verify", "s.zarr", cwd=tmp_path)
    good("plot", "s.zarr", "-o", "s.png", cwd=tmp_path)
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_a_terminal_gets_a_bar(tmp_path):
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "tersgen", "build", "--n", "3000", *SMALL, "--out", "x.zarr"]
    process = subprocess.Popen(command, stdout=child, stderr=child, cwd=tmp_path)
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # the terminal is gone with the process
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait() == 0
    assert b"samples/s" in shown
    assert b"100%" in shown
