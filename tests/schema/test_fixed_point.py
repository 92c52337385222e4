"""Integers with a scale: what they stand for, and that nothing else reads them differently."""

import numpy as np
import pytest
from pydantic import ValidationError

from tersgen.schema.fields import FieldSpec
from tersgen.schema.fixed_point import FixedPoint

KINDS = [(8, "uint8"), (12, "uint16")]
SPANS = [(0.0, 1.0), (-1.0, 1.0)]


@pytest.mark.parametrize(("bits", "dtype"), KINDS)
@pytest.mark.parametrize("span", SPANS)
def test_every_integer_is_decoded_and_encoded_again(bits, dtype, span):
    one = FixedPoint.of(bits, span)
    stored = np.arange(2**bits).astype(dtype)
    values = one.decoded(stored)
    assert values.dtype == np.float32
    assert np.array_equal(one.encoded(values, dtype), stored)
    assert (values[0], values[one.zero], values[one.missing - 1]) == (span[0], 0.0, span[1])
    assert np.isnan(values[one.missing])
    assert np.isfinite(values[: one.missing]).all()


@pytest.mark.parametrize(("bits", "dtype"), KINDS)
@pytest.mark.parametrize("span", SPANS)
def test_decoding_by_the_cf_conventions_gives_the_same_bits(bits, dtype, span):
    one = FixedPoint.of(bits, span)
    stored = np.arange(one.missing).astype(dtype)
    by_cf = stored * np.float64(one.attributes["scale_factor"]) + one.attributes["add_offset"]
    assert np.array_equal(by_cf.astype(np.float32), one.decoded(stored))


@pytest.mark.parametrize(("bits", "dtype"), KINDS)
@pytest.mark.parametrize("span", SPANS)
def test_values_go_to_the_nearest_and_those_outside_to_the_ends(bits, dtype, span):
    one = FixedPoint.of(bits, span)
    values = np.random.default_rng(1).uniform(*span, 100_000).astype(np.float32)
    error = one.decoded(one.encoded(values, dtype)) - values
    assert np.abs(error).max() <= one.scale / 2 * (1 + 1e-3)
    assert error.std() == pytest.approx(one.scale / 12**0.5, rel=0.02)
    outside = np.array([-9, 9, np.nan, np.inf, -np.inf], np.float32)
    got = one.decoded(one.encoded(outside, dtype))
    np.testing.assert_array_equal(got, [span[0], span[1], np.nan, span[1], span[0]])


@pytest.mark.parametrize(
    ("dtype", "fixed_point"),
    [
        ("uint8", None),
        ("float16", FixedPoint.of(8, (0.0, 1.0))),
        ("uint8", FixedPoint.of(12, (0.0, 1.0))),
    ],
)
def test_only_integers_with_a_scale_that_fits_are_fixed_point(dtype, fixed_point):
    with pytest.raises(ValidationError, match=f"expected fixed_point with uint8.* got {dtype}"):
        FieldSpec(
            name="spectra",
            dims=("raman_shift",),
            shape=(4,),
            dtype=dtype,
            unit="1",
            description="",
            fixed_point=fixed_point,
        )
