"""What both programs share: exit codes, suggestions, progress, and a quick start."""

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest
from click.testing import CliRunner

from tersgen.cli.common.progress import Display
from tersgen.text import command, did_you_mean, not_among

PLUGIN = """
from tersgen.effects import EffectSettings, PluginEffect, field
from tersgen.plugins import register

@register("tersgen.effects", "dim")
class Dim(PluginEffect):
    name = "dim"
    stage = "signal"

    class Settings(EffectSettings):
        factor: float = field("factor on the spectra", "1", 0.5, gt=0)
        power: int = field("exponent", "1")

    def act(self, tile):
        tile["line"][...] *= self.settings.factor
"""


def run(program, *arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", program, *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("program", "arguments", "code", "text"),
    [
        ("tersgen", ["--version"], 0, "version"),
        ("tersgen", ["bulid"], 2, "got 'bulid' (did you mean 'build'?)"),
        ("tersgen", ["library", "shwo"], 2, "got 'shwo' (did you mean 'show'?)"),
        ("tersgen", ["build", "--ot", "a.zarr"], 2, "Did you mean"),
        ("tersgen", ["config", "show", "--preset", "relistic"], 2, "(did you mean 'realistic'?)"),
        ("tersgen", ["config", "show", "--config", "none.toml"], 2, "none.toml: cannot be read"),
        ("tersgen", ["config", "show", "--set", "grid.n_point=2"], 2, "(did you mean 'n_points'?)"),
        ("tersgen", ["config", "show", "--set", "effects.dmi.factor=2"], 2, "got 'dmi'"),
        ("tersgen", ["schema", "show", "recip"], 2, "(did you mean 'recipe'?)"),
        ("tersgen", ["library", "show", "builtin:bezene"], 1, "(did you mean 'benzene'?)"),
        ("tersgen", ["library", "show", "bezene"], 1, "(did you mean 'builtin:benzene'?)"),
        (
            "tersgen",
            ["plan", "--n", "9", "--library", "benzene"],
            1,
            "(did you mean 'builtin:benzene'?)",
        ),
        (
            "tersgen",
            ["plan", "--n", "9", "--library", "calcit"],
            1,
            "(did you mean 'builtin:calcite'?)",
        ),
        ("tersgen", ["info", "none.zarr"], 1, "no such dataset"),
        ("ters_train", ["--version"], 0, "version"),
        ("ters_train", ["fti"], 2, "got 'fti' (did you mean 'fit'?)"),
        ("ters_train", ["fit", "--ot", "a.zarr"], 2, "Did you mean one of: '--out'"),
        ("ters_train", ["fit", "--amp", "bf61"], 2, "(did you mean 'bf16'?)"),
        ("ters_train", ["a\x1b[31m"], 2, r"got 'a\x1b[31m'"),
    ],
)
def test_exit_codes_and_suggestions(program, arguments, code, text):
    done = CliRunner().invoke(import_module(f"{program}.cli").main, arguments)
    assert done.exit_code == code, done.output
    assert text in (done.stderr if code else done.stdout)
    assert isinstance(done.exception, SystemExit | None)


@pytest.mark.parametrize("program", ["tersgen", "ters_train"])
def test_a_mistake_ends_a_process_with_a_line_and_its_exit_code(program):
    done = run(program, "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "got 'none'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["tersgen", "ters_train"])
def test_help_imports_nothing_that_takes_long(package):
    code = (
        f"import sys; from {package}.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{'numpy', 'pydantic', 'yaml', 'tqdm', 'numba', 'torch', 'dask'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


def test_commands_are_quoted_and_names_suggested():
    words = ("tersgen", "repair", "a b.zarr", "it's")
    assert tuple(shlex.split(command(*words))) == words
    assert did_you_mean("Benzen", ["benzene"]) == " (did you mean 'benzene'?)"
    assert did_you_mean("x", ["benzene"]) == ""
    many = [f"species-{k}" for k in range(60)]
    assert "species-39 and 20 more, got 'sp-1'" in not_among("sp-1", many)
    assert not_among("x", []) == "there are none to choose from, got 'x'"


def test_progress_where_there_is_no_terminal(capsys):
    display, seldom = Display("rows", every_s=0.0), Display("rows")
    with display, seldom:
        for one in (display, seldom):
            one.show(30, 100, lambda: "2 shards", n_before=30)
            one.show(60, 100, lambda: "4 shards", n_before=30)
            one.note("scoring")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "30 of 100 rows, 2 shards"  # rows of an earlier build are no rate
    assert re.fullmatch(r"60 of 100 rows, \d+ rows/s, 4 shards, [\d.]+ s left", lines[1])
    assert lines[2:] == ["scoring"]


def test_settings_of_plugins_are_listed(quick_cli, tmp_path):
    (tmp_path / "dim.py").write_text(PLUGIN)
    code = "import sys; from tersgen.cli import main; main(sys.argv[1:])"

    def shown(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--plugin", "dim.py"],
            capture_output=True, text=True, cwd=tmp_path, check=True,
        )  # fmt: skip
        return done.stdout

    assert re.search(
        r"effects\.dim\.factor .*factor on the spectra  \[default: 0.5\]", shown("schema", "show")
    )
    unused = shown("config", "show")
    assert "\n# [effects.dim]\n# factor = 0.5  # factor on the spectra (1)\n" in unused
    assert "\n# power = ...  # exponent (1)\n" in unused
    used = shown("config", "show", "--set", "effects.dim.power=2")
    assert "\n[effects.dim]\nfactor = 0.5\npower = 2\n" in used
    assert "# [effects.dim]" not in used


@pytest.mark.parametrize("name", ["sticks.csv", "library", "x.TXT"])
def test_a_library_is_written_under_its_own_endings_only(tmp_path, name):
    (tmp_path / "sticks.csv").write_text("# intensity: activity\nposition,activity\n1000,1\n")
    before = (tmp_path / "sticks.csv").read_text()
    for arguments in (("import", "sticks.csv"), ("merge", "sticks.csv")):
        done = run("tersgen", "library", *arguments, "-o", name, "--overwrite", cwd=tmp_path)
        assert done.returncode == 2
        line = done.stderr.splitlines()[-1]
        assert line.endswith(f"expected a name that ends in .tlib or .json, got {name!r}")
    assert (tmp_path / "sticks.csv").read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.exhaustive
def test_the_command_that_resumes_a_build_works_as_it_is_printed(tmp_path):
    folder, out = tmp_path / "my parts", tmp_path / "my data.zarr"
    folder.mkdir()
    (folder / "dim.py").write_text(PLUGIN)
    build = ("build", "--library", "random:2", "--set", "grid.n_points=64", "--set",
             "effects.dim.power=1", "--set", "fields.maps=false", "--set",
             "lineshape.fwhm_cm1=150", "--plugin", folder / "dim.py", "--n", 512,
             "--shard-rows", 256, "--out", out)  # fmt: skip
    assert run("tersgen", *build, "--shard-range", "0:1").returncode == 0
    done = run("tersgen", "info", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    hint = re.search(r"to resume: (.*)", done.stdout)[1]
    words = shlex.split(hint)
    assert words[:2] == ["tersgen", "build"]
    assert words[-2:] == ["--plugin", str(folder / "dim.py")]
    finished = subprocess.run(
        hint.replace("tersgen", f"{shlex.quote(sys.executable)} -m tersgen", 1),
        shell=True, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "256 kept, 256 made" in finished.stdout
