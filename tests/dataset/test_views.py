"""Rows of a dataset as users index, iterate and select them: each equals the rows of the recipe."""

import base64
import io
import pickle
import re
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.dataset.cache import CachedRows
from tersgen.dataset.parquet import to_arrow
from tersgen.dataset.sources import Copies, ReadTimes, as_bytes
from tersgen.dataset.splits import make_split
from tersgen.errors import (
    ConfigError,
    DamagedDataError,
    OutputError,
    RowIndexError,
    UnknownFieldError,
)
from tersgen.schema.split import SplitRule

N = 1000
NAMES = ["random-0000", "random-0001", "random-0002"]


@pytest.fixture(scope="module")
def stored(built, tmp_path_factory):
    path = shutil.copytree(built, tmp_path_factory.mktemp("views") / "a.zarr")
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture(scope="module")
def ds(stored):
    return tersgen.open(stored)


@pytest.fixture(scope="module")
def recipe_file(tiny_recipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.json"
    tersgen.save_recipe(tiny_recipe, path)
    return path


@pytest.fixture(scope="module")
def whole(tiny_recipe):
    return tersgen.generate(tiny_recipe, 0, N)


def same(found, expected):
    np.testing.assert_array_equal(found, expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_rows_are_counted_indexed_and_iterated(ds, whole):
    assert len(ds) == ds.n_samples == N
    assert list(ds.fields) == list(whole)
    for key in (5, -1, np.int64(7)):
        row = ds[key]
        assert row.pop("species") == ds.classes[whole["label"][key]]
        assert list(row) == list(whole)
        for name, values in whole.items():
            same(row[name], values[key])
    for key in (slice(10, 20), [1, -2, 1], slice(None, None, -100), np.arange(N) % 99 == 0, []):
        some = ds[key]
        assert list(some.pop("species")) == [ds.classes[k] for k in whole["label"][key]]
        for name, values in whole.items():
            same(some[name], values[key] if len(np.shape(key)) == 0 or len(key) else values[:0])
    for k, row in enumerate(ds):
        assert row["species"] == ds.classes[whole["label"][k]]
        same(row["spectra"], whole["spectra"][k])
    assert k == N - 1


@pytest.mark.parametrize("key", [N, -N - 1, [0, N], 1.5, None, True, (1, 2, 3.5), slice("a")])
def test_keys_that_are_no_rows_are_refused(ds, key):
    with pytest.raises(RowIndexError, match=r"expected a (row|slice)"):
        ds[key]
    with pytest.raises(UnknownFieldError, match="expected one of spectra"):
        ds["5"]


keys = st.one_of(
    st.slices(N),
    st.lists(st.integers(-N, N - 1), max_size=30),
    st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random(N) < 0.05),
)


@pytest.mark.parametrize("kind", ["stored", "generated"])
def test_a_view_of_a_view_is_what_numpy_selects_twice(kind, ds, recipe_file, whole):
    dataset = ds if kind == "stored" else tersgen.open(recipe_file, N)

    @settings(
        max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(first=keys, data=st.data())
    def check(first, data):
        numbers = np.arange(N)[np.asarray(first, int) if isinstance(first, list) else first]
        view = dataset.select(rows=first)
        assert len(view) == len(numbers)
        second = data.draw(st.slices(max(1, len(numbers))))
        numbers, view = numbers[second], view.select(rows=second)
        same(view.row_numbers, numbers)
        same(view["spectra"][:], whole["spectra"][numbers])
        if len(numbers):
            k = data.draw(st.integers(0, len(numbers) - 1))
            same(view[k]["spectra"], whole["spectra"][numbers[k]])
            same(view[-1]["label"], whole["label"][numbers[-1]])
            take = np.sort(np.array(data.draw(
                st.lists(st.integers(0, len(numbers) - 1), min_size=1, max_size=40)
            )))  # fmt: skip
            out = np.empty((len(take), 64), np.float16)
            put = np.arange(len(take))[::-1].copy()
            for generate in (False, True):
                out[:] = 0
                blocks = view.blocks(["spectra"], generate)
                blocks.read_into(0, [Copies(take, {"spectra": as_bytes(out)}, put)], ReadTimes())
                same(out[put], whole["spectra"][numbers[take]])

    check()


def test_conditions_are_those_of_numpy_and_compose(ds, whole):
    label, count = whole["label"], whole["sticks/count"]
    train = np.zeros(N, bool)
    train[ds.rows_in("train")] = True
    for view, expected in (
        (ds.select(part="train"), train),
        (ds.select(split="train"), train),
        (ds.select(split="default:train"), train),
        (ds.select(split="default", part="train"), train),
        (ds.select(species=NAMES[1]), label == 1),
        (ds.select(species=[NAMES[2], NAMES[0]]), label != 1),
        (ds.select(where="sticks/count >= 5"), count >= 5),
        (
            ds.select(where=f"sticks/count<5 and species != '{NAMES[0]}'"),
            (count < 5) & (label != 0),
        ),
        (ds.select(where=f"species == {NAMES[0]}", part="train"), (label == 0) & train),
        (ds.select(part="train").select(species=NAMES[1]), (label == 1) & train),
    ):
        same(view.row_numbers, np.flatnonzero(expected))
        assert view.is_view
        assert view.digest is None
    few = ds.select(rows=[900, 3, 77]).select(where="label >= 0")
    same(few.row_numbers, [900, 3, 77])
    view = ds.select(species=NAMES[1])
    same(view.row_numbers[view.rows_in("val")], ds.select(part="val", species=NAMES[1]).row_numbers)
    assert "998 of 1000 samples" in repr(ds.select(rows=slice(2, None)))


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"part": "tran"}, UnknownFieldError, "expected one of train, val, test, got 'tran'"),
        ({"split": "default"}, ConfigError, "expected one of its parts too, part='train'"),
        ({"split": "other", "part": "train"}, UnknownFieldError, "got 'other'"),
        ({"species": "benzen"}, ConfigError, "expected one of random-0000"),
        ({"rows": [N]}, RowIndexError, "expected a row"),
        ({"where": "label"}, ConfigError, "expected a comparison"),
        ({"where": "label > __import__('os')"}, ConfigError, "label: expected a number"),
        ({"where": "spectra > 1"}, ConfigError, "expected one of species, sticks/count, label"),
        ({"where": "species > random-0000"}, ConfigError, "expected == or !=, got >"),
        ({"where": "species == 'x'"}, ConfigError, "got 'x'"),
        ({"where": 5}, ConfigError, "expected a text"),
    ],
)
def test_conditions_that_mean_nothing_are_one_line(ds, how, error, said):
    with pytest.raises(error, match=re.escape(said)) as caught:
        ds.select(**how)
    assert "\n" not in str(caught.value)


def test_a_view_is_pickled_with_its_rows(ds):
    view = ds.select(part="train").select(rows=slice(None, None, -3))
    for one in (view, view["spectra"]):
        found = pickle.loads(pickle.dumps(one))
        assert len(found) == len(view)
    again = pickle.loads(pickle.dumps(view))
    same(again["spectra"][:], view["spectra"][:])
    assert again.identity == view.identity != ds.identity == ds.digest
    assert ds.select(rows=slice(None)).identity != view.identity
    same(view.whole["label"][:], ds["label"][:])


def test_views_become_arrays_of_xarray_and_dask(ds, whole):
    view = ds.select(species=NAMES[1])
    data = view.to_xarray(["spectra", "sticks/count"])
    assert set(data.data_vars) == {"spectra", "sticks_count"}
    assert data.attrs["digest"] == "view"
    same(data.spectra.values, whole["spectra"][whole["label"] == 1])
    same(view.to_dask("label")["label"].compute(), whole["label"][whole["label"] == 1])
    with pytest.raises(UnknownFieldError):
        view.to_dask(["nothing"])


def test_parquet_has_every_value_and_its_unit(ds, whole, tmp_path):
    view = ds.select(rows=slice(None, None, -7))
    path = tmp_path / "a.parquet"
    view.to_parquet(path)
    table = pyarrow.parquet.read_table(path)
    rows = slice(None, None, -7)
    assert table.column("species").to_pylist() == [ds.classes[k] for k in whole["label"][rows]]
    for name, values in whole.items():
        flat = table.column(name).combine_chunks()
        for _ in values.shape[1:]:
            flat = flat.flatten()
        same(flat.to_numpy(zero_copy_only=False).reshape(values[rows].shape), values[rows])
    field = table.schema.field("sticks/position")
    assert field.metadata[b"unit"] == b"cm^-1"
    with pytest.raises(OutputError, match="expected a new file"):
        view.to_parquet(path)
    view.to_parquet(path, ["label"], overwrite=True)
    assert pyarrow.parquet.read_table(path).column_names == ["species", "label"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.parquet"]
    assert to_arrow(ds, ["label"], slice(3, 5)).num_rows == 2


def test_a_notebook_shows_names_that_are_markup_as_text(ds, stored, tmp_path):
    from html.parser import HTMLParser

    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.seen = [], []

        def handle_starttag(self, tag, attrs):
            self.seen.append(tag)
            if tag not in ("img", "polyline"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            if tag != "polyline":
                assert self.open.pop() == tag

    path = shutil.copytree(stored, tmp_path / "<script>alert(1)<b>.zarr")
    parser = Tags()
    text = tersgen.open(path)._repr_html_()
    parser.feed(text)
    assert parser.open == []
    assert {"svg", "img", "table"} <= {*parser.seen}
    assert not {"script", "b2"} & {*parser.seen}
    assert "&lt;script&gt;" in text
    assert "cm^-1" in text
    assert all(name in text for name in ds.classes)
    (next(path.glob("spectra/c.0*"))).unlink()
    assert "missing" in tersgen.open(path)._repr_html_()
    assert "samples" in ds.select(rows=[])._repr_html_()


def test_pictures_are_png_that_others_read(ds):
    matplotlib = pytest.importorskip("matplotlib.image")
    (data, *_) = re.findall("base64,([^']*)", ds._repr_html_())
    image = matplotlib.imread(io.BytesIO(base64.b64decode(data)), format="png")
    height, width = ds["maps"].shape[2:]
    assert image.shape == (height, width)
    found = ds["maps"][0].astype(float)
    expected = found[found.max(axis=(1, 2)).argmax()]
    np.testing.assert_allclose(image, expected / expected.max(), atol=1 / 255)


def test_a_dataset_is_a_context(stored, whole):
    with tersgen.open(stored) as dataset:
        same(dataset[3]["spectra"], whole["spectra"][3])
        kept = dataset._source
        assert kept._kept
    assert not kept._kept
    same(dataset[3]["spectra"], whole["spectra"][3])  # it opens its files again


def test_kept_chunks_are_nobodys_to_write_to_and_bounded(stored, whole):
    dataset = tersgen.open(stored)
    row = dataset[3]
    row["spectra"][:] = 0
    dataset["spectra"][3][:] = 0
    same(dataset[3]["spectra"], whole["spectra"][3])
    reader = dataset._source._source
    fields = [field.spec for field in dataset.fields.values()]
    bound = 5 * 64 * max(spec.row_bytes for spec in fields)
    kept = CachedRows(reader, fields, 64, N, bound)
    for number in np.random.default_rng(1).integers(0, N, 200):
        one = slice(int(number), int(number) + 1, 1)
        for name, values in kept.read_many(list(dataset.fields), one).items():
            same(values[0], whole[name][number])
        parts = [part for parts in kept._kept.values() for part in parts]
        assert sum(part.values.nbytes for part in parts) == kept._bytes <= bound


def test_a_damaged_chunk_is_refused_as_a_single_row(stored, tmp_path):
    path = shutil.copytree(stored, tmp_path / "a.zarr")
    dataset = tersgen.open(path)
    file = next(path.glob("spectra/c.0*"))
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedDataError, match="spectra"):
        [dataset[k] for k in range(512)]
