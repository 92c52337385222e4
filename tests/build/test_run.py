"""P1 on disk: layout, threads and resolution by file change no value and no digest."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tersgen
from tersgen.build.plan import check_space, estimate, make_plan
from tersgen.build.run import run
from tersgen.errors import ConfigError, OutputError
from tersgen.sampling.block import Generator
from tersgen.schema.manifest import Manifest, ShardRecord
from tersgen.store.digest import combine, dataset_digest, leaf_digests


@pytest.fixture(scope="session")
def generator(tiny_recipe):
    return Generator(tiny_recipe)


def built_with(generator, out, n_samples=1300, threads=None, **rows) -> Manifest:
    return run(make_plan(generator, n_samples, **rows), out, threads=threads).manifest


@pytest.mark.parametrize(
    ("rows", "threads"),
    [
        ({}, 1),
        ({}, 2),
        ({"shard_rows": 256}, 3),
        ({"chunk_rows": 1, "shard_rows": 512}, 2),
        ({"chunk_rows": 512, "shard_rows": 1024}, 2),
    ],
)
def test_layout_and_threads_change_neither_values_nor_digest(generator, tmp_path, rows, threads):
    manifest = built_with(generator, tmp_path / "a.zarr", threads=threads, **rows)
    plain = generator.block(0, 1300, threads=1)
    roots = {name: combine(leaf_digests(values, 256)) for name, values in plain.items()}
    assert manifest.digest == dataset_digest(manifest.recipe_digest, 1300, roots)
    dataset = tersgen.open(tmp_path / "a.zarr")
    for name, values in plain.items():
        assert dataset[name][:].tobytes() == values.tobytes(), name


def test_a_longer_dataset_begins_with_the_shorter(generator, tmp_path):
    built_with(generator, tmp_path / "short.zarr", 300)
    built_with(generator, tmp_path / "long.zarr", 900, shard_rows=256)
    short, long = tersgen.open(tmp_path / "short.zarr"), tersgen.open(tmp_path / "long.zarr")
    for name in short:
        assert short[name][:].tobytes() == long[name][:300].tobytes()


def test_manifest_and_journal_account_for_every_row(generator, tmp_path):
    manifest = built_with(generator, tmp_path / "a.zarr", shard_rows=512)
    lines = (tmp_path / "a.zarr" / "journal.jsonl").read_text().splitlines()
    records = sorted(
        (ShardRecord.model_validate_json(line) for line in lines), key=lambda r: r.shard
    )
    assert [record.rows for record in records] == [512, 512, 276]
    assert sum(manifest.class_counts) == 1300
    assert max(manifest.class_counts) - min(manifest.class_counts) <= 1
    labels = tersgen.open(tmp_path / "a.zarr")["label"][:]
    assert tuple(np.bincount(labels, minlength=3)) == manifest.class_counts
    files = [
        path
        for spec in manifest.fields
        for path in (tmp_path / "a.zarr" / spec.name / "c").rglob("*")
        if path.is_file()
    ]
    assert sum(path.stat().st_size for path in files) == manifest.bytes_stored
    assert sum(record.bytes_stored for record in records) == manifest.bytes_stored
    assert not list((tmp_path / "a.zarr").rglob("*.partial"))


def test_an_existing_output_is_kept_unless_it_may_be_replaced(generator, tmp_path):
    first = built_with(generator, tmp_path / "a.zarr", 300)
    with pytest.raises(OutputError, match="exists already; pass --overwrite"):
        built_with(generator, tmp_path / "a.zarr", 301)
    assert tersgen.open(tmp_path / "a.zarr").digest == first.digest
    plan = make_plan(generator, 301)
    run(plan, tmp_path / "a.zarr", overwrite=True)
    assert tersgen.open(tmp_path / "a.zarr").n_samples == 301


def test_a_folder_of_another_kind_is_never_replaced(generator, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "photos")
    for name in ("photos", "link.zarr", "photos/cat.jpg"):
        with pytest.raises(OutputError, match=r"no dataset of tersgen|no part of one"):
            run(make_plan(generator, 10), tmp_path / name, overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "cat"


def test_files_of_others_inside_a_dataset_are_never_removed(generator, tmp_path):
    built_with(generator, tmp_path / "a.zarr", 300)
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"found 'notes.txt' in it"):
        run(make_plan(generator, 10), tmp_path / "a.zarr", overwrite=True)
    assert (tmp_path / "a.zarr" / "notes.txt").read_text() == "mine"


def test_rows_must_be_possible(generator):
    for n_samples in (0, -1, 2**60):
        with pytest.raises(ConfigError, match="n: expected a whole number from 1"):
            make_plan(generator, n_samples)
    with pytest.raises(ConfigError, match="chunk rows: expected a power of two"):
        make_plan(generator, 10, chunk_rows=7)


def test_a_dataset_larger_than_the_disk_is_refused(generator, tmp_path):
    plan = make_plan(generator, 2**50)
    expected = estimate(plan, tmp_path / "big.zarr")
    assert expected.seconds > 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"expected room for about .* GB, got .* GB free"):
        check_space(expected, tmp_path / "big.zarr")


def test_the_estimate_is_near_what_is_built(generator, tmp_path):
    plan = make_plan(generator, 4096)
    expected = estimate(plan, tmp_path / "a.zarr")
    manifest = run(plan, tmp_path / "a.zarr").manifest
    assert expected.bytes_stored == pytest.approx(manifest.bytes_stored, rel=0.05)
    written = [path for path in (tmp_path / "a.zarr").rglob("*") if path.is_file()]
    assert expected.n_files == pytest.approx(len(written), abs=4)


FULL = """
import sys
from pathlib import Path
import tersgen
from tersgen.build.plan import make_plan
from tersgen.build.run import run
from tersgen.errors import OutputError
from tersgen.sampling.block import Generator
recipe = tersgen.resolve(tersgen.Recipe(library=("random:3",)))
try:
    run(make_plan(Generator(recipe), 20_000), Path(sys.argv[1]) / "deep" / "full.zarr")
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(tmp_path)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        command = [sys.executable, "-c", FULL, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "No space left on device" in done.stdout
        assert not list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_recipe_inside_a_dataset_builds_it_again(generator, tmp_path):
    first = built_with(generator, tmp_path / "a.zarr", 300)
    recipe = tersgen.load_recipe(tmp_path / "a.zarr" / "recipe.json")
    again = built_with(Generator(recipe), tmp_path / "b.zarr", 300)
    assert again.digest == first.digest
    content = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert content["attributes"]["tersgen"]["manifest"] == "manifest.json"
