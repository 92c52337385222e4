"""Every command amid files of others: whatever it is struck by, these stay, byte for byte.

``TERSGEN_ALL_FAULTS=1`` strikes at every call of every command.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

PYTHON = (sys.executable, "-W", "ignore")
SCRIPT = Path(__file__).with_name("foreign.py")
ALL = bool(os.environ.get("TERSGEN_ALL_FAULTS"))
POINTS, SEEDS = (10**6, (1, 2, 3)) if ALL else (3, (1,))
COMMANDS = (
    *("build", "build-hdf5", "overwrite", "overwrite-hdf5", "range", "finalize", "convert"),
    *("convert-damaged", "ingest", "ingest-uncovered", "extend", "split", "tag", "repair", "plot"),
    *("table", "import", "schema"),
)


@pytest.fixture(scope="module")
def trials():
    """Return what came of all trials, by command."""
    memory = Path("/dev/shm")
    found = {}
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for seed in SEEDS:
            done = subprocess.run(
                [*PYTHON, SCRIPT, f"{folder}/{seed}", str(seed), str(POINTS)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            for line in done.stdout.splitlines():
                result = json.loads(line)
                found.setdefault(result["command"], []).append(result)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_files_of_others_stay(trials, command):
    assert [one for one in trials[command] if one["problems"]] == []


def test_every_command_was_struck_in_every_way(trials):
    assert set(trials) == set(COMMANDS)
    kinds = {one["kind"] for results in trials.values() for one in results}
    assert kinds >= {"whole", "kill", "torn", "term", "full", "kill, again"}
    said = [one["said"] for results in trials.values() for one in results]
    assert sum("no dataset of tersgen" in text for text in said) > 3
    assert sum("no part of one" in text for text in said) > 3
