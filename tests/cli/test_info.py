"""What ``tersgen info`` says of a dataset that is being written, was stopped, or grows."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tersgen
from tersgen.errors import IncompleteDatasetError
from tersgen.store.lock import BuilderLock

MANY = 200_000
OPTIONS = [
    *("--shard-rows", "256", "--library", "random:2", "--set", "grid.n_points=64"),
    *("--set", "lineshape.fwhm_cm1=150", "--set", "fields.maps=false"),
    *("--set", "fields.sticks=false", "--set", "fields.tensors=false"),
]


@pytest.fixture
def start():
    """Return a function that starts a command; all are killed afterwards."""
    started = []

    def begin(*arguments) -> subprocess.Popen:
        command = [sys.executable, "-m", "tersgen", *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=-3, stderr=-3))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def few(quick_cli, tmp_path_factory):
    out = tmp_path_factory.mktemp("few") / "a.zarr"
    quick_cli.good("build", *OPTIONS, "--n", 1000, "--out", out)
    return out


def wait_for(sealed: int, out: Path, process: subprocess.Popen) -> None:
    """Wait until a build has sealed so many shards."""
    journal = out / "journal.jsonl"
    for _ in range(2400):
        if journal.exists() and journal.read_bytes().count(b"\n") > sealed:
            return
        assert process.poll() is None
        time.sleep(0.05)
    raise AssertionError("nothing was sealed in two minutes")


def test_a_build_at_work_and_stopped(quick_cli, start, tmp_path):
    out = tmp_path / "a.zarr"
    build = start("build", *OPTIONS, "--n", MANY, "--out", out)
    wait_for(2, out, build)
    said = quick_cli.good("info", out)
    assert re.search(r"a\.zarr: being written: [1-9]\d* of 782 shards .* of 200000 samples", said)
    assert re.search(r"\nnow \d+ samples/s", said)
    assert re.search(rf"\nwritten by process {build.pid} on .* since 2\d\d\d-\d\d-\d\dT", said)
    facts = json.loads(quick_cli.good("info", out, "--json"))["build"]
    (writer,) = facts["writers"]
    assert (writer["pid"], facts["complete"], facts["n_samples"]) == (build.pid, False, MANY)
    assert facts["n_done"] == 256 * facts["shards_done"] > 0
    assert facts["samples_per_s"] > 0
    assert writer["since"]
    with pytest.raises(IncompleteDatasetError, match=rf"process {build.pid} on .* is writing it;"):
        tersgen.open(out)
    build.kill()
    build.wait()
    said = quick_cli.good("info", out)
    assert re.search(r"a\.zarr: incomplete: [1-9]\d* of 782 shards", said)
    assert f"nobody is writing it; to resume: tersgen build --config {out}/recipe.json" in said
    assert "samples/s" not in said
    facts = json.loads(quick_cli.good("info", out, "--json"))["build"]
    assert facts["writers"] == []
    assert facts["to_finish"].startswith("tersgen build --config")
    with pytest.raises(IncompleteDatasetError, match="did not finish; to resume: tersgen build"):
        tersgen.open(out)
    (out / "events.jsonl").unlink()  # the journal says it, too
    again = json.loads(quick_cli.good("info", out, "--json"))["build"]
    # killed between the two, a shard is in one of them only
    assert abs(again["shards_done"] - facts["shards_done"]) <= 1
    assert again["n_done"] == 256 * again["shards_done"]


def test_an_extension_at_work_and_stopped(quick_cli, start, few, tmp_path):
    out = shutil.copytree(few, tmp_path / "a.zarr")
    whole = quick_cli.good("info", out)
    extension = start("extend", out, "--to", MANY)
    wait_for(6, out, extension)
    said = quick_cli.good("info", out)
    assert said.startswith(whole)
    assert re.search(
        r"\n\n.*: an extension of its 1000 samples, being written: \d+ of 782 shards", said
    )
    assert f"written by process {extension.pid} on" in said
    facts = json.loads(quick_cli.good("info", out, "--json"))
    assert (facts["n_samples"], facts["build"]["n_samples"]) == (1000, MANY)
    assert facts["build"]["n_complete"] == 1000
    assert facts["build"]["writers"][0]["pid"] == extension.pid
    extension.kill()
    extension.wait()
    said = quick_cli.good("info", out)
    assert said.startswith(whole)
    assert f"nobody is writing it; to resume: tersgen extend {out} --to {MANY}" in said


def test_a_range_at_work(quick_cli, start, tmp_path):
    out = tmp_path / "a.zarr"
    job = start("build", *OPTIONS, "--n", MANY, "--out", out, "--shard-range", "0:400")
    wait_for(1, out / "ranges" / "0-400", job)
    said = quick_cli.good("info", out)
    assert "being written: " in said
    assert f"written by process {job.pid} on" in said
    facts = json.loads(quick_cli.good("info", out, "--json"))["build"]
    assert [one["pid"] for one in facts["writers"]] == [job.pid]
    assert facts["shards_done"] > 0


def test_a_copy_of_a_build_at_work_is_not_being_written(quick_cli, start, tmp_path):
    out = tmp_path / "a.zarr"
    build = start("build", *OPTIONS, "--n", MANY, "--out", out)
    wait_for(2, out, build)
    subprocess.run(["cp", "-r", out, tmp_path / "b.zarr"], check=False, stderr=-3)
    assert list((tmp_path / "b.zarr").glob("builder.*.lock"))
    assert "nobody is writing it; to resume" in quick_cli.good("info", tmp_path / "b.zarr")


def test_a_complete_dataset_says_who_writes_it(quick_cli, few):
    assert json.loads(quick_cli.good("info", few, "--json"))["build"] is None
    with BuilderLock(few):
        said = quick_cli.good("info", few)
        assert f"written by process {os.getpid()} on" in said
        facts = json.loads(quick_cli.good("info", few, "--json"))["build"]
        assert (facts["complete"], facts["writers"][0]["pid"]) == (True, os.getpid())
        assert facts["to_finish"] is None


def test_without_its_lock_file_a_dataset_is_shown_as_it_is(quick_cli, few, tmp_path):
    out = shutil.copytree(few, tmp_path / "a.zarr")
    (out / "lock.json").write_text("{}")
    assert "1000 samples of 2 species" in quick_cli.good("info", out)
