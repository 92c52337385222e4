"""Maps against Eq. (2.1) in float64 over their own stored parameters."""

import numpy as np
import pytest
from scipy import ndimage

import tersgen
from tersgen.effects.hotspots.effect import hotspot_table
from tersgen.numeric.transforms import blur_radius
from tersgen.schema.library import Library

N_ROWS = 24
SILENT = {"spectrum": (0.0, 0.0), "map": (0.0, 0.0)}


def expected_map(recipe, block, row, channel):
    """Return the noiseless map of Eq. (2.1) in float64, from the stored parameters."""
    x = np.arange(recipe.map.height)[:, None, None]
    y = np.arange(recipe.map.width)[None, :, None]
    row_px, column_px, sigma, factor = block["params/hotspots"][row].astype(np.float64).T
    amplitude = hotspot_table(recipe, recipe.library).amplitude[block["label"][row], channel]
    spots = np.exp(-((x - row_px) ** 2 + (y - column_px) ** 2) / (2 * sigma**2))
    image = (amplitude * factor * spots).sum(axis=-1) + block["params/background"][row]
    if recipe.map.blur_px:
        radius = blur_radius(recipe.map.blur_px)
        image = ndimage.gaussian_filter(image, recipe.map.blur_px, mode="nearest", radius=radius)
    return np.clip(image, 0, 1)


@pytest.mark.parametrize("symmetry", [False, True], ids=["plain", "symmetry"])
@pytest.mark.parametrize("blur_px", [0.0, 0.8])
@pytest.mark.parametrize(("precision", "bound"), [("float16", 2.6e-4), ("float32", 1e-5)])
def test_noiseless_maps(tiny_recipe, symmetry, blur_px, precision, bound, changed):
    recipe = changed(
        tiny_recipe,
        map={"channels": 2, "blur_px": blur_px, "height": 10 if symmetry else 8},
        noise=SILENT,
        perturbations={"symmetry": symmetry},
        fields={"precision": precision},
    )
    block = tersgen.generate(recipe, 50, 50 + N_ROWS)
    if symmetry:
        assert set(block["params/symmetry"]) == set(range(8))
    for row in range(N_ROWS):
        for channel in range(2):
            expected = expected_map(recipe, block, row, channel)
            found = block["maps"][row, channel]
            np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_hotspots_are_the_turned_and_moved_constellation(tiny_recipe, changed):
    recipe = changed(tiny_recipe, map={"jitter_px": 0.0})
    block = tersgen.generate(recipe, 0, N_ROWS)
    table = hotspot_table(recipe, recipe.library)
    for row in range(N_ROWS):
        angle = float(block["params/angle"][row])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([recipe.map.height - 1, recipe.map.width - 1]) / 2
        expected = table.offset[block["label"][row]] @ turn.T + centre + block["params/move"][row]
        found = block["params/hotspots"][row]
        np.testing.assert_allclose(found[:, :2], expected, rtol=0, atol=1e-5)
        assert np.array_equal(found[:, 2], table.sigma[block["label"][row]].astype(np.float32))


def test_a_constellation_lies_within_its_ranges(tiny_recipe):
    table = hotspot_table(tiny_recipe, tiny_recipe.library)
    spec = tiny_recipe.map
    assert np.hypot(*table.offset.T).max() <= spec.radius * min(spec.height, spec.width) + 1e-6
    assert spec.sigma_px[0] <= table.sigma.min() <= table.sigma.max() <= spec.sigma_px[1]
    assert np.all(table.amplitude.max(axis=(1, 2)) == 1.0)
    weakest = (spec.field_factor[0] / spec.field_factor[1]) ** 4
    assert table.amplitude.min() >= weakest


def test_map_noise_has_the_stated_level(tiny_recipe, changed):
    recipe = changed(
        tiny_recipe,
        map={"height": 64, "width": 64, "background": (0.4, 0.5), "amplitude": (0.0, 0.0)},
        noise={"map": (0.01, 0.05)},
        fields={"precision": "float32", "spectra": False},
    )
    block = tersgen.generate(recipe, 0, N_ROWS)
    for row in range(N_ROWS):
        image = block["maps"][row].astype(np.float64)
        level, offset = (
            float(block[f"params/{name}"][row]) for name in ("map_noise", "background")
        )
        assert image.std() == pytest.approx(level, rel=0.06)
        assert image.mean() == pytest.approx(offset, abs=5 * level / 64)


def test_a_map_depends_on_the_species_name_not_its_place(tiny_recipe, changed):
    first, _, last = tiny_recipe.library.species
    alone = changed(tiny_recipe, library=Library(species=(last,)))
    second = changed(
        tiny_recipe,
        library=Library(species=(first, last)),
        classes={"balance": "weighted", "weights": {first.name: 0.0}},
    )
    renamed = last.model_copy(update={"name": "renamed"})
    other = changed(tiny_recipe, library=Library(species=(renamed,)))
    one, two, three = (tersgen.generate(recipe, 0, N_ROWS) for recipe in (alone, second, other))
    assert set(two["label"]) == {1}
    for name in set(one) - {"label"}:
        assert np.array_equal(one[name], two[name]), name
    assert not np.array_equal(three["maps"], one["maps"])
    assert np.array_equal(three["spectra"], one["spectra"])
