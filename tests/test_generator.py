"""Blocks of samples: promise P1, precision and scale, and a stream per effect."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tersgen
from tersgen.effects.chain import field_table
from tersgen.generator import Generator

FEW = settings(max_examples=15, deadline=None)
LAST = 2**53
N_ROWS = 24


def assert_equal_rows(some, whole, rows=slice(None)):
    for name, array in some.items():
        assert array.dtype == whole[name].dtype, name
        assert np.array_equal(array, whole[name][rows]), name


@pytest.fixture(scope="module")
def busy_recipe(tiny_recipe, changed):
    """Every effect at once, on a square map of two channels."""
    return changed(
        tiny_recipe,
        lineshape={"profile": "pseudo_voigt"},
        map={"height": 9, "width": 9, "channels": 2, "blur_px": 0.7},
        perturbations={"roll_bins": 5, "symmetry": True},
        fields={"precision": "uint8"},
    )


# ---- a sample is a pure function of recipe and index


@given(st.integers(0, LAST - N_ROWS), st.integers(0, N_ROWS - 1))
@FEW
def test_one_row_alone_equals_that_row_in_its_block(busy_recipe, start, row):
    whole = tersgen.generate(busy_recipe, start, start + N_ROWS)
    alone = tersgen.generate(busy_recipe, start + row, start + row + 1)
    assert_equal_rows(alone, whole, slice(row, row + 1))


@given(st.integers(0, LAST - 500), st.integers(1, 500), st.integers(2, 7))
@FEW
def test_any_number_of_threads(busy_recipe, start, n_rows, threads):
    one = tersgen.generate(busy_recipe, start, start + n_rows, threads=1)
    assert_equal_rows(tersgen.generate(busy_recipe, start, start + n_rows, threads), one)


def test_the_last_row(busy_recipe):
    last = tersgen.generate(busy_recipe, LAST - 1, LAST)
    assert last["spectra"].shape == (1, 64)
    before = tersgen.generate(busy_recipe, LAST - 2, LAST)
    assert_equal_rows(last, before, slice(1, 2))
    assert not np.array_equal(before["maps"][0], before["maps"][1])


def test_rows_that_differ_only_above_2_to_the_32(tiny_recipe):
    low = tersgen.generate(tiny_recipe, 7, 8)
    high = tersgen.generate(tiny_recipe, 7 + 3 * 2**32, 8 + 3 * 2**32)
    for name in ("spectra", "maps", "params/shift", "params/background", "params/orientation"):
        assert not np.array_equal(low[name], high[name]), name


def test_another_seed_gives_other_samples(tiny_recipe, changed):
    first = tersgen.generate(tiny_recipe, 0, 4)
    second = tersgen.generate(changed(tiny_recipe, seed=12), 0, 4)
    for name in set(first) - {"sticks/count", "label"}:
        assert not np.array_equal(first[name], second[name]), name


@given(st.integers(0, LAST - N_ROWS), st.integers(1, N_ROWS))
@FEW
def test_a_buffer_that_is_used_again(busy_recipe, start, n_rows):
    generator = Generator(busy_recipe)
    buffer = generator.buffer(N_ROWS)
    generator.fill(0, buffer)
    generator.fill(start, buffer, n_rows)
    block = generator.block(start, start + n_rows)
    for spec in generator.table:
        rows = buffer.arrays[spec.name][:n_rows]
        rows = rows if spec.fixed_point is None else spec.fixed_point.decoded(rows)
        assert np.array_equal(rows, block[spec.name]), spec.name
    assert np.array_equal(generator.labels(start, start + n_rows), block["label"])


@given(st.sets(st.sampled_from(["spectra", "maps", "sticks", "tensors", "params"])))
@FEW
def test_fields_that_are_switched_off_change_no_other(busy_recipe, changed, off):
    whole = tersgen.generate(busy_recipe, 40, 40 + N_ROWS)
    part_recipe = changed(busy_recipe, fields=dict.fromkeys(off, False))
    part = tersgen.generate(part_recipe, 40, 40 + N_ROWS)
    assert list(part) == [spec.name for spec in field_table(part_recipe)]
    assert not {name.split("/")[0] for name in part} & off
    assert_equal_rows(part, whole)


def test_arrays_are_those_of_the_table(busy_recipe, changed):
    for precision in ("uint12", "float16", "float32"):
        recipe = changed(busy_recipe, fields={"precision": precision})
        block = tersgen.generate(recipe, 0, 3)
        for spec in field_table(recipe):
            assert block[spec.name].dtype == spec.value_dtype
            assert block[spec.name].shape == (3, *spec.shape)


@pytest.mark.parametrize("precision", ["uint8", "float16", "float32"])
def test_no_rows(tiny_recipe, precision, changed):
    recipe = changed(tiny_recipe, fields={"precision": precision})
    block = tersgen.generate(recipe, 5, 5)
    for spec in field_table(recipe):
        assert block[spec.name].shape == (0, *spec.shape), spec.name
        assert block[spec.name].dtype == spec.value_dtype, spec.name


def test_an_unresolved_recipe():
    with pytest.raises(ValueError, match="expected a resolved recipe"):
        Generator(tersgen.Recipe(library=("random:2",)))


# ---- precision and scale


@pytest.mark.parametrize("scale", ["unit", "symmetric"])
def test_float16_is_float32_rounded(busy_recipe, scale, changed):
    half = changed(busy_recipe, fields={"scale": scale, "precision": "float16"})
    full = changed(half, fields={"precision": "float32"})
    rounded, exact = (tersgen.generate(recipe, 3, 3 + N_ROWS) for recipe in (half, full))
    for name in ("spectra", "maps"):
        assert np.array_equal(rounded[name], exact[name].astype(np.float16)), name


def test_symmetric_scale(busy_recipe, changed):
    unit = changed(busy_recipe, fields={"precision": "float32"})
    symmetric = changed(unit, fields={"scale": "symmetric"})
    plain, scaled = (tersgen.generate(recipe, 3, 3 + N_ROWS) for recipe in (unit, symmetric))
    for name in ("spectra", "maps"):
        assert np.array_equal(scaled[name], 2 * plain[name] - 1), name
        assert plain[name].min() >= 0
        assert plain[name].max() <= 1
    assert np.all(plain["spectra"].min(axis=1) == 0)
    assert np.all(plain["spectra"].max(axis=1) >= 1 - 1e-6)


# ---- a stream per effect

MAP_EFFECTS = {
    "symmetry": {"perturbations": {"symmetry": True}},
    "blur": {"map": {"blur_px": 1.0}},
    "turn": {"map": {"turn": False}},
    "jitter": {"map": {"jitter_px": 0.0}},
    "move": {"map": {"move_px": 0.0}},
    "noise": {"noise": {"map": (0.0, 0.0)}},
    "background": {"map": {"background": (0.2, 0.3)}},
    "amplitude": {"map": {"amplitude": (0.1, 0.2)}},
}
SPECTRUM_EFFECTS = {
    "roll": {"perturbations": {"roll_bins": 9}},
    "noise": {"noise": {"spectrum": (0.1, 0.2)}},
    "profile": {"lineshape": {"profile": "lorentzian"}},
    "width": {"perturbations": {"width": (2.0, 3.0)}},
}
MODE_EFFECTS = {
    "shift": ({"perturbations": {"shift_cm1": 30.0}}, "sticks/position"),
    "mode shift": ({"perturbations": {"mode_shift_cm1": 9.0}}, "sticks/position"),
    "intensity": ({"perturbations": {"intensity": 1.0}}, "sticks/intensity"),
}
OF_MAPS = {"hotspots", "angle", "move", "background", "map_noise", "symmetry"}


def is_of_maps(name):
    return name == "maps" or name.removeprefix("params/") in OF_MAPS


@pytest.fixture(scope="module")
def square_recipe(tiny_recipe, changed):
    return changed(tiny_recipe, map={"height": 9, "width": 9})


@pytest.mark.parametrize("effect", MAP_EFFECTS)
def test_map_effects_change_maps_only(square_recipe, effect, changed):
    before = tersgen.generate(square_recipe, 9, 9 + N_ROWS)
    after = tersgen.generate(changed(square_recipe, **MAP_EFFECTS[effect]), 9, 9 + N_ROWS)
    assert not np.array_equal(after["maps"], before["maps"])
    assert_equal_rows({name: a for name, a in after.items() if not is_of_maps(name)}, before)


@pytest.mark.parametrize("effect", SPECTRUM_EFFECTS)
def test_spectrum_effects_leave_maps_and_sticks(square_recipe, effect, changed):
    before = tersgen.generate(square_recipe, 9, 9 + N_ROWS)
    after = tersgen.generate(changed(square_recipe, **SPECTRUM_EFFECTS[effect]), 9, 9 + N_ROWS)
    assert not np.array_equal(after["spectra"], before["spectra"])
    own = {"spectra", "params/roll", "params/spectrum_noise", "params/width"}
    assert_equal_rows({name: a for name, a in after.items() if name not in own}, before)


@pytest.mark.parametrize("effect", MODE_EFFECTS)
def test_mode_effects_change_one_property(square_recipe, effect, changed):
    sections, touched = MODE_EFFECTS[effect]
    before = tersgen.generate(square_recipe, 9, 9 + N_ROWS)
    after = tersgen.generate(changed(square_recipe, **sections), 9, 9 + N_ROWS)
    assert not np.array_equal(after[touched], before[touched])
    own = {"spectra", "params/shift", touched}
    assert_equal_rows({name: a for name, a in after.items() if name not in own}, before)


def test_drawn_parameters_of_one_effect_do_not_depend_on_another(square_recipe, changed):
    before = tersgen.generate(square_recipe, 9, 9 + N_ROWS)
    for effect in ("symmetry", "blur", "jitter", "noise", "amplitude"):
        after = tersgen.generate(changed(square_recipe, **MAP_EFFECTS[effect]), 9, 9 + N_ROWS)
        for name in ("params/angle", "params/move", "params/background"):
            assert np.array_equal(after[name], before[name]), (effect, name)


@pytest.mark.exhaustive
def test_kernels_that_are_compiled_are_told_once(tiny_recipe, tmp_path):
    code = f"""
from tersgen.generator import Generator
from tersgen.dataset.opening import open_recipe
from pathlib import Path
told = []
generator = Generator(open_recipe(Path({str(tmp_path / "tiny.json")!r}), 10).recipe)
generator.warm_up(lambda name, left: told.append((name, left)))
print(told)
"""
    tersgen.save_recipe(tiny_recipe, tmp_path / "tiny.json")
    cache = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env=cache, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    first = ast.literal_eval(runs[0])
    assert {"classes", "bands", "scaling", "hotspots"} <= {name for name, _ in first}
    assert [left for _, left in first] == sorted((left for _, left in first), reverse=True)
    assert ast.literal_eval(runs[1]) == []
