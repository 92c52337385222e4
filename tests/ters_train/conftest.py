"""Real runs of ters-train for the tests of engine and command line."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.numpy import load_file

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

WAIT_S = 240.0
"""Longer than anything here takes on a busy machine; what takes longer hangs."""
TINY = {
    "cnn": ["--set", "model.options.widths=[4,8]"],
    "vit": ["--model", "vit", "--set", "model.options.size=custom", "--set",
            "model.options.width=16",
            "--set", "model.options.depth=2", "--set", "model.options.heads=2", "--set",
            "model.options.patch=2"],
}  # fmt: skip
"""Options of models that take no time."""


class Done(NamedTuple):
    """What a command that has ended left."""

    returncode: int | None
    """Negative for a signal; None if it did not end in time."""
    stdout: str
    stderr: str


class Started(NamedTuple):
    """A command that runs."""

    pid: int
    out: Path
    err: Path


class Runs:
    """Runs commands of ters-train in processes of their own; see ``run_server.py``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("run_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"},
        )

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer

    def start(
        self,
        *arguments: object,
        signal_at: tuple[str, int, int] | None = None,
        kill_at: tuple[str, str] | None = None,
        rows: Path | None = None,
        memory: int | None = None,
        file_bytes: int | None = None,
        environment: dict[str, str] | None = None,
        report: bool = False,
        host: str | None = None,
        constants: dict[str, Any] | None = None,
        paths: Sequence[Path] = (),
    ) -> Started:
        """Start a command; what may be done to it stands in ``run_server.py``.

        Pictures and page at the end of a training take seconds: without ``report`` there are none.
        """
        self._number += 1
        out, err = (self._folder / f"{self._number}.{kind}" for kind in ("out", "err"))
        job = {
            "arguments": [*map(str, arguments)],
            "out": str(out),
            "err": str(err),
            "signal": signal_at,
            "kill": kill_at,
            "rows": str(rows) if rows else None,
            "memory": memory,
            "file_bytes": file_bytes,
            "environment": environment or {},
            "report": report,
            "host": host,
            "constants": constants or {},
            "paths": [*map(str, paths)],
        }
        return Started(self._ask({"start": job})["pid"], out, err)

    def wait(self, started: Started) -> Done:
        """Wait for a command to end, and end it if it does not."""
        status = self._ask({"wait": started.pid, "seconds": WAIT_S})["status"]
        if status is None:
            os.kill(started.pid, signal.SIGKILL)
            self._ask({"wait": started.pid, "seconds": WAIT_S})
        return Done(status, started.out.read_text(), started.err.read_text())

    def run(self, *arguments: object, **how: Any) -> Done:
        """Run a command to its end."""
        return self.wait(self.start(*arguments, **how))

    def good(self, *arguments: object, **how: Any) -> Done:
        """Run a command that must succeed."""
        done = self.run(*arguments, **how)
        assert done.returncode == 0, done.stderr
        return done

    def bad(self, *arguments: object, code: int | None = None, **how: Any) -> str:
        """Return the last line of a command that must fail with one line and no traceback."""
        done = self.run(*arguments, **how)
        assert done.returncode in ((1, 2) if code is None else (code,)), done
        assert "Traceback" not in done.stderr
        *_, line = done.stderr.strip().splitlines()
        assert line.startswith("Error: "), done.stderr
        return line

    def begin(
        self,
        n: int,
        *arguments: object,
        hows: list[dict[str, Any]] | None = None,
        address: str = "127.0.0.1",
    ) -> list[Started]:
        """Start a command in n processes that train together, as torchrun starts them."""
        port = free_port()
        started = []
        for rank in range(n):
            how = dict(hows[rank]) if hows else {}
            environment = {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n),
                "MASTER_ADDR": address, "MASTER_PORT": str(port), **how.pop("environment", {}),
            }  # fmt: skip
            started.append(self.start(*arguments, environment=environment, **how))
        return started

    def group(self, n: int, *arguments: object, **how: Any) -> list[Done]:
        """Run a command to its end in n processes that train together."""
        return [self.wait(one) for one in self.begin(n, *arguments, **how)]

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(60)
        assert self._server.stdout is not None
        self._server.stdout.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Return what runs commands of ters-train."""
    server = Runs(tmp_path_factory.mktemp("runs"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def few(tiny_recipe: tersgen.Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of 600 rows; 480 of them are trained on, 60 choose, 60 test."""
    path = tmp_path_factory.mktemp("few") / "few.zarr"
    run(make_plan(tiny_recipe, 600, chunk_rows=32, shard_rows=256), path)
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture
def copy_of(few: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the dataset, to be damaged."""

    def copy() -> Path:
        return Path(shutil.copytree(few, tmp_path / "copy.zarr"))

    return copy


@pytest.fixture(scope="session")
def finished(runs: Runs, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that went to its end, with its report; copy it to change it."""
    out = tmp_path_factory.mktemp("finished") / "run"
    runs.good(
        "fit", "--data", few, "--out", out, *TINY["cnn"], "--batch-size", 32, "--epochs", 3,
        "--checkpoint-steps", 4, "--lr", 0.02, "--ema", 0.5, report=True,
    )  # fmt: skip
    return out


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def weights_of(run: Path, kind: str = "step", file: str = "model") -> dict[str, Any]:
    """Return the tensors of the newest checkpoint of a run."""
    folder = sorted((run / "checkpoints").glob(f"{kind}-*"))[-1]
    return load_file(folder / f"{file}.safetensors")
