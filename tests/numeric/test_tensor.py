"""Raman tensors: Eqs. (3.1) and (3.2), invariants, rotations and averages over orientations."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from tersgen.numeric.tensor import (
    activity,
    anisotropy_squared,
    asymmetry,
    averaged_intensity,
    depolarization_natural,
    depolarization_plane,
    mean_polarizability,
    quaternion_to_matrix,
    rotate,
    scattered_intensity,
)

SQUARES = arrays(np.float64, (3, 3), elements=st.floats(-10, 10).map(lambda x: round(x, 3)))
TENSORS = SQUARES.map(lambda square: square + square.T)
FEW = settings(max_examples=30, deadline=None)


def symmetric_tensor(seed):
    square = np.random.default_rng(seed).normal(size=(3, 3))
    return square + square.T


def unit(*vector):
    return np.array(vector) / np.linalg.norm(vector)


def matrix_of(quaternion):
    matrix = np.empty((3, 3))
    quaternion_to_matrix(np.asarray(quaternion, np.float64), matrix)
    return matrix


@given(TENSORS)
@FEW
def test_invariants_by_eigenvalues(tensor):
    e = np.linalg.eigvalsh(tensor)
    a = e.sum() / 3
    g2 = ((e[0] - e[1]) ** 2 + (e[1] - e[2]) ** 2 + (e[2] - e[0]) ** 2) / 2
    assert mean_polarizability(tensor) == pytest.approx(a, abs=1e-9)
    assert anisotropy_squared(tensor) == pytest.approx(g2, abs=1e-9)
    assert activity(tensor) == pytest.approx(45 * a**2 + 7 * g2, abs=1e-8)


@given(TENSORS)
@FEW
def test_anisotropy_by_the_trace(tensor):
    """gamma^2 = (3 tr R^2 - (tr R)^2)/2."""
    expected = (3 * np.trace(tensor @ tensor) - np.trace(tensor) ** 2) / 2
    assert anisotropy_squared(tensor) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["isotropic", "traceless", "uniaxial"])
def test_depolarization_of_textbook_cases(kind):
    tensor, plane, natural = {
        "isotropic": (np.eye(3), 0.0, 0.0),
        "traceless": (np.diag([1.0, -1.0, 0.0]), 3 / 4, 6 / 7),
        "uniaxial": (np.diag([0.0, 0.0, 1.0]), 1 / 3, 1 / 2),
    }[kind]
    assert depolarization_plane(tensor) == pytest.approx(plane, abs=1e-15)
    assert depolarization_natural(tensor) == pytest.approx(natural, abs=1e-15)


@given(TENSORS)
@FEW
def test_depolarization_limits(tensor):
    plane, natural = depolarization_plane(tensor), depolarization_natural(tensor)
    assert 0 <= plane <= 0.75 + 1e-15
    assert 0 <= natural <= 6 / 7 + 1e-15
    # natural light is half of each polarization: rho_n = 2 rho_p / (1 + rho_p)
    assert natural == pytest.approx(2 * plane / (1 + plane), abs=1e-12)


def test_a_dark_tensor():
    dark = np.zeros((3, 3))
    assert activity(dark) == depolarization_plane(dark) == depolarization_natural(dark) == 0


@given(TENSORS, st.integers(0, 2**32))
@FEW
def test_invariants_do_not_turn(tensor, seed):
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    turned = turn @ tensor @ turn.T
    scale = 1 + np.abs(tensor).max() ** 2
    for invariant in (mean_polarizability, anisotropy_squared, activity):
        assert invariant(turned) == pytest.approx(invariant(tensor), abs=1e-11 * scale)


@given(SQUARES, st.integers(0, 2**32))
@FEW
def test_intensity(tensor, seed):
    incident, scattered = np.random.default_rng(seed).normal(size=(2, 3))
    expected = np.einsum("i,ij,j->", scattered, tensor, incident) ** 2
    assert scattered_intensity(tensor, incident, scattered) == pytest.approx(expected, abs=1e-9)


@given(SQUARES)
@FEW
def test_asymmetry(tensor):
    expected = np.linalg.norm(tensor - tensor.T, "fro") ** 2
    assert asymmetry(tensor) == pytest.approx(expected, abs=1e-9)


def test_asymmetry_of_a_symmetric_tensor_is_zero():
    assert asymmetry(symmetric_tensor(1)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_matrix_of_a_quaternion(seed):
    w, x, y, z = unit(*np.random.default_rng(seed).normal(size=4))
    expected = Rotation.from_quat([x, y, z, w]).as_matrix()
    np.testing.assert_allclose(matrix_of([w, x, y, z]), expected, atol=1e-14)


def test_identity_quaternion_is_exactly_the_identity():
    assert np.array_equal(matrix_of([1, 0, 0, 0]), np.eye(3))


@given(TENSORS, st.integers(0, 2**32))
@FEW
def test_rotation_of_a_tensor(tensor, seed):
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    out = np.empty((3, 3))
    rotate(tensor, turn, out)
    np.testing.assert_allclose(out, turn @ tensor @ turn.T, rtol=0, atol=1e-12)
    assert np.array_equal(out, out.T)


@numba.njit
def intensities(tensor, quaternions, incident, scattered, out):
    matrix, turned = np.empty((3, 3)), np.empty((3, 3))
    for k in range(len(quaternions)):
        quaternion_to_matrix(quaternions[k], matrix)
        rotate(tensor, matrix, turned)
        out[k] = scattered_intensity(turned, incident, scattered)


def monte_carlo(tensor, incident, scattered, n=200_000):
    """Return mean intensity and its standard error over uniformly random rotations."""
    quaternions = np.random.default_rng(12).normal(size=(n, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    out = np.empty(n)
    intensities(tensor, quaternions, incident, scattered, out)
    return out.mean(), out.std() / np.sqrt(n)


Z, X, SKEW = unit(0, 0, 1), unit(1, 0, 0), unit(1, 2, -0.5)


@pytest.mark.parametrize("seed", range(3))
def test_average_over_orientations(seed):
    tensor = symmetric_tensor(seed)
    a, g2 = mean_polarizability(tensor), anisotropy_squared(tensor)
    parallel, crossed = (45 * a**2 + 4 * g2) / 45, g2 / 15
    assert averaged_intensity(tensor, Z, Z) == pytest.approx(parallel, rel=1e-13)
    assert averaged_intensity(tensor, X, Z) == pytest.approx(crossed, rel=1e-13)
    for incident, scattered in [(Z, Z), (X, Z), (Z, SKEW)]:
        mean, error = monte_carlo(tensor, incident, scattered)
        expected = averaged_intensity(tensor, incident, scattered)
        assert error < 0.005 * expected
        assert mean == pytest.approx(expected, abs=4 * error)
