"""Datasets pushed to object stores and built into them: resumed, verified, nothing overwritten."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import tersgen
from tersgen.cli import main
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.errors import ConfigError, DamagedDataError, OutputError
from tersgen.jobs import remote_build
from tersgen.jobs.convert import convert
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.push import push
from tersgen.jobs.remote_build import build_remote
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule
from tersgen.urls import as_path

from .servers import some


@pytest.fixture
def local(stored, tmp_path):
    """A dataset of the test's own."""
    path = tmp_path / "data.zarr"
    shutil.copytree(stored["zarr"], path)
    return path


@pytest.fixture
def url(store, tmp_path):
    return f"s3://bucket/{tmp_path.name}/data.zarr"


def test_what_is_pushed_is_the_dataset_and_is_sent_once(store, url, local):
    done = push(local, url)
    assert done.n_sent == done.n_files
    assert verify(url).sound
    assert tersgen.open(f"{url}@v1").manifest == tersgen.open(local).manifest
    assert store.asked[-1].method == "GET"
    puts = [one.path for one in store.asked if one.method == "PUT"]
    assert puts[0].endswith("/lock.json")
    assert puts[-1].endswith("/manifest.json")
    told = []
    assert tersgen.push(local, url, progress=told.append).n_sent == 0
    assert (told[-1].n_done, told[-1].n_samples) == (done.n_files, done.n_files)


@pytest.mark.parametrize("fault", ["503", "lost"])
def test_a_push_survives_what_goes_wrong_now_and_then(store, url, local, fault):
    store.rule = some(fault, 5, "PUT")
    push(local, url)
    store.begin()
    assert verify(url).sound


def test_a_push_that_stopped_goes_on(store, url, local):
    counted = [0]

    def rule(asked):
        counted[0] += asked.method == "PUT"
        return "503" if counted[0] > 20 and asked.method == "PUT" else None

    store.rule = rule
    with pytest.raises(OutputError, match="cannot be written"):
        push(local, url)
    store.begin()
    with pytest.raises(tersgen.errors.DatasetError, match="no manifest"):
        tersgen.open(url)
    done = push(local, url)
    assert 0 < done.n_sent < done.n_files - 12
    assert verify(url).sound


def test_newer_versions_bring_it_up_to_date(store, url, local, tiny_recipe):
    push(local, url)
    make_split(local, "other", SplitRule(seed=9))
    extend(*plan_extension(local, None, 700)[:2])
    push(local, url)
    assert verify(url).sound
    assert tersgen.open(url).digest == tersgen.open(local).digest
    assert verify(f"{url}@v1").sound


def test_another_dataset_is_never_written_over(store, url, local, stored, tiny_recipe, tmp_path):
    other = tmp_path / "other.zarr"
    run(make_plan(tiny_recipe, 300, chunk_rows=32, shard_rows=256), other)
    push(local, url)
    with pytest.raises(OutputError, match="holds another dataset"):
        push(other, url)
    with pytest.raises(OutputError, match=r"expected nothing there, found data\.zarr/"):
        push(other, url.rpartition("/")[0])
    with pytest.raises(ConfigError, match="which is only read"):
        push(other, "http://127.0.0.1:9/x.zarr")
    with pytest.raises(ConfigError, match="expected a URL such as"):
        push(other, tmp_path / "copy.zarr")
    with pytest.raises(ConfigError, match="got an HDF5 one"):
        push(stored["h5"], url)
    assert verify(url).sound


def test_two_unfinished_pushes_do_not_mix(store, url, local, tiny_recipe, tmp_path):
    other = tmp_path / "other.zarr"
    run(make_plan(tiny_recipe, 300, chunk_rows=32, shard_rows=256), other)
    store.rule = lambda asked: "503" if asked.path.endswith("/manifest.json") else None
    with pytest.raises((OutputError, tersgen.errors.DatasetError)):
        push(local, url)
    store.begin()
    with pytest.raises(OutputError, match="another dataset is being pushed"):
        push(other, url)


def test_a_damaged_shard_is_not_pushed(store, url, local):
    shard = local / "maps/c.1.0.0.0"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DamagedDataError, match="not those that were recorded"):
        push(local, url)


def test_a_build_into_a_store_is_the_build_on_a_disk(store, url, stored, tiny_recipe, tmp_path):
    plan = make_plan(tiny_recipe, 600, chunk_rows=32, shard_rows=256)
    seen = []
    built = build_remote(plan, as_path(url), tmp_path / "scratch.zarr", 1, seen.append)
    assert built.manifest.digest == tersgen.open(stored["zarr"]).digest
    assert verify(url).sound
    assert list(tmp_path.glob("scratch*")) == []
    assert (seen[-1].n_done, seen[-1].shards_done) == (600, 3)
    again = build_remote(plan, as_path(url), tmp_path / "scratch.zarr")
    assert (again.n_kept, list(tmp_path.glob("scratch*"))) == (600, [])


def test_a_build_that_was_killed_before_it_tidied_up_does(store, url, tiny_recipe, tmp_path):
    plan, scratch = make_plan(tiny_recipe, 600, chunk_rows=32, shard_rows=256), tmp_path / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_build, "_remove_scratch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_remote(plan, as_path(url), scratch)
    assert build_remote(plan, as_path(url), scratch).n_kept == 600
    assert list(tmp_path.glob("s.zarr*")) == []


def test_a_scratch_folder_that_holds_something_is_left_alone(store, url, local, tiny_recipe):
    plan = make_plan(tiny_recipe, 600, chunk_rows=32, shard_rows=256)
    with pytest.raises(OutputError, match="pass another --scratch"):
        build_remote(plan, as_path(url), local)
    assert verify(local).sound


def test_no_hdf5_dataset_is_built_into_a_store(store, tiny_recipe, tmp_path):
    plan = make_plan(tiny_recipe, 600, "hdf5", chunk_rows=32, shard_rows=256)
    with pytest.raises(ConfigError, match="expected a Zarr dataset"):
        build_remote(plan, as_path("s3://bucket/x.h5"), tmp_path / "x.h5")


def test_a_dataset_is_copied_back_to_a_disk(store, url, local, tmp_path):
    push(local, url)
    built = convert(url, tmp_path / "back.h5", "hdf5")
    assert built.manifest.digest == tersgen.open(local).digest


def test_missing_credentials_are_said(store, url, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(tersgen.errors.DatasetError, match="no credentials in the environment"):
        tersgen.open(url)


def test_build_by_command(store, url, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["build", "--preset", "canonical", "--n", "100", "--library", "random:2"]
    words += ["--shard-rows", "512", "--out", url]
    for _ in range(2):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0, capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert "complete already" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main([*words, "--overwrite"])
    assert caught.value.code == 2


_BUILD = """
import sys
from pathlib import Path
from tersgen import resolve, load_recipe
from tersgen.jobs.plan import make_plan
from tersgen.jobs import remote_build
from tersgen.urls import as_path
remote_build._RANGE_BYTES = 1
plan = make_plan(resolve(load_recipe(sys.argv[1])), 2560, chunk_rows=32, shard_rows=256)
remote_build.build_remote(plan, as_path(sys.argv[2]), Path(sys.argv[3]), 1)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(8 if os.environ.get("TERSGEN_ALL_FAULTS") else 3))
def test_a_killed_build_resumes_to_the_same_digest(store, url, tiny_recipe, tmp_path, seed):
    recipe = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, recipe)
    plan = make_plan(tiny_recipe, 2560, chunk_rows=32, shard_rows=256)
    wanted = run(plan, tmp_path / "local.zarr").manifest.digest
    words = [sys.executable, "-c", _BUILD, str(recipe), url, str(tmp_path / "scratch.zarr")]
    kills = 0
    while True:
        store.begin()
        after = 15 + 40 * kills + 7 * seed  # requests
        with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
            while process.poll() is None and len(store.asked) < after:
                time.sleep(0.002)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            said = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
        assert kills < 100
    assert kills
    assert tersgen.open(url).digest == wanted
    assert verify(url).sound
    assert list(tmp_path.glob("scratch*")) == []
