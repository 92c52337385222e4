"""Near-field kernels against NumPy in float64 and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import cauchy

from tersgen.effects.nearfield import kernels as nearfield
from tersgen.effects.nearfield.kernels import TILE
from tersgen.effects.nearfield.product import multiply_squared, plan_passes
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
    edges = np.array([[low, low + size], [low + size, low + 2 * size], [low, low + 3 * size]])
    found = np.empty(3)
    nearfield.fill_shares(edges, position, fwhm, found)
    expected = np.diff(cauchy.cdf(edges, position, fwhm / 2))[:, 0]
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


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_zeros_are_left_out_and_change_no_bit(groups, blocks, seed):
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(4 * groups, 2 * blocks, 2)).astype(np.float32)
    left[rng.random(left.shape[:2]) < rng.choice([0.0, 0.3, 0.7, 1.0], (4 * groups, 1))] = 0.0
    left = left.reshape(4 * groups, 4 * blocks)
    right = rng.normal(size=left.shape[1] * TILE).astype(np.float32)
    wanted, made = (np.full(len(left) * TILE, np.nan, np.float32) for _ in range(2))
    nearfield.multiply_tile(left, right, wanted)
    nearfield.square_tile(wanted)
    passes = plan_passes(left)
    multiply_squared(passes, right, np.empty(4 * TILE, np.float32), made)
    assert made.tobytes() == wanted.tobytes()
    assert passes.first[-1] <= left.size // 16


def test_modes_of_a_flat_molecule_take_half_of_the_passes():
    left = np.ones((8, 6 * 8), np.float32)
    left[::2].reshape(4, 8, 6)[:, :, 4:] = 0.0  # in the plane
    left[1::2].reshape(4, 8, 6)[:, :, :4] = 0.0  # out of it
    passes = plan_passes(left)
    assert np.diff(passes.first).tolist() == [4, 8]
    assert passes.row.tolist() == [1, 3, 5, 7, 0, 2, 4, 6]


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
