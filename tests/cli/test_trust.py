"""Resume, verify, repair, split, extend, tag, diff and convert from the command line."""

import json
import re
import shutil

import pytest

import tersgen

SMALL = ["--preset", "canonical", "--library", "random:3", "--set", "grid.n_points=64",
         "--set", "map.height=8",
         "--set", "lineshape.fwhm_cm1=150", "--set", "random.n_modes=[3,6]",
         "--shard-rows", 256]  # fmt: skip


@pytest.mark.parametrize("name", ["data.zarr", "data.h5"])
def test_a_dataset_is_damaged_and_healed(good, quick_cli, tmp_path, name):
    good("build", "--n", 1000, *SMALL, "--out", name, cwd=tmp_path)
    digest = tersgen.open(tmp_path / name).digest
    assert "sound: 1000 samples, 4 shards" in good("verify", name, cwd=tmp_path)
    assert "chunks not read" in good("verify", "--quick", name, cwd=tmp_path)
    (tmp_path / {"data.zarr": "data.zarr/maps/c.2.0.0.0"}.get(
        name, "data.h5.d/shards/000002.h5")).unlink()  # fmt: skip
    for options in ((), ("--quick",)):
        done = quick_cli.run("verify", *options, name, cwd=tmp_path)
        assert done.returncode == 1
        assert re.search(r"^missing: .*shard 2, .*rows 512 to 767: missing$", done.stdout, re.M)
        assert (
            f"damaged: 1 of 4 shards; to make it whole again: tersgen repair {name}" in done.stdout
        )
        assert "Error" not in done.stderr
    report = json.loads(quick_cli.run("verify", "--json", name, cwd=tmp_path).stdout)
    assert (report["sound"], report["digest"]) == (False, digest)
    assert [(one["kind"], one["shard"], one["rows"]) for one in report["faults"]] == [
        ("missing", 2, [512, 767])
    ]
    text = good("repair", name, cwd=tmp_path)
    assert "shard 2: 256 rows rebuilt, digests as recorded" in text
    assert f"digest {digest}" in text
    assert "nothing to repair" in good("repair", name, cwd=tmp_path)
    assert "all the same, to the bit" in good("reproduce", name, "--fraction", 1, cwd=tmp_path)


def test_what_is_incomplete_is_said_once(good, quick_cli, tmp_path):
    good("build", "--n", 600, *SMALL, "--out", "data.zarr", cwd=tmp_path)
    shutil.rmtree(tmp_path / "data.zarr" / "versions")
    (tmp_path / "data.zarr" / "manifest.json").unlink()
    done = quick_cli.run("verify", "data.zarr", cwd=tmp_path)
    assert done.returncode == 1
    *_, last = done.stdout.splitlines()
    assert last.startswith("data.zarr: incomplete: its build did not finish; to resume: tersgen b")
    assert done.stdout.count("incomplete") == 1


def test_a_split_is_shown_as_a_table(good, bad, quick_cli, tmp_path):
    good("build", "--n", 600, *SMALL, "--out", "data.zarr", cwd=tmp_path)
    options = ("split", "data.zarr", "--ratios", "train=0.8,val=0.1,test=0.1", "--seed", 1)
    lines = good(*options, cwd=tmp_path).splitlines()
    assert lines[0].split() == ["species", "train", "val", "test", "weight"]
    assert [line.split() for line in lines[1:4]] == [
        [f"random-000{k}", "160", "20", "20", "1.0000"] for k in range(3)
    ]
    assert lines[4].split() == ["all", "480", "60", "60"]
    *_, first = good("log", "--json", "data.zarr", cwd=tmp_path).splitlines()
    before = f"data.zarr@{json.loads(first)['version'][:12]}"
    said = good("diff", before, "data.zarr", cwd=tmp_path)
    assert "split 'default': only the second side has it: train 480, val 60, test 60" in said
    content = json.loads(good(*options, "--json", cwd=tmp_path))
    assert content["counts"] == [[160, 20, 20]] * 3
    held = good("split", "data.zarr", "--name", "unseen", "--hold-out", "random-0001",
                cwd=tmp_path)  # fmt: skip
    assert held.splitlines()[2].split()[:4] == ["random-0001", "0", "0", "200"]
    grouped = quick_cli.run("split", "data.zarr", "--name", "g", "--by", "group", cwd=tmp_path)
    assert "Warning: no row is in " in grouped.stderr
    assert "has another split 'default'" in bad(*options[:-1], 2, cwd=tmp_path)
    for ratios, message in (
        ("train=0.8", "expected a sum of 1, got 0.8"),
        ("train=1,train=0", "expected each part once"),
        (
            "Train=1",
            "expected at most 32 lower-case letters, digits and any of _- with a letter first",
        ),
    ):
        assert message in bad("split", "data.zarr", "--ratios", ratios, cwd=tmp_path)
    line = bad("split", "data.zarr", "--ratios", "train", code=2, cwd=tmp_path)
    assert "expected NAME=RATIO" in line


def test_info_tells_splits_and_tags(good, bad, tmp_path):
    good("build", "--n", 600, *SMALL, "--out", "data.zarr", cwd=tmp_path)
    text = good("info", "data.zarr", cwd=tmp_path)
    assert "no splits; tersgen split makes one" in text
    assert "no tags; tersgen tag gives one" in text
    assert re.search(r"^version [0-9a-f]{12}: build$", text, re.M)
    line = bad("tag", "data.zarr", "v 1", cwd=tmp_path)
    assert "expected letters, digits and any of ._- with a letter or digit first, got 'v 1'" in line
    good("tag", "data.zarr", "plain", cwd=tmp_path)
    good("split", "data.zarr", "--seed", 1, cwd=tmp_path)
    good("split", "data.zarr", "--name", "unseen", "--hold-out", "random-0001", "--ratios",
         "train=0.9,dev=0.1", "--hold-out-to", "dev", cwd=tmp_path)  # fmt: skip
    for name in ("v1", "gone", "bad"):
        good("tag", "data.zarr", name, cwd=tmp_path)
    good("tag", "data.zarr", "gone", "--delete", cwd=tmp_path)
    (tmp_path / "data.zarr" / "tags" / "bad.json").write_text("{}")
    lines = good("info", "data.zarr", cwd=tmp_path).splitlines()
    assert [line.split(maxsplit=2) for line in lines if " train " in line] == [
        ["default", "600", "train 480, val 60, test 60; by species, seed 1"],
        ["unseen", "600", "train 400, dev 200; by species, seed 0, only in dev: random-0001"],
    ]
    newest = tersgen.open(tmp_path / "data.zarr").manifest
    content = json.loads(good("info", "data.zarr", "--json", cwd=tmp_path))
    assert content["splits"] == {
        "default": {"train": 480, "val": 60, "test": 60},
        "unseen": {"train": 400, "dev": 200},
    }
    assert set(content["tags"]) == {"bad", "plain", "v1"}
    assert content["tags"]["v1"] == newest.version
    assert content["tags"]["bad"] is None
    assert content["tags"]["plain"] not in (None, newest.version)
    shown = {line.split()[0]: line.split()[1] for line in lines[-3:]}
    assert shown == {"bad": "damaged;", "plain": content["tags"]["plain"][:12],
                     "v1": newest.version[:12]}  # fmt: skip


def test_versions_from_build_to_diff(good, bad, tmp_path):
    good("build", "--n", 500, *SMALL, "--out", "data.zarr", cwd=tmp_path)
    good("tag", "data.zarr", "v1.0", cwd=tmp_path)
    assert "800 samples" in good("extend", "data.zarr", "--n", "3e2", cwd=tmp_path)
    log = good("log", "data.zarr", cwd=tmp_path)
    assert re.search(r"800 samples  extend by 300 samples\n.*\n.*500 samples  build  \[v1.0\]", log)
    assert len(good("log", "--json", "data.zarr", cwd=tmp_path).splitlines()) == 2
    assert "v1.0" in good("tag", "data.zarr", cwd=tmp_path)
    assert "tags do not move" in bad("tag", "data.zarr", "v1.0", cwd=tmp_path)
    assert "n_samples: 500 -> 800" in good("diff", "data.zarr@v1.0", "data.zarr", cwd=tmp_path)
    assert "500 samples" in good("info", "data.zarr@v1.0", cwd=tmp_path)
    assert "sound: 500 samples" in good("verify", "data.zarr@v1.0", cwd=tmp_path)
    good("plot", "data.zarr@v1.0", "-o", "one.png", cwd=tmp_path)
    good("convert", "data.zarr@v1.0", "old.h5", cwd=tmp_path)
    assert "values, recipe and splits are the same" in good(
        "diff", "data.zarr@v1.0", "old.h5", cwd=tmp_path
    )
    direct = json.loads(good("build", "--n", 800, *SMALL, "--json", "--out", "b.h5", cwd=tmp_path))
    assert direct["digest"] == tersgen.open(tmp_path / "data.zarr").digest


def test_what_cannot_be_done_is_one_line(good, bad, tmp_path):
    (tmp_path / "file").write_text("x")
    good("build", "--n", 10, *SMALL, "--out", "data.zarr", cwd=tmp_path)
    for command in ("verify", "repair", "reproduce", "split", "log", "tag"):
        assert "none.zarr: no such dataset" in bad(command, "none.zarr", cwd=tmp_path)
        assert "expected a dataset of tersgen, got another file" in bad(
            command, "file", cwd=tmp_path
        )
        assert "another folder" in bad(command, ".", cwd=tmp_path)
    assert "no such dataset" in bad("extend", "none.zarr", "--n", 5, cwd=tmp_path)
    assert "expected one of --n" in bad("extend", "data.zarr", code=2, cwd=tmp_path)
    assert "expected more than the 10 samples" in bad(
        "extend", "data.zarr", "--to", 5, cwd=tmp_path
    )
    assert "no such dataset" in bad("convert", "none.zarr", "b.h5", cwd=tmp_path)
    assert "no such dataset" in bad("diff", "none.zarr", "data.zarr", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.zarr", "file"]
