"""Kernels of fixed-point values against NumPy's arithmetic in FixedPoint."""

import numpy as np
import pytest

from tersgen.numeric.fixed import decode_rows, round_values
from tersgen.schema.fixed_point import FixedPoint

KINDS = [(8, "uint8"), (12, "uint16")]


@pytest.mark.parametrize(("bits", "dtype"), KINDS)
@pytest.mark.parametrize("span", [(0.0, 1.0), (-1.0, 1.0)])
def test_rounding(bits, dtype, span):
    one = FixedPoint.of(bits, span)
    values = np.random.default_rng(2).uniform(-1.1, 1.1, 100_003).astype(np.float32)
    values[:5] = [np.nan, np.inf, -np.inf, 0.0, -0.0]
    out = np.empty(values.shape, dtype)
    inverse, shift = np.float32(1 / one.scale), np.float32(one.zero + 0.5)
    round_values(values, inverse, shift, one.missing, out)
    np.testing.assert_array_equal(out, one.encoded(values, dtype))


@pytest.mark.parametrize(("bits", "dtype"), KINDS)
@pytest.mark.parametrize("length", [1, 7, 63, 64, 65, 256, 1000])
def test_rows_are_decoded_to_their_places_and_no_others_change(bits, dtype, length):
    one = FixedPoint.of(bits, (-1.0, 1.0))
    rng = np.random.default_rng(length)
    source = rng.integers(0, 2**bits, (40, length)).astype(dtype)
    target = rng.random((60, length), np.float32)
    take, put = np.sort(rng.choice(40, 25, replace=False)), rng.permutation(60)[:25]
    wanted = target.copy()
    wanted[put] = one.decoded(source[take])
    decode_rows(source, take, target, put, np.float32(one.scale), one.zero, one.missing)
    np.testing.assert_array_equal(target, wanted)
