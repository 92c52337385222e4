"""Scenes in a field on a grid: as those in the field that it samples."""

import numpy as np
import pytest

import tersgen
from tersgen import Recipe
from tersgen.errors import ConfigError, TersWarning
from tersgen.library.nearfield import dipole_field
from tersgen.schema.loading import validate
from tersgen.schema.presets import merged
from tersgen.schema.tipfield import TipField

REACH = 8.0
"""Twice the height of the dipole, which is its width."""
TABLE = {
    "library": ["builtin:formaldehyde"],
    "noise": {"map": [0, 0]},
    "map": {"height": 12, "width": 12, "background": [0, 0]},
    "nearfield": {"height_angstrom": [3.0, 3.0], "frame_angstrom": [20.0, 20.0]},
    "scene": {
        "events": {
            "tip_change": 1.0,
            "change_height_angstrom": [-0.5, 0.5],
            "second_apex": 0.5,
            "second_distance_angstrom": [16.0, 20.0],
        }
    },
    "fields": {"spectra": False, "sticks": False, "tensors": False, "precision": "float32"},
}


def grid(side, low=-8.0, high=-2.0):
    """Return the field of a dipole 1 Angstrom above the apex, sampled on a cube of points."""
    axes = [np.linspace(-side, side, int(8 * side) + 1)] * 2 + [np.arange(low, high + 0.1, 0.125)]
    d = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = dipole_field(d - [0, 0, 1.0], np.array([0, 0, 1.0]))
    return TipField(*axes, np.moveaxis(values, -1, 0))


def resolved(near, **scene):
    return tersgen.resolve(
        validate(Recipe, merged(TABLE, {"nearfield": near, "scene": scene}), "test")
    )


def on_grid(field, **scene):
    near = {"tip_field": "grid", "grid_field": field}
    return resolved(near, **{"reach_angstrom": REACH, **scene})


def test_a_scene_on_a_grid_is_that_of_the_field_it_samples():
    near = {"tip_field": "dipole", "apex_radius_angstrom": [1.0, 1.0]}
    expected = tersgen.generate(resolved(near, reach_widths=2.0), 0, 3)
    arrays = tersgen.generate(on_grid(grid(10.0)), 0, 3)
    assert (arrays["params/events"][:, 0] > 0).all(), "no tip changes"
    for name in ("scene/instance", "params/events"):
        np.testing.assert_array_equal(arrays[name], expected[name])
    # linear interpolation between points 0.125 Angstrom apart
    np.testing.assert_allclose(arrays["maps"], expected["maps"], atol=0.006)
    assert "params/tip_width" not in arrays


def test_a_grid_must_extend_as_far_as_molecules_count():
    on_grid(grid(10.0))
    with pytest.raises(ConfigError, match=r"along x .*reach_angstrom.* got -9 to 9; take a larger"):
        on_grid(grid(9.0))
    with pytest.raises(ConfigError, match=r"along z from the apex, .*got -8 to -2\.6"):
        on_grid(grid(10.0, high=-2.6))  # which the tip comes down to


@pytest.mark.parametrize(
    ("scene", "near", "said"),
    [
        ({}, {"tip_field": "grid", "grid_field": "tip.npz"}, 'got None with "grid"'),
        ({"reach_angstrom": 8.0}, {}, 'none without, got 8.0 with "radial"'),
        (
            {"reach_angstrom": 8.5},
            {"tip_field": "grid", "grid_field": "tip.npz"},
            "at least 17 Angstrom, 2 scene.reach_angstrom, ",
        ),
    ],
)
def test_a_reach_that_cannot_be(scene, near, said):
    with pytest.raises(ConfigError, match=said):
        resolved(near, **scene)


def test_settings_of_widths_have_no_effect_on_a_grid():
    with pytest.warns(TersWarning, match='scene.reach_widths with nearfield.tip_field = "grid"'):
        on_grid(grid(10.0), reach_widths=2.0)
