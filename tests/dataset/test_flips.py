"""P2: flipped bytes, of every file of a dataset, and never a wrong value.

``TERSGEN_ALL_FAULTS=1`` flips ten thousand, without it two thousand are flipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tersgen.dataset.splits import make_split
from tersgen.dataset.versions import give_tag, locate
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

pytestmark = pytest.mark.exhaustive

ALL = bool(os.environ.get("TERSGEN_ALL_FAULTS"))
FLIPS, VERIFIED = (5000, 150) if ALL else (500, 30)

UNPROTECTED = ("tags/v1.json", "versions/copies/tag-v1.json")
"""Documents without a checksum: what verify does not see there is text that changes no value."""


@pytest.fixture(scope="module")
def flipped(tiny_recipe, changed, tmp_path_factory):
    """What came of flips, by back end; both run at the same time."""
    folder = tmp_path_factory.mktemp("flips")
    recipe = changed(
        tiny_recipe,
        grid={"n_points": 16},
        fields={"maps": False, "tensors": False, "params": False},
    )
    running = {}
    for name, form in (("a.zarr", "zarr"), ("a.h5", "hdf5")):
        path = folder / name
        run(make_plan(recipe, 10, form, chunk_rows=16), path)
        give_tag(locate(path), "v1", None)
        location, plan, _ = plan_extension(path, None, 20)
        extend(location, plan)
        make_split(path, "default", SplitRule())
        script = Path(__file__).with_name("flip_bytes.py")
        command = [sys.executable, script, path, str(FLIPS), str(VERIFIED), "1"]
        running[form] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    found = {}
    for form, process in running.items():
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, f"{form} ended with {process.returncode}: {errors}"
        found[form] = (json.loads(out), errors)
    return found


@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_no_flipped_byte_gives_a_wrong_value_or_a_crash(flipped, form):
    found, errors = flipped[form]
    assert found["wrong"] == [], errors
    assert found["outcomes"]["refused"] + found["outcomes"]["right"] == FLIPS
    assert found["outcomes"]["refused"] > FLIPS / 4


@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_verify_sees_every_flip_but_in_text_that_changes_nothing(flipped, form):
    found, _ = flipped[form]
    unseen = [one for one in found["unseen"] if not harmless(*one)]
    assert unseen == []
    assert found["outcomes"]["verify saw it"] > VERIFIED * 0.8


def harmless(name, at, before, after):
    inside = name.partition("/")[2]
    manifest = inside == "manifest.json" or inside.startswith("versions/")
    blank = manifest and {before, after} <= set(b" \t\r\n")
    return inside in UNPROTECTED or blank
