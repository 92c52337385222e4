"""Files of datasets over HTTP."""

import json
from http.client import HTTPConnection

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

import tersgen
from tersgen.serve.routes.data import parse_range

from .conftest import TOKEN


def in_memory(http, url, keys):
    """Return a Zarr group with the files of these paths."""
    files = {}
    for key in keys:
        answer = http.get(f"{url}/{key}")
        assert answer.status_code == 200, (key, answer.text)
        files[key] = zarr.core.buffer.default_buffer_prototype().buffer.from_bytes(answer.content)
    return zarr.open_group(zarr.storage.MemoryStore(files), mode="r")


def test_zarr_reads_the_files(service, http):
    listed = http.get("/api/v1/datasets/small.zarr/files").json()
    assert all(
        one["bytes"] == int(http.head(one["url"]).headers["content-length"]) for one in listed
    )
    keys = [one["url"].removeprefix("/data/small.zarr/") for one in listed]
    group = in_memory(http, "/data/small.zarr", keys)
    dataset = tersgen.open(service.root / "small.zarr")
    for name, field in dataset.fields.items():
        stored = group[name][:]
        one = field.spec.fixed_point
        values = stored if one is None else one.decoded(stored)
        np.testing.assert_array_equal(values, field[:])


def test_the_index_of_hdf5_and_its_folder(service, http):
    listed = [one["url"] for one in http.get("/api/v1/datasets/small.h5/files").json()]
    assert listed[0] == "/data/small.h5"
    assert "/data/small.h5.d/manifest.json" in listed
    for url in listed:
        assert http.get(url).content == (service.root / url.removeprefix("/data/")).read_bytes()


@given(st.data(), st.integers(0, 20))
def test_ranges(data, size):
    content = bytes(range(size))
    first = data.draw(st.integers(0, 25))
    last = data.draw(st.integers(first, 30))
    for text, expected in (
        (f"bytes={first}-{last}", content[first : last + 1]),
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{last}", content[max(0, size - last) :]),
    ):
        if expected:
            start, stop = parse_range(text, size)
            assert content[start:stop] == expected
        else:
            with pytest.raises(IndexError):
                parse_range(text, size)


@pytest.mark.parametrize(
    "text", [None, "", "bytes=", "bytes=-", "rows=1-2", "bytes=1-2,4-5", "bytes=3-2"]
)
def test_what_is_no_range_is_the_whole(text):
    assert parse_range(text, 10) is None


def test_conditions(service, http):
    url = "/data/small.zarr/maps/c.0.0.0.0"
    content = (service.root / url.removeprefix("/data/")).read_bytes()
    whole = http.get(url)
    tag = whole.headers["etag"]
    assert whole.content == content
    assert tag.startswith('"')  # strong
    part = http.get(url, headers={"Range": "bytes=10-19", "If-Range": tag})
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert http.get(url, headers={"Range": "bytes=10-19", "If-Range": '"other"'}).content == content
    assert http.get(url, headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    beyond = http.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
    head = http.head(url, headers={"Range": "bytes=-5"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (206, b"", "5")


@pytest.mark.parametrize(
    "path",
    [
        "small.zarr/../../token", "small.zarr/%2e%2e/%2e%2e/token", "small.zarr/..%2f..%2ftoken",
        "../token", "%2e%2e/token", ".tersgen/server.sqlite", "small.zarr//etc/passwd",
        "//etc/passwd", "small.zarr/%00", "small.zarr", "small.zarr/", "small.zarr/maps",
        "small.zarr/./manifest.json", "small.zarr/maps/../manifest.json", "nothing.zarr/zarr.json",
        "small.h5.d", "small.zarr.d/manifest.json", "",
    ],
)  # fmt: skip
def test_only_listed_files_are_served(service, path):
    connection = HTTPConnection(service.url.removeprefix("http://"))
    # as it stands: other clients tidy paths up
    connection.request("GET", f"/data/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    assert answer.status == 404, answer.read(100)
    connection.close()


def test_links_are_not_served(service, http):
    (service.root / "linked.zarr").symlink_to(service.root / "small.zarr")
    assert http.get("/data/linked.zarr/manifest.json").status_code == 404
    assert "linked.zarr" not in [one["name"] for one in http.get("/api/v1/datasets").json()]


def test_a_dataset_removed_by_hand(service, http):
    tersgen.build({"seed": 4, "library": ["random:2"]}, 5, service.root / "gone.zarr", threads=1)
    assert http.get("/data/gone.zarr/manifest.json").status_code == 200
    import shutil

    shutil.rmtree(service.root / "gone.zarr" / "label")
    answer = http.get("/data/gone.zarr/label/c.0")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (404, True)
    shutil.rmtree(service.root / "gone.zarr")
    for url in ("/data/gone.zarr/manifest.json", "/api/v1/datasets/gone.zarr"):
        answer = http.get(url)
        assert answer.status_code == 404
        assert "small.h5, small.zarr, got 'gone.zarr'" in answer.json()["error"]


def test_what_a_dataset_contains(service, http):
    facts = http.get("/api/v1/datasets/small.zarr").json()
    dataset = tersgen.open(service.root / "small.zarr")
    assert facts["digest"] == dataset.digest
    assert facts["recipe"] == json.loads((service.root / "small.zarr/recipe.json").read_text())
    assert [one["name"] for one in facts["fields"]] == [*dataset.fields]
    np.testing.assert_array_equal(facts["axes"]["raman_shift"]["values"], dataset.shift_cm1)
    assert sum(facts["splits"]["default"].values()) == 300
    assert len(facts["versions"]) == 2
    assert dataset.digest in facts["citation"]
    listed = [one["name"] for one in http.get("/api/v1/datasets").json()]
    assert listed == sorted(listed)
    assert {"small.h5", "small.zarr"} <= {*listed}


def test_statistics(service, http):
    found = http.get("/api/v1/datasets/small.zarr/statistics").json()
    dataset = tersgen.open(service.root / "small.zarr")
    for name, one in found["fields"].items():
        values = dataset[name][:].astype(np.float64)
        assert (one["rows"], one["count"]) == (300, 300)
        expected = [values.mean(), values.std(), values.min(), values.max()]
        np.testing.assert_allclose([one[key] for key in ("mean", "std", "min", "max")], expected)
    assert sum(found["classes"].values()) == 300


@pytest.mark.parametrize(("format", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures(http, format, begin):
    answer = http.get(f"/api/v1/datasets/small.zarr/plot?row=7&format={format}")
    assert answer.status_code == 200
    assert answer.content.startswith(begin)
    assert http.get("/api/v1/datasets/small.zarr/plot?row=300").status_code == 404
