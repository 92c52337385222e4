import warnings

import pytest

import tersgen
from tersgen.errors import ConfigError, LibraryError, TersWarning
from tersgen.library.builtin import builtin_names


def sticks(path, *positions):
    rows = "".join(f"{position},10,20\n" for position in positions)
    path.write_text(f"shift,activity,width\n{rows}")
    return str(path)


def test_sources_are_put_together_in_order(tmp_path):
    table = sticks(tmp_path / "dye.csv", 1000, 1500)
    recipe = tersgen.resolve(tersgen.Recipe(library=("random:2", table, "random:1")))
    names = [species.name for species in recipe.library.species]
    assert names == ["random-0000", "random-0001", "dye", "random-0002"]
    assert recipe.fields.n_modes == max(len(one.modes) for one in recipe.library.species)


def test_a_resolved_recipe_stays_as_it_is(tiny_recipe):
    assert tersgen.resolve(tiny_recipe) == tiny_recipe


def test_two_species_of_one_name_are_refused(tmp_path):
    table = sticks(tmp_path / "dye.csv", 1000)
    with pytest.raises(LibraryError, match="expected unique species names, got dye twice"):
        tersgen.resolve(tersgen.Recipe(library=(table, table)))


@pytest.mark.parametrize("source", ["random:0", "random:-1", "random:x", "random:", "random:1e9"])
def test_counts_of_random_species_are_checked(source):
    with pytest.raises(ConfigError, match="expected K from 1 to"):
        tersgen.resolve(tersgen.Recipe(library=(source,)))


def test_modes_outside_the_grid_are_counted(tmp_path):
    table = sticks(tmp_path / "dye.csv", 50, 1000, 4500)
    with pytest.warns(TersWarning, match="^2 Raman-active modes of the library outside the grid"):
        recipe = tersgen.resolve(tersgen.Recipe(library=(table,)))
    assert recipe.fields.n_modes == 1


def test_a_mode_outside_the_grid_that_hardly_scatters_is_no_news(tmp_path):
    (tmp_path / "ring.csv").write_text("shift,activity,width\n92,0.9,20\n1000,60,20\n3000,40,20\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe = tersgen.resolve(tersgen.Recipe(library=(str(tmp_path / "ring.csv"),)))
    assert recipe.fields.n_modes == 2
    (tmp_path / "ring.csv").write_text("shift,activity,width\n92,1.1,20\n1000,60,20\n3000,40,20\n")
    with pytest.warns(TersWarning, match="^1 Raman-active mode of the library outside the grid"):
        tersgen.resolve(tersgen.Recipe(library=(str(tmp_path / "ring.csv"),)))


def test_the_default_library_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe = tersgen.resolve(tersgen.Recipe())
    assert tuple(one.name for one in recipe.library.species) == builtin_names()


def test_bands_narrower_than_the_grid_are_told(tmp_path):
    table = sticks(tmp_path / "dye.csv", 1000)
    recipe = tersgen.Recipe(library=(table,), grid={"n_points": 100})
    with pytest.warns(TersWarning, match=r"as narrow as 16 cm\^-1 .* steps of 39.4 cm\^-1"):
        tersgen.resolve(recipe)


def test_species_that_the_geometry_leaves_dark_are_told():
    geometry = {"orientation": "fixed", "incident": (1.0, 0.0, 0.0)}
    recipe = tersgen.Recipe(library=("builtin:carbon_dioxide",), geometry=geometry)
    with pytest.warns(TersWarning, match="carbon_dioxide: no mode scatters in this geometry"):
        tersgen.resolve(recipe)


def test_only_the_strongest_modes_are_kept(tmp_path):
    (tmp_path / "dye.csv").write_text("shift,activity\n500,1\n1000,10\n1500,5\n")
    recipe = tersgen.Recipe(library=(str(tmp_path / "dye.csv"),), fields={"n_modes": 2})
    positions = tersgen.generate(recipe, 0, 20)["sticks/position"]
    assert positions.shape == (20, 2)
    assert abs(positions - [1000, 1500]).max() < 30
