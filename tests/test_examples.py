"""The examples run as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tersgen

pytestmark = pytest.mark.exhaustive

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_scripts_run(script, tmp_path):
    if any(word in script.read_text() for word in ("import torch", "ters_train")):
        pytest.importorskip("torch")
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path)


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_trainings_run(script, tmp_path):
    pytest.importorskip("torch")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    few = "1000"
    done = subprocess.run(
        ["sh", str(script), few],
        check=True,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert re.search(r"\d+ samples of test: accuracy", done.stdout)


@pytest.mark.parametrize("config", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_recipes_generate(config):
    dataset = tersgen.open(config)
    assert dataset["label"][:4].shape == (4,)
