"""Image dipoles: check values, and what they do to tensors, spectra and maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tersgen
from tersgen.effects.substrate.kernels import image_factor
from tersgen.effects.substrate.settings import Substrate
from tersgen.errors import ConfigError

FIXED = {
    "library": ("builtin:benzene",),
    "geometry": {"orientation": "fixed"},
    "perturbations": {"intensity": 0.0, "mode_shift_cm1": 0.0},
    "fields": {"maps": False, "precision": "float32"},
}


def factor(alpha, distance, contrast):
    out = np.empty((3, 3))
    image_factor(np.asarray(alpha, float), distance, contrast, out)
    return out


@pytest.mark.parametrize(
    ("distance", "contrast", "zz", "xx"),
    [(3.0, 1.115651, 1.115201, 1.054464), (2.5, 1.115651, 1.217292, 1.097999),
     (3.0, 1.0, 1.102041, 1.048544)],
)  # fmt: skip
def test_factors_along_the_axes(distance, contrast, zz, xx):
    found = factor(10.0 * np.eye(3), distance, contrast)
    np.testing.assert_allclose(found, np.diag([xx, xx, zz]), atol=6e-7)


def test_contrast_of_a_metal():
    assert Substrate(permittivity=(-18.28, 0.481)).contrast == pytest.approx(1.115651, abs=5e-7)
    assert Substrate(permittivity=(-1e9, 0.0)).contrast == pytest.approx(1.0)


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.floats(3.0, 9.0))
def test_any_polarizability_against_numpy(numbers, distance):
    alpha = np.zeros((3, 3))
    alpha[np.triu_indices(3)] = numbers
    alpha = alpha + alpha.T
    g = np.diag([1.0, 1.0, 2.0]) / (8 * distance**3)
    np.testing.assert_allclose(
        factor(alpha, distance, 1.0), np.linalg.inv(np.eye(3) - alpha @ g), rtol=1e-12, atol=1e-14
    )


def test_tensors_and_sticks_follow():
    table = {"polarizability_angstrom3": (8.0, 12.0), "distance_angstrom": (2.6, 4.0)}
    plain = tersgen.resolve(tersgen.Recipe(**FIXED))
    near = tersgen.resolve(tersgen.Recipe(**FIXED, substrate=table))
    before, after = (tersgen.generate(one, 0, 200) for one in (plain, near))
    distance, alpha, *diagonal = after["params/substrate"].T.astype(np.float64)
    for drawn, low, high in ((distance, 2.6, 4.0), (alpha, 8.0, 12.0)):
        assert low <= drawn.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < drawn.max() <= high
    for row in range(3):
        f = factor(alpha[row] * np.eye(3), distance[row], near.substrate.contrast)
        np.testing.assert_allclose(np.diag(f), [one[row] for one in diagonal], rtol=1e-6)
        expected = f @ before["tensors"][row].astype(np.float64) @ f.T
        np.testing.assert_allclose(after["tensors"][row], expected, rtol=1e-5, atol=1e-6)
        dim, lit = (block["sticks/intensity"][row] for block in (before, after))
        bright = dim > 1e-4 * dim.max()
        np.testing.assert_allclose(lit[bright], dim[bright] * f[2, 2] ** 4, rtol=1e-4)


@pytest.mark.parametrize("response", ["atoms", "sites"])
def test_a_map_under_a_plane_field_grows_with_zz(response):
    """Only zz is seen by a field along z, so the map is one factor, f_zz^4, brighter."""
    table = {
        **FIXED,
        "map": {"height": 3, "width": 3},
        "library": ["sites:ethylene"],
        "nearfield": {"tip_field": "plane", "response": response},
        "noise": {"map": (0.0, 0.0)},
        "fields": {"spectra": False, "precision": "float32"},
    }
    image = {"polarizability_angstrom3": (10.0, 10.0)}
    plain = tersgen.resolve(tersgen.Recipe(**table))
    near = tersgen.resolve(tersgen.Recipe(**table, substrate=image))
    before, after = (tersgen.generate(one, 0, 2) for one in (plain, near))
    ratio = before["params/map_scale"] / after["params/map_scale"]
    np.testing.assert_allclose(ratio, after["params/substrate"][:, 4] ** 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "expected the static polarizability of benzene"),
        ({"polarizability_angstrom3": (100.0, 100.0)}, "polarize each other without bound"),
        ({"permittivity": (-1.0, 0.0)}, "surface resonance"),
        ({"distance_angstrom": (0.1, 1.0)}, "at least 0.5 Angstrom"),
    ],
)
def test_refusals(changed, said):
    with pytest.raises(ConfigError, match=said):
        tersgen.resolve(tersgen.Recipe(library=("builtin:benzene",), substrate=changed))


def test_no_average_over_orientations():
    with pytest.raises(ConfigError, match="depends on the orientation"):
        tersgen.Recipe(geometry={"orientation": "averaged"}, substrate={})


def test_devices_refuse():
    torch_generator = pytest.importorskip("tersgen.on_torch").TorchGenerator
    table = {"polarizability_angstrom3": (8.0, 8.0)}
    recipe = tersgen.resolve(tersgen.Recipe(**FIXED, substrate=table, plasmon={}))
    with pytest.raises(ConfigError, match="got substrate, plasmon"):
        torch_generator(recipe, "cpu")
