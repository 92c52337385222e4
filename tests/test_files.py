"""Pipes, sockets and devices are refused at once, and limits are named; for every kind of input."""

import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tersgen.files import NoPlainFileError, open_input, peak_memory, read_input
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

KINDS = {
    "pipe": "a pipe; write its output, as of <(command), to a file first",
    "socket": "a socket",
    "device": "a device",
    "folder": "a folder",
}
WAIT_S = 120


def make(path: Path, kind: str) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{here}/{path.name}")  # its own path may be too long
        os.close(here)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_only_plain_files_are_opened(tmp_path, kind) -> None:
    path = make(tmp_path / "x", kind)
    with pytest.raises(NoPlainFileError) as error:
        open_input(path)
    assert error.value.strerror == f"expected a file, got {KINDS[kind]}"


def test_a_file_is_read_up_to_a_limit(tmp_path) -> None:
    (tmp_path / "x").write_bytes(b"12345678")
    assert read_input(tmp_path / "x", 8) == b"12345678"
    assert read_input(tmp_path / "x", 3) == b"1234"
    with pytest.raises(FileNotFoundError):
        read_input(tmp_path / "none", 3)
    with pytest.raises(OSError, match=r"null (byte|character)"):
        read_input(Path("a\0b"), 3)


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_of_memory_is_in_bytes(monkeypatch, system, unit) -> None:
    usage = SimpleNamespace(ru_maxrss=3000)
    monkeypatch.setattr("tersgen.files.resource.getrusage", lambda _: usage)
    monkeypatch.setattr("tersgen.files.sys.platform", system)
    assert peak_memory() == 3000 * unit


def error_of(program: str, *arguments: object, may_succeed: bool = False, **limits: int) -> str:
    """Return the one line with which a command fails; "" if it does not, and may."""

    def limit() -> None:
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    done = subprocess.run(
        [sys.executable, "-m", program, *map(str, arguments)],
        capture_output=True, text=True, timeout=WAIT_S, check=False, preexec_fn=limit,
    )  # fmt: skip
    if may_succeed and not done.returncode:
        return ""
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: "), done.stderr
    return line


COMMANDS = {
    "recipe": ("tersgen", "config", "show", "--config", "{x}.toml"),
    "yaml": ("tersgen", "config", "show", "--config", "{x}.yaml"),
    "measured": ("tersgen", "ingest", "{x}.txt", "--label", "a", "--out", "{out}"),
    "arrays": ("tersgen", "ingest", "{x}.npz", "--label", "a", "--out", "{out}"),
    "labels": ("tersgen", "ingest", "{good}", "--labels", "{x}.csv", "--out", "{out}"),
    "species": ("tersgen", "library", "import", "{x}.fchk", "-o", "{out}.tlib"),
    "run": ("ters_train", "fit", "--data", "{out}", "--config", "{x}.toml", "--out", "{out}"),
}


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", COMMANDS)
def test_inputs_of_commands(tmp_path, name, kind) -> None:
    (tmp_path / "good.txt").write_text("".join(f"{100 + 9 * k} {k % 7}\n" for k in range(99)))
    program, *arguments = COMMANDS[name]
    suffix = next(one for one in arguments if one.startswith("{x}")).removeprefix("{x}")
    make(tmp_path / f"x{suffix}", kind)
    places = {"x": tmp_path / "x", "out": tmp_path / "out", "good": tmp_path / "good.txt"}
    line = error_of(program, *(one.format(**places) for one in arguments))
    assert f"got a {kind}" in line


FEW = """
import os, resource, sys
from pathlib import Path
import tersgen
from tersgen.errors import TersError
from tersgen.schema.loading import read_text

dataset = tersgen.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
held = []
def hold():
    while True:
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return
whole = {name: dataset[name][:] for name in dataset.fields}  # many more files than may be open
hold()
for name in ("read_text", "open"):
    try:
        if name == "read_text":
            read_text(Path(sys.argv[1]) / "manifest.json")
        else:
            tersgen.open(sys.argv[1])
    except TersError as error:
        print(type(error).__name__, error)
"""


def test_too_few_files_name_the_limit(tiny_recipe, tmp_path) -> None:
    run(make_plan(tiny_recipe, 3000, chunk_rows=64, shard_rows=256), tmp_path / "a.zarr")
    done = subprocess.run(
        [sys.executable, "-c", FEW, tmp_path / "a.zarr"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "too many open files: the limit is 40 (ulimit -n); raise it" in line
        assert "Damaged" not in line


SMALL = """
library = ["random:2"]
[grid]
n_points = 64
[lineshape]
fwhm_cm1 = 100.0
[fields]
maps = false
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe and a dataset of it with a split."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "r.toml").write_text(SMALL)
    for arguments in (
        ("build", "--config", folder / "r.toml", "--n", 600, "--out", folder / "a.zarr"),
        ("split", folder / "a.zarr"),
    ):
        subprocess.run([sys.executable, "-m", "tersgen", *map(str, arguments)], check=True)
    return folder


@pytest.mark.exhaustive
@pytest.mark.parametrize(("command", "n_files"), [("build", 5), ("verify", 5), ("fit", 7)])
def test_commands_with_few_files_succeed_or_name_the_limit(small, tmp_path, command, n_files):
    if command == "fit":
        pytest.importorskip("torch")
    arguments = {
        "build": ("tersgen", "build", "--config", small / "r.toml", "--n", 600, "--out"),
        "verify": ("tersgen", "verify", small / "a.zarr"),
        "fit": ("ters_train", "fit", "--data", small / "a.zarr", "--epochs", 1, "--out"),
    }[command]
    out = [] if command == "verify" else [tmp_path / "out"]
    line = error_of(*arguments, *out, may_succeed=True, RLIMIT_NOFILE=n_files)
    assert not line or f"too many open files: the limit is {n_files} (ulimit -n)" in line


LITTLE = """
import ctypes, gc, resource, sys
import tersgen
from tersgen.dataset.verify import verify
from tersgen.cli.common.program import errors_in_one_line
path, what = sys.argv[1:]
def read():
    return tersgen.open(path)["maps"][:]
whole = len(read())
verify(path, threads=1)
gc.collect()
ctypes.CDLL(None).malloc_trim(0) # what was freed is room, too
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room = now + (6 << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
with errors_in_one_line():
    if what == "read":
        kept = [read() for _ in range(8)]  # more than threads that end give back
    elif not verify(path, threads=1).sound:
        print("not sound")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address space")
@pytest.mark.parametrize("what", ["read", "verify"])
@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_too_little_memory_is_not_taken_for_damage(tiny_recipe, changed, tmp_path, format, what):
    recipe = changed(tiny_recipe, map={"height": 64, "width": 64})
    path = tmp_path / ("a.zarr" if format == "zarr" else "a.h5")
    run(make_plan(recipe, 4096, format, chunk_rows=1024, shard_rows=2048), path)
    done = subprocess.run(
        [sys.executable, "-c", LITTLE, path, what],
        capture_output=True, text=True, timeout=WAIT_S, check=False,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert not done.stdout
    if what == "read" or done.returncode:
        assert re.search(r"memory: the limit is \d+ MiB \(ulimit -v\); raise it", done.stderr), done
    assert "damage" not in done.stderr
