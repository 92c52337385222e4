import json
from pathlib import Path

import pytest

from tersgen.dataset.recipes import load_recipe
from tersgen.dataset.schemas import MODELS, exported_files, field_rows
from tersgen.errors import ConfigError
from tersgen.recipe import Recipe
from tersgen.schema.digest import canonical_digest, without_defaults
from tersgen.schema.loading import validate

ROOT = Path(__file__).parents[2]


def test_exported_files_are_those_of_the_models():
    for name, text in exported_files().items():
        assert (ROOT / "schemas" / name).read_text() == text, f"run tersgen schema export: {name}"


@pytest.mark.parametrize("name", MODELS)
def test_every_field_has_a_unit_and_a_description(name):
    def check(schema):
        for field in schema.get("properties", {}).values():
            assert field.get("unit"), field
            assert field.get("description"), field

    schema = MODELS[name].model_json_schema()
    check(schema)
    for definition in schema.get("$defs", {}).values():
        check(definition)
    assert all(text for _, _, _, text in field_rows(MODELS[name]))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"grid": {"n_points": "many"}}, "grid.n_points: expected a valid integer"),
        ({"grid": {"n_point": 5}}, "grid.n_point: unknown field (did you mean 'n_points'?"),
        ({"xyzzy": 1}, "xyzzy: unknown field; expected one of generator, seed"),
        ({"grid": {"start_cm1": 900, "stop_cm1": 100}}, "expected start_cm1 < stop_cm1"),
        ({"grid": {"n_points": 1}}, "grid.n_points: expected greater than or equal to 2, got 1"),
        ({"grid": 7}, "grid: expected a table"),
        ({"lineshape": {"profile": "voigt"}}, "lineshape.profile: expected 'gaussian'"),
        ({"lineshape": {"fwhm_cm1": float("nan")}}, "lineshape.fwhm_cm1"),
        ({"geometry": {"incident": [1, 1, 1]}}, "geometry.incident: expected a unit vector"),
        ({"geometry": {"laser_nm": 5000.0}}, "geometry.laser_nm: expected a laser above"),
        ({"noise": {"map": [0.3, 0.1]}}, "noise.map: expected [low, high] with low <= high"),
        ({"noise": {"map": [-0.3, 0.1]}}, "noise.map: expected values of at least 0"),
        ({"classes": {"weights": {"water": 2}}}, 'expected balance = "weighted" with weights'),
        ({"library": []}, "library: expected at least one source"),
        (
            {"perturbations": {"symmetry": True}, "map": {"height": 4, "width": 5}},
            "perturbations.symmetry: expected a square map for quarter turns, got 4 x 5",
        ),
        (
            {"fields": {"spectra": False, "maps": False, "sticks": False, "tensors": False}},
            "fields: expected at least one of",
        ),
        ({"generator": 0}, "generator: expected greater than or equal to 1, got 0"),
        ({"fields": {"cube": True}}, "fields.cube: expected a section nearfield as well"),
        ({"nearfield": {"tip_feld": "radial"}}, "unknown field (did you mean 'tip_field'?"),
        ({"nearfield": {"bands": [[900, 300]]}}, "expected [low, high] with low < high"),
        ({"nearfield": {"bands": []}}, "nearfield.bands: expected at least 1 item"),
        ({"nearfield": {"height_angstrom": [0, 3]}}, "expected a tip 0.1 to 1000 Angstrom above"),
        ({"nearfield": {"width_angstrom": [0, 3]}}, "expected widths from 0.5 to 1000 Angstrom"),
        ({"nearfield": {"frame_angstrom": [0, 3]}}, "expected extents from 0.1 to 10000"),
        ({"nearfield": {"aspect": [1, 0, 1]}}, "expected factors from 0.01 to 100"),
        (
            {"nearfield": {"channel_cm1": 0.1}, "fields": {"cube": True}},
            "nearfield.channel_cm1: expected 1 to 4096 channels",
        ),
        ({"structure": {}}, "structure: expected a section nearfield as well, got none"),
        (
            {"nearfield": {"frame_angstrom": [9, 4]}, "structure": {"radius_angstrom": 5}},
            "structure.radius_angstrom: expected at most the frame's 4 Angstrom",
        ),
        (
            {"nearfield": {}, "structure": {"bond_width_angstrom": 20}},
            "structure.bond_width_angstrom: expected at most the frame's 18 Angstrom",
        ),
        (
            {"nearfield": {}, "structure": {"radius_angstrom": 0.1}},
            "expected at least 0.199 Angstrom, half the diagonal of a pixel",
        ),
        (
            {"nearfield": {}, "structure": {"bond_width_angstrom": 0.2}},
            "expected at least a pixel, 0.281 Angstrom, so that lines have no holes",
        ),
        (
            {"nearfield": {}, "structure": {"elements": ["C", "C"]}},
            "structure: elements: expected each once, got C, C",
        ),
        ({"nearfield": {}, "map": {"channels": 3}}, "map.channels: expected one for each of the 1"),
        ({"nearfield": {}, "map": {"blur_px": 1}}, "map.blur_px: expected 0 with nearfield"),
        (
            {"nearfield": {}, "perturbations": {"symmetry": True}},
            "perturbations.symmetry: expected false with nearfield",
        ),
        (
            {"nearfield": {}, "geometry": {"orientation": "averaged"}},
            'geometry.orientation: expected "random" or "fixed" with nearfield',
        ),
    ],
)
def test_a_bad_config_names_the_field_and_what_was_expected(table, message):
    with pytest.raises(ConfigError) as error:
        validate(Recipe, table, "recipe.toml")
    assert message in str(error.value)
    assert str(error.value).startswith("recipe.toml: ")
    assert "\n" not in str(error.value)


def test_toml_yaml_and_json_give_the_same_recipe(tmp_path):
    (tmp_path / "a.toml").write_text('seed = 3\nlibrary = ["random:2"]\n[grid]\nn_points = 100\n')
    (tmp_path / "a.yaml").write_text("seed: 3\nlibrary: ['random:2']\ngrid: {n_points: 100}\n")
    (tmp_path / "a.json").write_text(
        json.dumps({"seed": 3, "library": ["random:2"], "grid": {"n_points": 100}})
    )
    recipes = [load_recipe(tmp_path / f"a.{ending}") for ending in ("toml", "yaml", "json")]
    assert recipes[0] == recipes[1] == recipes[2]
    assert recipes[0].grid.n_points == 100


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "grid = [", "not well formed"),
        ("a.yaml", "a: [b", "not well formed"),
        ("a.json", "[" * 100_000, "not well formed"),
        ("a.json", "[1]", "expected a table of settings, got list"),
        ("a.ini", "a", "expected a .toml"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_recipe(tmp_path / name)
    assert "\n" not in str(error.value)


def test_library_paths_are_relative_to_the_recipe_file(tmp_path, monkeypatch):
    (tmp_path / "sticks.csv").write_text("1000,1\n")
    (tmp_path / "a.toml").write_text('library = ["sticks.csv", "random:2"]\n')
    monkeypatch.chdir("/")
    assert load_recipe(tmp_path / "a.toml").library == (str(tmp_path / "sticks.csv"), "random:2")


def digest(recipe):
    return canonical_digest(without_defaults(recipe))


def test_digest_is_of_the_content():
    assert digest(Recipe()) == digest(Recipe(seed=0))
    assert digest(Recipe()) != digest(Recipe(seed=1))
    again = Recipe.model_validate_json(Recipe().model_dump_json())
    assert digest(again) == digest(Recipe())
