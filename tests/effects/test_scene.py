"""Scenes: molecules on lattices, their images, and what they show, against float64 and counting."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation
from scipy.stats import cauchy

import tersgen
from tersgen import Recipe
from tersgen.effects.bands.selection import ModeChoice
from tersgen.effects.chain import field_table
from tersgen.errors import ConfigError
from tersgen.library.nearfield import dipole_field, near_field_intensities
from tersgen.library.sites import site_amplitudes
from tersgen.schema.library import Library
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

pytestmark = pytest.mark.filterwarnings("ignore:no effect")
"""Recipes without cubes have channels, too."""
SPACING = 2.889
STILL = {
    "perturbations": {"shift_cm1": 0, "mode_shift_cm1": 0, "width": [1, 1], "intensity": 0},
    "noise": {"map": [0, 0]},
    "geometry": {"detection": "activity"},
    "map": {"height": 10, "width": 12, "background": [0, 0]},
    "fields": {"spectra": False, "sticks": False, "tensors": False, "precision": "float32"},
}
SCENE = {
    **STILL,
    "seed": 3,
    "library": ["builtin:formaldehyde", "builtin:ethylene", "builtin:benzene"],
    "lineshape": {"profile": "lorentzian", "fwhm_cm1": 10.0},
    "nearfield": {
        "width_angstrom": [4.0, 5.0],
        "frame_angstrom": [24.0, 30.0],
        "bands": [[500.0, 1200.0], [1200.0, 3500.0]],
        "channel_cm1": 250.0,
    },
    "scene": {
        "domains": [1, 3],
        "sites": ["top", "fcc"],
        "vacancies": [0.1, 0.3],
        "jitter_angstrom": 0.3,
        "turn_deg": 10.0,
    },
    "mixture": {"n_species": [2, 2], "least": 0.3, "of": "molecules"},
}


def recipe_of(**sections):
    return tersgen.resolve(validate(Recipe, merged(SCENE, sections), "test"))


def made(n, start=0, **sections):
    return tersgen.generate(recipe_of(**sections), start, start + n)


@pytest.fixture(scope="module")
def recipe():
    return recipe_of(fields={"cube": True})


@pytest.fixture(scope="module")
def block(recipe):
    return tersgen.generate(recipe, 0, 6)


def molecules(block, row):
    """Return places, rotations and classes of a scene."""
    count = block["scene/count"][row]
    turns = Rotation.from_quat(np.roll(block["scene/orientation"][row, :count], -1, axis=1))
    return block["scene/position"][row, :count], turns, block["scene/label"][row, :count]


def pixels(recipe):
    sizes = recipe.map.height, recipe.map.width
    return [
        ((np.arange(n) + 0.5) / n - 0.5) * extent
        for n, extent in zip(sizes, recipe.nearfield.frame_angstrom, strict=True)
    ]


def expected_light(recipe, block, row, edges=None):
    """Return the light in bands of each molecule at each pixel, float64, shape (N, bands, H, W)."""
    species = recipe.library.species
    places, turns, labels = molecules(block, row)
    width = block["params/tip_width"][row]
    reach = recipe.scene.reach_widths * width
    spans = []
    for label in set(labels.tolist()):
        atoms = np.array([atom.position for atom in species[label].atoms])
        turned = turns[int(np.argmax(labels == label))].apply(atoms - atoms.mean(axis=0))
        spans.append(np.ptp(turned[:, 2]))
    low, high = np.array(recipe.nearfield.bands if edges is None else edges).T[..., None]
    rows, columns = pixels(recipe)
    light = np.zeros((len(places), len(low), len(rows), len(columns)))
    for k, ((x, y), turn, label) in enumerate(zip(places, turns, labels, strict=True)):
        one = species[label]
        atoms = np.array([atom.position for atom in one.atoms])
        bottom = turn.apply(atoms - atoms.mean(axis=0))[:, 2].min()
        z = bottom + max(spans) + block["params/tip_height"][row]
        inside = ModeChoice(Library([one]), recipe).with_dark().mode
        frequencies = np.array([one.modes[m].frequency_cm1 for m in inside])
        half = 0.5 * recipe.lineshape.fwhm_cm1
        share = cauchy.cdf(high, frequencies, half) - cauchy.cdf(low, frequencies, half)
        for i in np.flatnonzero(np.abs(rows - x) <= reach):
            for j in np.flatnonzero(np.abs(columns - y) <= reach):
                tip = (rows[i] - x, columns[j] - y, z)
                modes = near_field_intensities(one, tip, turn.as_matrix(), "radial", (width,) * 3)
                light[k, :, i, j] = share @ modes[inside]
    return light


def test_maps_cubes_and_fractions_are_sums_over_the_molecules(recipe, block):
    row = int(np.argmin(block["scene/count"]))
    light = expected_light(recipe, block, row)
    maps = light.sum(axis=0)
    found = block["maps"][row] / block["params/map_scale"][row]
    np.testing.assert_allclose(found, maps, rtol=0, atol=2e-5 * maps.max())
    edges = 100.0 + 250.0 * np.arange(16)
    whole = np.stack([edges[:-1], edges[1:]], axis=1)
    channels = expected_light(recipe, block, row, np.vstack([whole, [[-1e9, 1e9]]]))
    cube = channels[:, :-1].sum(axis=0).transpose(1, 2, 0)
    found = block["cube"][row] / block["params/cube_scale"][row]
    np.testing.assert_allclose(found, cube, rtol=0, atol=2e-5 * cube.max())
    of_all, labels = channels[:, -1], molecules(block, row)[2]
    for k, label in enumerate(block["mixture/label"][row]):
        share = of_all[labels == label].sum(axis=0) / of_all.sum(axis=0)
        np.testing.assert_allclose(block["scene/fraction"][row, k], share, rtol=0, atol=2e-3)


def test_sites_under_a_tilted_dipole_over_a_metal():
    """Eqs. (2.12), (2.13) and (4.3) in a scene: what acts on one molecule acts on each of many."""
    recipe = recipe_of(
        library=["sites:formaldehyde"],
        mixture=None,
        nearfield={"response": "sites", "tip_field": "dipole", "dipole_tilt_deg": [20, 40],
                   "frame_angstrom": [12, 15], "bands": [[-1e5, 1e5]]},
        grid={"start_cm1": -1.0}, geometry={"detection": "photons", "temperature_k": 0.0},
        map={"height": 6, "width": 7},
        substrate={"polarizability_angstrom3": [5, 8]},
    )  # fmt: skip
    block = tersgen.generate(recipe, 0, 1)
    (one,) = recipe.library.species
    atoms = np.array([atom.position for atom in one.atoms])
    middle, radius = atoms.mean(axis=0), block["params/tip_radius"][0]
    moment = block["params/tip_dipole"][0] * (block["params/tip_height"][0] + radius) ** 3 / 2
    image = np.diag(block["params/substrate"][0, 2:])
    nu = np.array([mode.frequency_cm1 for mode in one.modes])
    laser = 1e7 / recipe.geometry.laser_nm
    factor = (laser - nu) ** 3 / nu / ((laser - 1000.0) ** 3 / 1000.0)
    places, turns, _ = molecules(block, 0)
    rows, columns = pixels(recipe)
    light = np.zeros((len(rows), len(columns)))
    for place, turn in zip(places, turns.as_matrix(), strict=True):
        height = ((atoms - middle) @ turn.T)[:, 2].max() + block["params/tip_height"][0] + radius
        for i, x in enumerate(rows):
            for j, y in enumerate(columns):
                tip = np.array([x - place[0], y - place[1], height])

                def field(points, tip=tip, turn=turn):
                    local = dipole_field((points - middle) @ turn.T - tip, moment)
                    return local @ image @ turn

                light[i, j] += factor @ site_amplitudes(one, field) ** 2
    found = block["maps"][0, 0] / block["params/map_scale"][0]
    np.testing.assert_allclose(found, light, rtol=0, atol=2e-3 * light.max())


def test_fractions_sum_to_one(block):
    total = block["scene/fraction"].astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=1e-3)


def test_two_molecules_far_apart_are_the_sum_of_the_single_ones():
    """A lattice of 50 Angstrom: the light of two molecules is that of each, added up."""
    sections = {
        "library": ["builtin:benzene"],
        "mixture": None,
        "map": {"height": 40, "width": 10},
        "nearfield": {"frame_angstrom": [90.0, 20.0], "bands": [[500.0, 3500.0]]},
        "geometry": {"orientation": "fixed"},
        "scene": {
            "lattice_angstrom": 50.0, "superlattice": [[1, 0], [0, 1]], "domains": [1, 1],
            "sites": ["top"], "vacancies": [0, 0], "jitter_angstrom": 0.0, "turn_deg": 0.0,
        },
    }  # fmt: skip
    recipe = recipe_of(**sections)
    arrays = tersgen.generate(recipe, 0, 60)
    seen = 0
    for row in range(60):
        light = expected_light(recipe, arrays, row)[:, 0]
        strong = np.flatnonzero(light.max(axis=(1, 2)) > 0.1 * light.max())
        if len(strong) < 2:
            continue
        assert pdist(molecules(arrays, row)[0][strong]).min() == pytest.approx(50.0, abs=1e-3)
        found = arrays["maps"][row, 0] / arrays["params/map_scale"][row]
        np.testing.assert_allclose(found, light.sum(axis=0), rtol=0, atol=2e-5 * light.max())
        # each is alone in its own place: the other adds less than what float32 rounds away
        for one in light[strong]:
            at = np.unravel_index(one.argmax(), one.shape)
            assert found[at] == pytest.approx(one.max(), rel=2e-5)
        seen += 1
        if seen == 3:
            return
    raise AssertionError(f"expected three maps of two molecules, got {seen}")


def test_nmf_finds_the_spectra_of_two_species():
    """Islands of two species under a wide tip, under which the modes of a molecule look alike."""
    decomposition = pytest.importorskip("sklearn.decomposition")
    sections = {
        "library": ["builtin:benzene", "builtin:pyrazine"],
        "mixture": {"fractions": [0.5, 0.5]},
        "map": {"height": 16, "width": 16},
        "nearfield": {
            "tip_field": "gaussian_z", "width_angstrom": [14.0, 14.0], "channel_cm1": 25.0,
            "frame_angstrom": [64.0, 64.0],
        },
        "scene": {
            "superlattice": [[4, 0], [0, 4]], "domains": [2, 2], "islands": True, "turn_deg": 0.0,
            "reach_widths": 1.5,
        },
        "fields": {"cube": True, "maps": False},
    }  # fmt: skip
    arrays = made(10, **sections)
    tried = 0
    for cube, fraction in zip(arrays["cube"], arrays["scene/fraction"], strict=True):
        spectra, share = cube.reshape(256, -1).astype(np.float64), fraction[0].ravel()
        pure = [spectra[share > 0.999], spectra[share < 0.001]]
        if min(map(len, pure)) < 40:
            continue
        model = decomposition.NMF(2, init="nndsvd", max_iter=500).fit(spectra)
        ours = np.array([one.sum(axis=0) / np.linalg.norm(one.sum(axis=0)) for one in pure])
        found = model.components_ / np.linalg.norm(model.components_, axis=1, keepdims=True)
        assert ours[0] @ ours[1] < 0.9, "the species have different spectra"
        cosines = ours @ found.T
        assert max(np.diag(cosines).min(), np.diag(cosines[::-1]).min()) > 0.99
        tried += 1
    assert tried >= 3


# ---- the lattice


def surface_vectors(block, row, places):
    """Return places in vectors of the surface, whatever its origin, shape (N, 2)."""
    angle = np.radians(block["params/lattice"][row, 0])
    x, y = places.T
    right = np.cos(angle) * x + np.sin(angle) * y
    up = -np.sin(angle) * x + np.cos(angle) * y
    v = up / (0.5 * np.sqrt(3) * SPACING)
    return np.stack([right / SPACING - 0.5 * v, v], axis=1)


@pytest.mark.parametrize("matrix", [((3, 0), (0, 3)), ((2, 1), (-1, 3)), ((4, 0), (2, 3))])
def test_places_are_those_of_the_superlattice(matrix):
    exact = {"jitter_angstrom": 0.0, "superlattice": matrix, "turn_deg": 0.0, "vacancies": [0, 0]}
    arrays = made(8, scene={**exact, "sites": ["top", "bridge", "hcp"], "domains": [1, 4]})
    inverse = np.linalg.inv(np.array(matrix, float))
    turn = np.array([[0, 1], [-1, 1]], float)  # a1 to a2, and a2 to a2 - a1, as rows
    for row in range(8):
        places, turns, labels = molecules(arrays, row)
        # two domains may keep a distance of 0.8 vectors, none less
        shortest = min(np.linalg.norm(surface([i, j], matrix)) for i in (-1, 0, 1)
                       for j in (-1, 0, 1) if (i, j) != (0, 0))  # fmt: skip
        assert pdist(places).min() > 0.799 * shortest
        vectors = surface_vectors(arrays, row, places)
        origins, kept = [], []
        domain = arrays["scene/domain"][row, : len(places)]
        assert len(set(domain.tolist())) <= arrays["params/lattice"][row, 1]
        for d in sorted(set(domain.tolist())):
            own = vectors[domain == d]
            origins.append(own[0])
            steps = own - own[0]
            parts = [steps @ np.linalg.matrix_power(np.linalg.inv(turn), k) @ inverse
                     for k in range(6)]  # fmt: skip
            kept.append([np.abs(part - np.round(part)).max() < 1e-3 for part in parts])
            assert any(kept[-1])
            # molecules are turned as their lattice is
            one, first = (
                np.flatnonzero((domain == e) & (labels == labels[0])) for e in (d, domain[0])
            )
            if len(one) and len(first):
                angle = np.degrees((turns[one[0]] * turns[first[0]].inv()).as_rotvec()[2])
                by = round(angle / 60)
                assert any(kept[0][k] and kept[-1][(k + by) % 6] for k in range(6))
        # domains are apart by vectors of the surface, plus those between sites: sixths at most
        apart = 6 * (np.array(origins) - origins[0])
        assert np.abs(apart - np.round(apart)).max() < 1e-2
        for label in set(labels.tolist()):
            own = turns[np.flatnonzero(labels == label)]
            turned = np.degrees((own[0].inv() * own).magnitude())
            assert np.abs(turned - 60 * np.round(turned / 60)).max() < 0.01


def surface(steps, matrix):
    """Return a vector of a superlattice, Angstrom."""
    u, v = np.array(steps) @ np.array(matrix)
    return SPACING * np.array([u + 0.5 * v, 0.5 * np.sqrt(3) * v])


@pytest.mark.parametrize(("name", "spacing"), [("Au(111)", 2.884), ("Cu(111)", 2.556)])
def test_coverage_is_one_over_the_cell(name, spacing):
    scene = {"surface": name, "jitter_angstrom": 0.0, "domains": [1, 1], "vacancies": [0.2, 0.2]}
    arrays = made(100, scene=scene, mixture=None, library=["builtin:formaldehyde"],
                  map={"height": 2, "width": 2})  # fmt: skip
    coverage = arrays["scene/coverage"]
    assert coverage.shape == (100,)
    expected = 0.8 / 9
    per_frame = 24 * 30 / (0.5 * np.sqrt(3) * spacing**2) * expected
    error = np.sqrt(0.2 * per_frame) / per_frame / 10
    assert coverage.mean() == pytest.approx(expected, rel=5 * error)


def test_molecules_are_drawn_by_the_fractions():
    arrays = made(60, mixture={"fractions": [0.7, 0.3]}, map={"height": 2, "width": 2},
                  scene={"vacancies": [0, 0.5]})  # fmt: skip
    n_first = n_all = 0
    for row in range(60):
        labels = molecules(arrays, row)[2]
        n_first += (labels == arrays["mixture/label"][row, 0]).sum()
        n_all += len(labels)
        assert set(labels.tolist()) <= set(arrays["mixture/label"][row].tolist())
    assert stats.binomtest(int(n_first), int(n_all), 0.7).pvalue > 1e-3
    islands = made(20, scene={"islands": True, "domains": [3, 3]}, map={"height": 2, "width": 2})
    for row in range(20):
        labels = molecules(islands, row)[2]
        domain = islands["scene/domain"][row, : len(labels)]
        assert all(len(set(labels[domain == d].tolist())) == 1 for d in set(domain.tolist()))


def test_masks_are_those_of_the_nearest_atoms(recipe, block):
    rows, columns = pixels(recipe)
    for row in range(2):
        places, turns, labels = molecules(block, row)
        nearest = []
        for place, turn, label in zip(places, turns, labels, strict=True):
            atoms = np.array([one.position for one in recipe.library.species[label].atoms])
            x, y = (turn.apply(atoms - atoms.mean(axis=0))[:, :2] + place).T
            squared = (rows[:, None, None] - x) ** 2 + (columns[:, None] - y) ** 2
            nearest.append(squared.min(axis=-1))
        order = np.sort(nearest, axis=0)
        best = np.argmin(nearest, axis=0)
        is_covered = order[0] < 1.5**2
        clear = (order[1] - order[0] > 1e-4) & (np.abs(order[0] - 2.25) > 1e-4)
        assert is_covered.mean() > 0.2
        expected = np.where(is_covered, best + 1, 0)
        assert np.array_equal(block["scene/instance"][row][clear], expected[clear])
        kinds = np.where(is_covered, labels[best] + 1, 0)
        assert np.array_equal(block["scene/species"][row][clear], kinds[clear])


# ---- a sample is a pure function of recipe and index


EVENTFUL = {
    "scene": {
        "events": {
            "tip_change": 0.5, "second_apex": 0.5, "blinking": 0.5, "picocavities": 1.0,
            "picocavity_pixels": 30, "blinking_pixels": [2, 200],
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("instrument", [None, {"scan": {"blur_px": [0.5, 1.0], "drift_px": 1.0}}])
def test_a_sample_alone_is_that_sample_in_its_block(instrument):
    recipe = recipe_of(**EVENTFUL, instrument=instrument, fields={"cube": True})
    whole = tersgen.generate(recipe, 5, 25, threads=3)
    assert whole.keys() == {spec.name for spec in field_table(recipe)}
    for row in (0, 7, 19):
        for name, values in tersgen.generate(recipe, 5 + row, 6 + row).items():
            assert np.array_equal(values[0], whole[name][row]), name


@pytest.mark.parametrize(
    "off", [("maps",), ("cube",), ("params",), ("scene",), ("maps", "cube")], ids="-".join
)
def test_fields_that_are_switched_off_change_no_other(recipe, block, changed, off):
    part = tersgen.generate(changed(recipe, fields=dict.fromkeys(off, False)), 0, 6)
    assert not {name.split("/")[0] for name in part} & {*off}
    for name, values in part.items():
        assert np.array_equal(values, block[name]), name


def test_a_recipe_with_a_scene_can_be_written_and_read(tmp_path):
    recipe = recipe_of(**EVENTFUL)
    tersgen.save_recipe(recipe, tmp_path / "recipe.json")
    assert tersgen.resolve(tersgen.load_recipe(tmp_path / "recipe.json")) == recipe


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"nearfield": None}, "scene: expected a section nearfield as well"),
        ({"nearfield": {"tip_field": "plane"}}, "tip_field: expected a local field"),
        ({"nearfield": {"apex_angstrom": 1.0}}, "apex_angstrom: expected 0 with scene"),
        ({"structure": {"radius_angstrom": 2, "bonds": False}}, "structure: expected no such"),
        ({"mixture": {"of": "signal"}}, 'mixture.of: expected "molecules" with scene'),
        ({"scene": {"superlattice": [[2, 0], [4, 0]]}}, "expected two vectors along different"),
        ({"scene": {"domains": [0, 2]}}, "domains: expected 1 <= fewest"),
        ({"scene": {"vacancies": [0.5, 1.5]}}, "expected values of at most 1"),
        ({"scene": {"superlattice": [[1, 0], [0, 1]]}, "nearfield": {"frame_angstrom": [200, 200]}},
         "expected at most 4096 molecules"),
        ({"scene": {"events": {"second_apex": 1, "second_distance_angstrom": [5, 9]}}},
         "expected at least 10 Angstrom"),
        ({"scene": {"events": {"second_apex": 1, "second_distance_angstrom": [19, 30]}},
          "nearfield": {"tip_field": "dipole"}}, "expected at least 20 Angstrom"),
        ({"scene": {"events": {"second_apex": 1, "second_distance_angstrom": [29, 30]}},
          "nearfield": {"tip_field": "dipole", "dipole_tilt_deg": [0, 30]}},
         "expected at least 30 Angstrom, 6 widths"),
        ({"scene": {"events": {"tip_change": 1, "change_height_angstrom": [-3, 0]}}},
         "expected a tip at least 0.1 Angstrom above"),
        ({"scene": {"events": {"change_width": [0, 1]}}}, "change_width: expected values above 0"),
    ],
)  # fmt: skip
def test_impossible_scenes(sections, message):
    with pytest.raises(ConfigError, match=message):
        validate(Recipe, merged(SCENE, sections), "test")


def test_the_preset():
    below = merged(PRESETS["realistic_cube"], PRESETS["mixture"])  # neither hinders a scene
    validate(Recipe, merged(below, PRESETS["scene"]), "presets")
    table = merged(PRESETS["scene"], {"map": {"height": 16, "width": 16}})
    arrays = tersgen.generate(validate(Recipe, table, "preset"), 0, 4)
    assert {"maps", "scene/instance", "scene/fraction", "params/events"} <= arrays.keys()
    assert (arrays["scene/count"] > 20).all()
