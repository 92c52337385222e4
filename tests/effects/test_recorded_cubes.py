"""Cubes as a detector records them: the statistics of counts in each channel of each pixel."""

import numpy as np
import pytest

import tersgen
from tersgen import Recipe
from tersgen.effects.instrument import cube as detector
from tersgen.effects.scan import effect as scan
from tersgen.errors import ConfigError
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

CAMERA = {"gain": [0.5, 0.5], "bias": [300.0, 300.0], "read_noise": [3.0, 3.0]}
EXPOSURE = {"electrons": [200.0, 200.0], "dark": [5.0, 5.0]}
STILL = {
    "seed": 3,
    "library": ["builtin:benzene"],
    "geometry": {"orientation": "fixed"},
    "map": {"height": 6, "width": 5, "amplitude": [0.7, 0.7], "background": [0.1, 0.1]},
    "nearfield": {"channel_cm1": 500.0, "frame_angstrom": [10.0, 10.0]},
    "noise": {"map": [0.0, 0.0]},
    "perturbations": {
        "shift_cm1": 0.0,
        "mode_shift_cm1": 0.0,
        "width": [1.0, 1.0],
        "intensity": 0.0,
    },
    "fields": {
        **dict.fromkeys(("spectra", "maps", "sticks", "tensors"), False),
        "cube": True,
        "precision": "float32",
    },
}
"""Every sample is the same cube of 6 x 5 pixels and 7 channels until an instrument records it."""


def made(n, instrument=None, **sections):
    table = merged(merged(STILL, {"instrument": instrument}), sections)
    return tersgen.generate(tersgen.resolve(validate(Recipe, table, "test")), 0, n)


def recorded(n, exposure=EXPOSURE, camera=CAMERA, **instrument):
    return made(n, {**camera, **instrument, "cube": exposure})


def column(arrays, name, field="cube_detector", table=detector.PARAMETERS):
    (k,) = [k for k, one in enumerate(table) if one.name == name]
    return arrays[f"params/{field}"][:, k].astype(np.float64)


def counts(arrays):
    """Return the counts of cubes, shape (n, H, W, channels)."""
    low, span = column(arrays, "counts_at_0"), column(arrays, "counts_to_1")
    return low[:, None, None, None] + arrays["cube"] * span[:, None, None, None]


def test_variance_grows_with_the_mean_by_the_gain_in_each_channel():
    n = 3000
    values = counts(recorded(n, EXPOSURE | {"electrons": [2000.0, 2000.0]}))
    mean, variance = values.mean(axis=0), values.var(axis=0)
    # electrons have a variance of their mean, and read noise comes on top: gain^2 (electrons + 9)
    expected = 0.5 * (mean - 300.0) + 0.25 * 9.0
    per_channel = (variance / expected).mean(axis=(0, 1))
    assert per_channel == pytest.approx(np.ones(7), abs=5 * np.sqrt(2 / (30 * n)))
    varied = np.flatnonzero(np.ptp(mean, axis=(0, 1)) > 40)
    assert len(varied) >= 4
    for k in varied:
        x, y = mean[..., k].ravel(), variance[..., k].ravel()
        slope, _ = np.polyfit(x, y, 1)
        error = y.max() * np.sqrt(2 / n) / (x.std() * np.sqrt(30))
        assert slope == pytest.approx(0.5, abs=5 * error), "gain, counts per count"
        assert 5 * error < 0.25


def test_sums_over_pixels_are_those_of_the_light():
    n = 2000
    ideal, arrays = made(1)["cube"][0].astype(np.float64), recorded(n)
    electrons = (counts(arrays) - 300.0) / 0.5 - 5.0
    expected = (200.0 * ideal / ideal.max()).sum(axis=(0, 1))
    error = np.sqrt((expected + 30 * (5.0 + 9.0)) / n)
    assert np.abs(electrons.sum(axis=(1, 2)).mean(axis=0) - expected).max() < 5 * error.max()
    for name, value in (("electrons", 200), ("dark", 5), ("gain", 0.5), ("bias", 300)):
        assert column(arrays, name) == pytest.approx(value, rel=1e-6)
    assert (arrays["cube"].min(axis=(1, 2, 3)) == 0).all()
    assert arrays["cube"].max(axis=(1, 2, 3)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_cosmic_rays_hit_few_channels_of_one_pixel(rate):
    calm = counts(recorded(300))
    arrays = recorded(300, EXPOSURE | {"cosmic_rays": rate, "cosmic_height": [2.0, 20.0]})
    numbers = column(arrays, "rays")
    assert numbers.mean() == pytest.approx(30 * rate, abs=5 * np.sqrt(30 * rate / 300))
    struck = counts(arrays) - calm > 10
    assert np.abs(counts(arrays) - calm)[~struck].max() < 0.02, "and nothing else has changed"
    pixels = struck.any(axis=3).sum(axis=(1, 2))
    assert (pixels <= numbers).all()
    assert (pixels[numbers > 0] > 0).all()
    (rows,) = np.nonzero(numbers == 1)
    seen = [np.flatnonzero(struck[row][struck[row].any(axis=2)][0]) for row in rows]
    for channels in seen:
        assert channels[-1] - channels[0] < 4
        assert len(channels) == channels[-1] - channels[0] + 1


MOVES = {"drift_px": 1.5, "blur_px": [0.3, 0.8], "blinks": 1.0, "blink_pixels": 9, "dead": 1.0}


def test_light_is_scanned_as_maps_are_and_then_counted():
    bright = {"electrons": [1e8, 1e8]}
    arrays = recorded(20, bright, {}, scan=MOVES)
    plain = made(20, {"scan": MOVES})
    assert np.array_equal(arrays["params/scan"], plain["params/scan"])
    assert column(plain, "drift_rows", "scan", scan.PARAMETERS).std() > 0.5
    light = plain["cube"].astype(np.float64)
    low, high = (edge(light, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    np.testing.assert_allclose(arrays["cube"], (light - low) / (high - low), atol=1e-3)


def test_a_dead_pixel_has_dark_counts():
    arrays = recorded(400, EXPOSURE | {"dark": [50.0, 50.0]}, scan={"dead": 2.0})
    dead = (made(400, {"scan": {"dead": 2.0}})["cube"] == 0).all(axis=3)
    assert dead.sum() > 300
    values = counts(arrays)[dead]
    assert values.mean() == pytest.approx(300 + 0.5 * 50, abs=5 * 0.5 * np.sqrt(59 / values.size))
    assert values.var() == pytest.approx(0.25 * (50 + 9), rel=0.2)


def test_maps_beside_a_counted_cube_keep_their_noise():
    noise = {"noise": {"map": [0.01, 0.02]}, "fields": {"maps": True}}
    moved = {"scan": {**MOVES, "electrons": [500.0, 500.0]}}
    plain = made(8, moved, **noise)
    arrays = made(8, {**moved, "cube": EXPOSURE}, **noise)
    for name in plain.keys() - {"cube"}:
        assert np.array_equal(arrays[name], plain[name]), name


def test_whole_counts_that_are_clipped():
    arrays = recorded(20, EXPOSURE | {"electrons": [2000.0, 2000.0]}, CAMERA | {"bits": 10})
    values = counts(arrays)
    assert values == pytest.approx(np.round(values), abs=0.01)
    assert values.max() == pytest.approx(1023, abs=0.01)
    full = (values > 1022.5).sum(axis=(1, 2, 3))
    assert np.array_equal(column(arrays, "saturated"), full)


def test_the_preset_and_a_sample_alone():
    small = {"map": {"height": 6, "width": 7}, "library": ["sites:benzene", "sites:pyridine"]}
    recipe = validate(Recipe, merged(PRESETS["realistic_cube"], small), "preset")
    recipe = tersgen.resolve(recipe)
    assert recipe.precision == "float16", "of what is recorded the noise is not known"
    assert recipe.n_channels == 190
    block = tersgen.generate(recipe, 100, 140, threads=2)
    for row in (100, 125, 139):
        alone = tersgen.generate(recipe, row, row + 1)
        assert all(np.array_equal(alone[name][0], block[name][row - 100]) for name in block)
    drawn = column(block, "electrons")
    assert 50 * (1 - 1e-6) <= drawn.min() < drawn.max() <= 1000 * (1 + 1e-6)
    values = counts(block)
    assert np.abs(values - np.round(values)).max() < 0.5
    symmetric = recipe.model_copy(
        update={"fields": recipe.fields.model_copy(update={"scale": "symmetric"})}
    )
    other = tersgen.generate(symmetric, 100, 102)["cube"].astype(np.float64)
    np.testing.assert_allclose(other, 2.0 * block["cube"][:2] - 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("instrument", "message"),
    [
        ({"cube": {"dark": [0.0, 2.0]}}, "cube: electrons: expected an interval above 0 with dark"),
        ({"cube": {"cosmic_rays": 0.1}}, "electrons: expected an interval above 0 with cosmic_ra"),
        ({"bias": [1.0, 2.0]}, "electrons: expected an interval above 0 with bias"),
        ({"dark": [1.0, 2.0], "cube": EXPOSURE}, "electrons: expected an interval above 0 with d"),
        ({"cube": {"electrons": [0.0, 5.0]}}, "cube.electrons: expected an interval above 0"),
        ({"cube": {"cosmic_rays": 2.0}}, "cube.cosmic_rays"),
    ],
)
def test_what_is_not_possible_is_said(instrument, message):
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, merged(STILL, {"instrument": instrument}), "recipe")
