"""What an instrument does, seen in samples: statistics that real spectra show."""

import numpy as np
import pytest

import tersgen
from tersgen import Recipe
from tersgen.effects.instrument import effect as instrument
from tersgen.effects.scan import effect as scan
from tersgen.errors import ConfigError
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

INSTRUMENT_PARAMETERS = [one.description for one in instrument.PARAMETERS]
SCAN_PARAMETERS = [one.description for one in scan.PARAMETERS]

pytestmark = pytest.mark.filterwarnings("ignore:no effect")
"""Settings of maps, cubes or spectra are in recipes without them, too."""
CALM = {
    "seed": 5,
    "library": ["builtin:benzene", "builtin:water"],
    "grid": {"n_points": 512},
    "lineshape": {"profile": "lorentzian", "fwhm_cm1": 20.0},
    "geometry": {"orientation": "averaged"},
    "noise": {"spectrum": [0.0, 0.0]},
    "perturbations": {
        "shift_cm1": 0.0,
        "mode_shift_cm1": 0.0,
        "width": [1.0, 1.0],
        "intensity": 0.0,
    },
    "fields": {"maps": False, "tensors": False, "precision": "float32"},
}
COUNTING = {"electrons": [5000.0, 5000.0], "dark": [50.0, 50.0], "gain": [0.5, 0.5],
            "bias": [1000.0, 1000.0], "read_noise": [4.0, 4.0]}  # fmt: skip


def made(n, instrument, **sections):
    table = merged(merged(CALM, {"instrument": instrument}), sections)
    recipe = tersgen.resolve(validate(Recipe, table, "test"))
    return tersgen.generate(recipe, 0, n), recipe


def column(arrays, name, table=INSTRUMENT_PARAMETERS, field="params/instrument"):
    (k,) = [k for k, text in enumerate(table) if text.startswith(name)]
    return arrays[field][:, k].astype(np.float64)


def counts(arrays):
    low, span = column(arrays, "counts at 0"), column(arrays, "counts from 0")
    return low[:, None] + arrays["spectra"] * span[:, None]


def test_variance_grows_with_the_mean_by_the_gain():
    arrays, _ = made(4000, COUNTING)
    values = counts(arrays)[arrays["label"] == 0]
    mean, variance = values.mean(axis=0), values.var(axis=0)
    slope, offset = np.polyfit(mean, variance, 1)
    assert slope == pytest.approx(0.5, rel=0.03), "gain, counts per count"
    # at the dark level: 0.25 (50 + 16) electrons^2
    dark = mean < mean.min() + 1
    assert mean[dark].mean() == pytest.approx(1000 + 0.5 * 50, abs=3.5)
    assert slope * 1025 + offset == pytest.approx(0.25 * (50 + 16), rel=0.15)
    assert values.max(axis=1).mean() == pytest.approx(1000 + 0.5 * 5050, rel=0.05)


def test_whole_counts_that_are_clipped():
    arrays, _ = made(50, COUNTING | {"bits": 11, "electrons": [20000.0, 20000.0]})
    values = counts(arrays)
    assert values.max() == pytest.approx(2047, abs=0.01)
    assert (column(arrays, "saturated") > 0).all()
    whole = np.round(values)
    assert values == pytest.approx(whole, abs=0.01)
    arrays, _ = made(50, COUNTING | {"full_well": 1000.0, "read_noise": [0.0, 0.0]})
    assert counts(arrays).max() == pytest.approx(1000 + 0.5 * 1000, abs=0.01)
    assert (column(arrays, "saturated") > 0).all()


def test_cosmic_rays_come_at_their_rate_and_reach_over_points():
    rays = COUNTING | {"cosmic_rays": 0.8, "cosmic_height": [3.0, 30.0]}
    arrays, _ = made(3000, rays)
    numbers = column(arrays, "cosmic rays")
    assert numbers.mean() == pytest.approx(0.8, abs=5 * np.sqrt(0.8 / 3000))
    calm, _ = made(3000, COUNTING)
    difference = counts(arrays) - counts(calm)
    struck = (difference > 40).sum(axis=1)
    assert (struck[numbers == 0] == 0).all(), "and nothing else has changed"
    assert np.abs(difference[numbers == 0]).max() < 0.01
    one = struck[numbers == 1]
    assert set(one.tolist()) <= {1, 2, 3, 4}
    assert len(set(one.tolist())) == 4
    assert np.abs(difference[numbers == 1]).max(axis=1).min() > 3000


def test_fluorescence_is_smooth_and_as_high_as_drawn():
    arrays, _ = made(400, {"fluorescence": [0.5, 8.0], "fluorescence_share": 0.6})
    height = column(arrays, "fluorescence")
    shines = height > 0
    assert shines.mean() == pytest.approx(0.6, abs=0.12)
    assert height[shines].min() >= 0.5 * (1 - 1e-6)
    assert height[shines].max() <= 8.0 * (1 + 1e-6)
    assert np.log(height[shines]).mean() == pytest.approx(np.log(2.0), abs=0.2)
    calm, _ = made(400, {})
    low, span = column(arrays, "counts at 0"), column(arrays, "counts from 0")
    calm_low, calm_span = column(calm, "counts at 0"), column(calm, "counts from 0")
    curve = low[:, None] + arrays["spectra"] * span[:, None]
    curve = curve - (calm_low[:, None] + calm["spectra"] * calm_span[:, None])
    assert np.abs(curve[~shines]).max() < 1e-5
    assert curve[shines].max(axis=1) == pytest.approx(height[shines], rel=1e-4)
    bend = np.abs(np.diff(curve[shines], 2, axis=1)).max(axis=1)
    # the narrowest bump, 0.15 of the axis wide, bends by h (1/(0.15 * 511))^2 at its top
    assert (bend < 4 * height[shines] * (1 / (0.15 * 511)) ** 2 + 1e-5).all()


def test_the_response_stays_in_its_bounds():
    arrays, _ = made(300, {"response": 0.5})
    deviation = column(arrays, "deviation")
    assert (deviation >= 0).all()
    assert deviation.max() > 0.4
    calm, _ = made(300, {})
    spans = [column(one, "counts from 0") + column(one, "counts at 0") for one in (arrays, calm)]
    assert (np.abs(spans[0] / spans[1] - 1) <= deviation + 1e-3).all()


def test_a_calibration_moves_bands_and_wraps_nothing_around():
    arrays, recipe = made(400, {"axis_shift_cm1": 30.0, "axis_stretch": 0.01})
    axis = recipe.grid.points()
    water = arrays["label"] == 1  # one strong band
    shift, stretch = column(arrays, "axis shift"), column(arrays, "axis stretch")
    assert shift.std() == pytest.approx(30.0, rel=0.15)
    assert stretch.std() == pytest.approx(0.01, rel=0.15)
    middle = 0.5 * (axis[0] + axis[-1])
    calm = tersgen.generate(recipe.model_copy(update={"instrument": None}), 0, 400)["spectra"]
    place = axis[calm[water].mean(axis=0).argmax()]
    found = axis[arrays["spectra"][water].argmax(axis=1)]
    wanted = place + (place - middle) * stretch[water] + shift[water]
    assert np.abs(found - wanted).max() < 12.0


def test_resolution_widens_bands():
    narrow, recipe = made(200, {})
    wide, _ = made(200, {"resolution_cm1": [40.0, 40.0]})
    benzene = narrow["label"] == 0
    lines = [one["spectra"][benzene] for one in (narrow, wide)]
    widths = [(one > 0.5 * one.max(axis=1, keepdims=True)).sum(axis=1) for one in lines]
    assert widths[1].mean() * recipe.grid.step_cm1 > 40.0 > widths[0].mean() * recipe.grid.step_cm1


def test_noise_that_is_not_counted_is_that_of_a_plain_spectrum():
    arrays, recipe = made(60, {}, noise={"spectrum": [0.02, 0.05]})
    assert arrays["params/spectrum_noise"].min() >= 0.02
    plain = tersgen.generate(recipe.model_copy(update={"instrument": None}), 0, 60)
    assert arrays["spectra"] == pytest.approx(plain["spectra"], abs=2e-5)
    counted, _ = made(2, COUNTING, noise={"spectrum": [0.02, 0.05]})
    assert "params/spectrum_noise" not in counted


def test_what_was_not_measured_repeats_the_edge():
    arrays, _ = made(200, COUNTING | {"missing": [0.2, 0.3]})
    low, high = (
        column(arrays, "points not measured at the low"),
        column(arrays, "points not measured at the high"),
    )
    assert low.max() > 80
    assert high.max() > 120
    for row in range(200):
        first, last = int(low[row]), 511 - int(high[row])
        spectrum = arrays["spectra"][row]
        assert (spectrum[:first] == spectrum[first]).all()
        assert (spectrum[last:] == spectrum[last]).all()
        assert len(set(spectrum[first : first + 20].tolist())) > 1


def test_a_sample_alone_is_that_sample_in_its_block():
    table = merged(PRESETS["realistic"], {"seed": 2, "library": ["builtin:water", "random:2"],
                   "map": {"height": 12, "width": 10}, "grid": {"n_points": 2000},
                   "fields": {"maps": True}})  # fmt: skip
    recipe = tersgen.resolve(validate(Recipe, table, "test"))
    block = tersgen.generate(recipe, 100, 150, threads=2)
    for row in (100, 131, 149):
        alone = tersgen.generate(recipe, row, row + 1)
        assert all(np.array_equal(alone[name][0], block[name][row - 100]) for name in block)


def test_other_fields_are_those_without_an_instrument():
    arrays, recipe = made(64, COUNTING, fields={"maps": True, "tensors": True})
    plain = tersgen.generate(recipe.model_copy(update={"instrument": None}), 0, 64)
    for name in ("label", "sticks/position", "sticks/intensity", "tensors", "params/hotspots"):
        assert np.array_equal(arrays[name], plain[name]), name
    inside = plain["maps"] < 0.9  # what lies above 1 is clipped before noise comes, and after
    assert np.array_equal(arrays["maps"][inside], plain["maps"][inside])


SCAN = {
    "fields": {"maps": True, "spectra": False, "tensors": False, "precision": "float32"},
    "noise": {"map": [0.0, 0.0]},
    "map": {"height": 24, "width": 20},
}


def scanned(n, **scan):
    arrays, _ = made(n, {"scan": scan}, **SCAN)
    return arrays


def scan_column(arrays, name):
    return column(arrays, name, SCAN_PARAMETERS, "params/scan")


def test_shot_noise_of_maps():
    calm, noisy = scanned(300), scanned(300, electrons=[500.0, 500.0])
    value, difference = calm["maps"].ravel(), (noisy["maps"] - calm["maps"]).ravel()
    for low, high in ((0.02, 0.05), (0.2, 0.3), (0.5, 0.6)):
        inside = (value > low) & (value < high)
        expected = value[inside].mean() / 500
        assert difference[inside].var() == pytest.approx(expected, rel=0.1)
        assert difference[inside].mean() == pytest.approx(
            0, abs=5 * np.sqrt(expected / inside.sum())
        )


def test_dead_pixels_blinks_and_drift():
    calm = scanned(400)
    dead = scanned(400, dead=2.0)
    numbers = scan_column(dead, "dead")
    assert numbers.mean() == pytest.approx(2.0, abs=0.4)
    changed = (dead["maps"] != calm["maps"]).sum(axis=(1, 2, 3))
    assert (changed <= numbers).all()
    assert (dead["maps"][dead["maps"] != calm["maps"]] == 0).all()
    blinking = scanned(400, blinks=1.0, blink_pixels=9)
    numbers = scan_column(blinking, "blinks")
    changed = (blinking["maps"] != calm["maps"]).sum(axis=(1, 2, 3))
    assert (changed[numbers == 0] == 0).all()
    assert changed[numbers == 1].max() <= 9
    assert (blinking["maps"] <= calm["maps"]).all()
    drifting = scanned(400, drift_px=3.0)
    assert scan_column(drifting, "drift of the last line along rows").std() == pytest.approx(
        3, rel=0.2
    )
    assert np.array_equal(drifting["maps"][:, :, 0], calm["maps"][:, :, 0]), "the first line"
    assert not np.array_equal(drifting["maps"][:, :, -1], calm["maps"][:, :, -1])


def test_blur_by_the_tip():
    from scipy.ndimage import gaussian_filter

    calm, blurred = scanned(20), scanned(20, blur_px=[1.5, 1.5])
    assert (scan_column(blurred, "sigma") == 1.5).all()
    for one, other in zip(calm["maps"], blurred["maps"], strict=True):
        wanted = gaussian_filter(one[0].astype(float), 1.5, mode="nearest", truncate=4.0)
        assert other[0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"instrument": {"fluorescence": [0.0, 2.0]}},
            "fluorescence: expected an interval above 0",
        ),
        ({"instrument": {"bits": 16}}, "electrons: expected an interval above 0 with bits"),
        (
            {"instrument": {"electrons": [1.0, 2.0], "bits": 8, "bias": [300.0, 300.0]}},
            "bias: expected less than 255",
        ),
        ({"instrument": {"missing": [0.95, 0.0]}}, "missing: expected shares up to 0.9"),
        ({"instrument": {"missing": [0.5, 0.5]}}, "that leave 0.05 of the axis"),
        ({"instrument": {"electrons": [1.0, 1e12]}}, "electrons"),
        ({"instrument": {"gain": [0.0, 1.0]}}, "gain: expected values above 0"),
        ({"instrument": {"scan": {"blur_px": [0.0, 99.0]}}}, "blur_px: expected at most 64"),
        ({"instrument": {}, "lineshape": {"profile": "pseudo_voigt"}}, "Voigt profiles"),
        ({"instrument": {}, "perturbations": {"roll_bins": 3}}, "expected 0 with instrument"),
    ],
)
def test_what_is_not_possible_is_said(table, message):
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, table, "recipe")


def test_without_an_instrument_a_recipe_is_as_it_was():
    assert "instrument" not in Recipe().document


@pytest.mark.parametrize("name", ["ideal", "realistic"])
def test_presets(name):
    recipe = validate(Recipe, PRESETS[name], name)
    assert (recipe.instrument is not None) == (name == "realistic")
    assert (recipe.noise.spectrum == (0.0, 0.0)) == (name == "ideal")


def near(scan=None, **sections):
    table = {
        "library": ["builtin:benzene", "builtin:water"],
        "map": {"height": 12, "width": 10},
        "nearfield": {"channel_cm1": 150.0},
        "noise": {"map": [0.0, 0.0]},
        "fields": {"spectra": False, "cube": True, "precision": "float32"},
    }
    table = merged(merged(table, sections), {} if scan is None else {"instrument": {"scan": scan}})
    return tersgen.resolve(validate(Recipe, table, "test"))


def test_cubes_have_shot_noise_of_their_own():
    clean = tersgen.generate(near(), 0, 60)
    counted = tersgen.generate(near({"electrons": [2e4, 2e4]}), 0, 60)
    for name in ("cube", "maps"):
        expected, values = (one[name].astype(np.float64) for one in (clean, counted))
        some = (expected > 0.02) & (expected < 0.9)  # 1 is where values are clipped
        error = (values - expected)[some] / np.sqrt(expected[some] / 2e4)
        assert error.mean() == pytest.approx(0, abs=5 / np.sqrt(some.sum()))
        assert error.var() == pytest.approx(1, rel=0.05), name


def test_cubes_are_scanned_as_maps_are():
    recipe = near({"dead": 3.0, "drift_px": 2.0, "blur_px": [0.5, 1.0], "blinks": 2.0})
    arrays = tersgen.generate(recipe, 0, 40)
    black = (arrays["cube"] == 0).all(axis=3)
    assert np.array_equal(black, (arrays["maps"] == 0).all(axis=1))
    assert np.all(black.sum(axis=(1, 2)) <= column(arrays, "dead", SCAN_PARAMETERS, "params/scan"))
    alone = near({"dead": 3.0, "drift_px": 2.0, "blur_px": [0.5, 1.0], "blinks": 2.0},
                 fields={"maps": False})  # fmt: skip
    assert np.array_equal(tersgen.generate(alone, 0, 40)["cube"], arrays["cube"])
    half = recipe.model_copy(
        update={"fields": recipe.fields.model_copy(update={"precision": "float16"})}
    )
    for row in (0, 17):
        one = tersgen.generate(half, row, row + 1)["cube"][0]
        assert np.array_equal(one, arrays["cube"][row].astype(np.float16))
