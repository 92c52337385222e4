import pytest
from pydantic import BaseModel

from tersgen.effects.chain import field_table
from tersgen.recipe import Recipe
from tersgen.schema.digest import without_defaults


def test_the_table_describes_the_default_arrays():
    recipe = Recipe(fields={"n_modes": 7})
    table = {spec.name: (spec.shape, spec.dtype, spec.unit) for spec in field_table(recipe)}
    assert table["spectra"] == ((1024,), "uint8", "1")
    assert table["maps"] == ((1, 64, 64), "uint8", "1")
    assert table["sticks/position"] == ((7,), "float32", "cm^-1")
    assert table["tensors"] == ((7, 3, 3), "float32", "Angstrom^2 amu^-1/2")
    assert table["label"] == ((), "int32", "1")
    assert table["params/orientation"] == ((4,), "float32", "1")
    assert "params/symmetry" not in table


def test_fields_can_be_switched_off():
    off = {"n_modes": 7, "maps": False, "tensors": False, "params": False, "sticks": False}
    assert [spec.name for spec in field_table(Recipe(fields=off))] == ["spectra", "label"]


def test_an_unresolved_recipe_has_no_table():
    with pytest.raises(ValueError, match="expected a resolved recipe"):
        field_table(Recipe())


def test_structure_targets_are_described_once_they_are_fixed():
    sections = {"nearfield": {}, "fields": {"n_modes": 7}}
    recipe = Recipe(**sections, structure={"elements": ("C", "N"), "n_atoms": 9})
    table = {spec.name: (spec.shape, spec.dtype, spec.unit) for spec in field_table(recipe)}
    assert table["structure/masks"] == ((2, 64, 64), "float16", "1")
    assert table["structure/bonds"] == ((64, 64), "float16", "1")
    assert table["structure/positions"] == ((9, 3), "float32", "Angstrom")
    assert table["structure/elements"] == ((9,), "int32", "1")
    assert table["structure/count"] == ((), "int32", "1")
    with pytest.raises(ValueError, match=r"with structure\.elements set, got None"):
        field_table(Recipe(**sections, structure={}))


def test_what_is_as_by_default_is_not_stored():
    assert without_defaults(Recipe()) == {}
    assert without_defaults(Recipe(nearfield={})) == {"nearfield": {}}
    stored = without_defaults(Recipe(fields={"structure": False, "maps": True}, seed=0))
    assert stored == {"fields": {"structure": False}}
    assert without_defaults(Recipe(seed=7), {"seed": 7}) == {}
    assert without_defaults(Recipe(), {"map": {"height": 32}}) == {"map": {"height": 64}}


@pytest.mark.parametrize("name", Recipe.model_fields)
def test_a_section_left_out_is_that_section_with_its_defaults(name):
    default = Recipe.model_fields[name].default
    if isinstance(default, BaseModel):
        assert default == type(default)()
