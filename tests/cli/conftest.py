"""The commands as a user types them."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, nullcontext
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from tersgen.cli import main


class Done(NamedTuple):
    """What a command that has ended left."""

    returncode: int
    stdout: str
    stderr: str


def _process(*arguments, cwd=None, **environment) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "tersgen", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _inside(*arguments, cwd=None) -> Done:
    with chdir(cwd) if cwd else nullcontext():
        result = CliRunner().invoke(main, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


class Cli:
    """Runs commands: ``run`` them, expect a ``good`` end, or a ``bad`` one."""

    def __init__(self, run: Callable[..., Done]) -> None:
        self.run = run

    def good(self, *arguments, cwd=None) -> str:
        """Return what a command prints that must succeed."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bad(self, *arguments, code=None, cwd=None) -> str:
        """Return the error line of a command that must fail, with ``code`` if that is given."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode in ((1, 2) if code is None else (code,)), done.stderr
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        return line


@pytest.fixture(scope="session")
def tersgen_cli() -> Cli:
    """Run each command as a process of its own."""
    return Cli(_process)


@pytest.fixture(scope="session")
def quick_cli() -> Cli:
    """Run each command in this process, which is faster."""
    return Cli(_inside)


@pytest.fixture(scope="session")
def good(quick_cli):
    """Return a function that runs a command that must succeed."""
    return quick_cli.good


@pytest.fixture(scope="session")
def bad(quick_cli):
    """Return a function that runs a command that must fail, and returns its error line."""
    return quick_cli.bad
