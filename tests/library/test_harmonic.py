"""Normal modes and tensors against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.harmonic import (
    atom_tensors,
    build_modes,
    is_linear,
    normal_modes,
    rigid_motions,
    round_to,
)


def random_rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


@given(st.integers(0, 2**32 - 1))
def test_linear_triatomic_in_any_frame_has_the_frequencies_of_herzberg(triatomic, seed):
    model = triatomic
    turn = random_rotation(seed)
    big = np.kron(np.eye(3), turn)
    modes = normal_modes(
        big @ model.hessian() @ big.T,
        model.masses,
        model.coordinates() @ turn.T + np.array([3.0, -1.0, 7.0]),
    )
    assert modes.n_imaginary == 0
    np.testing.assert_allclose(modes.frequencies_cm1, model.frequencies_cm1(), rtol=1e-9)


def test_linear_triatomic_scatters_only_in_the_symmetric_stretch(triatomic):
    modes = normal_modes(triatomic.hessian(), triatomic.masses, triatomic.coordinates())
    shares = atom_tensors(modes.displacements, triatomic.polarizability_derivatives())
    total = shares.sum(axis=1)
    symmetric = int(np.abs(total).max(axis=(1, 2)).argmax())
    np.testing.assert_allclose(
        np.abs(total[symmetric]), triatomic.symmetric_tensor(), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(np.delete(total, symmetric, axis=0), 0.0, atol=1e-12)
    # The silent modes still have atoms that scatter: what a tip sees.
    assert np.abs(np.delete(shares, symmetric, axis=0)).max() > 0.05
    assert (shares == shares.swapaxes(-1, -2)).all()


def test_diatomic_has_one_mode_of_the_reduced_mass():
    k, masses = 0.37, np.array([1.00782503, 34.96885268])
    axis = np.array([0.6, 0.0, 0.8])
    one = k * np.outer(axis, axis)
    hessian = np.block([[one, -one], [-one, one]])
    modes = normal_modes(hessian, masses, np.array([0.0 * axis, 2.4 * axis]))
    reduced = masses.prod() / masses.sum()
    expected = np.sqrt(k / reduced / 1822.888486209) * 219474.6313632
    np.testing.assert_allclose(modes.frequencies_cm1, [expected], rtol=1e-12)
    assert (modes.displacements**2 * masses[:, None]).sum() == pytest.approx(1.0)


@given(st.integers(0, 2**32 - 1), st.integers(3, 7))
def test_modes_are_orthonormal_and_free_of_rigid_motions(seed, n_atoms):
    rng = np.random.default_rng(seed)
    coordinates = rng.normal(size=(n_atoms, 3))
    masses = rng.uniform(1.0, 40.0, n_atoms)
    root = rng.normal(size=(3 * n_atoms, 3 * n_atoms))
    modes = normal_modes(root @ root.T, masses, coordinates)
    weighted = (modes.displacements * np.sqrt(masses)[None, :, None]).reshape(-1, 3 * n_atoms)
    assert len(weighted) == 3 * n_atoms - 6
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(len(weighted)), atol=1e-9)
    np.testing.assert_allclose(weighted @ rigid_motions(coordinates, masses).T, 0.0, atol=1e-9)


def test_imaginary_modes_are_left_out_and_counted(triatomic):
    hessian = triatomic.hessian()
    modes = normal_modes(-hessian, triatomic.masses, triatomic.coordinates())
    assert modes.n_imaginary == 4
    assert len(modes.frequencies_cm1) == 0


def test_linearity_bears_the_noise_of_an_optimisation(triatomic):
    coordinates = triatomic.coordinates()
    coordinates[1, 0] += 1e-4
    assert is_linear(coordinates, triatomic.masses)
    coordinates[1, 0] += 0.1
    assert not is_linear(coordinates, triatomic.masses)


@pytest.mark.parametrize(
    ("hessian", "masses", "coordinates", "message"),
    [
        (np.eye(3), [1.0], np.zeros((1, 3)), "has no modes"),
        (np.eye(5), [1.0, 2.0], np.zeros((2, 3)), "expected a Hessian of 6 x 6"),
        (np.eye(6), [1.0, -2.0], np.zeros((2, 3)), "positive masses"),
        (np.full((6, 6), np.nan), [1.0, 2.0], np.zeros((2, 3)), "finite"),
    ],
)
def test_unusable_input_is_one_line(hessian, masses, coordinates, message):
    with pytest.raises(LibraryError, match=message) as caught:
        normal_modes(hessian, np.array(masses), coordinates)
    assert "\n" not in str(caught.value)


def test_built_modes_are_sorted_rounded_and_add_up():
    rng = np.random.default_rng(5)
    shares = rng.normal(size=(3, 4, 3, 3))
    shares = shares + shares.swapaxes(-1, -2)
    modes = build_modes(np.array([300.0, 100.0, 200.123456789]), shares, ["c", "a", "b"], digits=6)
    assert [mode.irrep for mode in modes] == ["a", "b", "c"]
    assert modes[1].frequency_cm1 == 200.123
    for mode in modes:
        total = np.array(mode.atom_tensors).sum(axis=0)
        np.testing.assert_allclose(total, mode.tensor, atol=1e-12)
        assert (np.array(mode.tensor) == np.array(mode.tensor).T).all()


def test_not_finite_tensors_are_refused():
    with pytest.raises(LibraryError, match="finite"):
        build_modes(np.array([1.0]), np.full((1, 1, 3, 3), np.inf))


def test_rounding_counts_digits_of_the_largest_and_leaves_no_negative_zero():
    rounded = round_to(np.array([123.456, -0.04, 0.06]), 4)
    assert rounded.tolist() == [123.5, 0.0, 0.1]
    assert not np.signbit(rounded).any()
    assert round_to(np.zeros(2), 4).tolist() == [0.0, 0.0]
