"""Commands that find a package from outside, really installed, and commands that do not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


class Commands:
    """Runs ``tersgen`` and Python with some folders on the path, in a folder."""

    def __init__(self, folder: Path, *paths: Path) -> None:
        self.folder = folder
        self._path = os.pathsep.join(map(str, [*paths, HERE.parent]))

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        """Run Python with some arguments."""
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": self._path},
            capture_output=True,
            text=True,
            check=False,
        )

    def good(self, *arguments: object) -> str:
        """Return what a command prints that must succeed."""
        done = self.run("-m", "tersgen", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bad(self, *arguments: object) -> str:
        """Return the one error line of a command that must fail."""
        done = self.run("-m", "tersgen", *arguments)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        return line

    def python(self, code: str) -> str:
        """Return what a piece of Python prints that must succeed."""
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def outside(installed, tmp_path):
    """Return commands that find the package."""
    return Commands(tmp_path, installed)


@pytest.fixture
def alone(tmp_path):
    """Return commands that do not find it."""
    return Commands(tmp_path)
