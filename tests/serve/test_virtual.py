"""Virtual datasets are what a build writes, to the bit."""

import pytest

import tersgen
from tersgen.generator import Generator

from .conftest import TABLE
from .test_data import in_memory

FIRST = 123_456_789


@pytest.fixture(scope="module")
def recipe(service):
    with service.client() as http:
        answer = http.put("/api/v1/recipes/tiny", json={"recipe": TABLE, "n_virtual": FIRST + 900})
    assert answer.status_code == 201, answer.text
    return tersgen.resolve(tersgen.Recipe(**TABLE))


@pytest.fixture(scope="module")
def metadata(service):
    with service.client() as http:
        return http.get("/virtual/tiny.zarr/zarr.json").json()["consolidated_metadata"]["metadata"]


def test_rows_are_those_of_a_build(recipe, http, metadata):
    made = Generator(recipe).stored_block(FIRST, FIRST + 900)
    arrays = {name: one for name, one in metadata.items() if one["node_type"] == "array"}
    assert {*made} == {*arrays} - {"raman_shift"}
    keys = [*(f"{name}/zarr.json" for name in metadata), "zarr.json", "raman_shift/c.0"]
    for name in made:
        rows, *inner = arrays[name]["chunk_grid"]["configuration"]["chunk_shape"]
        numbers = range(FIRST // rows, (FIRST + 900 - 1) // rows + 1)
        keys += [f"{name}/c.{k}{'.0' * len(inner)}" for k in numbers]
    group = in_memory(http, "/virtual/tiny.zarr", keys)
    for name, values in made.items():
        array = group[name]
        assert array.shape == (FIRST + 900, *values.shape[1:])
        assert array[FIRST:].tobytes() == values.tobytes(), name
        assert array.metadata.dimension_names[0] == "sample"
    assert group["raman_shift"][:].tolist() == recipe.grid.points().tolist()


def test_files_and_conditions(recipe, http, metadata):
    rows = metadata["label"]["chunk_grid"]["configuration"]["chunk_shape"][0]
    url = f"/virtual/tiny.zarr/label/c.{FIRST // rows}"
    answer = http.get(url)
    assert http.head(url).headers["content-length"] == str(len(answer.content))
    again = http.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["label/c.9999999999", "label/c.00", "label/c.-1", "label/c.0.0", "maps/c.0", "x/c.0",
             "label/c.\u0661", "label", "", "../zarr.json", "c.0", "label/c." + "9" * 400],
)  # fmt: skip
def test_other_paths(recipe, http, path):
    assert http.get(f"/virtual/tiny.zarr/{path}").status_code == 404


def test_names_of_recipes_keep_their_recipe(recipe, http):
    same = {"recipe": TABLE, "n_virtual": FIRST + 900}
    assert http.put("/api/v1/recipes/tiny", json=same).status_code == 200
    other = http.put("/api/v1/recipes/tiny", json={"recipe": {**TABLE, "seed": 12}})
    assert other.status_code == 409
    assert "recipes do not change" in other.json()["error"]
    preset = http.put("/api/v1/recipes/canonical", json={"recipe": TABLE})
    assert preset.status_code == 409
    assert http.get("/virtual/nothing.zarr/zarr.json").status_code == 404


def test_stored_recipes(recipe, http):
    found = http.get("/api/v1/recipes/tiny").json()
    assert found["recipe"] == TABLE
    assert found["resolved"] == recipe.document
    names = [one["name"] for one in http.get("/api/v1/recipes").json()]
    assert names[0] == "nearfield"  # what the explorer shows first
    assert {"nearfield", "structure", "tiny"} <= {*names}
