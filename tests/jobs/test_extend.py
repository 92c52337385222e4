"""P6: a dataset that grows is the one that was built at once, and what was there stays."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.dataset.parts import load_parts
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import locate
from tersgen.errors import ConfigError, DamagedDataError, OutputError
from tersgen.generator import Generator
from tersgen.jobs import run as run_module
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule
from tersgen.store.lock import BuilderLock


@pytest.fixture(scope="module")
def recipe(tiny_recipe, changed):
    return changed(tiny_recipe, fields={"maps": False, "tensors": False, "params": False})


@pytest.fixture(scope="module")
def direct(recipe, tmp_path_factory):
    """Return a function that gives the digest of a dataset built at once."""
    known = {}

    def digest(n_samples: int) -> str:
        if n_samples not in known:
            out = tmp_path_factory.mktemp("direct") / "a.zarr"
            known[n_samples] = run(make_plan(recipe, n_samples), out).manifest.digest
        return known[n_samples]

    return digest


def grow(path: Path, n_more=None, n_total=None, **options):
    location, plan, _ = plan_extension(path, n_more, n_total)
    return extend(location, plan, **options)


@settings(max_examples=6, deadline=None)
@given(
    format=st.sampled_from(["zarr", "hdf5"]),
    n_first=st.integers(1, 600),
    steps=st.lists(st.sampled_from([1, 100, 255, 256, 257]), min_size=1, max_size=2),
    shard_rows=st.sampled_from([256, 512]),
    chunk_rows=st.sampled_from([64, 256]),
)
def test_grown_is_built_at_once(
    recipe, direct, tmp_path_factory, format, n_first, steps, shard_rows, chunk_rows
):
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        out = Path(folder) / "a"
        run(make_plan(recipe, n_first, format, chunk_rows, shard_rows), out)
        old = tersgen.open(out)
        rows = {name: old[name][:].tobytes() for name in old.fields}
        n_samples = n_first
        for step in steps:
            manifest = grow(out, step).manifest
            n_samples += step
            assert manifest.n_samples == n_samples
        assert manifest.digest == direct(n_samples)
        assert verify(out).sound
        assert {name: old[name][:].tobytes() for name in old.fields} == rows
        first = tersgen.open(f"{out}@{old.manifest.version}")
        assert first.digest == old.digest
        assert verify(f"{out}@{old.manifest.version}").sound


def make(path, recipe):
    run(make_plan(recipe, 300, shard_rows=256), path)


@pytest.fixture
def built(built_once, recipe, tmp_path):
    return built_once(tmp_path / "a.zarr", make, recipe)


def test_splits_grow_and_no_old_row_moves(built):
    make_split(built, "default", SplitRule(seed=3))
    before = tersgen.open(built)
    grow(built, 400)
    after = tersgen.open(built)
    assert after.manifest.parent == before.manifest.version
    assert after.manifest.split_named("default").sizes == (300, 700)
    old, new = (load_parts(built, one.manifest.split_named("default")) for one in (before, after))
    assert new[:300].tolist() == old.tolist()
    assert len(new) == 700


def test_to_a_size_that_is_there_does_nothing(built):
    digest = tersgen.open(built).digest
    grow(built, n_total=700)
    version = tersgen.open(built).manifest.version
    again = grow(built, n_total=700)
    assert (again.n_kept, again.manifest.version) == (700, version)
    assert tersgen.open(built).manifest.digest != digest


@pytest.mark.parametrize(
    ("n_more", "n_total", "message"),
    [
        (None, 299, "expected more than the 300 samples that are there, got 299"),
        (0, None, "expected more than the 300 samples that are there, got 300"),
    ],
)
def test_a_dataset_does_not_shrink(built, n_more, n_total, message):
    with pytest.raises(ConfigError, match=message):
        plan_extension(built, n_more, n_total)


def test_an_old_version_is_not_extended(built):
    version = tersgen.open(built).manifest.version
    with pytest.raises(ConfigError, match="versions do not change"):
        plan_extension(Path(f"{built}@{version[:12]}"), 10, None)


@pytest.fixture
def under_way(built):
    """A dataset whose extension to 700 rows has stopped after its first shard."""

    class StopError(Exception):
        pass

    def stop(progress):
        raise StopError

    with pytest.raises(StopError):
        grow(built, n_total=700, threads=1, report=stop)
    assert tersgen.open(built).n_samples == 300
    return built


def test_an_extension_under_way_is_finished_before_another(under_way, direct):
    for n_more, n_total in ((100, None), (None, 800)):
        with pytest.raises(
            OutputError, match=r"an extension to 700 samples is under way.*--to 700"
        ):
            plan_extension(under_way, n_more, n_total)
    assert "extension to 700 samples is under way" in "".join(verify(under_way).notes)
    built = grow(under_way, 400)
    assert built.n_kept >= 256
    assert built.manifest.digest == direct(700)
    assert verify(under_way).sound


@pytest.mark.parametrize("name", ["a.zarr", "a.h5"])
def test_an_extension_that_is_all_sealed_is_under_way_and_not_damaged(
    recipe, direct, tmp_path, monkeypatch, name
):
    path = tmp_path / name
    run(make_plan(recipe, 300, "hdf5" if name == "a.h5" else "zarr", shard_rows=256), path)
    make_split(path, "default", SplitRule(seed=3))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "publish", stop)
        with pytest.raises(KeyboardInterrupt):
            grow(path, n_total=700)
    found = verify(path)
    assert found.sound, found.faults
    assert (found.n_samples, tersgen.open(path).n_samples) == (300, 300)
    assert f"to finish it: tersgen extend {path} --to 700" in found.notes[0]
    folder = locate(path).folder
    for damaged, kind in (
        (path if name == "a.h5" else path / "label" / "zarr.json", "metadata"),
        (folder / "splits" / "default.json", "split"),
    ):
        text = damaged.read_bytes()
        damaged.write_bytes(text[:-30] + bytes([text[-30] ^ 1]) + text[-29:])
        assert [(one.kind, one.path) for one in verify(path).faults] == [(kind, str(damaged))]
        damaged.write_bytes(text)
    assert grow(path, n_total=700).manifest.digest == direct(700)
    assert verify(path).sound


def test_a_build_does_not_finish_an_extension(under_way, recipe, direct):
    make_split(under_way, "default", SplitRule(seed=3))
    with pytest.raises(OutputError, match=r"extension to 700 samples is under way.*tersgen extend"):
        run(make_plan(recipe, 700, shard_rows=256), under_way)
    with pytest.raises(OutputError, match="n_samples: 700 there, 300 here"):
        run(make_plan(recipe, 300, shard_rows=256), under_way)
    manifest = grow(under_way, n_total=700).manifest
    assert manifest.digest == direct(700)
    assert manifest.split_named("default").n_samples == 700


def test_a_plan_that_another_has_overtaken_does_not_shrink(built, direct):
    location, plan, _ = plan_extension(built, None, 400)
    grow(built, n_total=700)
    assert extend(location, plan).manifest.n_samples == 700
    assert tersgen.open(built).digest == direct(700)


def test_rows_of_another_generator_are_not_mixed_in(built, monkeypatch):
    before = {path: path.read_bytes() for path in built.rglob("*") if path.is_file()}
    fill = Generator.fill

    def other(self, start, buffer, n_rows=None):
        fill(self, start, buffer, n_rows)
        buffer.written["spectra"][0, 7] ^= 1

    monkeypatch.setattr(Generator, "fill", other)
    with pytest.raises(DamagedDataError, match="makes other rows than those that are there"):
        grow(built, 10)
    assert {path: path.read_bytes() for path in built.rglob("*") if path.is_file()} == before


def test_a_lost_record_is_for_repair(built):
    (built / "journal.jsonl").write_text("")
    with pytest.raises(DamagedDataError, match="no record of shard 1; run tersgen repair first"):
        grow(built, 10)


def test_one_extends_at_a_time(built):
    location, plan, _ = plan_extension(built, 10, None)
    with BuilderLock(location.folder), pytest.raises(OutputError, match="is writing it"):
        extend(location, plan)


def test_a_folder_that_was_copied_goes_on_where_it_is(under_way, tmp_path, direct):
    shutil.copytree(under_way, tmp_path / "copy.zarr")
    assert grow(tmp_path / "copy.zarr", n_total=700).manifest.digest == direct(700)
