"""Classes of samples: balanced runs, and frequencies that follow the weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tersgen
from tersgen.effects.classes.effect import class_thresholds, fill_balanced, fill_weighted
from tersgen.effects.classes.settings import Classes
from tersgen.errors import ConfigError
from tersgen.generator import Generator
from tersgen.recipe import Recipe
from tersgen.schema.library import Library
from tersgen.schema.species import Mode, Provenance, Species

FEW = settings(max_examples=20, deadline=None)
LAST = 2**53
NAMES = ["a", "b", "c", "d", "e"]


def library(names):
    mode = Mode(frequency_cm1=1000.0, tensor=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    origin = Provenance(kind="random")
    return Library(species=tuple(Species(name=n, modes=(mode,), provenance=origin) for n in names))


def thresholds(names=NAMES, **classes):
    recipe = Recipe(library=library(names), classes=Classes(**classes))
    return class_thresholds(recipe, recipe.library)


def balanced(start, n, n_classes, seed=1):
    labels = np.empty(n, np.int32)
    fill_balanced(labels, start, n_classes, seed)
    return labels


def weighted(start, n, limits, seed=1):
    labels = np.empty(n, np.int32)
    fill_weighted(labels, start, limits, seed)
    return labels


@given(st.integers(1, 40), st.integers(0, LAST // 40 - 20), st.integers(0, 2**32 - 1))
@FEW
def test_every_run_has_each_class_once(n_classes, run, seed):
    labels = balanced(run * n_classes, 5 * n_classes, n_classes, seed).reshape(5, n_classes)
    assert np.array_equal(np.sort(labels, axis=1), np.tile(np.arange(n_classes), (5, 1)))


@given(st.integers(1, 12), st.integers(0, LAST - 200), st.integers(0, 60), st.integers(1, 60))
@FEW
def test_a_label_does_not_depend_on_the_start(n_classes, start, skip, n):
    whole = balanced(start, 120, n_classes)
    assert np.array_equal(balanced(start + skip, n, n_classes), whole[skip : skip + n])
    limits = np.array([2**31, 2**32], np.uint64)
    whole = weighted(start, 120, limits)
    assert np.array_equal(weighted(start + skip, n, limits), whole[skip : skip + n])


def test_orders_differ_between_runs_and_seeds():
    runs = balanced(0, 20 * 50, 20).reshape(50, 20)
    assert len({tuple(run) for run in runs}) == 50
    assert not np.array_equal(runs[0], balanced(0, 20, 20, seed=2))


def test_all_orders_are_equally_likely():
    runs = balanced(0, 4 * 24_000, 4).reshape(-1, 4)
    _, counts = np.unique(runs, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_zipf_frequencies(exponent):
    labels = weighted(0, 200_000, thresholds(balance="zipf", exponent=exponent))
    law = np.arange(1, 6) ** -float(exponent)
    counts = np.bincount(labels, minlength=5)
    assert stats.chisquare(counts, 200_000 * law / law.sum()).pvalue > 1e-6


def test_weighted_frequencies():
    limits = thresholds(balance="weighted", weights={"a": 3.0, "c": 0.01, "d": 0.5})
    counts = np.bincount(weighted(10**12, 200_000, limits), minlength=5)
    law = np.array([3.0, 1.0, 0.01, 0.5, 1.0])
    assert stats.chisquare(counts, 200_000 * law / law.sum()).pvalue > 1e-6


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=2, max_size=5))
@FEW
def test_weight_zero_is_never_drawn(values):
    names = NAMES[: len(values)]
    weights = dict(zip(names, values, strict=True))
    if not any(values):
        with pytest.raises(ConfigError, match="above 0"):
            thresholds(names, balance="weighted", weights=weights)
        return
    limits = thresholds(names, balance="weighted", weights=weights)
    words = np.diff(limits.astype(object), prepend=0)
    assert sum(words) == 2**32
    for count, value in zip(words, values, strict=True):
        assert count == pytest.approx(2**32 * value / sum(values), abs=1.001)
        assert (count == 0) == (value == 0.0)


def test_balanced_has_no_thresholds():
    assert thresholds() is None


def test_unknown_name():
    with pytest.raises(ConfigError, match=r"expected species of the library \(a, b.*got x, y$"):
        thresholds(balance="weighted", weights={"y": 1.0, "a": 2.0, "x": 1.0})


def test_unknown_species_are_one_class():
    recipe = tersgen.resolve(
        tersgen.Recipe(
            library=("builtin:water", "unknown:40", "random:1"),
            grid={"n_points": 64},
            lineshape={"fwhm_cm1": 150.0},
            fields={"maps": False, "precision": "float32"},
            random={"n_modes": (3, 6)},
        )
    )
    assert recipe.class_names == ("water", "unknown", "random-0000")
    assert len(recipe.species) == 42
    block = tersgen.generate(recipe, 0, 900, threads=2)
    assert np.bincount(block["label"]).tolist() == [300, 300, 300]
    drawn = block["sticks/position"][block["label"] == 1][:, 0]
    assert len(set(np.round(drawn / 40).tolist())) > 20, "many species, not one"
    for row in (3, 4, 5, 899):
        alone = tersgen.generate(recipe, row, row + 1)
        assert all(np.array_equal(alone[name][0], block[name][row]) for name in block)
    weighted = recipe.model_copy(
        update={"classes": Classes(balance="weighted", weights={"unknown": 6.0})}
    )
    counts = np.bincount(tersgen.generate(weighted, 0, 4000)["label"])
    assert counts[1] / 4000 == pytest.approx(0.75, abs=0.03)
    assert Generator(recipe).labels(0, 900).tolist() == block["label"].tolist()


def test_conformers_are_one_class_drawn_by_population():
    origin = Provenance(kind="computed")
    made = [
        Species(
            name=name,
            modes=(Mode(frequency_cm1=at, tensor=((1, 0, 0), (0, 1, 0), (0, 0, 1))),),
            provenance=origin,
            class_name=shared,
            conformer_weight=weight,
        )
        for name, at, shared, weight in (
            ("bent", 1000.0, "bent", 0.8),
            ("other", 500.0, None, 0.3),
            ("bent, conformer 2", 2000.0, "bent", 0.2),
        )
    ]
    recipe = tersgen.resolve(
        tersgen.Recipe(
            library=Library(made),
            grid={"n_points": 64},
            lineshape={"fwhm_cm1": 150.0},
            fields={"maps": False, "precision": "float32"},
        )
    )
    assert recipe.class_names == ("bent", "other")
    block = tersgen.generate(recipe, 0, 4000)
    assert np.bincount(block["label"]).tolist() == [2000, 2000]
    drawn = block["sticks/position"][block["label"] == 0, 0]
    assert (drawn > 1500).mean() == pytest.approx(0.2, abs=0.03)
