"""Machine code on disk, with many processes that start at once in an empty folder."""

import os
import subprocess
import sys

import pytest

from tersgen.random.assignment import shuffled

PROCESSES = 8
CODE = """
import sys
from tersgen.random.assignment import shuffled
print("ready", flush=True)
sys.stdin.readline()
made = shuffled(1000, 7)
stats = shuffled.stats
print(made.tobytes().hex(), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def start(folder) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
    )


def finish(process: subprocess.Popen) -> list[str]:
    said, errors = process.communicate("go\n", timeout=240)
    assert process.returncode == 0, errors
    return said.split()


@pytest.mark.exhaustive
def test_many_processes_fill_an_empty_cache_at_once(tmp_path):
    wanted = shuffled(1000, 7).tobytes().hex()
    processes = [start(tmp_path) for _ in range(PROCESSES)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    compiled = 0
    for process in processes:
        rows, _, misses = finish(process)
        assert rows == wanted
        compiled += int(misses)
    assert compiled >= 2  # they did race
    assert not [path.name for path in tmp_path.rglob("*") if "tmp" in path.name]
    last = start(tmp_path)
    assert last.stdout.readline() == "ready\n"
    assert finish(last) == [wanted, "1", "0"]
