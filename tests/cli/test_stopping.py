"""Real processes that are stopped, killed, frozen and replaced while they build."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tersgen
from tersgen.dataset.verify import verify

pytestmark = pytest.mark.exhaustive

N_SAMPLES = 16384
OPTIONS = [
    *("--library", "random:2", "--set", "grid.n_points=64", "--set", "lineshape.fwhm_cm1=150"),
    *("--set", "fields.maps=false", "--set", "fields.sticks=false"),
    *("--set", "fields.tensors=false", "--set", "fields.params=false"),
]
SMALL_SHARDS = ("--shard-rows", 256)
BESIDES = re.compile(r"Warning: |\d+ of \d+ samples, ")
"""Begins lines that are no errors; where a machine is slow, progress is told."""
ELSEWHERE = (
    *("unshare", "--pid", "--kill-child", "--mount-proc", "--uts"),
    *("sh", "-c", 'hostname node17 && exec "$@"', "sh"),
)
"""Begins a command on a machine with a name and process numbers of its own: Linux namespaces."""


def build(out: Path, *more, n=N_SAMPLES, shards=SMALL_SHARDS) -> list[str]:
    return list(map(str, ("build", "--n", n, *OPTIONS, *shards, "--out", out, *more)))


def folder_of(out: Path) -> Path:
    return out if out.suffix == ".zarr" else out.with_name(out.name + ".d")


def n_lines(out: Path) -> int:
    journal = folder_of(out) / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


class Command:
    """A command that runs."""

    def __init__(self, *arguments, prefix=(), **environment) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tersgen", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def until(self, condition) -> None:
        """Wait until something is so; the command must not end before."""
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.001)

    def send(self, *signals) -> None:
        for one in signals:
            self.process.send_signal(one)

    def end(self, code: int) -> tuple[str, str]:
        """Return the output of a command that must end so, and the one line of its errors."""
        out, errors = self.process.communicate()
        assert self.process.returncode == code, errors
        lines = [line for line in errors.splitlines() if not BESIDES.match(line)]
        assert len(lines) <= 1, errors
        return out, lines[0] if lines else ""


@pytest.fixture
def start():
    """Return a function that starts a command; what still runs afterwards is killed."""
    running = []

    def begin(*arguments, **options) -> Command:
        running.append(Command(*arguments, **options))
        return running[-1]

    yield begin
    for one in running:
        one.process.kill()
        one.process.communicate()


@pytest.fixture(scope="module")
def digest(tmp_path_factory) -> str:
    """Return the digest of the dataset that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "a.zarr"
    command = Command(*build(out, "--json", shards=()))
    return json.loads(command.end(0)[0])["digest"]


def go_on(start, out: Path, digest: str, n_kept: int | None = None, *more) -> None:
    """Run the same command again; it must say what it kept, and complete the dataset."""
    said, _ = start(*build(out, *more)).end(0)
    kept = int(re.search(rf"(\d+) of {N_SAMPLES} samples are there already and kept", said)[1])
    assert kept > 0
    assert n_kept in (None, kept)
    assert f"{kept} kept, {N_SAMPLES - kept} made" in said
    assert f"digest {digest}" in said
    assert verify(out).sound
    assert not [
        path for path in out.parent.rglob("*") if re.search(r"partial|lock$|new$", path.name)
    ]


@pytest.mark.parametrize(
    ("name", "signals", "code"),
    [
        ("a.zarr", [signal.SIGTERM], 143),
        ("a.h5", [signal.SIGINT], 130),
        ("a.zarr", [signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT], 130),
    ],
)
def test_a_stopped_build_says_how_to_go_on(start, tmp_path, digest, name, signals, code):
    out = tmp_path / name
    command = start(*build(out))
    command.until(lambda: n_lines(out))
    command.send(*signals)
    _, line = command.end(code)
    found = re.fullmatch(
        rf"{out}: stopped; (\d+) of {N_SAMPLES} samples are on disk and kept; "
        "the same command resumes",
        line,
    )
    assert int(found[1]) == 256 * n_lines(out)
    if len(signals) == 1:
        go_on(start, out, digest, int(found[1]))


def test_a_build_stopped_before_its_first_shard_leaves_nothing(start, tmp_path):
    out = tmp_path / "new" / "a.h5"
    command = start(*build(out, n=262144, shards=("--shard-rows", 262144)))
    command.until((folder_of(out) / "journal.jsonl").exists)
    command.send(signal.SIGTERM)
    _, line = command.end(143)
    assert line == f"{out}: stopped; no shard was finished, and nothing is left"
    assert not list(tmp_path.iterdir())


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_build_stopped_while_it_compiles_for_its_estimate(start, tmp_path, number, code):
    cache = tmp_path / "cache"
    command = start(*build(tmp_path / "a.zarr"), NUMBA_CACHE_DIR=str(cache))
    command.until(lambda: any(cache.rglob("*.nbc")))
    command.send(number)
    assert command.end(code) == ("", "stopped")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


CALLED_BACK = """
import ctypes, os, sys
from tersgen.cli.common.stopping import stoppable

def stop():
    os.kill(os.getpid(), int(sys.argv[1]))
    for _ in range(1000):
        pass

with stoppable():
    ctypes.CFUNCTYPE(None)(stop)()
    sys.stdout.write("goes on")
"""


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_in_a_function_that_c_code_calls_stops_all_the_same(number, code):
    done = subprocess.run(
        [sys.executable, "-c", CALLED_BACK, str(int(number))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "stopped\n")


def test_a_killed_build_goes_on_and_says_what_was_kept(start, tmp_path, digest):
    out = tmp_path / "a.h5"
    command = start(*build(out))
    command.until(lambda: n_lines(out) > 2)
    command.send(signal.SIGKILL)
    command.process.wait()
    go_on(start, out, digest, 256 * n_lines(out))


def test_a_stopped_extension_goes_on(start, tmp_path, digest):
    out = tmp_path / "a.zarr"
    start(*build(out, n=300)).end(0)
    old = tersgen.open(out)
    command = start("extend", out, "--to", N_SAMPLES)
    command.until(lambda: n_lines(out) > 3)
    command.send(signal.SIGTERM)
    _, line = command.end(143)
    assert re.search(r"stopped; \d+ of 16384 samples are on disk and kept; the same command", line)
    assert tersgen.open(out).digest == old.digest
    assert "digest " + digest in start("extend", out, "--to", N_SAMPLES).end(0)[0]
    assert verify(out).sound


@pytest.mark.parametrize(
    ("name", "more"), [("a.zarr", []), ("a.h5", ["--overwrite", "--seed", "5"])]
)
def test_a_builder_that_was_replaced_stops_and_changes_nothing(start, tmp_path, name, more):
    out = tmp_path / name
    first = start(*build(out))
    first.until(lambda: n_lines(out))
    first.send(signal.SIGSTOP)
    _, line = start(*build(out, *more)).end(1)
    assert re.search(
        rf"process {first.process.pid} on \S+ is writing it; wait for it, or stop", line
    )
    (lock,) = folder_of(out).glob("builder.*.lock")
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"machine": "x", "host": "node17"}))
    _, line = start(*build(out, *more)).end(1)
    assert "on node17 is writing it" in line
    assert "pass --take-over" in line
    said, _ = start(*build(out, "--take-over", *more)).end(0)
    before = {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}
    first.send(signal.SIGCONT)
    _, line = first.end(1)
    assert "has taken over while this builder was out of touch" in line
    assert {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()} == before
    assert verify(out).sound
    assert f"digest {tersgen.open(out).digest}" in said


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="namespaces take Linux and root"
)
@pytest.mark.parametrize("fate", ["dies", "sleeps"])
def test_a_builder_on_another_machine_is_taken_over_when_a_person_says_so(
    start, tmp_path, digest, fate
):
    out = tmp_path / "a.zarr"
    other = start(*build(out), prefix=ELSEWHERE)
    other.until(lambda: n_lines(out))
    children = Path("/proc", f"{other.process.pid}/task/{other.process.pid}/children")
    (builder,) = children.read_text().split()
    os.kill(int(builder), signal.SIGKILL if fate == "dies" else signal.SIGSTOP)
    if fate == "dies":
        other.process.wait()
    for _ in range(2):  # asking again does not make it dead
        _, line = start(*build(out)).end(1)
        assert re.search(r"process 1 on node17 is writing it; .* --take-over", line)
    go_on(start, out, digest, 256 * n_lines(out), "--take-over")
    if fate == "sleeps":
        os.kill(int(builder), signal.SIGCONT)
        _, line = other.end(1)
        assert "has taken over while this builder was out of touch" in line
        assert verify(out).sound


def test_a_signal_that_was_ignored_from_the_start_still_is(tmp_path):
    out = tmp_path / "a.zarr"
    line = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-m", "tersgen"]
    process = subprocess.Popen([*line, *build(out)], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while not n_lines(out):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    seen = n_lines(out)
    while n_lines(out) <= seen:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
