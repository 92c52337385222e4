"""Recipes in requests: previews, and what is refused."""

import base64

import numpy as np
import pytest

import tersgen

from .conftest import TABLE


def test_a_preview_is_the_row_of_a_build(http):
    row = http.post("/api/v1/preview", json={"recipe": TABLE, "index": 41}).json()
    recipe = tersgen.resolve(tersgen.Recipe(**TABLE))
    made = tersgen.generate(recipe, 41, 42)
    assert row["index"] == 41
    assert row["species"] == recipe.class_names[made["label"][0]]
    assert (
        row["recipe_digest"]
        == http.post("/api/v1/estimate", json={"recipe": TABLE, "n": 10}).json()["recipe_digest"]
    )
    assert {*row["scalars"], *row["fields"]} == {*made}
    for name, value in row["scalars"].items():
        assert value == made[name][0]
    for name, field in row["fields"].items():
        values = np.frombuffer(base64.b64decode(field["data"]), field["dtype"])
        np.testing.assert_array_equal(values.reshape(field["shape"]), made[name][0])
    assert row["axes"]["raman_shift"]["values"] == recipe.grid.points().tolist()


def test_bands_of_maps_are_coordinates(http):
    near = {"bands": [[300.0, 900.0], [900.0, 1700.0]]}
    recipe = {"library": ["builtin:water"], "map": {"height": 4, "width": 4}, "nearfield": near}
    row = http.post("/api/v1/preview", json={"recipe": recipe}).json()
    low, high = (row["coordinates"][f"band_{end}"] for end in ("low", "high"))
    assert (low["values"], high["values"]) == ([300.0, 900.0], [900.0, 1700.0])
    assert (low["dim"], low["unit"], row["axes"]["row"]["unit"]) == ("channel", "cm^-1", "Angstrom")


def test_warnings_are_told(http):
    row = http.post("/api/v1/preview", json={"recipe": {**TABLE, "lineshape": {"fwhm_cm1": 0.5}}})
    assert any("bands as narrow as" in text for text in row.json()["warnings"])


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"grid": {"n_points": 1}}, "grid.n_points", "expected greater than or equal to 2, got 1"),
        ({"grid": {"n_pionts": 9}}, "grid.n_pionts", "did you mean 'n_points'?"),
        ({"plugins": ["os"]}, "plugins", "expected none in a request, got modules"),
        ({"plugins": "os"}, "plugins", "expected none in a request"),
        ({"nearfield": {"grid_field": "/etc/hosts"}}, "nearfield.grid_field", "expected none in a"),
        ({"library": ["/etc/passwd"]}, "library", "upload files first"),
        ({"library": "builtin"}, "library", "expected a list of sources"),
        ({"library": ["builtin", 3]}, "library", "expected a list of sources"),
        ({"library": ["upload:../x"]}, None, "library source 'upload:../x'"),
        ({"library": ["builtin:bezene"]}, None, "did you mean 'benzene'?"),
        ({"library": ["random:99999"]}, "library", "expected at most 100000 modes of random"),
        ({"library": [f"random:{'9' * 6000}"]}, "library", "expected at most 100000 modes"),
        ({"library": ["random:" + "0" * 6000]}, None, "random:"),
        ({"library": ["builtin"] * 65}, "library", "expected at most 64 sources"),
        ({"library": {"digest": "0" * 64, "file": "/etc/passwd"}}, "library", "upload the library"),
        ({"map": {"height": 4096, "width": 4096, "channels": 4}}, "fields", "for each row"),
        ({"effects": {"ghosts": {}}}, None, "ghosts"),
    ],
)  # fmt: skip
def test_recipes_that_are_refused(http, change, field, text):
    answer = http.post("/api/v1/preview", json={"recipe": {**TABLE, **change}})
    assert answer.status_code == 422, answer.text
    assert text in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert field is None or answer.json()["field"] == field


def test_the_library_of_a_dataset_by_its_digest(service, http):
    recipe = http.get("/api/v1/datasets/small.zarr").json()["recipe"]
    row = http.post("/api/v1/preview", json={"recipe": recipe, "index": 3})
    assert row.status_code == 200, row.text
    assert row.json()["scalars"]["label"] == tersgen.open(service.root / "small.zarr")["label"][3]
    assert (
        row.json()["recipe_digest"]
        == http.get("/api/v1/datasets/small.zarr").json()["recipe_digest"]
    )


def test_a_preview_has_the_arrays_that_are_not_stored(http):
    recipe = {
        "library": ["builtin:water"], "fields": {"spectra": False},
        "map": {"height": 48, "width": 48}, "nearfield": {"bands": [[1000.0, 4000.0]]},
        "structure": {"store_images": False, "radius_angstrom": 0.8, "bond_width_angstrom": 0.8},
    }  # fmt: skip
    row = http.post("/api/v1/preview", json={"recipe": recipe, "index": 2}).json()
    sent = np.frombuffer(base64.b64decode(row["fields"]["structure/masks"]["data"]), np.float32)
    made = tersgen.generate(tersgen.resolve(tersgen.Recipe(**recipe)), 2, 3)["structure/masks"]
    np.testing.assert_array_equal(sent, made.astype(np.float32).ravel())


def test_uploads(http):
    table = b"# intensity: activity\nposition,intensity\n500,1\n700,2\n"
    new = http.put("/api/v1/libraries/two-bands?ending=csv", content=table)
    assert (new.status_code, new.json()["species"]) == (201, ["two-bands"])
    other = http.put("/api/v1/libraries/two-bands?ending=csv", content=table + b"900,1\n")
    assert other.status_code == 409
    row = http.post("/api/v1/preview", json={"recipe": {**TABLE, "library": ["upload:two-bands"]}})
    assert row.json()["species"] == "two-bands"
    assert [one["name"] for one in http.get("/api/v1/libraries").json()] == ["two-bands"]


@pytest.mark.parametrize(
    ("name", "ending", "content", "status"),
    [
        pytest.param("bad", "csv", b"\0\1\2", 422, marks=pytest.mark.exhaustive),
        pytest.param("bad", "tlib", b"\xff" * 8 + b"{}", 422, marks=pytest.mark.exhaustive),
        ("bad", "x/y", b"", 422),
        (".hidden", "csv", b"", 422),
    ],
)  # fmt: skip
def test_uploads_that_are_refused(http, name, ending, content, status):
    answer = http.put(f"/api/v1/libraries/{name}", params={"ending": ending}, content=content)
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
