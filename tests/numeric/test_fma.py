"""Fused multiply-add against exact fractions, compiled and in plain Python."""

from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tersgen.numeric.fma import fma

SIZES = st.floats(-(2.0**60), 2.0**60, width=32).filter(lambda x: x == 0 or abs(x) > 1e-18)


@numba.njit
def compiled(a, b, c):
    return fma(a, b, c)


def rounded(exact):
    """The float32 nearest to a fraction, ties to even."""
    guess = np.float32(float(exact))
    near = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    away = [abs(Fraction(float(one)) - exact) for one in near]
    best = [one for one, far in zip(near, away, strict=True) if far == min(away)]
    return next((one for one in best if one.view(np.int32) % 2 == 0), best[0])


@pytest.mark.parametrize("function", [fma, compiled], ids=["python", "compiled"])
@given(SIZES, SIZES, SIZES)
@example(1 + 2**-23, 1 + 2**-23, -1 - 2**-22)  # all that is left is what a product rounds away
@example(2.0**24 + 2, 1 + 2**-23, 2.0**-60)  # a second rounding would be one at a tie
@example(1.5, 2.0, -3.0)
def test_it_is_rounded_once(function, a, b, c):
    a, b, c = np.float32([a, b, c])
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    value = np.float32(function(a, b, c))
    if exact == 0 or abs(exact) > Fraction(2) ** -120:  # subnormal numbers never occur
        assert value == rounded(exact)
