"""Near-field kernels against NumPy in float64 and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import cauchy

from tersgen.effects.nearfield import kernels as nearfield
from tersgen.effects.nearfield.kernels import TILE
from tersgen.numeric.elementary import arctan
from tersgen.numeric.tensor import multiply_quaternions

WIDTH = np.array([5.0, 3.0, 6.0])
TIP_Z = 2.5


@given(st.floats(-1e12, 1e12))
def test_arctan(x):
    assert arctan(x) == pytest.approx(np.arctan(x), rel=4e-16, abs=0)


@pytest.mark.parametrize("x", [0.0, 0.66, 0.66000001, 2.414213562373095, 2.5, 1e300, 5e-324])
def test_arctan_where_its_pieces_meet(x):
    assert arctan(x) == pytest.approx(np.arctan(x), rel=4e-16, abs=0)
    assert arctan(-x) == -arctan(x)


@given(st.floats(0, 4000), st.floats(1, 500), st.floats(10, 4000), st.floats(1, 50))
def test_the_share_of_a_lorentzian(low, size, position, fwhm):
    expected = cauchy.cdf(low + size, position, fwhm / 2) - cauchy.cdf(low, position, fwhm / 2)
    found = nearfield.lorentzian_share(low, low + size, position, fwhm)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_quaternions_multiply_as_rotations():
    rng = np.random.default_rng(1)
    first, second = Rotation.random(2, rng=rng)
    left, right = (np.roll(one.as_quat(), 1) for one in (first, second))
    out = np.empty(4)
    multiply_quaternions(left, right, out)
    expected = (first * second).as_matrix()
    np.testing.assert_allclose(Rotation.from_quat(np.roll(out, -1)).as_matrix(), expected)


@pytest.mark.parametrize(("rows", "inner"), [(4, 4), (8, 120), (56, 12)])
def test_products_of_tiles(rows, inner):
    rng = np.random.default_rng(2)
    left = rng.normal(size=(rows, inner)).astype(np.float32)
    right = rng.normal(size=(inner, TILE)).astype(np.float32)
    out = np.full(rows * TILE, np.nan, np.float32)
    nearfield.multiply_tile(left, right.ravel(), out)
    expected = left.astype(np.float64) @ right
    np.testing.assert_allclose(out.reshape(rows, TILE), expected, rtol=0, atol=2e-6 * inner)


def fields(atoms, tips, kind):
    """Return E at each atom for each tip in float64, shape (tips, atoms, 3)."""
    d = atoms[None] - tips[:, None]
    exponents = 4 * np.log(2) * (d / WIDTH) ** 2
    if kind == nearfield.RADIAL:
        length = np.linalg.norm(d, axis=-1, keepdims=True)
        return np.exp(-exponents.sum(axis=-1, keepdims=True)) * d / length
    local = np.zeros_like(d)
    local[..., 2] = 1.0
    if kind == nearfield.GAUSSIAN_Z:
        local[..., 2] = np.exp(-exponents[..., :2].sum(axis=-1))
    return local


@pytest.mark.parametrize("kind", [nearfield.PLANE, nearfield.GAUSSIAN_Z, nearfield.RADIAL])
def test_amplitudes_are_the_sum_over_atoms(kind):
    rng = np.random.default_rng(3)
    n_atoms, n_modes = 5, 8
    atoms = rng.uniform(-2, 2, (n_atoms, 3)).astype(np.float32)
    tips = np.column_stack([rng.uniform(-6, 6, (TILE, 2)), np.full(TILE, TIP_Z)])
    tensors = rng.normal(size=(n_modes, n_atoms, 3, 3))
    tensors = tensors + tensors.swapaxes(-1, -2)
    n_features = nearfield.n_features(n_atoms, kind)
    features = np.zeros(nearfield.padded(n_features) * TILE, np.float32)
    tip_x, tip_y = (tips[:, k].astype(np.float32) for k in (0, 1))
    nearfield.fill_features(features, atoms, tip_x, tip_y, TIP_Z, WIDTH, kind)
    left = np.zeros((n_modes, nearfield.padded(n_features)), np.float32)
    for m in range(n_modes):
        for i in range(n_atoms):
            nearfield.fill_tensor_row(left[m], i, tensors[m, i], kind)
    out = np.empty(n_modes * TILE, np.float32)
    nearfield.multiply_tile(left, features, out)
    local = fields(atoms.astype(np.float64), tips, kind)
    expected = np.einsum("pia,miab,pib->mp", local, tensors, local)
    np.testing.assert_allclose(out.reshape(n_modes, TILE), expected, rtol=0, atol=2e-5)
    nearfield.square_tile(out)
    np.testing.assert_allclose(out.reshape(n_modes, TILE), expected**2, rtol=2e-5, atol=1e-4)


def test_squares_are_never_subnormal():
    values = np.array([1e-15, 9e-16, -9e-16, -2.0, 1e-30, 0.0], np.float32)
    nearfield.square_tile(values)
    assert values.tolist()[1:] == [0.0, 0.0, 4.0, 0.0, 0.0]
    assert values[0] > np.finfo(np.float32).tiny or values[0] == 0.0
