"""P2: damage of every kind ends in the right values or in one line; never in wrong values.

``TERSGEN_ALL_FAULTS=1`` runs ten thousand trials, without it a few of each kind are run.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.exhaustive

ALL = bool(os.environ.get("TERSGEN_ALL_FAULTS"))
TRIALS = 10_000 if ALL else 180
SCRIPT = Path(__file__).with_name("damage_trials.py")

MISPLACED = (
    "two shards of one array swapped",
    "two arrays of one shard swapped",
    "a shard of another dataset",
    "the last shard as before the dataset grew",
    "all files of a shard replaced by those of another",
    "an array, a shard or all shards of another dataset",
)
"""Kinds that put right bytes into a wrong place, whole files: checksum tables and sizes tell."""


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    """What came of all trials; in a process of its own, as a crash of HDF5 would end it."""
    done = subprocess.run(
        [sys.executable, SCRIPT, str(TRIALS), "1", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=7200 if ALL else 600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == TRIALS
    return found


def test_every_trial_ends_in_the_right_values_or_in_one_line(results):
    bad = [one for one in results if one["outcome"] in ("WRONG", "OTHER ERROR")]
    assert bad == []
    assert Counter(one["outcome"] for one in results)["refused"] > TRIALS / 3


def test_a_quick_verification_sees_files_in_a_wrong_place(results):
    placed = [one for one in results if one["kind"].startswith(MISPLACED)]
    swapped_in_hdf5 = [  # chunks of one file: their seal is right, and their places are
        one for one in placed
        if one["kind"] == MISPLACED[1] and one["form"] == "hdf5"
    ]  # fmt: skip
    unseen = [one for one in placed if one["quick"] != "yes" and one not in swapped_in_hdf5]
    assert unseen == []
    assert len(placed) > TRIALS / 10


def test_what_repair_calls_sound_is_read(results):
    healed = Counter(one["healed"] for one in results if one["healed"])
    assert healed["OTHER ERROR"] == 0
    assert healed["healed"] > sum(healed.values()) / 4  # edited manifests are refused
