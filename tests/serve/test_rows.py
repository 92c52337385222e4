"""Rows over HTTP are those of ``tersgen.open``."""

import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import tersgen

URL = "/api/v1/datasets/small.zarr/rows"


@pytest.fixture(scope="module")
def dataset(service):
    return tersgen.open(service.root / "small.zarr")


def test_every_row_as_json(http, dataset):
    names = ",".join(dataset.fields)
    found = http.get(URL, params={"fields": names, "limit": 1000}).json()
    assert (found["total"], found["n_looked"], len(found["rows"])) == (300, 300, 300)
    for index, row in enumerate(found["rows"]):
        expected = dataset[index]
        assert (row["index"], row["species"]) == (index, expected["species"])
        for name in dataset.fields:
            np.testing.assert_array_equal(np.array(row[name], expected[name].dtype), expected[name])


@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_every_row_as_a_table(http, dataset, format):
    answer = http.get(
        URL, params={"fields": ",".join(dataset.fields), "limit": 1000, "format": format}
    )
    if format == "arrow":
        table = pyarrow.ipc.open_stream(answer.content).read_all()
    else:
        table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert table["index"].to_pylist() == [*range(300)]
    assert table["species"].to_pylist() == [dataset.classes[label] for label in dataset["label"][:]]
    for name, field in dataset.fields.items():
        flat = table[name].combine_chunks()
        while pyarrow.types.is_fixed_size_list(flat.type):
            flat = flat.flatten()
        np.testing.assert_array_equal(flat.to_numpy().reshape(field.shape), field[:])


def test_drawn_and_fixed_point_arrays(new_service):
    service = new_service()
    table = {
        "library": ["builtin:ammonia"],
        "nearfield": {},
        "structure": {"store_images": False},
        "fields": {"precision": "uint8"},
    }
    drawn = tersgen.build(table, 8, service.root / "drawn.zarr", threads=1)
    url = URL.replace("small", "drawn")
    with service.client() as http:
        assert [one["name"] for one in http.get(url[:-5]).json()["computed"]] == [
            "structure/masks",
            "structure/bonds",
        ]
        params = {"fields": "maps,structure/bonds", "limit": 4}
        for index, row in enumerate(http.get(url, params=params).json()["rows"]):
            for name in ("maps", "structure/bonds"):
                assert np.array_equal(np.array(row[name], np.float32), drawn[name][index])
        # 64 x 64 values are float32 as they are sent, and uint8 as they are stored
        refused = http.get(url, params={"fields": "maps", "limit": 2049})
        assert (refused.status_code, "at most 2048 rows" in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("where", "split"),
    [
        ("params/width > 1.0", None),
        ("params/width > 1.0 and species == random-0001", "default:train"),
        ("species != 'random-0000' and label >= 1", "val"),
        ("", "train"),
    ],
)
def test_filters(http, dataset, where, split):
    expected = dataset.select(where=where or None, part=split and split.rpartition(":")[2])
    rows = expected.row_numbers.tolist()
    assert 0 < len(rows) < 300
    params = {"where": where, **({"split": split} if split else {}), "limit": 1000}
    found = http.get(URL, params=params).json()
    assert (found["total"], [row["index"] for row in found["rows"]]) == (len(rows), rows)
    part = http.get(URL, params={**params, "offset": 2, "limit": 3}).json()
    assert (part["total"], [row["index"] for row in part["rows"]]) == (len(rows), rows[2:5])


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"where": "__import__('os')"}, "expected a comparison"),
        ({"where": "spectra > 1"}, "expected one of species"),
        ({"where": "species == random-0009"}, "did you mean"),
        ({"split": "nothing:train"}, "expected one of its splits (default)"),
        ({"split": "nothing"}, "expected one of train, val, test"),
        ({"fields": "params/widht"}, "did you mean 'params/width'?"),
        ({"limit": 10001}, "less than or equal to 10000"),
        ({"offset": -1}, "greater than or equal to 0"),
        ({"format": "xml"}, "'json', 'arrow' or 'parquet'"),
    ],
)  # fmt: skip
def test_what_is_refused(http, params, text):
    answer = http.get(URL, params=params)
    assert answer.status_code == 422
    assert text in answer.json()["error"]


def test_numbers_that_json_does_not_have():
    from tersgen.serve.routes.rows import _plain

    assert _plain(np.array([[1.5, np.nan], [np.inf, 2]], np.float32)) == [[1.5, None], [None, 2.0]]
