"""Near-field maps of a response at sites, against float64 over their own stored parameters."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import tersgen
from tersgen.effects.nearfield.fields import field_at
from tersgen.effects.nearfield.kernels import DIPOLE, GAUSSIAN_Z, PLANE, RADIAL
from tersgen.effects.nearfield.sites import bent, fill_taps, node_axis, unbent
from tersgen.errors import ConfigError, LibraryError
from tersgen.library.builtin import load_builtin
from tersgen.library.nearfield import atom_positions, dipole_field
from tersgen.library.sites import packed, site_amplitudes
from tersgen.schema.library import Library

LN2 = np.log(2.0)


@pytest.fixture(scope="module")
def species():
    """Formaldehyde with two more sites and a response drawn at random."""
    generator = np.random.default_rng(5)
    one = load_builtin("formaldehyde")
    places = np.concatenate([atom_positions(one), generator.normal(size=(2, 3)) * 0.5])
    matrices = packed(generator.normal(size=(len(one.modes), 18, 18))).astype(np.float32).tolist()
    modes = [
        mode.model_copy(update={"site_response": tuple(row)})
        for mode, row in zip(one.modes, matrices, strict=True)
    ]
    sites = tuple(map(tuple, places.tolist()))
    return one.model_copy(update={"modes": tuple(modes), "sites": sites})


def test_fields_on_a_grid_are_refused():
    with pytest.raises(ConfigError, match='expected "atoms" with tip_field = "grid"'):
        tersgen.Recipe(nearfield={"response": "sites", "tip_field": "grid", "grid_field": "a.npz"})


def recipe_of(species, size, **near):
    """Return a recipe of noiseless maps whose values are intensities times their scale."""
    return tersgen.Recipe(
        library=Library([species]),
        seed=3,
        geometry={"detection": "activity"},
        map={"height": size[0], "width": size[1], "background": (0.0, 0.0)},
        nearfield={
            "response": "sites",
            "orientation": "tilted",
            "width_angstrom": (4.0, 6.0),
            "aspect": (1.0, 1.3, 0.9),
            "height_angstrom": (2.5, 4.0),
            "apex_angstrom": 1.0,
            "frame_angstrom": (8.0, 9.0),
            "bands": ((0.0, 1e5),),
            **near,
        },
        noise={"spectrum": (0.0, 0.0), "map": (0.0, 0.0)},
        perturbations={"mode_shift_cm1": 0.0, "intensity": 0.0},
        fields={"precision": "float32"},
    )


def field_of(kind, width):
    """Return the field at points from the tip, shape (n, 3)."""

    def field(away):
        if kind == "dipole":
            return dipole_field(away, np.array([0.0, 0.0, 1.0]))
        exponents = 4 * LN2 * (away / width) ** 2
        if kind == "radial":
            size = np.exp(-exponents.sum(axis=1)) / np.linalg.norm(away, axis=1)
            return size[:, None] * away
        local = np.zeros_like(away)
        local[:, 2] = 1.0 if kind == "plane" else np.exp(-exponents[:, :2].sum(axis=1))
        return local

    return field


def expected(recipe, block, row):
    """Return the sum over modes of squared amplitudes at each pixel."""
    (species,) = recipe.library
    near = recipe.nearfield
    turn = Rotation.from_quat(np.roll(block["params/orientation"][row], -1)).as_matrix()
    middle = atom_positions(species).mean(axis=0)
    top = ((atom_positions(species) - middle) @ turn.T)[:, 2].max()
    above = top + block["params/tip_height"][row]
    width = block.get("params/tip_width", np.ones(row + 1))[row] * np.array(near.aspect)
    if near.tip_field == "dipole":
        above += block["params/tip_radius"][row]
    local = field_of(near.tip_field, width)
    axes = [
        ((np.arange(n) + 0.5) / n - 0.5) * extent + apex
        for n, extent, apex in zip(
            (recipe.map.height, recipe.map.width), near.frame_angstrom, block["params/apex"][row],
            strict=True,
        )
    ]  # fmt: skip
    image = np.empty((len(axes[0]), len(axes[1])))
    for i, x in enumerate(axes[0]):
        for j, y in enumerate(axes[1]):
            tip = np.array([x, y, above])
            made = site_amplitudes(
                species, lambda points, tip=tip: local((points - middle) @ turn.T - tip) @ turn
            )
            image[i, j] = (made**2).sum()
    return image


@pytest.mark.filterwarnings("ignore:no effect")  # aspect of a plane field
@pytest.mark.parametrize("tip_field", ["plane", "gaussian_z", "radial"])
@pytest.mark.parametrize("size", [(9, 15), (40, 33)])
def test_maps_of_sites(species, tip_field, size):
    recipe = recipe_of(species, size, tip_field=tip_field)
    block = tersgen.generate(recipe, 0, 2)
    for row in range(2):
        wanted = expected(recipe, block, row)
        found = block["maps"][row, 0] / block["params/map_scale"][row]
        # a Lorentzian's tail reaches below 0, where no band is: the same share at each pixel
        scale = (found * wanted).sum() / (wanted**2).sum()
        assert scale == pytest.approx(1.0, abs=0.02)
        np.testing.assert_allclose(found, scale * wanted, rtol=0, atol=2e-3 * wanted.max())


def test_a_wide_map_under_a_dipole(species):
    """Far from the molecule nodes are far apart."""
    near = {"tip_field": "dipole", "apex_radius_angstrom": (1.0, 1.0)}
    standard = {"width_angstrom": (5.0, 5.0), "aspect": (1.0, 1.0, 1.0)}
    recipe = recipe_of(species, (40, 56), frame_angstrom=(18.0, 30.0), **near, **standard)
    block = tersgen.generate(recipe, 0, 2)
    wanted = expected(recipe, block, 1)
    found = block["maps"][1, 0] / block["maps"][1, 0].max() * wanted.max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-3 * wanted.max())


def test_a_sample_alone_is_that_of_its_block_and_cubes_add_up(species):
    recipe = recipe_of(species, (9, 15), channel_cm1=400.0, bands=((100.0, 3700.0),))
    recipe = recipe.model_copy(
        update={"fields": recipe.fields.model_copy(update={"cube": True, "maps": True})}
    )
    block = tersgen.generate(recipe, 0, 5)
    assert np.array_equal(tersgen.generate(recipe, 3, 4)["maps"][0], block["maps"][3])
    assert np.array_equal(tersgen.generate(recipe, 3, 4)["cube"][0], block["cube"][3])
    cube = block["cube"].sum(axis=-1) / block["params/cube_scale"][:, None, None]
    maps = block["maps"][:, 0] / block["params/map_scale"][:, None, None]
    np.testing.assert_allclose(cube, maps, rtol=2e-5 * 100, atol=1e-5 * maps.max())


def test_fields_at_a_point():
    away = np.array([0.7, -1.1, -3.2])
    width, moment = np.array([4.0, 5.2, 3.6]), np.array([0.3, -0.2, 1.0])
    size = np.linalg.norm(away)
    dipole = 3 * away * (away @ moment) / size**5 - moment / size**3
    point = away.astype(np.float32)
    assert field_at(*point, DIPOLE, width, moment) == pytest.approx(tuple(dipole), rel=1e-6)
    for kind, name in ((PLANE, "plane"), (GAUSSIAN_Z, "gaussian_z"), (RADIAL, "radial")):
        wanted = field_of(name, width)(away[None])[0]
        assert field_at(*point, kind, width, moment) == pytest.approx(tuple(wanted), rel=1e-6)


@pytest.mark.parametrize(("first", "bend"), [(-4.9, 6.0), (-1.0, 30.0), (-4.9, 1.0)])
def test_polynomials_of_degree_seven_in_u_are_exact(first, bend):
    nodes = node_axis(first, 100, 0.1, 0.37, bend)
    places = nodes.first + np.arange(nodes.n_nodes) * nodes.spacing
    last = bent(first + 9.9, bend)
    assert nodes.spacing <= 0.37
    assert -bend < places[0] <= bent(first, bend) < last <= places[-1] + 1e-9 < bend
    factors = [1, -2, 0.5, 0.3, -0.1, 0.02, 0.03, -0.01]
    values = np.polynomial.polynomial.polyval(places, factors)
    weights = np.empty(8)
    for x in first + 0.1 * np.arange(100):
        base = fill_taps(x, nodes, weights)
        wanted = np.polynomial.polynomial.polyval(bent(x, bend), factors)
        assert weights @ values[base : base + 8] == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert unbent(bent(3.1, bend), bend) == pytest.approx(3.1)


def test_pixels_far_apart_are_nodes():
    nodes = node_axis(-5.25, 20, 0.5, 0.37, 20.0)
    assert (nodes.n_nodes, nodes.first, nodes.spacing) == (20, -5.25, 0.5)
    weights = np.empty(8)
    for k in range(20):
        base = fill_taps(-5.25 + 0.5 * k, nodes, weights)
        assert weights[k - base] == pytest.approx(1.0)
        assert np.abs(weights).sum() == pytest.approx(1.0)


def test_a_library_without_sites_is_refused():
    with pytest.raises(LibraryError, match=r"formaldehyde: .* \(tersgen library respond FILE"):
        tersgen.generate(recipe_of(load_builtin("formaldehyde"), (4, 4)), 0, 1)
