"""Arithmetic in torch operations against the kernels, bit for bit."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.numeric import elementary
from tersgen.numeric.fma import fma
from tersgen.numeric.half import to_half
from tersgen.random.words import fill_words

torch = pytest.importorskip("torch")
on_torch = pytest.importorskip("tersgen.numeric.on_torch")
random_on_torch = pytest.importorskip("tersgen.random.on_torch")

FLOATS = st.floats(-(2.0**55), 2.0**55, width=32).map(np.float32)


@numba.njit
def by_kernels(x, exp, log, half):
    for k in range(len(x)):
        exp[k] = elementary.exp(x[k])
        log[k] = elementary.minus_two_log(abs(x[k]))
        half[k] = to_half(x[k])


@given(FLOATS, FLOATS, FLOATS, st.integers(-60, 10))
def test_a_fused_product_is_rounded_once(a, b, c, exponent):
    # a product, and one a little above or below the middle between two float32
    for addend in (c, np.float32(-a * b), np.float32(2.0**exponent * a * b)):
        wanted = fma(a, b, addend).tobytes()
        numbers = [torch.tensor([one]) for one in (a, b, addend)]
        assert on_torch.emulated_fma(*numbers).numpy()[0].tobytes() == wanted
        assert on_torch.fma(*numbers).numpy()[0].tobytes() == wanted


def test_rounding_twice_is_noticed(monkeypatch):
    monkeypatch.setattr(torch, "addcmul", lambda c, a, b: a * b + c)
    assert not on_torch.has_fma.__wrapped__(torch.device("cpu"))


def test_elementary_functions():
    rng = np.random.default_rng(3)
    words = rng.integers(0x33000000, 0x42B00000, 50_000, np.uint32)  # 3e-8 to 88
    x = np.concatenate([words.view(np.float32), -words.view(np.float32)])
    exp, log, half = np.empty_like(x), np.empty_like(x), np.empty(len(x), np.uint16)
    by_kernels(x, exp, log, half)
    made = torch.from_numpy(x)
    assert on_torch.exp(made).numpy().tobytes() == exp.tobytes()
    assert on_torch.minus_two_log(made.abs()).numpy().tobytes() == log.tobytes()
    assert made.half().numpy().tobytes() == half.tobytes()


def test_roots_and_quotients_are_rounded():
    x = np.random.default_rng(4).random(20_000) + 1e-9
    for dtype in (np.float32, np.float64):
        some = x.astype(dtype)
        made = torch.from_numpy(some)
        assert on_torch.root(made).numpy().tobytes() == np.sqrt(some).tobytes()
        assert on_torch.quotient(1.0, made, made).numpy().tobytes() == (1.0 / some).tobytes()
        by_three = on_torch.quotient(made, 3.0, made).numpy()
        assert by_three.tobytes() == (some / dtype(3.0)).tobytes()


@given(st.integers(0, 2**53), st.integers(0, 2**32 - 1), st.integers(0, 99))
def test_words(index, seed, block):
    wanted = np.empty(70, np.uint32)
    fill_words(wanted, 0, index, block, seed, 16)
    words = random_on_torch.Words(torch.tensor([index]), block, seed, 16)
    made = words[torch.arange(70, dtype=torch.int32)]
    assert made[0].numpy().view(np.uint32).tolist() == wanted.tolist()
