"""What happens to a tip over a scene: how often, how long, and what it does to maps and cubes."""

import numpy as np
import pytest
from scipy import stats

import tersgen
from tersgen import Recipe
from tersgen.effects.scene.events import PARAMETERS, dwell_time
from tersgen.schema.loading import validate
from tersgen.schema.presets import merged

pytestmark = pytest.mark.filterwarnings("ignore:no effect")
"""Recipes without cubes have channels, too."""
PLACE = {one.name: k for k, one in enumerate(PARAMETERS)}
PLAIN = {
    "seed": 8,
    "library": ["builtin:benzene"],
    "perturbations": {"shift_cm1": 0, "mode_shift_cm1": 0, "width": [1, 1], "intensity": 0},
    "noise": {"map": [0, 0]},
    "map": {"height": 24, "width": 24, "background": [0, 0], "amplitude": [0.5, 0.5]},
    "nearfield": {
        "width_angstrom": [4.0, 4.0],
        "frame_angstrom": [24.0, 24.0],
        "channel_cm1": 100.0,
    },
    "scene": {"superlattice": [[3, 0], [0, 3]], "vacancies": [0.5, 0.5]},
    "fields": {"spectra": False, "sticks": False, "tensors": False, "precision": "float32"},
}
TINY = {
    "library": ["builtin:formaldehyde"],
    "nearfield": {"frame_angstrom": [4.0, 4.0], "width_angstrom": [3.0, 3.0]},
    "scene": {"superlattice": [[2, 0], [0, 2]], "vacancies": [0.0, 0.0]},
}


def made(n, events, **sections):
    table = merged(merged(PLAIN, sections), {"scene": {"events": events}})
    return tersgen.generate(tersgen.resolve(validate(Recipe, table, "test")), 0, n)


def column(arrays, name):
    return arrays["params/events"][:, PLACE[name]]


def light(arrays, name="maps"):
    """Return maps or cubes before scaling."""
    scale = arrays[f"params/{name.removesuffix('s')}_scale"]
    return arrays[name] / scale.reshape(-1, 1, 1, 1)


@pytest.fixture(scope="module")
def calm():
    return made(40, {})


def test_calm_scenes_record_nothing(calm):
    assert not {"params/events", "params/picocavities", "scene/event"} & calm.keys()


def test_a_changed_tip(calm):
    events = {
        "tip_change": 0.5,
        "change_width": [1.0, 1.0],
        "change_aspect": [1.0, 1.0],
        "change_height_angstrom": [0.0, 0.0],
        "change_amplitude": [0.3, 0.6],
    }
    arrays = made(40, events)
    row, factor = column(arrays, "change_row"), column(arrays, "change_amplitude")
    changed = row >= 0
    assert stats.binomtest(int(changed.sum()), 40, 0.5).pvalue > 1e-3
    assert ((factor[changed] >= 0.3) & (factor[changed] <= 0.6)).all()
    is_after = np.arange(24) >= np.where(changed, row, 99)[:, None]
    assert np.array_equal(arrays["scene/event"] == 4, np.repeat(is_after[..., None], 24, 2))
    assert ((row[changed] >= 1) & (row[changed] <= 23)).all()
    expected = light(calm) * np.where(is_after, factor[:, None], 1.0)[:, None, :, None]
    np.testing.assert_allclose(light(arrays), expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_rows_of_changes_are_uniform():
    row = column(made(2000, {"tip_change": 1.0}, **TINY, map={"height": 9, "width": 2}),
                 "change_row")  # fmt: skip
    assert stats.chisquare(np.bincount(row.astype(int), minlength=9)[1:]).pvalue > 1e-3


def test_a_changed_tip_is_a_map_of_another_tip():
    """Width, aspect and height after the line are those of a scene under that tip."""
    events = {
        "tip_change": 1.0,
        "change_width": [1.5, 1.5],
        "change_aspect": [1.25, 1.25],
        "change_height_angstrom": [0.4, 0.4],
        "change_amplitude": [1.0, 1.0],
    }
    near = {"aspect": [1.875, 1.5, 1.0], "height_angstrom": [3.4, 3.4]}
    arrays, other = made(10, events), made(10, {}, nearfield=near)
    np.testing.assert_array_equal(arrays["scene/position"], other["scene/position"])
    after = np.arange(24) >= column(arrays, "change_row")[:, None]
    for k in range(10):
        expected = light(other)[k, 0, after[k]]
        np.testing.assert_allclose(
            light(arrays)[k, 0, after[k]], expected, rtol=0, atol=1e-5 * expected.max()
        )


def test_a_changed_dipole_keeps_its_width():
    """Only height and amplitude change: the width of its field follows from its height."""
    change = {"tip_change": 1.0, "change_amplitude": [1.0, 1.0]}
    sections = merged(TINY, {"nearfield": {"tip_field": "dipole"}})
    arrays = made(4, {**change, "change_height_angstrom": [0.0, 0.0]}, **sections)
    np.testing.assert_allclose(light(arrays), light(made(4, {}, **sections)), rtol=1e-5)
    for name in ("width", "aspect"):
        assert (column(arrays, f"change_{name}") == 1.0).all()


def test_a_second_apex_makes_ghosts():
    """E = E1 + c E2 shifted, summed in float64 with its cross terms, over the molecules."""
    events = {"second_apex": 1.0, "second_field": [0.8, 0.8],
              "second_distance_angstrom": [9.0, 12.0]}  # fmt: skip
    table = merged(PLAIN, {
        "geometry": {"detection": "activity"},
        "nearfield": {"bands": [[-0.0, 1e5]]},
        "grid": {"start_cm1": 10.0},
        "scene": {"superlattice": [[6, 0], [0, 6]], "vacancies": [0, 0], "events": events},
        "map": {"height": 12, "width": 12},
    })  # fmt: skip
    recipe = tersgen.resolve(validate(Recipe, table, "test"))
    arrays = tersgen.generate(recipe, 0, 2)
    (benzene,) = recipe.library.species
    shares = np.array([mode.atom_tensors for mode in benzene.modes])
    atoms = np.array([atom.position for atom in benzene.atoms])
    atoms -= atoms.mean(axis=0)
    middle = 2.0 * (np.arange(12) - 5.5)
    for row in range(2):
        c = column(arrays, "second_field")[row]
        shift = np.array([column(arrays, f"second_{name}")[row] for name in ("rows", "columns")])
        assert 9.0 <= np.linalg.norm(shift) <= 12.0
        total = np.zeros((12, 12))
        for k in range(arrays["scene/count"][row]):
            quaternion = arrays["scene/orientation"][row, k]
            turn = rotation(quaternion)
            places = atoms @ turn.T
            tensors = turn @ shares @ turn.T
            height = places[:, 2].max() + arrays["params/tip_height"][row]
            for i, x in enumerate(middle):
                for j, y in enumerate(middle):
                    tip = np.array([x, y, height])
                    tip[:2] -= arrays["scene/position"][row, k]
                    field = local(places - tip)
                    tip[:2] += shift
                    field = field + c * local(places - tip)
                    total[i, j] += (np.einsum("ia,miab,ib->m", field, tensors, field) ** 2).sum()
        found = light(arrays)[row, 0]
        np.testing.assert_allclose(found, total, rtol=0, atol=0.02 * total.max())
        without = light(
            made(
                2,
                {},
                **{k: table[k] for k in ("map", "nearfield", "geometry", "grid")},
                scene={"superlattice": [[6, 0], [0, 6]], "vacancies": [0, 0]},
            )
        )
        assert np.abs(without[row, 0] - total).max() > 0.2 * total.max(), "the ghosts show"


def rotation(quaternion):
    w, x, y, z = quaternion.astype(float)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def local(away):
    """Return the field of a radial tip, FWHM 4 Angstrom, at atoms."""
    squared = (away**2).sum(axis=1, keepdims=True)
    return away / np.sqrt(squared) * np.exp(-4 * np.log(2) * squared / 16.0)


def test_periods_of_blinking_follow_their_law():
    low, high = 2.0, 500.0
    u = (np.arange(4000) + 0.5) / 4000
    times = np.array([dwell_time(one, low, high) for one in u])

    def cumulative(t):
        return (1 - np.sqrt(low / t)) / (1 - np.sqrt(low / high))

    assert stats.kstest(times, cumulative).statistic < 1e-3
    assert stats.linregress(np.log(times), np.log(np.gradient(u, times))).slope == pytest.approx(
        -1.5, abs=0.02
    )


def test_blinking_in_a_scan():
    """Whole periods have lengths of the law; dark pixels have the level's share of the signal."""
    events = {"blinking": 0.8, "blinking_pixels": [4.0, 60.0], "blinking_level": [0.1, 0.2]}
    sections = {**TINY, "map": {"height": 30, "width": 40}}
    arrays, still = made(60, events, **sections), made(60, {}, **sections)
    dark = arrays["scene/event"] == 1
    assert np.array_equal(column(arrays, "dark_pixels"), dark.sum(axis=(1, 2)))
    blinks = column(arrays, "dark_periods") > 0
    assert stats.binomtest(int(blinks.sum()), 60, 0.8).pvalue > 1e-3
    lengths = []
    for row in np.flatnonzero(blinks):
        flat = dark[row].ravel()
        edges = np.flatnonzero(np.diff(flat.astype(int)))
        lengths += np.diff(edges).tolist()
        starts = np.diff(np.concatenate([[0], flat.astype(int)])) == 1
        assert starts.sum() == column(arrays, "dark_periods")[row]
    # a period of t pixels takes t pixels, give or take one: compare in wide bins
    bins = np.array([3.5, 6.5, 10.5, 20.5, 61.5])
    found, _ = np.histogram(lengths, bins)
    law = 1 / np.sqrt(4.0) - 1 / np.sqrt(60.0)
    ends = np.clip(bins, 4.0, 60.0)
    expected = (1 / np.sqrt(ends[:-1]) - 1 / np.sqrt(ends[1:])) / law
    assert found / sum(found) == pytest.approx(expected, abs=0.04)
    level = column(arrays, "dark_level")[:, None, None, None]
    expected = light(still) * np.where(dark[:, None], level, 1.0)
    np.testing.assert_allclose(light(arrays), expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_picocavities_change_lines_for_a_run_of_pixels():
    events = {"picocavities": 1.5, "picocavity_pixels": 40, "picocavity_shift_cm1": [15.0, 15.0]}
    fields = {"cube": True, "maps": False}
    few = {"scene": {"superlattice": [[4, 0], [0, 4]]}, "nearfield": {"channel_cm1": 15.0}}
    arrays, still = made(30, events, fields=fields, **few), made(30, {}, fields=fields, **few)
    count = column(arrays, "picocavities").astype(int)
    assert stats.poisson.cdf(count.sum(), 45) == pytest.approx(0.5, abs=0.498)
    runs = arrays["params/picocavities"]
    inside = np.zeros((30, 576), bool)
    for row in range(30):
        assert not runs[row, count[row] :].any()
        for first, length, gain in runs[row, : count[row]]:
            assert 1 <= length <= 40
            assert 1.0 <= gain <= 5.0
            inside[row, int(first) : int(first + length)] = True
    inside = inside.reshape(30, 24, 24)
    assert np.array_equal(arrays["scene/event"] == 2, inside)
    before, after = light(still, "cube"), light(arrays, "cube")
    most = before.max()
    np.testing.assert_allclose(after[~inside], before[~inside], rtol=1e-4, atol=1e-6 * most)
    # a strong band is a channel higher or lower, and of another height
    bright = inside & (before.max(axis=-1) > 0.1 * most)
    assert bright.sum() > 10
    moved = after[bright].argmax(axis=-1) != before[bright].argmax(axis=-1)
    assert moved.mean() > 0.5


def test_picocavities_of_several_lines_are_those_of_few():
    """A picocavity longer than a window is high is imaged in the large one, to the same values."""
    events = {"picocavities": 3.0, "picocavity_intensity": 0.0, "picocavity_gain": [2.0, 2.0],
              "picocavity_shift_cm1": [0.0, 0.0], "picocavity_pixels": 400}  # fmt: skip
    arrays, still = made(20, events), made(20, {})
    inside = arrays["scene/event"] == 2
    assert inside.any(axis=2).sum(axis=1).max() > 10
    expected = light(still) * np.where(inside[:, None], 2.0, 1.0)
    np.testing.assert_allclose(light(arrays), expected, rtol=1e-4, atol=1e-6 * expected.max())
