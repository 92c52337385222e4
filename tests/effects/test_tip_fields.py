"""Fields of dipole tips and on grids: Maxwell's equations, formulas, and maps made with them."""

import numpy as np
import pytest

import tersgen
from tersgen.effects.nearfield.dipole import fill_dipole_features, fill_direction
from tersgen.effects.nearfield.gridfield import fill_grid_features, grid_field
from tersgen.effects.nearfield.kernels import TILE
from tersgen.errors import ConfigError, LibraryError, TersWarning
from tersgen.library.nearfield import dipole_field, dipole_potential, near_field_intensities
from tersgen.schema.tipfield import TipField
from tersgen.tipfield.analytic import sphere_field, spheroid_apex_factor
from tersgen.tipfield.file import npz_bytes

UP = np.array([0.0, 0.0, 1.0])
SILVER = -18.28 + 0.481j
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


# ---- formulas


def test_a_sphere_on_its_axis():
    d = np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 10.0]])
    found = np.abs(sphere_field(d, 5.0, SILVER)[:, 2])
    assert found == pytest.approx([3.368247, 1.296029], abs=6e-7)


@pytest.mark.parametrize(("aspect", "factor"), [(2, 7.7887), (3, 16.6669), (5, 226.2634)])
def test_a_spheroid_at_its_apex(aspect, factor):
    assert abs(spheroid_apex_factor(aspect, SILVER)) == pytest.approx(factor, abs=5e-5)


def test_a_sphere_is_a_dipole_in_its_field():
    rng = np.random.default_rng(1)
    d = rng.normal(size=(20, 3)) * 9 + np.array([0, 0, 15.0])
    beta = (4.0 - 1) / (4.0 + 2)
    moment = np.array([0.0, 0.0, beta * 5.0**3])
    expected = dipole_field(d, moment) + UP
    np.testing.assert_allclose(sphere_field(d, 5.0, 4.0), expected, rtol=1e-12)


def test_divergence_and_curl_of_a_dipole_vanish():
    rng = np.random.default_rng(2)
    d, moment, h = rng.normal(size=(50, 3)) + 5.0 * UP, np.array([0.3, -0.2, 0.9]), 1e-4
    # jacobian[:, a, b] = dE_a/dr_b
    steps = h * np.eye(3)
    jacobian = np.stack(
        [(dipole_field(d + one, moment) - dipole_field(d - one, moment)) / (2 * h)
         for one in steps], axis=2,
    )  # fmt: skip
    size = np.abs(jacobian).max()
    assert np.abs(np.trace(jacobian, axis1=1, axis2=2)).max() < 1e-7 * size
    assert np.abs(jacobian - jacobian.swapaxes(1, 2)).max() < 1e-7 * size
    slope = [(dipole_potential(d + one, moment) - dipole_potential(d - one, moment)) / (2 * h)
             for one in steps]  # fmt: skip
    np.testing.assert_allclose(-np.stack(slope, 1), dipole_field(d, moment), rtol=1e-5, atol=1e-9)


def test_directions():
    out = np.empty(3)
    for tilt, azimuth in ((0, 0), (30, 0), (45, 90), (60, 200), (90, 360)):
        fill_direction(tilt, azimuth, out)
        t, a = np.radians([tilt, azimuth])
        expected = [np.sin(t) * np.cos(a), np.sin(t) * np.sin(a), np.cos(t)]
        np.testing.assert_allclose(out, expected, atol=3e-7)


# ---- kernels


def places(seed=3):
    rng = np.random.default_rng(seed)
    atoms = rng.uniform(-2, 2, (5, 3)).astype(np.float32)
    tips = rng.uniform(-5, 5, (2, TILE)).astype(np.float32)
    return atoms, tips, 4.5


def test_features_of_a_dipole():
    atoms, tips, tip_z = places()
    moment = np.array([10.0, -20.0, 60.0])
    features = np.empty(6 * 5 * TILE, np.float32)
    fill_dipole_features(features, atoms, *tips, tip_z, moment)
    tip = np.column_stack([*tips, np.full(TILE, tip_z)]).astype(np.float64)
    field = dipole_field(atoms[:, None].astype(np.float64) - tip, moment)
    expected = np.stack([field[..., a] * field[..., b] for a, b in PAIRS], axis=1)
    np.testing.assert_allclose(features.reshape(5, 6, TILE), expected, rtol=2e-5, atol=1e-6)


def sampled(function, step=0.5, scattered=None, **tip):
    axes = [np.arange(-8, 8 + step / 2, step), np.arange(-8, 8 + step / 2, step),
            np.arange(-9, 0 + step / 2, step)]  # fmt: skip
    d = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    fields = [np.moveaxis(one(d), -1, 0) for one in (function, scattered) if one is not None]
    return TipField(*axes, *fields, **tip)


def random_field(seed):
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(3, 3)) * 0.3
    phase, weight = rng.normal(size=3), rng.normal(size=3)
    return lambda d: weight * np.exp(1j * (d @ waves.T + phase))


def test_features_of_a_grid():
    """Against trilinear values and products in complex128."""
    from scipy.interpolate import RegularGridInterpolator

    atoms, tips, tip_z = places()
    field = sampled(random_field(1), 1.0, random_field(2), tip=(0.1, -0.2, 0.0))
    real, imaginary = (np.empty(6 * 5 * TILE, np.float32) for _ in range(2))
    fill_grid_features(real, imaginary, atoms, *tips, tip_z, grid_field(field))
    tip = np.column_stack([*tips, np.full(TILE, tip_z)]).astype(np.float64)
    at = atoms[:, None].astype(np.float64) - tip + field.tip
    values = []
    for one in (field.e_in, field.e_out):
        scaled = np.moveaxis(one, 0, -1) / np.linalg.norm(one, axis=0).max()
        values.append(RegularGridInterpolator(field.axes, scaled)(at))
    e_in, e_out = values
    expected = np.stack(
        [(e_out[..., a] * e_in[..., b] + e_out[..., b] * e_in[..., a]) / 2 for a, b in PAIRS], 1
    )
    np.testing.assert_allclose(real.reshape(5, 6, TILE), expected.real, atol=2e-6)
    np.testing.assert_allclose(imaginary.reshape(5, 6, TILE), expected.imag, atol=2e-6)


# ---- maps


def recipe(field=None, **near):
    table = {"frame_angstrom": (6.0, 6.0), "height_angstrom": (3.0, 3.0), **near}
    if field is not None:
        table["tip_field"], table["grid_field"] = "grid", field
    return tersgen.resolve(
        tersgen.Recipe(
            library=("builtin:ethylene", "builtin:water"),
            map={"height": 9, "width": 7, "background": (0.0, 0.0), "amplitude": (1.0, 1.0)},
            nearfield={"bands": ((0.0, 1e5),), **table},
            geometry={"detection": "activity"},
            perturbations={"intensity": 0.0, "mode_shift_cm1": 0.0},
            noise={"spectrum": (0.0, 0.0), "map": (0.0, 0.0)},
            fields={"spectra": False, "sticks": False, "tensors": False, "precision": "float32"},
        )
    )


def maps(field=None, **near):
    return tersgen.generate(recipe(field, **near), 0, 6)["maps"]


def plane(d):
    return np.zeros_like(d) + UP


def gaussian(d):
    size = np.exp(-4 * np.log(2) * (d[..., :2] ** 2).sum(axis=-1) / 25.0)
    return size[..., None] * [0.0, 0.0, 1.0]


def test_a_constant_grid_is_a_plane_field():
    expected = maps(tip_field="plane")
    np.testing.assert_allclose(maps(sampled(plane)), expected, rtol=0, atol=2e-6)
    turned = sampled(lambda d: plane(d) * np.exp(0.7j))
    np.testing.assert_allclose(maps(turned), expected, rtol=0, atol=2e-6)


def test_the_error_of_a_grid_falls_as_the_square_of_its_step():
    def intensities(*field, **near):
        block = tersgen.generate(recipe(*field, **near), 0, 60)
        return block["maps"] / block["params/map_scale"][:, None, None, None]

    expected = intensities(tip_field="gaussian_z")
    errors = [np.std(intensities(sampled(gaussian, step)) - expected) for step in (0.5, 0.25)]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.3)


def test_the_unit_of_a_field_does_not_matter():
    field = sampled(gaussian)
    expected = maps(field)
    for factor in (1e-25, 1e25):
        other = TipField(*field.axes, field.e_in * factor)
        np.testing.assert_allclose(maps(other), expected, rtol=0, atol=2e-6)


def test_reciprocity_and_phase_leave_a_map():
    one, other = random_field(4), random_field(5)
    found = maps(sampled(one, scattered=other))
    np.testing.assert_allclose(maps(sampled(other, scattered=one)), found, atol=2e-6)
    conjugate = sampled(lambda d: one(d).conj(), scattered=lambda d: other(d).conj())
    np.testing.assert_allclose(maps(conjugate), found, atol=2e-6)
    assert np.abs(maps(sampled(one)) - found).max() > 0.05


def test_maps_of_a_dipole_on_a_grid_and_by_formula():
    grid = maps(sampled(lambda d: dipole_field(d - [0, 0, 2.0], np.array([0, 0, 1.0])), 0.125))
    np.testing.assert_allclose(grid, maps(tip_field="dipole"), atol=5e-3)


def test_a_tilted_dipole_against_float64():
    made = recipe(tip_field="dipole", apex_radius_angstrom=(1.0, 3.0), dipole_tilt_deg=(20, 60))
    block = tersgen.generate(made, 0, 40)
    direction, radius = block["params/tip_dipole"], block["params/tip_radius"]
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1, rtol=1e-6)
    tilt = np.degrees(np.arccos(direction[:, 2]))
    assert 20 <= tilt.min() < 26
    assert 54 < tilt.max() <= 60.001
    assert 1 <= radius.min() < 1.3
    assert 2.7 < radius.max() <= 3
    assert np.ptp(np.arctan2(direction[:, 1], direction[:, 0])) > 4
    assert "params/tip_width" not in block  # a dipole has no width of its own
    row = 2
    species = made.species[block["label"][row]]
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_quat(np.roll(block["params/orientation"][row], -1)).as_matrix()
    atoms = np.array([atom.position for atom in species.atoms])
    top = ((atoms - atoms.mean(axis=0)) @ turn.T)[:, 2].max()
    x, y = (((np.arange(n) + 0.5) / n - 0.5) * 6.0 for n in (9, 7))
    z = top + 3.0 + float(radius[row])
    image = [
        [near_field_intensities(species, (a, b, z), turn, "dipole", moment=direction[row]).sum()
         for b in y] for a in x
    ]  # fmt: skip
    # tails of the bands reach below 0
    np.testing.assert_allclose(block["maps"][row, 0], image / np.max(image), atol=0.01)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"dipole_tilt_deg": (0, 40)}, "dipole_tilt_deg"),
        ({"apex_radius_angstrom": (5, 5)}, "apex_radius_angstrom"),
        ({"tip_field": "dipole", "aspect": (2, 1, 1)}, "aspect"),
        ({"tip_field": "dipole", "dipole_azimuth_deg": (90, 90)}, "dipole_azimuth_deg"),
    ],
)
def test_settings_of_another_field_cause_a_warning(settings, name):
    with pytest.warns(TersWarning, match=f"no effect: nearfield.{name} with "):
        tersgen.resolve(tersgen.Recipe(library=["builtin:water"], nearfield=settings))


def test_fields_that_do_not_fit(tmp_path):
    with pytest.raises(ConfigError, match="along x from the apex, as far as frame"):
        recipe(sampled(plane), frame_angstrom=(18.0, 18.0))
    with pytest.raises(ConfigError, match=r'expected a file with tip_field = "grid"'):
        tersgen.Recipe(nearfield={"tip_field": "grid"})
    with pytest.raises(ConfigError, match="got no such file"):
        recipe(str(tmp_path / "none.npz"))
    path = tmp_path / "uneven.npz"
    np.savez(path, x=[0, 1, 3], y=[0, 1], z=[0, 1], E_in=np.ones((3, 3, 2, 2)))
    with pytest.raises(ConfigError, match="rising positions at equal distances"):
        recipe(str(path))


@pytest.mark.parametrize("others", [("crystals",), ("crystals", "builtin:benzene")])
def test_a_species_without_atoms_is_named(others):
    made = recipe(sampled(plane)).model_copy(update={"library": others})
    with pytest.raises(LibraryError, match="anatase: expected atom positions"):
        tersgen.generate(made, 0, 1)


def test_a_dataset_holds_its_field(tmp_path):
    """Built from a file, extended and repaired without it; rows are those of the recipe."""
    path = tmp_path / "tip.npz"
    path.write_bytes(npz_bytes(sampled(gaussian)))
    made = recipe(str(path))
    assert made.tip_field == sampled(gaussian)
    tersgen.save_recipe(made, tmp_path / "recipe.json")
    data = tmp_path / "data.zarr"
    tersgen.build(made, 6, data)
    path.unlink()
    assert tersgen.resolve(tersgen.load_recipe(tmp_path / "recipe.json")) == made
    ds = tersgen.open(data)
    assert ds.recipe == made
    assert np.array_equal(ds["maps"][:], tersgen.generate(made, 0, 6)["maps"])
    tersgen.extend(data, 2)
    whole = tersgen.open(data)
    assert np.array_equal(whole["maps"][6:], tersgen.generate(made, 6, 8)["maps"])
    (data / "tip_field.npz").write_bytes(b"damage")
    assert any("tip_field" in str(fault) for fault in tersgen.verify(data).faults)
    tersgen.repair(data)
    assert tersgen.verify(data).sound
