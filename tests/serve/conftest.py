"""A real server in a child process, with a small dataset."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import tersgen

TABLE: dict[str, Any] = {
    "seed": 11,
    "library": ["random:3"],
    "grid": {"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 64},
    "lineshape": {"fwhm_cm1": 150.0},
    "map": {"height": 8, "width": 10, "sigma_px": [1.0, 3.0], "move_px": 1.0},
    "random": {"n_modes": [3, 6]},
}
"""A recipe whose rows take microseconds, as a request contains it."""
TOKEN = "0123456789abcdef0123456789abcdef"


class Service:
    """A server in a child process."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        self._options = options
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        token = self.root.parent / "token"
        token.write_text(TOKEN)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tersgen", "serve", str(self.root), "--port", "0",
             "--token-file", str(token), "--threads", "1", *self._options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", line), (line, self.errors())
        self.url = line.strip().rstrip("/")

    def errors(self) -> str:
        """Return what the server has written to standard error, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def client(self, token: str | None = TOKEN, **options: Any) -> httpx.Client:
        """Return a plain HTTP client."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, **options)

    def connect(self) -> Any:
        """Return a client of tersgen."""
        return tersgen.connect(self.url, token=TOKEN)

    def kill(self) -> None:
        """Kill the server, as a crash of the machine does."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """End the server, and return what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        return said


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a server of a folder with the dataset ``small.zarr`` and ``small.h5``."""
    root = tmp_path_factory.mktemp("serve") / "root"
    root.mkdir()
    for name in ("small.zarr", "small.h5"):
        tersgen.build(TABLE, 300, root / name, threads=1)
    tersgen.split(root / "small.zarr")
    running = Service(root)
    yield running
    said = running.stop()
    assert "Traceback" not in said, said
    assert running.process.returncode == 143


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """Return an HTTP client of the server, with the owner's token."""
    with service.client() as client:
        yield client


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts a server of an empty folder."""
    started = []

    def start(*options: str) -> Service:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        started.append(Service(root, *options))
        return started[-1]

    yield start
    for one in started:
        one.stop()
