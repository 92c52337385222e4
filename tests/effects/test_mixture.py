"""Mixtures: which species a sample has, its fractions, and spectra that add up by them."""

import numpy as np
import pytest
from scipy import stats

import tersgen
from tersgen import Recipe
from tersgen.effects.chain import field_table
from tersgen.errors import ConfigError
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

MIXED = {
    **PRESETS["mixture"],
    "seed": 7,
    "library": ["random:6"],
    "grid": {"n_points": 128},
    "lineshape": {"fwhm_cm1": 90.0},
    "random": {"n_modes": [3, 5], "frequency_cm1": [300.0, 3700.0]},
}
STILL = {
    "geometry": {"orientation": "averaged"},
    "perturbations": {"shift_cm1": 0, "mode_shift_cm1": 0, "width": [1, 1], "intensity": 0},
    "noise": {"spectrum": [0, 0]},
    "fields": {"maps": False, "precision": "float32"},
}


def recipe_of(**sections):
    return tersgen.resolve(validate(Recipe, merged(MIXED, sections), "test"))


def made(n, **sections):
    return tersgen.generate(recipe_of(**sections), 0, n)


def members(arrays):
    """Return the classes of each sample."""
    pairs = zip(arrays["mixture/label"], arrays["mixture/count"], strict=True)
    return [labels[:count].tolist() for labels, count in pairs]


def test_species_differ_and_fractions_fall_to_a_sum_of_one():
    arrays = made(3000, mixture={"n_species": [1, 4], "least": 0.1})
    fractions, counts = arrays["mixture/fraction"], arrays["mixture/count"]
    assert np.array_equal(arrays["mixture/label"][:, 0], arrays["label"])
    assert all(len(set(some)) == len(some) for some in members(arrays))
    used = np.arange(4) < counts[:, None]
    assert np.all((fractions >= 0.1 - 1e-6) == used)
    assert not arrays["mixture/label"][~used].any()
    assert not fractions[~used].any()
    assert np.all(np.diff(fractions, axis=1) <= 0)
    assert fractions.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert stats.chisquare(np.bincount(counts)[1:]).pvalue > 1e-3
    assert np.ptp(np.bincount(arrays["label"])) <= 1, "labels stay balanced"
    rest = [label for some in members(arrays) for label in some[1:]]
    assert stats.chisquare(np.bincount(rest, minlength=6)).pvalue > 1e-3


@pytest.mark.parametrize("count", [2, 3, 5])
def test_fractions_are_uniform_among_all_that_add_up_to_one(count):
    fractions = made(4000, mixture={"n_species": [count, count], "least": 0.02})["mixture/fraction"]
    # of uniform fractions the k-th largest has the mean (1/k + ... + 1/n) / n
    expected = [sum(1 / j for j in range(k, count + 1)) / count for k in range(1, count + 1)]
    spread = 1 - 0.02 * count
    assert fractions.mean(axis=0) == pytest.approx(0.02 + spread * np.array(expected), abs=0.01)


def test_others_come_by_their_weights_and_never_twice():
    weights = {"random-0001": 0.0, "random-0002": 3.0}
    classes = recipe_of().class_names
    assert set(weights) < set(classes)
    arrays = made(
        6000,
        mixture={"n_species": [2, 2]},
        classes={"balance": "weighted", "weights": weights},
    )
    w = np.array([weights.get(name, 1.0) for name in classes])
    pairs = np.zeros((6, 6))
    np.add.at(pairs, tuple(np.array(members(arrays)).T), 1)
    assert not pairs[w == 0].any()
    assert not pairs[:, w == 0].any()
    expected = w[:, None] * w / w.sum() / (w.sum() - w)[:, None] * 6000
    np.fill_diagonal(expected, 0)
    some = expected > 0
    assert stats.chisquare(pairs[some], expected[some]).pvalue > 1e-3


def test_too_few_classes_are_refused():
    weights = dict.fromkeys(recipe_of().class_names[:4], 0.0)
    with pytest.raises(ConfigError, match="at most 2, as many classes as are drawn, got 3"):
        made(1, classes={"balance": "weighted", "weights": weights})


@pytest.mark.parametrize("of", ["signal", "molecules"])
def test_intensities_are_those_of_each_species_by_its_fraction(of):
    pure = {**STILL, "mixture": {"n_species": [1, 1], "of": "molecules"}}
    alone = made(60, **pure)
    single = {int(k): alone["sticks/intensity"][row, 0] for row, k in enumerate(alone["label"])}
    arrays = made(200, **STILL, mixture={"n_species": [2, 3], "of": of})
    for row, some in enumerate(members(arrays)):
        for c, label in enumerate(some):
            own = single[label]
            scale = own.sum() if of == "signal" else 1.0
            expected = arrays["mixture/fraction"][row, c] * own / scale
            assert arrays["sticks/intensity"][row, c] == pytest.approx(expected, rel=1e-5)
        assert not arrays["sticks/intensity"][row, len(some) :].any()
        assert not arrays["sticks/count"][row, len(some) :].any()
    if of == "signal":
        assert arrays["sticks/intensity"].sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)


def test_the_spectrum_is_the_sum_of_the_bands_of_all_species():
    arrays = made(20, **STILL, mixture={"n_species": [3, 3]})
    axis = recipe_of().grid.points()
    sigma = 90.0 / np.sqrt(8 * np.log(2))
    places = arrays["sticks/position"].reshape(20, -1)
    heights = arrays["sticks/intensity"].reshape(20, -1)
    bands = np.exp(-0.5 * ((axis - places[..., None]) / sigma) ** 2)
    lines = (heights[..., None] * bands).sum(axis=1)
    low, high = lines.min(axis=1, keepdims=True), lines.max(axis=1, keepdims=True)
    assert arrays["spectra"] == pytest.approx((lines - low) / (high - low), abs=2e-5)


def test_stated_fractions():
    arrays = made(12, mixture={"fractions": [0.5, 0.3, 0.2]})
    assert np.all(arrays["mixture/count"] == 3)
    assert np.all(arrays["mixture/fraction"] == np.float32([0.5, 0.3, 0.2]))


@pytest.mark.filterwarnings("ignore:no effect")  # least
@pytest.mark.parametrize("section", [{}, {"fractions": [0.7, 0.3]}, {"n_species": [2, 4]}])
def test_a_recipe_with_a_mixture_can_be_written_and_read(section, tmp_path):
    recipe = recipe_of(mixture=section)
    tersgen.save_recipe(recipe, tmp_path / "recipe.json")
    again = tersgen.resolve(tersgen.load_recipe(tmp_path / "recipe.json"))
    assert again == recipe
    assert again.n_components == {0: 3, 1: 2, 2: 4}[len(section) + ("n_species" in section)]


def test_each_species_has_its_own_orientation_and_the_first_is_that_of_a_pure_sample():
    arrays = made(40, mixture={"n_species": [2, 2]})
    pure = tersgen.generate(recipe_of().model_copy(update={"mixture": None}), 0, 40)
    turned = arrays["params/orientation"]
    assert np.array_equal(turned[:, 0], pure["params/orientation"])
    assert np.abs(turned[:, 0] - turned[:, 1]).max(axis=1).min() > 0.01
    assert np.linalg.norm(turned, axis=2) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(arrays["tensors"][:, 0], pure["tensors"])


@pytest.mark.parametrize("instrument", [{}, PRESETS["realistic"]], ids=["plain", "realistic"])
def test_a_sample_alone_is_that_sample_in_its_block(instrument):
    sections = merged(instrument, {"library": ["random:4", "unknown:3"], "mixture": {}})
    sections = merged(sections, {"lineshape": {"fwhm_cm1": 90.0}})
    recipe = recipe_of(**sections)
    whole = tersgen.generate(recipe, 0, 300, threads=2)
    assert "unknown" in recipe.class_names
    assert whole["mixture/label"].max() == len(recipe.class_names) - 1
    for row in (0, 77, 299):
        one = tersgen.generate(recipe, row, row + 1)
        assert one.keys() == whole.keys() == {spec.name for spec in field_table(recipe)}
        for name, values in one.items():
            assert np.array_equal(values[0], whole[name][row], equal_nan=True), name


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"n_species": [0, 2]}, "n_species: expected 1 <= fewest"),
        ({"n_species": [2, 17]}, "most <= 16"),
        ({"least": 0.4}, "at most 1/3 for 3 species"),
        ({"fractions": [0.3, 0.7]}, "expected descending"),
        ({"fractions": [0.7, 0.2]}, "expected a sum of 1, got 0.9"),
        ({"fractions": [0.7, 0.3], "n_species": [1, 3]}, "leave it out"),
    ],
)
def test_impossible_mixtures(section, message):
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, {**MIXED, "mixture": section}, "test")


@pytest.mark.parametrize(
    ("sections", "message"),
    [({"fields": {}}, "maps: expected false"), ({"nearfield": {}}, "nearfield: expected no such")],
)
def test_maps_are_of_one_species(sections, message):
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, {**MIXED, **sections}, "test")
