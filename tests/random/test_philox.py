"""Philox4x32-10 against its published known answers, and the uniforms made from its words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tersgen.random import streams
from tersgen.random.philox import between, philox, uniform

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_known_answers(counter, key, words):
    draw, index_low, index_high, block = (int(word, 16) for word in counter.split())
    seed, stream = (int(word, 16) for word in key.split())
    index = np.uint64(index_high << 32 | index_low)
    drawn = philox(draw, index, block, seed, stream)
    assert [f"{word:08x}" for word in drawn] == words.split()


def python_philox(counter, key):
    """Return Philox4x32-10 in Python's unbounded integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & ONES, (p0 >> 32) ^ c[3] ^ k[1], p0 & ONES]
        k = [(k[0] + 0x9E3779B9) & ONES, (k[1] + 0xBB67AE85) & ONES]
    return tuple(c)


WORD = st.integers(0, ONES)


@given(WORD, st.integers(0, 2**63 - 1), WORD, WORD, WORD)
@settings(max_examples=30, deadline=None)
def test_any_counter_and_key(draw, index, block, seed, stream):
    expected = python_philox((draw, index & ONES, index >> 32, block), (seed, stream))
    assert philox(draw, index, block, seed, stream) == expected


@pytest.mark.parametrize(
    ("word", "value"),
    [(0, 0.0), (255, 0.0), (256, 2.0**-24), (2**31, 0.5), (ONES, 1.0 - 2.0**-24)],
)
def test_uniform(word, value):
    assert uniform(np.uint32(word)) == value


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 5.0), (0.8, 1.25), (2.0, 2.0)])
def test_between(low, high):
    span = high - low
    assert between(low, high, np.uint32(0)) == low
    assert between(low, high, np.uint32(2**31)) == low + 0.5 * span
    last = between(low, high, np.uint32(ONES))
    assert last == low + span * (1.0 - 2.0**-24)
    assert last < high or span == 0.0


def test_no_two_effects_share_a_stream():
    numbers = [value for name, value in vars(streams).items() if name.isupper()]
    assert len(numbers) >= 18
    assert len(set(numbers)) == len(numbers)
