"""Builders that die, stop or lose power at any step: what goes on gives the same dataset.

``TERSGEN_ALL_FAULTS=1`` strikes at every single call; without it they are evenly spread.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

CALLS = ("open", "write", "fsync", "link", "replace", "unlink", "mkdir")
SCRIPT = Path(__file__).with_name("kill_builds.py")
PYTHON = (sys.executable, "-W", "ignore")
MOST = 10**6 if os.environ.get("TERSGEN_ALL_FAULTS") else 12
SWEEPS = {
    "build": "killed before any call, nothing to start from",
    "build-late": "killed when all shards were finished",
    "build-torn": "killed half-way through a write",
    "build-cut": "power lost: bytes and names that were not flushed are gone",
    "build-cut-data": "power lost: names are there, bytes that were not flushed are gone",
    "build-twice": "killed, and what goes on killed too",
    "extend": "the same of an extension with a split: the old version stays as it was",
    "extend-late": "",
    "extend-torn": "",
    "extend-cut": "",
    "extend-cut-data": "",
    "extend-twice": "",
    "replace": "killed while it replaces another dataset: the old or the new one is there",
    "replace-late": "",
    "replace-renames": "the same where two folders cannot be exchanged at once",
    "replace-twice": "",
    "zombie": "stopped; another dataset is built in its place; woken",
    "zombie-late": "the same, when all shards were finished",
    "zombie-same": "stopped; the same dataset is finished by another; woken",
    "zombie-split": "a split stopped; another dataset is built in its place; woken",
    "zombie-replace": "a replacement stopped; a third dataset takes the place of both; woken",
    "zombie-extend": "an extension stopped; another dataset is built in its place; woken",
}


@pytest.fixture(scope="module")
def faults():
    """Return what came of all faults, by back end and sweep."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        runs = {
            back_end: subprocess.Popen(
                [*PYTHON, SCRIPT, back_end, f"{folder}/{back_end}", str(MOST)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for back_end in ("zarr", "hdf5")
        }
        found = {}
        for back_end, run in runs.items():
            lines, _ = run.communicate()
            assert run.returncode == 0
            for line in lines.splitlines():
                result = json.loads(line)
                found.setdefault((back_end, result["sweep"]), []).append(result)
    return found


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("back_end", ["zarr", "hdf5"])
def test_after_any_fault_the_build_goes_on(faults, back_end, sweep):
    results = faults[back_end, sweep]
    assert [one for one in results if one["problems"]] == []
    if sweep in ("build", "extend"):
        assert len(results) >= min(MOST, 30)


@pytest.mark.parametrize("back_end", ["zarr", "hdf5"])
def test_every_kind_of_call_was_struck(faults, back_end):
    results = [one for sweep in SWEEPS for one in faults[back_end, sweep]]
    assert {one["call"][0] for one in results} >= set(CALLS)


@pytest.mark.parametrize("sweep", ["zombie", "zombie-late", "zombie-split", "zombie-extend"])
@pytest.mark.parametrize("back_end", ["zarr", "hdf5"])
def test_a_builder_that_wakes_up_says_that_it_was_replaced(faults, back_end, sweep):
    ends = [one["end"] for one in faults[back_end, sweep]]
    assert sum(end.startswith("LostLockError") for end in ends) > len(ends) // 2
