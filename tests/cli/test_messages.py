"""No command prints what could steer a terminal, whatever files are called."""

import json
import re
import shutil
from pathlib import Path

import pytest

import tersgen.cli

SMALL = ["--library", "random:2", "--set", "grid.n_points=64", "--set", "fields.maps=false",
         "--set", "lineshape.fwhm_cm1=150", "--shard-rows", 256]  # fmt: skip
ODD = "a\x1b[31m\x1b]0;t\x07\x9b2J\x7f\u202e\r\nError: b"
"""Colours, a title, a bell, both forms of escape sequences, text turned round, a second line."""


@pytest.fixture
def shown(quick_cli, tmp_path):
    """Return a function that runs a command, and returns what it printed that is safe to show."""

    def run(*arguments, code=0):
        done = quick_cli.run(*arguments, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        for text in (done.stdout, done.stderr):
            bad = [one for line in text.split("\n") for one in line if not one.isprintable()]
            assert bad == [], text
        assert sum(line.startswith("Error: ") for line in done.stderr.split("\n")) <= (code != 0)
        return done

    return run


def test_results_and_errors_of_commands_on_a_dataset_of_an_odd_name(shown, tmp_path):
    path = f"{ODD}.zarr"
    spelt = r"a\x1b[31m\x1b]0;t\x07\x9b2J\x7f\u202e"
    for printed in (
        shown("build", "--n", 300, *SMALL, "--out", path).stdout,
        shown("build", "--n", 300, *SMALL, "--out", path).stdout,
        shown("info", path).stdout,
        shown("verify", path).stdout,
        shown("tag", path).stdout,
        shown("extend", path, "--n", 10).stdout,
        shown("reproduce", path).stdout,
        shown("diff", path, path).stdout,
        shown("convert", path, f"{ODD}.h5").stdout,
        shown("plot", path, "-o", f"{ODD}.png").stdout,
        shown("build", "--n", 5, *SMALL, "--out", path, code=1).stderr,
        shown("info", f"{path}@{ODD}", code=1).stderr,
    ):
        assert spelt in printed, printed
    for arguments in (("info",), ("verify",), ("reproduce",), ("tag",), ("log",), ("repair",)):
        printed = shown(*arguments, path, "--json").stdout
        assert [json.loads(line) for line in printed.splitlines()] or arguments == ("tag",)
    assert json.loads(shown("info", path, "--json").stdout)["path"] == path
    shutil.rmtree(tmp_path / path / "label")
    assert r"\x1b]0;t\x07" in shown("verify", path, code=1).stdout
    assert r"\x1b]0;t\x07" in shown("plot", path, "-o", "b.png", code=1).stderr
    assert r"\x1b]0;t\x07" in shown("repair", path).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("build", "--out", f"{ODD}/{ODD}/x.zarr", "--config", f"{ODD}.toml"), 2),
        (("build", "--out", "x.zarr", "--library", ODD), 1),
        (("build", "--out", "x.zarr", "--set", "\x1b]0;t\x07=1"), 2),
        (("build", "--out", "x.zarr", f"--{ODD}"), 2),
        (("build", "--out", "x.zarr", "--format", ODD), 2),
        (("build", "--out", "x.zarr", "--n", ODD), 2),
        ((f"--{ODD}",), 2),
        ((ODD,), 2),
        (("schema", "show", ODD), 2),
        (("library", "show", ODD), 1),
        (("library", "import", f"{ODD}.csv", "-o", "x.json"), 1),
        (("split", ODD), 1),
        (("split", "x.zarr", "--name", ODD), 2),
        (("split", "x.zarr", "--ratios", f"{ODD}=1"), 2),
    ],
)
def test_wrong_arguments_of_odd_names(shown, arguments, code):
    assert r"\x1b" in shown(*arguments, code=code).stderr


def test_names_that_are_no_text(shown, tmp_path):
    name = b"a\xff\x9b.zarr".decode("utf-8", "surrogateescape")
    shown("build", "--n", 10, *SMALL, "--out", name)
    assert r"a\udcff\udc9b.zarr: sound" in shown("verify", name).stdout
    assert json.loads(shown("reproduce", name, "--json").stdout)["path"] == name
    assert r"a\udcff\udc9b" in shown("build", "--n", 11, *SMALL, "--out", name, code=1).stderr


def test_species_of_odd_names(shown, tmp_path):
    (tmp_path / f"{ODD}.csv").write_text("position,activity\n1000,1\n")
    shown("library", "import", f"{ODD}.csv", "-o", f"{ODD}.json", "--name", "quinine")
    assert r"\x1b" in shown("library", "show", f"{ODD}.json").stdout
    config = shown("config", "show", "--library", f"{ODD}.csv").stdout
    assert r"\u001b[31m" in config


def test_there_is_one_place_that_prints():
    folder = Path(tersgen.cli.__file__).parent
    printing = [
        path.name
        for path in sorted(folder.rglob("*.py"))
        if re.search(r"\bs?echo\(|\bprint\(|std(out|err)\.write", path.read_text())
    ]
    assert printing == ["messages.py"]
