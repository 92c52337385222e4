"""How signals are stored by default, what old recipes have, and what rounding costs."""

import numpy as np
import pytest

import tersgen
from tersgen import Recipe
from tersgen.effects.chain import field_table
from tersgen.effects.precision import LEAST_NOISE_STEPS, roundings
from tersgen.schema.digest import canonical_digest
from tersgen.schema.fixed_point import FixedPoint

STEP = FixedPoint.of(8, (0.0, 1.0)).scale


def noisy(level, **noise):
    return {"noise": {"spectrum": [level, 0.5], "map": [level, 0.5], **noise}}


@pytest.mark.parametrize(
    ("sections", "precision"),
    [
        ({}, "uint8"),
        (noisy(LEAST_NOISE_STEPS * STEP), "uint8"),
        (noisy(0.99 * LEAST_NOISE_STEPS * STEP), "float16"),
        (noisy(0.1, map=[0.0, 0.1]), "float16"),
        ({**noisy(0.1, map=[0.0, 0.1]), "fields": {"maps": False}}, "uint8"),
        ({**noisy(LEAST_NOISE_STEPS * STEP), "fields": {"scale": "symmetric"}}, "uint8"),
        ({"instrument": {}}, "float16"),
        ({"instrument": {}, "fields": {"spectra": False}}, "uint8"),
        ({"effects": {"ghosts": {}}}, "float16"),
        ({"fields": {"precision": "float32"}}, "float32"),
        ({**noisy(0.0), "fields": {"precision": "uint12"}}, "uint12"),
    ],
)
def test_integers_are_the_default_only_where_noise_is_known_to_cover_the_step(sections, precision):
    assert Recipe(**sections).precision == precision


def test_a_resolved_recipe_states_its_precision_and_one_without_has_float16(tiny_recipe):
    table = {"seed": 3, "library": ("builtin:benzene",), "fields": {"maps": False}}
    made = tersgen.resolve(Recipe(**table))
    assert made.document["fields"]["precision"] == "uint8"
    half = tersgen.resolve(Recipe(**{**table, "fields": {"maps": False, "precision": "float16"}}))
    assert "precision" not in half.document["fields"]
    for one in (made, half):
        again = Recipe.model_validate({**one.document, "library": one.library})
        assert again == one
        assert canonical_digest(again.document) == canonical_digest(one.document)
    assert tiny_recipe.fields.precision == "float16"


@pytest.mark.parametrize("precision", ["uint8", "uint12"])
@pytest.mark.parametrize("scale", ["unit", "symmetric"])
def test_values_are_those_of_float32_rounded(tiny_recipe, changed, precision, scale):
    exact = changed(tiny_recipe, fields={"precision": "float32", "scale": scale})
    fixed = changed(exact, fields={"precision": precision})
    whole, rounded = (tersgen.generate(one, 5, 205) for one in (exact, fixed))
    specs = {spec.name: spec for spec in field_table(fixed)}
    for name, values in rounded.items():
        one = specs[name].fixed_point
        assert (one is not None) == (name in ("spectra", "maps"))
        wanted = whole[name]
        if one is not None:
            wanted = one.decoded(one.encoded(wanted, specs[name].dtype))
        np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("scale", ["unit", "symmetric"])
def test_the_stated_error_is_that_of_the_rows(tiny_recipe, changed, scale):
    exact = changed(tiny_recipe, fields={"precision": "float32", "scale": scale})
    fixed = changed(exact, fields={"precision": "uint8"})
    whole, rounded = (tersgen.generate(one, 0, 2000) for one in (exact, fixed))
    found = roundings(field_table(fixed), fixed)
    assert [one.name for one in found] == ["spectra", "maps"]
    for one in found:
        error = rounded[one.name].astype(np.float64) - whole[one.name]
        # rows have values at the ends of the span, which are exact
        assert 0.8 * one.rms < error.std() < 1.01 * one.rms
        assert abs(error.mean()) < 0.01 * one.step
        assert one.shares == pytest.approx((one.rms / one.noise[0], one.rms / one.noise[1]))
        assert one.shares[0] < 1 / 12**0.5  # as the noise is at least one step
    assert roundings(field_table(fixed), None)[0].shares is None
    assert roundings(field_table(exact), exact) == ()
