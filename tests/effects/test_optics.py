"""The light path of spectra, seen in samples: what each part does, and that it is recorded."""

import numpy as np
import pytest
from scipy.special import expit

import tersgen
from tersgen import Recipe
from tersgen.effects.instrument.effect import PARAMETERS as DETECTOR
from tersgen.effects.optics.effect import PARAMETERS as LIGHT_PATH
from tersgen.effects.optics.kernels import GROUP_INDEX, silicon_absorption
from tersgen.errors import ConfigError
from tersgen.schema.loading import validate
from tersgen.schema.presets import merged

CALM = {
    "seed": 7,
    "library": ["builtin:benzene", "builtin:water"],
    "lineshape": {"profile": "lorentzian", "fwhm_cm1": 12.0},
    "geometry": {"orientation": "powder"},
    "noise": {"spectrum": [0.0, 0.0]},
    "perturbations": {"shift_cm1": 0.0, "mode_shift_cm1": 0.0, "width": [1.0, 1.0],
                      "intensity": 0.0},
    "fields": {"maps": False, "tensors": False, "precision": "float32"},
}  # fmt: skip
COUNTING = {"electrons": [5000.0, 5000.0], "dark": [50.0, 50.0], "read_noise": [4.0, 4.0]}
DARK = {"fluorescence": [1e-3, 1e-3]}
FLAT = {"fluorescence": [1e4, 1e4]}
"""Light that is smooth, and 10,000 times as strong as the bands: what changes it is seen alone."""


class Made:
    """Rows, their spectra in units of the detector, and what was drawn, by name."""

    def __init__(self, n, optics, instrument=None, **sections):
        table = merged(CALM, {"instrument": (instrument or {}) | {"optics": optics}})
        self.recipe = tersgen.resolve(validate(Recipe, merged(table, sections), "test"))
        self.rows = tersgen.generate(self.recipe, 0, n)
        self.shift = self.recipe.grid.points()
        low, span = self["counts_at_0"], self["counts_to_1"]
        self.line = low[:, None] + self.rows["spectra"].astype(np.float64) * span[:, None]

    def __getitem__(self, name):
        for table, field in ((LIGHT_PATH, "params/optics"), (DETECTOR, "params/instrument")):
            names = [one.name for one in table]
            if name in names:
                return self.rows[field][:, names.index(name)].astype(np.float64)
        raise KeyError(name)


def test_each_laser_comes_as_often_as_it_is_listed_and_changes_stokes_factors():
    lasers = [532.0, 785.0, 785.0, 1064.0]
    made, usual = Made(900, {"lasers_nm": lasers}), Made(900, {})
    assert (usual["laser"] == np.float32(632.8)).all()
    shares = [(made["laser"] == one).mean() for one in (532.0, 785.0, 1064.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.06)
    water = made.rows["label"] == 1
    place = made.rows["sticks/position"][water].astype(np.float64)
    there = np.arange(place.shape[1]) < made.rows["sticks/count"][water][:, None]
    intensities = [one.rows["sticks/intensity"][water][there] for one in (made, usual)]
    one, other = (1e7 / wave[water][:, None] for wave in (made["laser"], usual["laser"]))
    wanted = ((one - place) / (one - 1000) / ((other - place) / (other - 1000))) ** 3
    assert intensities[0] / intensities[1] == pytest.approx(wanted[there], rel=1e-4)


def test_fluorescence_decreases_with_the_wavelength_of_the_laser():
    optics = {"lasers_nm": [532.0, 785.0, 1064.0], "fluorescence_decay_nm": 100.0}
    made = Made(60, optics, {"fluorescence": [2.0, 2.0]})
    wanted = 2.0 * np.exp(-(made["laser"] - 532.0) / 100.0)
    assert made["fluorescence"] == pytest.approx(wanted, rel=1e-4)


def test_bleaching_lowers_fluorescence_and_changes_its_shape():
    made = Made(1500, {"bleaching": [0.1, 10.0]}, FLAT)
    calm = Made(1500, {}, FLAT)
    x = np.geomspace(0.1, 10.0, 2001)
    assert made["unbleached"].mean() == pytest.approx(((1 - np.exp(-x)) / x).mean(), abs=0.02)
    assert made["fluorescence"] == pytest.approx(1e4 * made["unbleached"], rel=1e-5)
    shapes = [one.line / one.line.max(axis=1, keepdims=True) for one in (made, calm)]
    assert np.median(np.abs(shapes[0] - shapes[1]).max(axis=1)) > 0.02


def test_an_edge_filter_acts_on_all_light():
    optics = {"edge_cm1": [150.0, 400.0], "edge_width_cm1": [20.0, 80.0]}
    made, calm = Made(200, optics, FLAT), Made(200, {}, FLAT)
    parameter = made["edge_width"] / (2 * np.log(9))
    wanted = expit((made.shift - made["edge"][:, None]) / parameter[:, None])
    assert made.line / calm.line == pytest.approx(wanted, abs=2e-6)
    assert [made["edge"].min(), made["edge"].max()] == pytest.approx([150, 400], abs=8)
    rippled = Made(200, optics | {"edge_ripple": 0.1}, FLAT)
    ratio = rippled.line[:, 300:] / made.line[:, 300:]
    assert np.abs(ratio - 1).max(axis=1) == pytest.approx(rippled["edge_ripple"], rel=0.02)


def test_elastic_light_has_its_maximum_at_the_edge():
    optics = {"edge_cm1": [150.0, 250.0], "edge_width_cm1": [20.0, 60.0], "rayleigh": [5.0, 50.0],
              "rayleigh_share": 0.5, "rayleigh_width_cm1": [40.0, 120.0]}  # fmt: skip
    made = Made(600, optics)
    has = made["rayleigh"] > 0
    assert has.mean() == pytest.approx(0.5, abs=0.07)
    assert np.log(made["rayleigh"][has]).mean() == pytest.approx(np.log(5 * 10**0.5), abs=0.15)
    w, s = made["edge_width"] / (2 * np.log(9)), np.where(has, made["rayleigh_width"], np.inf)
    top = (made["edge"] + w * np.log(s / w - 1))[has]  # where d/dnu of both logarithms add up to 0
    found = made.shift[made.line[has][:, :200].argmax(axis=1)]
    assert np.abs(found - top).max() < 2 * made.recipe.grid.step_cm1
    benzene = (made.rows["label"] == 0)[has]  # without a band there
    highest = made.line[has].max(axis=1)
    assert highest[benzene] == pytest.approx(made["rayleigh"][has][benzene], rel=5e-3)


def test_absorption_of_silicon_agrees_with_another_table():
    # k of C. Schinke et al., AIP Adv. 5, 067168 (2015)
    for wavelength, k in ((650.0, 1.4447e-2), (700.0, 1.0623e-2), (750.0, 7.6156e-3)):
        wanted = 4 * np.pi * k / (wavelength * 1e-7)
        assert silicon_absorption(wavelength) == pytest.approx(wanted, rel=0.03)


def test_the_quantum_efficiency_depends_on_the_absolute_wavelength():
    optics = {"silicon_um": [15.0, 15.0], "lasers_nm": [532.0, 785.0, 1064.0]}
    made, calm = Made(60, optics, FLAT), Made(60, {}, FLAT)
    passed = made.line / calm.line
    for laser, low, high in ((532.0, 1.0, 1.5), (785.0, 10.0, 30.0), (1064.0, 1.0, 1.05)):
        rows = passed[made["laser"] == laser]
        cut = rows[:, 235] / rows[:, 761]  # at 996 and 3001 cm^-1
        assert cut == pytest.approx(np.full(len(rows), cut[0]), rel=1e-3)
        assert low <= cut[0] <= high
    infrared = passed[made["laser"] == 785.0]
    wavelength = 1e7 / (1e7 / 785.0 - made.shift)
    depth = np.array([silicon_absorption(one) for one in wavelength]) * 15e-4
    wanted = 1 - np.exp(-depth)
    assert infrared[0] == pytest.approx(wanted / wanted.max(), abs=2e-3)


def test_fringes_have_the_spacing_of_the_layer_and_persist():
    optics = {"silicon_um": [20.0, 20.0], "lasers_nm": [785.0]}
    plain = Made(4, optics, FLAT).line
    made = Made(4, optics | {"etaloning": 0.3, "detectors": 1}, FLAT)
    fringes = made.line / plain
    fringes /= fringes.mean(axis=1, keepdims=True)
    assert fringes == pytest.approx(np.broadcast_to(fringes[0], fringes.shape), abs=2e-5)
    power = np.abs(np.fft.rfft((fringes[0] - 1)[400:] * np.hanning(624), 16384))
    period = 16384 * made.recipe.grid.step_cm1 / power.argmax()
    assert period == pytest.approx(1 / (2 * GROUP_INDEX * 20e-4), rel=0.02)
    size = np.abs(fringes[0, 900:] - 1).max()
    assert size == pytest.approx(made["etaloning"][0], rel=0.1)
    others = Made(4, optics | {"etaloning": 0.3}, FLAT).line / plain
    assert len({round(float(row[500] / row[510]), 6) for row in others}) == 4


def test_a_fixed_pattern_is_that_of_the_detector():
    optics = {"fixed_pattern": [0.01, 0.01], "detectors": 3}
    made, calm = Made(60, optics, FLAT), Made(60, {}, FLAT)
    pattern = made.line / calm.line
    pattern /= pattern.mean(axis=1, keepdims=True)
    kinds = made["detector"]
    assert set(kinds) == {0.0, 1.0, 2.0}
    first = {kind: pattern[kinds == kind][0] for kind in set(kinds)}
    assert all(np.abs(pattern[k] - first[kinds[k]]).max() < 1e-4 for k in range(60))
    for one in first.values():
        assert one.std() == pytest.approx(0.01, rel=0.1)
    assert abs(np.corrcoef(first[0.0], first[1.0])[0, 1]) < 0.12


STEEL = {"position_cm1": 700.0, "fwhm_cm1": 30.0, "height": 2.0}


def test_supports_of_a_recipe_s_own():
    weaker = {**STEEL, "position_cm1": 1500.0, "height": 1.0}
    optics = {"support": ["water", "steel"], "own_supports": {"steel": [STEEL, weaker]}}
    made, calm = Made(300, optics), Made(300, {})
    steel = made["support"] == 2
    assert 0.4 < steel.mean() < 0.6
    added = (made.line - calm.line)[steel]
    assert np.abs(made.shift[added.argmax(axis=1)] - 700).max() < 5
    at = [int(np.abs(made.shift - place).argmin()) for place in (700, 1500)]
    assert added[:, at[1]] / added[:, at[0]] == pytest.approx(0.5, rel=0.05)


def test_supports_show_their_bands_at_their_height():
    optics = {"support": ["silicon", "water"], "support_share": 0.4, "support_height": [0.1, 0.9]}
    made, calm = Made(800, optics), Made(800, {})
    kind, added = made["support"], made.line - calm.line
    assert (kind > 0).mean() == pytest.approx(0.4, abs=0.06)
    assert (kind == 1).mean() == pytest.approx((kind == 2).mean(), abs=0.07)
    assert np.abs(added[kind == 0]).max() < 1e-6
    assert added.max(axis=1) == pytest.approx(made["support_height"], abs=1e-5)
    tops = made.shift[added.argmax(axis=1)]
    assert np.abs(tops[kind == 1] - 520.5).max() < made.recipe.grid.step_cm1
    assert np.abs(tops[kind == 2] - 3400).max() < 40


def test_luminescence_is_a_broad_gaussian_that_the_sensor_sees():
    band = {"height": [0.1, 10.0], "share": 0.4, "centre_cm1": [1000.0, 5000.0],
            "width_cm1": [400.0, 2000.0]}  # fmt: skip
    made, calm = Made(800, {"luminescence": band}), Made(800, {})
    height, centre, width = made.rows["params/luminescence"].astype(np.float64).T
    has = height > 0
    assert has.mean() == pytest.approx(0.4, abs=0.06)
    assert np.log10(height[has]).mean() == pytest.approx(0.0, abs=0.1)
    x = (made.shift - centre[has, None]) / (width[has, None] / 2)
    wanted = height[has, None] * 0.5 ** (x**2)
    added = (made.line - calm.line)[has]
    assert np.abs(added - wanted).max(axis=1) == pytest.approx(0.0, abs=2e-5)
    assert np.array_equal(made.rows["spectra"][~has], calm.rows["spectra"][~has])
    cut = {"silicon_um": [15.0, 15.0], "lasers_nm": [785.0]}
    seen, bare = Made(800, cut | {"luminescence": band}), Made(800, cut)
    share = (seen.line - bare.line)[has][:, 1000] / np.maximum(wanted[:, 1000], 1e-3)
    assert np.median(share[wanted[:, 1000] > 0.1]) < 0.1  # silicon is transparent there


def test_rows_without_a_band_are_cut_again():
    cut = COUNTING | {"missing": [0.1, 0.8]}
    loose, made = Made(600, {}, cut), Made(600, {"visible": 0.5}, cut)
    assert (loose["visible"] < 0.5).mean() > 0.2
    assert made["visible"].min() >= 0.5
    assert np.array_equal(made.rows["label"], loose.rows["label"])
    good = loose["visible"] >= 0.5
    assert np.array_equal(made.rows["spectra"][good], loose.rows["spectra"][good])
    for row in np.flatnonzero(~good):
        first, last = int(made["missing_low"][row]), 1023 - int(made["missing_high"][row])
        inside = slice(first, last + 1)
        assert made.line[row, inside].max() - np.median(made.line[row]) > 300


def test_signal_to_noise_is_that_of_repeated_spectra():
    counted = COUNTING | {"electrons": [300.0, 300.0], "fluorescence": [1.0, 1.0]}
    sections = {"library": ["builtin:water"], "seed": 1}
    made = Made(400, {}, counted, **sections)
    pure = Made(400, {}, DARK, **sections)  # the same band, 1 high
    smooth = Made(400, {}, {"fluorescence": [1.0, 1.0]}, **sections)
    top = pure.line.mean(axis=0).argmax()
    height = 300 / smooth.line.max(axis=1)  # electrons of the band
    residual = made.line[:, top] - height * smooth.line[:, top] - 50
    assert made["band_snr"].mean() == pytest.approx((height / residual.std()).mean(), rel=0.1)


def test_overexposed_spectra_have_plateaus():
    camera = COUNTING | {"full_well": 20000.0, "overexposed": 0.3, "overexposure": [2.0, 8.0]}
    made = Made(800, {}, camera | {"fluorescence": [3.0, 3.0]})
    over = made["saturated"] > 0
    assert over.mean() == pytest.approx(0.3, abs=0.05)
    assert made["electrons"][over].min() >= 40000
    assert made["electrons"][~over] == pytest.approx(np.full((~over).sum(), 5000), rel=1e-5)
    highest = made.line[over].max(axis=1)
    plateau = (made.line[over] > 20000 - 30).sum(axis=1)  # and read noise
    assert (highest < 20000 + 30).all()
    assert plateau == pytest.approx(made["saturated"][over], rel=0.05, abs=2)


def test_a_sample_alone_is_that_of_its_block():
    optics = {"lasers_nm": [532.0, 785.0], "support": ["pet", "quartz"], "visible": 0.4,
              "silicon_um": [10.0, 40.0], "etaloning": 0.2, "fixed_pattern": [0.0, 0.01],
              "detectors": 5, "edge_cm1": [50.0, 200.0], "rayleigh": [0.1, 2.0],
              "bleaching": [0.1, 5.0], "luminescence": {"share": 0.5}}  # fmt: skip
    block = Made(200, optics, COUNTING | {"fluorescence": [0.1, 1.0], "missing": [0.1, 0.7]})
    for row in (0, 127, 128, 199):
        alone = tersgen.generate(block.recipe, row, row + 1)
        assert all(np.array_equal(alone[name][0], block.rows[name][row]) for name in alone)


@pytest.mark.parametrize(
    ("optics", "sections", "message"),
    [
        ({"lasers_nm": [5000.0]}, {}, "lasers_nm"),
        ({"lasers_nm": [1064.0]}, {"grid": {"stop_cm1": 9500.0}}, "lasers above grid.stop_cm1"),
        ({"lasers_nm": [532.0]}, {"plasmon": {}}, "set plasmon.laser_nm"),
        ({"etaloning": 0.1}, {}, "etaloning: expected 0 without silicon_um"),
        ({"silicon_um": [0.0, 20.0]}, {}, "silicon_um: expected 1 to 1000 um"),
        ({"fixed_pattern": [0.0, 0.5]}, {}, "fixed_pattern: expected at most 0.2"),
        ({"edge_cm1": [50.0, 90.0], "edge_width_cm1": [0.0, 5.0]}, {}, "edge_width_cm1"),
        ({"support": ["steel"]}, {}, "support"),
        ({"own_supports": {"steel": [STEEL]}}, {}, "own_supports: expected names that support"),
        ({"support": ["pet"], "own_supports": {"pet": [STEEL]}}, {}, "a name of its own for 'pet'"),
        ({"luminescence": {"height": [0.0, 0.0]}}, {}, "height: expected an interval above 0"),
        ({"luminescence": {"width_cm1": [9.0, 99.0]}}, {}, "at least 50 cm.-1"),
    ],
)
def test_what_is_not_possible_is_said(optics, sections, message):
    table = merged({"instrument": {"optics": optics}}, sections)
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, table, "recipe")
