"""P1 on disk: layout, threads and resolution by file change no value and no digest."""

import json

import numpy as np
import pytest

import tersgen
from tersgen.errors import ConfigError, OutputError
from tersgen.generator import Generator
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import check_space, estimate, make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.schema.manifest import JournalLine, Manifest, ShardRecord
from tersgen.store.digest import combine, dataset_digest, leaf_digests
from tersgen.store.location import new_location


@pytest.fixture(scope="session")
def recipe(tiny_recipe):
    return tiny_recipe


def built_with(recipe, out, n_samples=1300, threads=None, **rows) -> Manifest:
    return run(make_plan(recipe, n_samples, **rows), out, threads=threads).manifest


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
def test_layout_and_threads_change_neither_values_nor_digest(recipe, tmp_path, rows, threads):
    manifest = built_with(recipe, tmp_path / "a.zarr", threads=threads, **rows)
    plain = Generator(recipe).block(0, 1300, threads=1)
    roots = {name: combine(leaf_digests(values, 256)) for name, values in plain.items()}
    assert manifest.digest == dataset_digest(manifest.contents, 1300, roots)
    dataset = tersgen.open(tmp_path / "a.zarr")
    for name, values in plain.items():
        assert dataset[name][:].tobytes() == values.tobytes(), name


def test_a_longer_dataset_begins_with_the_shorter(recipe, tmp_path):
    built_with(recipe, tmp_path / "short.zarr", 300)
    built_with(recipe, tmp_path / "long.zarr", 900, shard_rows=256)
    short, long = tersgen.open(tmp_path / "short.zarr"), tersgen.open(tmp_path / "long.zarr")
    for name in short.fields:
        assert short[name][:].tobytes() == long[name][:300].tobytes()


def test_manifest_and_journal_account_for_every_row(recipe, tmp_path):
    manifest = built_with(recipe, tmp_path / "a.zarr", shard_rows=512)
    lines = (tmp_path / "a.zarr" / "journal.jsonl").read_text().splitlines()
    records = sorted(
        (JournalLine.model_validate_json(line).record for line in lines), key=lambda r: r.shard
    )
    assert [record.rows for record in records] == [512, 512, 276]
    assert sum(manifest.class_counts) == 1300
    assert max(manifest.class_counts) - min(manifest.class_counts) <= 1
    labels = tersgen.open(tmp_path / "a.zarr")["label"][:]
    assert tuple(np.bincount(labels, minlength=3)) == manifest.class_counts
    files = [
        path for spec in manifest.fields for path in (tmp_path / "a.zarr" / spec.name).glob("c.*")
    ]
    assert sum(path.stat().st_size for path in files) == manifest.bytes_stored
    assert sum(record.bytes_stored for record in records) == manifest.bytes_stored
    left = [
        p for p in (tmp_path / "a.zarr").rglob("*") if "partial" in p.name or "builder" in p.name
    ]
    assert not left


def test_an_existing_output_is_kept_unless_it_may_be_replaced(recipe, tmp_path):
    first = built_with(recipe, tmp_path / "a.zarr", 300)
    with pytest.raises(OutputError, match=r"holds the first 300 of these 301 samples"):
        built_with(recipe, tmp_path / "a.zarr", 301)
    assert tersgen.open(tmp_path / "a.zarr").digest == first.digest
    plan = make_plan(recipe, 301)
    run(plan, tmp_path / "a.zarr", overwrite=True)
    assert tersgen.open(tmp_path / "a.zarr").n_samples == 301


def test_a_folder_of_another_kind_is_never_replaced(recipe, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "photos")
    for name in ("photos", "link.zarr", "photos/cat.jpg"):
        with pytest.raises(
            OutputError, match=r"no dataset of tersgen|no part of one|expected a (new path|folder)"
        ):
            run(make_plan(recipe, 10), tmp_path / name, overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "cat"


@pytest.mark.parametrize("name", ["notes.txt", "download.partial", "notes.new"])
def test_files_of_others_inside_a_dataset_are_never_removed(recipe, tmp_path, name):
    built_with(recipe, tmp_path / "a.zarr", 300)
    (tmp_path / "a.zarr" / name).write_text("mine")
    with pytest.raises(OutputError, match=f"found '{name}' in it"):
        run(make_plan(recipe, 10), tmp_path / "a.zarr", overwrite=True)
    location, plan, _ = plan_extension(tmp_path / "a.zarr", 10, None)
    extend(location, plan)
    (tmp_path / "a.zarr" / "label" / "c.0").unlink()
    assert repair(tmp_path / "a.zarr").verified.sound
    assert (tmp_path / "a.zarr" / name).read_text() == "mine"


def test_rows_must_be_possible(recipe):
    for n_samples in (0, -1, 2**60):
        with pytest.raises(ConfigError, match="n: expected a whole number from 1"):
            make_plan(recipe, n_samples)
    with pytest.raises(ConfigError, match="chunk rows: expected a power of two"):
        make_plan(recipe, 10, chunk_rows=7)


def test_a_dataset_larger_than_the_disk_is_refused(recipe, tmp_path):
    plan = make_plan(recipe, 2**50)
    location = new_location(tmp_path / "big.zarr", "zarr")
    expected = estimate(plan, location)
    assert expected.seconds > 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"expected room for about .* [GTP]B, got .* [GT]B free"):
        check_space(expected, location)


def test_the_estimate_is_near_what_is_built(recipe, tmp_path):
    plan = make_plan(recipe, 4096)
    expected = estimate(plan, new_location(tmp_path / "a.zarr", "zarr"))
    manifest = run(plan, tmp_path / "a.zarr").manifest
    assert expected.bytes_stored == pytest.approx(manifest.bytes_stored, rel=0.05)
    written = [path for path in (tmp_path / "a.zarr").rglob("*") if path.is_file()]
    assert expected.n_files == pytest.approx(len(written), abs=4)


def test_the_recipe_inside_a_dataset_builds_it_again(recipe, tmp_path):
    first = built_with(recipe, tmp_path / "a.zarr", 300)
    stored = tersgen.resolve(tersgen.load_recipe(tmp_path / "a.zarr" / "recipe.json"))
    again = built_with(stored, tmp_path / "b.zarr", 300)
    assert again.digest == first.digest
    content = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert content["attributes"]["tersgen"]["manifest"] == "manifest.json"


def test_the_newest_record_of_a_shard_with_all_its_rows_counts(recipe):
    plan = make_plan(recipe, 300, chunk_rows=64, shard_rows=256)

    def record(shard, rows, label=0):
        facts = {"files": {}, "digests": {}, "class_counts": {label: rows}}
        return ShardRecord(shard=shard, rows=rows, **facts)

    newer = record(0, 256, label=1)
    records = [record(0, 256), record(1, 256), newer, record(2, 44)]
    assert plan.recorded(records) == {0: newer}
    assert plan.recorded([*records, record(1, 44)]) == {0: newer, 1: record(1, 44)}
