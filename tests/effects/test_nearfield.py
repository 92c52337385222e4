"""Near-field maps and cubes against float64 over their own stored parameters, and promise P1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import cauchy

import tersgen
from tersgen.effects.bands.selection import ModeChoice
from tersgen.effects.nearfield.table import near_table
from tersgen.errors import LibraryError
from tersgen.library.nearfield import near_field_intensities
from tersgen.numeric.crosssection import FOURTH_POWER, stokes_factor
from tersgen.schema.library import Library

N_ROWS = 6
LAST = 2**53
FEW = settings(max_examples=10, deadline=None)
SILENT = {"spectrum": (0.0, 0.0), "map": (0.0, 0.0)}
PLAIN = {"mode_shift_cm1": 0.0, "intensity": 0.0}


@pytest.fixture(scope="module")
def near_recipe():
    """Two molecules, everything drawn, on a map that is no whole number of tiles."""
    return tersgen.resolve(
        tersgen.Recipe(
            seed=5,
            library=("builtin:formaldehyde", "builtin:benzene"),
            grid={"n_points": 64},
            lineshape={"fwhm_cm1": 150.0},
            geometry={"detection": "power"},
            map={"height": 9, "width": 15},
            nearfield={
                "width_angstrom": (4.0, 6.0),
                "aspect": (1.0, 1.3, 0.9),
                "height_angstrom": (2.0, 4.0),
                "apex_angstrom": 1.0,
                "orientation": "tilted",
                "frame_angstrom": (10.0, 14.0),
                "bands": ((500.0, 1000.0), (1000.0, 1900.0), (2500.0, 3600.0)),
                "channel_cm1": 250.0,
            },
            fields={"cube": True, "precision": "float16"},
        )
    )


def expected_intensities(recipe, block, row):
    """Return frequencies of the modes on the grid and I_m at each pixel, from stored parameters."""
    species = recipe.library.species[block["label"][row]]
    near = recipe.nearfield
    turn = Rotation.from_quat(np.roll(block["params/orientation"][row], -1)).as_matrix()
    atoms = np.array([atom.position for atom in species.atoms])
    top = ((atoms - atoms.mean(axis=0)) @ turn.T)[:, 2].max()
    width = tuple(float(block["params/tip_width"][row]) * f for f in near.aspect)
    sizes = recipe.map.height, recipe.map.width
    axes = [
        ((np.arange(n) + 0.5) / n - 0.5) * extent + apex
        for n, extent, apex in zip(
            sizes, near.frame_angstrom, block["params/apex"][row], strict=True
        )
    ]
    inside = ModeChoice(Library([species]), recipe).with_dark().mode.tolist()
    z = top + float(block["params/tip_height"][row])
    pixels = [[(x, y, z) for y in axes[1]] for x in axes[0]]
    image = [
        [near_field_intensities(species, tip, turn, near.tip_field, width) for tip in line]
        for line in pixels
    ]
    frequencies = np.array([species.modes[k].frequency_cm1 for k in inside])
    return frequencies, np.array(image)[..., inside]


def expected_bands(recipe, block, row, edges):
    """Return the intensity in each band at each pixel, shape (bands, H, W)."""
    frequencies, image = expected_intensities(recipe, block, row)
    laser, kelvin = 1e7 / recipe.geometry.laser_nm, recipe.geometry.temperature_k
    factor = np.array([stokes_factor(f, laser, kelvin, FOURTH_POWER) for f in frequencies])
    factor /= stokes_factor(1000.0, laser, kelvin, FOURTH_POWER)
    centre = frequencies + float(block["params/shift"][row])
    half = 0.5 * recipe.lineshape.fwhm_cm1 * float(block["params/width"][row])
    low, high = np.array(edges).T[..., None]
    share = cauchy.cdf(high, centre, half) - cauchy.cdf(low, centre, half)
    return np.einsum("xym,cm->cxy", image, factor * share)


@pytest.mark.parametrize(
    ("tip_field", "orientation"),
    [
        *[("plane", "flat"), ("gaussian_z", "tilted"), ("radial", "random")],
        *(
            pytest.param(*pair, marks=pytest.mark.exhaustive)
            for pair in [
                *[("plane", "tilted"), ("plane", "random"), ("gaussian_z", "flat")],
                *[("gaussian_z", "random"), ("radial", "flat"), ("radial", "tilted")],
            ]
        ),
    ],
)
def test_noiseless_maps_and_cubes(near_recipe, tip_field, orientation, changed):
    recipe = changed(
        near_recipe,
        nearfield={"tip_field": tip_field, "orientation": orientation},
        noise=SILENT,
        perturbations=PLAIN,
        fields={"precision": "float32"},
    )
    block = tersgen.generate(recipe, 30, 30 + N_ROWS)
    assert set(block["label"]) == {0, 1}
    edges = 100.0 + 250.0 * np.arange(16)
    channels = np.stack([edges[:-1], edges[1:]], axis=1)
    for row in range(N_ROWS):
        offset = block["params/background"][row]
        maps = expected_bands(recipe, block, row, recipe.nearfield.bands)
        found = (block["maps"][row] - offset) / block["params/map_scale"][row]
        np.testing.assert_allclose(found, maps, rtol=0, atol=1e-5 * maps.max())
        cube = expected_bands(recipe, block, row, channels).transpose(1, 2, 0)
        found = (block["cube"][row] - offset) / block["params/cube_scale"][row]
        np.testing.assert_allclose(found, cube, rtol=0, atol=1e-5 * cube.max())
        for name in ("maps", "cube"):
            peak = block[name][row].max() - offset
            low, high = recipe.map.amplitude
            assert low - 1e-5 <= peak <= high + 1e-5


def test_published_values_come_out_of_a_map(reference_data):
    """One pixel, one band: the sum of all modes of divinylbenzene under the tip."""
    path = str(reference_data("dvb_raman.fchk"))
    recipe = tersgen.Recipe(
        library=(path,),
        grid={"start_cm1": 10.0},
        geometry={"detection": "activity"},
        map={"height": 1, "width": 1, "background": (0.0, 0.0)},
        nearfield={"bands": ((0.0, 1e5),)},
        noise=SILENT,
        perturbations=PLAIN,
        fields={"precision": "float32"},
    )
    block = tersgen.generate(recipe, 0, 4)
    species = tersgen.resolve(recipe).species[0]
    total = near_field_intensities(species, (0.0, 0.0, 3.0)).sum()
    found = block["maps"][:, 0, 0, 0] / block["params/map_scale"]
    np.testing.assert_allclose(found, total, rtol=0.02)  # a Lorentzian's tail reaches below 0


def test_the_cube_adds_up_to_the_map(near_recipe, changed):
    recipe = changed(
        near_recipe,
        nearfield={"bands": ((600.0, 1100.0), (2600.0, 3600.0))},
        noise=SILENT,
        fields={"precision": "float32"},
    )
    block = tersgen.generate(recipe, 0, N_ROWS)
    offset = block["params/background"][:, None, None, None]
    cube = (block["cube"] - offset) / block["params/cube_scale"][:, None, None, None]
    maps = (block["maps"] - offset) / block["params/map_scale"][:, None, None, None]
    for channel, part in enumerate((slice(2, 4), slice(10, 14))):
        scale = maps.max()
        summed = cube[..., part].sum(axis=-1)
        np.testing.assert_allclose(summed, maps[:, channel], rtol=0, atol=1e-5 * scale)


def test_a_flat_molecule_lies_flat(near_recipe, changed):
    flat = changed(near_recipe, nearfield={"orientation": "flat"})
    tilted = changed(near_recipe, nearfield={"orientation": "tilted", "max_tilt_deg": 30.0})
    normals = {}
    for name, recipe in (("flat", flat), ("tilted", tilted)):
        block = tersgen.generate(recipe, 0, 400)
        rows = block["label"] == 1
        (benzene,) = [one for one in recipe.library.species if one.name == "benzene"]
        atoms = np.array([atom.position for atom in benzene.atoms])
        normal = np.linalg.svd(atoms - atoms.mean(axis=0))[2][2]
        turns = Rotation.from_quat(np.roll(block["params/orientation"][rows], -1, axis=1))
        normals[name] = turns.apply(normal)
        assert 60 < (normals[name][:, 2] > 0).sum() < 140  # either face up
        angle = np.arctan2(*turns.apply(atoms[0] - atoms.mean(axis=0))[:, :2].T)
        assert np.histogram(angle, 4, (-np.pi, np.pi))[0].min() > 25
    np.testing.assert_allclose(np.abs(normals["flat"][:, 2]), 1, atol=1e-5)
    tilt = np.degrees(np.arccos(np.minimum(1, np.abs(normals["tilted"][:, 2]))))
    assert 27 < tilt.max() < 30.01
    assert np.histogram(tilt, 3, (0, 30))[0].min() > 40


def test_a_fixed_orientation_is_kept(near_recipe, changed):
    fixed = changed(near_recipe, geometry={"orientation": "fixed"})
    block = tersgen.generate(fixed, 0, N_ROWS)
    assert "params/orientation" not in block
    species = fixed.library.species
    shown = species[block["label"][0]].modes[0].tensor
    np.testing.assert_allclose(block["tensors"][0, 0], shown, rtol=1e-6)


# ---- a sample is a pure function of recipe and index


def assert_equal_rows(some, whole, rows=slice(None)):
    for name, array in some.items():
        assert np.array_equal(array, whole[name][rows]), name


@given(st.integers(0, LAST - N_ROWS), st.integers(0, N_ROWS - 1))
@FEW
def test_one_row_alone_equals_that_row_in_its_block(near_recipe, start, row):
    whole = tersgen.generate(near_recipe, start, start + N_ROWS)
    alone = tersgen.generate(near_recipe, start + row, start + row + 1)
    assert_equal_rows(alone, whole, slice(row, row + 1))


@given(st.integers(0, LAST - 400), st.integers(2, 7))
@FEW
def test_any_number_of_threads(near_recipe, start, threads):
    one = tersgen.generate(near_recipe, start, start + 300, threads=1)
    assert_equal_rows(tersgen.generate(near_recipe, start, start + 300, threads), one)


@given(st.sets(st.sampled_from(["spectra", "maps", "cube", "sticks", "tensors", "params"])))
@FEW
def test_fields_that_are_switched_off_change_no_other(near_recipe, changed, off):
    if off >= {"spectra", "maps", "cube", "sticks", "tensors"}:
        return
    whole = tersgen.generate(near_recipe, 40, 40 + N_ROWS)
    part = tersgen.generate(changed(near_recipe, fields=dict.fromkeys(off, False)), 40, 46)
    assert not {name.split("/")[0] for name in part} & off
    assert_equal_rows(part, whole)


def test_hotspots_and_near_field_share_all_but_the_map(near_recipe, changed):
    """Only orientation (lying flat or not) and maps differ; with any orientation maps alone."""
    near = changed(near_recipe, nearfield={"orientation": "random"})
    plain = near_recipe.model_copy(
        update={
            "nearfield": None,
            "fields": near_recipe.fields.model_copy(update={"cube": False}),
        }
    )
    before, after = (tersgen.generate(recipe, 9, 9 + N_ROWS) for recipe in (plain, near))
    shared = set(before) & set(after) - {"maps"}
    assert {"spectra", "tensors", "params/orientation", "params/background"} <= shared
    assert_equal_rows({name: after[name] for name in shared}, before)


EFFECTS = {
    "height": ({"nearfield": {"height_angstrom": (5.0, 6.0)}}, {"tip_height"}),
    "width": ({"nearfield": {"width_angstrom": (7.0, 8.0)}}, {"tip_width"}),
    "apex": ({"nearfield": {"apex_angstrom": 0.0}}, {"apex"}),
    "noise": ({"noise": {"map": (0.0, 0.0)}}, {"map_noise"}),
    "background": ({"map": {"background": (0.2, 0.3)}}, {"background"}),
    "field": ({"nearfield": {"tip_field": "gaussian_z"}}, set()),
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_change_maps_and_cubes_only(near_recipe, effect, changed):
    sections, own = EFFECTS[effect]
    before = tersgen.generate(near_recipe, 9, 9 + N_ROWS)
    after = tersgen.generate(changed(near_recipe, **sections), 9, 9 + N_ROWS)
    for name in {"maps", "cube"} | {f"params/{one}" for one in own}:
        assert not np.array_equal(after[name], before[name]), name
    touched = {"maps", "cube", "params/map_scale", "params/cube_scale"}
    touched |= {f"params/{one}" for one in own}
    assert_equal_rows({name: a for name, a in after.items() if name not in touched}, before)


def test_float16_is_float32_rounded(near_recipe, changed):
    full = changed(near_recipe, fields={"precision": "float32"})
    rounded, exact = (tersgen.generate(recipe, 3, 3 + N_ROWS) for recipe in (near_recipe, full))
    for name in ("maps", "cube"):
        assert rounded[name].dtype == np.float16
        assert np.array_equal(rounded[name], exact[name].astype(np.float16)), name


def test_a_cube_has_the_stated_noise(near_recipe, changed):
    noisy = changed(near_recipe, fields={"precision": "float32"}, map={"background": (0.3, 0.4)})
    calm = changed(noisy, noise=SILENT)
    with_noise, without = (tersgen.generate(recipe, 0, N_ROWS) for recipe in (noisy, calm))
    for name in ("maps", "cube"):
        for row in range(N_ROWS):
            level = float(with_noise["params/map_noise"][row])
            noise = with_noise[name][row] - without[name][row]
            assert noise.std() == pytest.approx(level, rel=0.15)
            assert abs(np.corrcoef(noise.ravel()[:-1], noise.ravel()[1:])[0, 1]) < 0.15


def test_dark_modes_take_part(near_recipe, changed):
    """Benzene's u modes, absent from the spectrum, shine near the tip."""
    (benzene,) = [one for one in near_recipe.library.species if one.name == "benzene"]
    recipe = changed(near_recipe, library=Library(species=(benzene,)), noise=SILENT)
    table = near_table(recipe, recipe.library)
    dark = table.bright < 0
    assert dark.sum() >= 10
    sets = sorted(set(table.bright[~dark].tolist()))
    in_use = ModeChoice(recipe.library, recipe).in_use().mode
    assert len(in_use) == (~dark).sum()
    assert sets[0] == 0
    assert sets[-1] < len(in_use)
    assert len(sets) < len(in_use)  # partners of degenerate modes share their draws


def test_a_resolved_recipe_without_geometry(near_recipe, changed):
    full = near_recipe.library.species[0]
    modes = tuple(mode.model_copy(update={"atom_tensors": None}) for mode in full.modes)
    bare = full.model_copy(update={"modes": modes})
    recipe = changed(near_recipe, library=Library(species=(bare,)))
    with pytest.raises(LibraryError, match=r"formaldehyde: .* got positions only"):
        tersgen.generate(recipe, 0, 1)
