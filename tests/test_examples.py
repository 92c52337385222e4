"""The examples run as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

import tersgen

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_scripts_run(script, tmp_path):
    if "import torch" in script.read_text():
        pytest.importorskip("torch")
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path)


@pytest.mark.parametrize("config", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_recipes_generate(config):
    dataset = tersgen.open(config)
    assert dataset["label"][:4].shape == (4,)
