"""What verify says: exit code, lines, JSON, and what is told from what."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tersgen.dataset.faults import Verified
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import find_version, give_tag, locate
from tersgen.errors import DatasetError
from tersgen.jobs.extend import plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule


@pytest.fixture
def copy(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "copy.zarr"))


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tersgen", "verify", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_exit_code_tells_sound_from_damaged(copy):
    done = command(copy)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{copy}: sound: 1000 samples, 2 shards")
    os.truncate(copy / "label" / "c.1", 60)
    for more in ((), ("--quick",)):
        done = command(copy, *more)
        assert done.returncode == 1
        first, *_, last = done.stdout.splitlines()
        assert first.startswith(f"size: {copy}/label/c.1: shard 1, label, rows 512 to 999: ")
        assert last.endswith(
            f"damaged: 1 of 2 shards; to make it whole again: tersgen repair {copy}"
        )


@pytest.mark.parametrize("quick", [False, True])
def test_the_json_is_the_whole_report(copy, quick):
    os.truncate(copy / "label" / "c.1", 60)
    (copy / "lock.json").unlink()
    done = command(copy, "--json", *(["--quick"] if quick else []))
    assert done.returncode == 1
    report = Verified.model_validate(json.loads(done.stdout))
    assert report.faults == verify(copy, quick=quick).faults
    assert {fault.kind for fault in report.faults} >= {"size", "lock"}
    assert report.n_shards == 2
    assert not report.sound


def test_nothing_is_written(copy):
    (copy / "manifest.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    verify(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_what_is_no_dataset_is_an_error(tmp_path):
    done = command(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith(
        "expected a dataset of tersgen, got another folder"
    )


def test_a_manifest_with_another_digest_is_found(copy, resealed):
    content = json.loads((copy / "manifest.json").read_text())
    arrays = {**content["arrays"], "maps": "0" * 64}
    (copy / "manifest.json").write_text(json.dumps(resealed(content, arrays=arrays)))
    faults = verify(copy).faults
    assert [fault.array for fault in faults if fault.kind == "digest"] == ["maps", None]


def test_an_incomplete_dataset_says_how_to_go_on(copy):
    (copy / "manifest.json").unlink()
    shutil.rmtree(copy / "versions")
    lines = (copy / "journal.jsonl").read_text().splitlines(keepends=True)
    (copy / "journal.jsonl").write_text(lines[0])
    first = json.loads(lines[0])["record"]["shard"]
    faults = verify(copy).faults
    assert [fault.kind for fault in faults] == ["recipe", "incomplete"]
    assert f"--n 1000 --format zarr --chunk-rows 64 --shard-rows 512 --out {copy}" in str(faults[1])
    for path in copy.glob(f"label/c.{first}"):
        path.unlink()  # what is finished has to be there all the same
    assert [(fault.kind, fault.shard) for fault in verify(copy).faults][2:] == [("missing", first)]


def test_an_extension_under_way_is_no_fault(copy):
    plan = plan_extension(copy, None, 1500).plan
    (copy / "lock.json").write_text(plan.lock().text)
    found = verify(copy)
    assert found.sound
    assert f"tersgen extend {copy} --to 1500" in found.notes[0]


def test_each_version_is_held_against_itself(tiny_recipe, tmp_path):
    path = tmp_path / "a.h5"
    run(make_plan(tiny_recipe, 300, "hdf5", chunk_rows=64, shard_rows=256), path)
    give_tag(locate(path), "first", None)
    split = make_split(path, "default", SplitRule())
    (locate(path).folder / "splits" / f"default-{split.digest[:16]}.npy").unlink()
    assert [fault.kind for fault in verify(path).faults] == ["split"]
    assert verify(f"{path}@first").sound
    first = find_version(locate(path), "first")
    assert verify(f"{path}@first").version == first.version
    with pytest.raises(DatasetError, match="expected a tag"):
        verify(f"{path}@second")
