"""Exports that are killed: the same command finishes them, to the bytes of one never killed."""

import json
import subprocess
import sys

import pytest

import tersgen
from tersgen.errors import ConfigError, OutputError
from tersgen.exports.exporting import _request, export, exporter_class

SHARDS = {"shard_mb": 0.01}
KILLED = """
import json, os, signal, sys
from pathlib import Path
import pyarrow.parquet, zarr
import tersgen
from tersgen.exports.exporting import export
from tersgen.exports import exporter

path, out, name, settings, fields = json.loads(sys.argv[1])
exporter._BLOCK_ROWS = 4
n, kept = len(tersgen.open(path)), {}

def run(kill):
    def report(done, total):
        if done >= kill:
            os.kill(os.getpid(), signal.SIGKILL)
    if not os.fork():
        export(tersgen.open(path), Path(out), name, fields, settings, report)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.wait()[1])

for kill in (1, n // 2, n):
    assert run(kill) == -signal.SIGKILL
    assert not os.path.lexists(out)
    work = Path(out).with_name(f".{Path(out).name}.partial") / "output"
    files = {str(one.relative_to(work)): one for one in work.rglob("*") if one.is_file()}
    kept.update({name: one.stat().st_ino for name, one in files.items() if ".partial" not in name})
assert run(n + 1) == 0
print(json.dumps(kept))
"""


def content(folder):
    """Return the bytes of all files, without what has the date of a bag."""
    files = [one for one in folder.rglob("*") if one.is_file()]
    dated = ("bag-info.txt", "tagmanifest-sha512.txt")
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in files if one.name not in dated
    }


@pytest.mark.parametrize(
    ("name", "out", "fields", "settings"),
    [
        ("huggingface", "hub", None, SHARDS),
        pytest.param("croissant", "c", None, SHARDS, marks=pytest.mark.exhaustive),
        pytest.param("ome-zarr", "o.zarr", ["maps"], {}, marks=pytest.mark.exhaustive),
        pytest.param("bagit", "bag", None, {}, marks=pytest.mark.exhaustive),
    ],
)
def test_a_killed_export_is_resumed(path, tmp_path, about, name, out, fields, settings):
    if name == "croissant":
        settings = {**settings, **about}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    resumed, whole = tmp_path / "a" / out, tmp_path / "b" / out
    arguments = json.dumps([str(path), str(resumed), name, settings, fields])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, arguments], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    tersgen.export(path, whole, name, fields=fields, **settings)
    assert content(resumed) == content(whole)
    kept = json.loads(done.stdout)
    assert len(kept) > 3
    assert {file: (resumed / file).stat().st_ino for file in kept} == kept
    assert [one.name for one in resumed.parent.iterdir()] == [out]


def test_another_request_starts_again(path, tmp_path, about):
    """What a killed export has left is not mixed with another one, nor is a user's file removed."""
    arguments = json.dumps([str(path), str(tmp_path / "hub"), "huggingface", SHARDS, None])
    script = KILLED.partition("for kill in")[0] + "assert run(n // 2) == -signal.SIGKILL"
    subprocess.run([sys.executable, "-c", script, arguments], check=True)
    (work,) = tmp_path.iterdir()
    assert [*work.glob("output/data/*.parquet")]
    out = tersgen.export(path, tmp_path / "hub", "huggingface", fields=["label"])
    names = [f"{part}-00000-of-00001.parquet" for part in ("test", "train", "val")]
    assert sorted(one.name for one in (out / "data").iterdir()) == names
    mine = tmp_path / ".bag.partial"
    mine.mkdir()
    (mine / "notes").write_text("mine")
    with pytest.raises(OutputError, match="expected what an export has left"):
        tersgen.export(path, tmp_path / "bag", "bagit")
    assert sorted(tmp_path.iterdir()) == [mine, out]
    assert (mine / "notes").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_ctrl_c_keeps_what_can_be_resumed_and_errors_nothing(ds, tmp_path, error):
    def stop(done, total):
        if done >= total // 2:
            raise error

    out = tmp_path / "hub"
    with pytest.raises((KeyboardInterrupt, OutputError)) as caught:
        export(ds, out, "huggingface", ["label"], {"shard_mb": 0.0002}, stop)
    left = [one.name for one in tmp_path.glob(".hub.partial/output/data/*.parquet")]
    if error is KeyboardInterrupt:
        assert caught.value.__notes__ == [f"{out}: stopped; the same command resumes it"]
        assert left
    else:
        assert not list(tmp_path.iterdir())
    export(ds, out, "huggingface", ["label"], {"shard_mb": 0.0002})
    assert {*left} < {one.name for one in (out / "data").iterdir()}
    assert list(tmp_path.iterdir()) == [out]


def test_parts_whose_files_would_share_names_are_refused(path, tmp_path):
    ds = tersgen.convert(path, tmp_path / "d.zarr")
    tersgen.split(ds.path, {"a-b": 0.5, "a_b": 0.5}, name="twice")
    with pytest.raises(ConfigError, match="differ in more than"):
        export(tersgen.open(ds.path), tmp_path / "hub", "huggingface", None, {"split": "twice"})
    assert [one.name for one in tmp_path.iterdir()] == ["d.zarr"]


def test_more_rows_of_a_recipe_are_another_request(tmp_path):
    recipe = tersgen.Recipe(library=["builtin:water"], fields={"maps": False})
    tersgen.save_recipe(recipe, tmp_path / "recipe.json")
    few, more = (tersgen.open(tmp_path / "recipe.json", n) for n in (10, 20))
    kind = exporter_class("huggingface")
    exporter = kind(kind.Settings())
    requests = [_request(one, "huggingface", exporter, None) for one in (few, few, more)]
    assert requests[0] == requests[1] != requests[2]
