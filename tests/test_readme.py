"""The blocks of the README, run from top to bottom in one folder, as a new user would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FEWER = ("--n 1e5", "--n 4e3")
INSTALLS = re.compile(
    r"^(python3 -m venv .*?&& pip install \. && |(uv )?pip install .*$)", re.MULTILINE
)


def blocks() -> list[tuple[str, str]]:
    """Return language and text of each block before the one that develops the package."""
    text = (ROOT / "README.md").read_text().partition("## Develop")[0]
    return BLOCK.findall(text)


@pytest.mark.exhaustive
def test_every_block_works_after_those_before_it(tmp_path):
    found = blocks()
    assert len(found) >= 4
    scripts = Path(sys.executable).parent
    paths = os.pathsep.join([str(scripts), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "MPLBACKEND": "Agg"}
    for language, text in found:
        if language == "python":
            command = [sys.executable, "-W", "error", "-c", text]
        else:
            plain = INSTALLS.sub("", text).replace(*FEWER)
            command = ["bash", "-euo", "pipefail", "-c", plain]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    for name in ("data.zarr", "seven.png", "seven.txt", "runs/cnn/report.html"):
        assert (tmp_path / name).exists()
