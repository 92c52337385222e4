"""One builder at a time, with real processes: alive, stopped, dead, and many at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tersgen.errors import BusyError, LostLockError, OutputError
from tersgen.store.lock import BuilderLock, is_lock, lock_holder

HOLD = """
import sys
from pathlib import Path
from tersgen.errors import BusyError
from tersgen.store.lock import BuilderLock
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
try:
    with BuilderLock(Path(sys.argv[1])):
        sys.stdout.write("mine\\n"); sys.stdout.flush()
        sys.stdin.readline()
except BusyError as error:
    sys.stdout.write(f"{error}\\n")
"""


class Builder:
    """A process that takes a lock when told to."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == "ready"

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self) -> str:
        return self.process.stdout.readline().strip()

    def tell(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def take(self) -> str:
        self.tell()
        return self.hear()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def builders(tmp_path):
    """Return a function that starts builders; all are ended afterwards."""
    started = []

    def start() -> Builder:
        started.append(Builder(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.end()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change(place: Path, **values) -> None:
    """Change what a lock says of its holder."""
    (path,) = place.glob("builder.*.lock")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path):
    with BuilderLock(tmp_path) as lock:
        lock.check()
        assert lock_holder(tmp_path).pid == os.getpid()
        assert names(tmp_path) == ["builder.1.lock"]
        assert all(map(is_lock, names(tmp_path)))
        with pytest.raises(BusyError, match=f"process {os.getpid()} on .* is writing it"):
            BuilderLock(tmp_path).__enter__()
    assert names(tmp_path) == []
    assert lock_holder(tmp_path) is None


def test_a_second_builder_is_refused_even_if_the_first_is_stopped(tmp_path, builders):
    first = builders()
    assert first.take() == "mine"
    for number in (None, signal.SIGSTOP):
        if number is not None:
            first.process.send_signal(number)
        for take_over in (False, True):  # not for a builder on this very machine
            with pytest.raises(
                BusyError, match=f"process {first.pid} on {os.uname().nodename} is writing it"
            ) as caught:
                BuilderLock(tmp_path, take_over).__enter__()
            assert "--take-over" not in str(caught.value)
    assert names(tmp_path) == ["builder.1.lock"]


def test_a_dead_builder_is_replaced(tmp_path, builders):
    first = builders()
    assert first.take() == "mine"
    os.kill(first.pid, signal.SIGKILL)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
    assert lock_holder(tmp_path) is None
    with BuilderLock(tmp_path):
        assert names(tmp_path) == ["builder.2.lock"]
    assert names(tmp_path) == []


def test_another_process_with_the_number_of_a_dead_one_holds_nothing(tmp_path, builders):
    first = builders()
    assert first.take() == "mine"
    change(tmp_path, started="1")
    with BuilderLock(tmp_path) as lock:
        lock.check()


def test_a_machine_that_was_started_again_is_another_one(tmp_path, builders):
    first = builders()
    assert first.take() == "mine"
    change(tmp_path, machine="elsewhere", host="node17")
    with pytest.raises(BusyError, match=f"process {first.pid} on node17 .* pass --take-over"):
        BuilderLock(tmp_path).__enter__()
    with BuilderLock(tmp_path, take_over=True) as lock:
        lock.check()
        assert names(tmp_path) == ["builder.2.lock"]


def test_who_was_replaced_finds_out_and_leaves_the_new_lock_alone(tmp_path):
    old = BuilderLock(tmp_path).__enter__()
    change(tmp_path, machine="elsewhere")
    with BuilderLock(tmp_path, take_over=True) as new:
        with pytest.raises(LostLockError, match=f"process {os.getpid()} on .* has taken over"):
            old.check()
        old.__exit__()
        new.check()
    with pytest.raises(LostLockError, match="another builder has taken over"):
        old.check()


def test_who_takes_a_lock_removes_what_was_not_finished(tmp_path):
    (tmp_path / "label").mkdir()
    for name in ("label/c.0.0123456789abcdef.partial", "manifest.json.7.partial"):
        (tmp_path / name).write_text("half")
    (tmp_path / "label" / "c.0").write_text("whole")
    with BuilderLock(tmp_path):
        assert names(tmp_path) == ["builder.1.lock", "label"]
        assert names(tmp_path / "label") == ["c.0"]


def test_of_many_that_race_for_a_dead_lock_one_wins(tmp_path, builders):
    dead = builders()
    assert dead.take() == "mine"
    dead.end()
    racers = [builders() for _ in range(8)]
    for one in racers:
        one.tell()
    heard = [one.hear() for one in racers]
    assert heard.count("mine") == 1
    winner = racers[heard.index("mine")]
    assert lock_holder(tmp_path).pid == winner.pid
    losers = [line for line in heard if line != "mine"]
    assert all(f"process {winner.pid} on" in line for line in losers)
    assert names(tmp_path) == ["builder.2.lock"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\x00" * 300, b"[" * 50_000, b"x" * (1 << 20), b'{"host": "\x1b[31m"}'],
)
def test_a_lock_that_says_nothing_is_left_to_a_person(tmp_path, content):
    path = tmp_path / "builder.3.lock"
    path.write_bytes(content)
    with pytest.raises(BusyError, match=r"builder\.3\.lock: does not say who .* --take-over") as no:
        BuilderLock(tmp_path).__enter__()
    assert "\n" not in str(no.value)
    assert names(tmp_path) == ["builder.3.lock"]
    with BuilderLock(tmp_path, take_over=True) as lock:
        lock.check()
        assert names(tmp_path) == ["builder.4.lock"]


def test_numbers_may_be_large(tmp_path):
    (tmp_path / "builder.999999999.lock").write_text("")
    with BuilderLock(tmp_path, take_over=True) as lock:
        lock.check()
        assert names(tmp_path) == ["builder.1000000000.lock"]


def test_a_lower_lock_of_a_living_builder_counts_too(tmp_path, builders):
    first = builders()
    assert first.take() == "mine"
    dead = json.loads((tmp_path / "builder.1.lock").read_text()) | {"started": "1"}
    (tmp_path / "builder.5.lock").write_text(json.dumps(dead))
    with pytest.raises(BusyError, match=f"process {first.pid}"):
        BuilderLock(tmp_path).__enter__()


def test_a_folder_that_is_gone_is_one_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        BuilderLock(tmp_path / "none").__enter__()
    with BuilderLock(tmp_path) as lock:
        for path in tmp_path.iterdir():
            path.unlink()
        with pytest.raises(LostLockError):
            lock.check()


@pytest.mark.parametrize("name", ["copy", "a copy % \udcff\N{GREEK SMALL LETTER OMEGA}"])
def test_the_lock_in_a_copy_is_not_that_of_a_builder_of_the_original(tmp_path, name):
    folder = tmp_path / name.replace("copy", "original")
    folder.mkdir()
    with BuilderLock(folder) as lock:
        copied = shutil.copytree(folder, tmp_path / name)
        assert names(copied) == ["builder.1.lock"]
        assert lock_holder(copied) is None
        assert lock_holder(folder).token == lock.token
        with BuilderLock(copied) as other:
            assert lock_holder(copied).token == other.token
            lock.check()
        (tmp_path / "link").symlink_to(folder)
        assert lock_holder(tmp_path / "link").token == lock.token


def test_a_folder_that_was_moved_is_written_to_still(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    with BuilderLock(folder):
        folder.rename(tmp_path / "b")
        assert lock_holder(tmp_path / "b").pid == os.getpid()
        with pytest.raises(BusyError):
            BuilderLock(tmp_path / "b").__enter__()
        (tmp_path / "b").rename(folder)


@pytest.mark.parametrize("folder", ["", "%00", "relative", "/proc/%2e%2e", "/"])
def test_a_lock_may_name_anything(tmp_path, folder):
    with BuilderLock(tmp_path):
        change(tmp_path, folder=folder)
        holder = lock_holder(tmp_path)
        assert holder is None or holder.pid == os.getpid()


def test_a_lock_of_before_names_no_folder(tmp_path):
    with BuilderLock(tmp_path):
        (path,) = tmp_path.glob("builder.*.lock")
        known = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in known.items() if k not in NEW}))
        assert lock_holder(tmp_path).pid == os.getpid()


NEW = ("folder", "since")
