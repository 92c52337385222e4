"""What CONTRIBUTING.md tells newcomers, done as it says: one new file and one test each."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def block(exercise, part):
    """Return a block of code of the page."""
    found = re.findall(rf"<!-- {exercise}: {part} -->\n```\w*\n(.*?)```\n", PAGE, re.DOTALL)
    assert len(found) == 1
    return found[0]


FILES = {
    "importer": ("vib", "library/importers", "water.vib",
                 "VIB 1\nname water\n1595  xx=0.1 yy=0.4 zz=0.2\n3657  xx=1.0 yy=1.5 zz=2.0\n"),
    "effect": ("ghosts", None, None, ""),
    "profile": ("triangles", None, None, ""),
    "exporter": ("peaks", "exports/formats", None, ""),
    "reader": ("lux", "measured/readers", "quartz.lux", block("reader", "file")),
}  # fmt: skip


def run(folder, path, *command):
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize("exercise", sorted(FILES))
def test_a_file_of_ones_own_is_used_as_a_plug_in(tmp_path, exercise):
    name, _, data, text = FILES[exercise]
    (tmp_path / f"{name}.py").write_text(block(exercise, "code"))
    if data is not None:
        (tmp_path / data).write_text(text)
    for line in block(exercise, "commands").splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tersgen"
        run(tmp_path, ROOT, "-m", "tersgen", *arguments)
    (made,) = tmp_path.glob("*.zarr")
    if exercise == "exporter":  # changes no rows
        assert len((tmp_path / "water.peaks").read_text().splitlines()) == 11
        return
    assert f'"module": "{name}"' in (made / "lock.json").read_text()


@pytest.mark.exhaustive
@pytest.mark.parametrize("exercise", ["effect", "profile"])
def test_an_effect_has_a_test_of_its_own(tmp_path, exercise):
    name = FILES[exercise][0]
    (tmp_path / f"{name}.py").write_text(block(exercise, "code"))
    (tmp_path / f"test_{name}.py").write_text(block(exercise, "test"))
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    out = run(tmp_path, path, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{name}.py")
    assert "2 passed" in out


@pytest.mark.parametrize(
    "exercise", ["importer", "reader", pytest.param("exporter", marks=pytest.mark.exhaustive)]
)
def test_one_file_and_one_test_make_it_ours(tmp_path, exercise):
    name, folder, *_ = FILES[exercise]
    ours = tmp_path / "copy" / "tersgen"
    shutil.copytree(ROOT / "tersgen", ours, ignore=shutil.ignore_patterns("__pycache__", "*.nb?"))
    (ours / folder / f"{name}.py").write_text(block(exercise, "code"))
    test = tmp_path / f"test_{name}.py"
    test.write_text(block(exercise, "test"))
    out = run(tmp_path, ours.parent, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name)
    assert "2 passed" in out
