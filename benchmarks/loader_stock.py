"""What the benchmark of loaders runs: peers, their environments, and the files of all.

Everything is kept in two folders and made once.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from machine import Json
from numpy_generator import CANONICAL

from tersgen.dataset.opening import open as open_dataset
from tersgen.dataset.recipes import load_recipe
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run as run_build
from tersgen.resolution import resolve

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
CONSTRAINTS = HERE.parent / "constraints.txt"
_ROWS = 4096
_SECONDS = 1800
_TORCH = "torch"


class Peer(NamedTuple):
    """Another loader."""

    name: str
    script: str
    packages: tuple[str, ...] = ()
    """What its environment needs; without any it runs in that of the benchmark."""
    dtype: str = "float32"
    newer_python: bool = False


ALL_PEERS = (
    Peer("litdata", "litdata_peer.py", (_TORCH, "litdata")),
    Peer("webdataset", "webdataset_peer.py", (_TORCH, "webdataset")),
    Peer("datasets", "datasets_peer.py", (_TORCH, "datasets")),
    Peer("mosaicml", "mosaicml_peer.py", (_TORCH, "mosaicml-streaming")),
    Peer("grain", "grain_peer.py", (_TORCH, "grain")),
    Peer("annbatch", "annbatch_peer.py", ("annbatch", "zarrs"), newer_python=True),
    Peer("memmap", "memmap.py"),
    Peer("zarr-python", "zarr_python.py", dtype="float16"),
)


def find_python312(asked: str | None) -> str | None:
    """Return a Python 3.12: the one asked for, one on the path, or one of pyenv."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [asked, *map(str, sorted(home.glob("versions/3.12*/bin/python"))), "python3.12"]
    for python in found:
        if python and shutil.which(python):
            probe = subprocess.run([python, "-c", "import sys; assert sys.version_info[1] == 12"])
            if not probe.returncode:
                return python
    return None


class Stock:
    """The folders of files and environments."""

    def __init__(self, data: Path, envs: Path, n: int, peers: Sequence[Peer]) -> None:
        self.data, self.envs = (data / f"{n}").resolve(), envs.resolve()
        self.n, self.peers = n, peers
        self.source = self.data / "source"
        self.failures_file = self.data / "failures.json"
        self.failures: dict[str, str] = {}
        if self.failures_file.exists():
            self.failures = json.loads(self.failures_file.read_text())

    def prepare(self, python312: str | None) -> None:
        """Make environments and files that are not there yet."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.build()
        for peer in self.peers:
            self.failures.pop(peer.name, None)
            try:
                self.make_environment(peer, python312)
                self.write(peer)
            except (subprocess.CalledProcessError, OSError, RuntimeError) as error:
                said = getattr(error, "stderr", None) or str(error)
                self.failures[peer.name] = "\n".join(said.strip().splitlines()[-3:])
                print(f"{peer.name}: FAILED: {self.failures[peer.name]}", flush=True)
            self.failures_file.write_text(json.dumps(self.failures))

    def build(self) -> None:
        """Build our datasets, and the matrix that the peers are given."""
        if (self.source / "fields.json").exists():
            return
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir()
        recipe = resolve(load_recipe(CANONICAL))
        run_build(make_plan(recipe, self.n), self.source / "dataset.zarr")
        run_build(make_plan(recipe, self.n, compression="none"), self.source / "plain.zarr")
        run_build(make_plan(recipe, self.n, "hdf5"), self.source / "dataset.h5")
        fields = recipe.fields.model_copy(update={"precision": "float32"})
        wide = recipe.model_copy(update={"fields": fields})
        run_build(make_plan(wide, self.n), self.source / "float32.zarr")
        shutil.copy(CANONICAL, self.source / "recipe.toml")
        dataset = open_dataset(self.source / "dataset.zarr")
        columns, width = {}, 0
        for name in dataset.fields:
            shape = dataset[name].spec.shape
            size = int(np.prod(shape, dtype=np.int64))
            columns[name] = (width, width + size, shape)
            width += size
        rows = np.lib.format.open_memmap(
            self.source / "rows.npy", "w+", np.float32, (self.n, width)
        )
        for low in range(0, self.n, _ROWS):
            high = min(self.n, low + _ROWS)
            for name, (start, stop, _) in columns.items():
                rows[low:high, start:stop] = dataset[name][low:high].reshape(high - low, -1)
        rows.flush()
        (self.source / "fields.json").write_text(json.dumps(columns))

    def python(self, peer: Peer) -> str:
        """Return the interpreter of a peer."""
        if not peer.packages:
            return sys.executable
        return str(self.envs / peer.name / "bin" / "python")

    def make_environment(self, peer: Peer, python312: str | None) -> None:
        """Make a virtual environment, unless it is there."""
        folder = self.envs / peer.name
        done = folder / "ready"
        if not peer.packages or (done.exists() and done.read_text() == " ".join(peer.packages)):
            return
        python: str | None = sys.executable
        if peer.newer_python and sys.version_info < (3, 12):
            python = python312
        if python is None:
            raise RuntimeError("it needs Python 3.12, and none was found: give --python312")
        print(f"{peer.name}: making its environment", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _run([python, "-m", "venv", str(folder)])
        install = [self.python(peer), "-m", "pip", "install", "--quiet", *peer.packages]
        if _TORCH in peer.packages:
            install += ["-c", str(CONSTRAINTS)]
        _run(install)
        done.write_text(" ".join(peer.packages))

    def versions(self, peer: Peer) -> dict[str, str]:
        """Return what is installed of what a peer asks for."""
        code = "import json, sys; from importlib.metadata import version as v; "
        code += "print(json.dumps({n: v(n) for n in sys.argv[1:]} | {'python': sys.version[:6]}))"
        return json.loads(_run([self.python(peer), "-c", code, *peer.packages]))

    def write(self, peer: Peer) -> None:
        """Let a peer write all rows, unless it has."""
        folder = self.data / peer.name
        done = folder / "written"
        if done.exists():
            return
        print(f"{peer.name}: writing", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        start = time.perf_counter()
        self.run(peer, "write", str(folder), str(self.source))
        done.write_text(f"{time.perf_counter() - start:.1f} s\n")

    def run(self, peer: Peer, *arguments: str) -> str:
        """Run a command of a peer and return the last line it prints."""
        return _run([self.python(peer), str(PEERS / peer.script), *arguments])

    def ours(self, arguments: str) -> Json:
        """Run our own stream."""
        path, *rest = arguments.split()
        command = [sys.executable, str(PEERS / "tersgen_stream.py"), str(self.source / path)]
        return json.loads(_run([*command, "--n", str(self.n), *rest]))

    def able(self) -> Iterator[Peer]:
        """Yield the peers that could be prepared."""
        return (peer for peer in self.peers if peer.name not in self.failures)

    def bytes_of(self, peer: Peer) -> int:
        """Return the bytes of what a peer has written."""
        return sum(p.stat().st_size for p in (self.data / peer.name).rglob("*") if p.is_file())


def _run(command: Sequence[str]) -> str:
    """Run a command and return the last line of what it prints."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return (done.stdout.strip().splitlines() or [""])[-1]
