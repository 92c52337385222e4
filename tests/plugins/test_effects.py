"""Effects from outside: an installed band profile and an etalon, and datasets made with them."""

import json

import numpy as np
import pytest

import tersgen

SMALL = """
library = ["builtin:benzene"]
grid = {n_points = 1024}
fields = {maps = false, tensors = false}
noise = {spectrum = [0.0, 0.0]}
"""
BUILD = ("build", "--config", "small.toml", "--n", 600)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def spectra(path):
    dataset = tersgen.open(path)
    return dataset["spectra"][:].astype(np.float64)


def test_a_profile_from_outside_is_that_of_its_formula(outside, folder):
    outside.good(*BUILD, "--set", "effects.fano.q=2", "--out", "fano.zarr")
    dataset = tersgen.open(folder / "fano.zarr")
    made, width = dataset["spectra"][:8].astype(np.float64), dataset["params/width"][:8]
    places, areas = dataset["sticks/position"][:8], dataset["sticks/intensity"][:8]
    grid = dataset.recipe.grid
    own = dataset.recipe.lineshape.fwhm_cm1
    shifts = np.linspace(grid.start_cm1, grid.stop_cm1, grid.n_points)
    half = 0.5 * own * width[:, None, None]
    e = (shifts - places[:, :, None]) / half
    lines = (areas[:, :, None] / half * ((2.0 + e) ** 2 / (1.0 + e**2) - 1.0)).sum(axis=1)
    low, high = lines.min(axis=1, keepdims=True), lines.max(axis=1, keepdims=True)
    assert np.abs(made - (lines - low) / (high - low)).max() < 2e-3


@pytest.mark.exhaustive
def test_a_dataset_outlives_the_effect_that_made_it(outside, alone, folder):
    outside.good(*BUILD, "--set", "effects.etalon.depth=[0.1,0.2]", "--out", "a.zarr")
    (record,) = json.loads((folder / "a.zarr" / "lock.json").read_text())["plugins"]
    assert {name: record[name] for name in ("name", "package", "version")} == {
        "name": "etalon", "package": "ters-example", "version": "0.1",
    }  # fmt: skip
    dataset = tersgen.open(folder / "a.zarr")
    depth = dataset["params/etalon_depth"][:]
    assert 0.1 <= depth.min() < 0.11
    assert 0.19 < depth.max() <= 0.2
    assert "sound" in alone.good("verify", "a.zarr")
    assert "etalon_depth" in alone.good("info", "a.zarr")
    line = alone.bad("reproduce", "a.zarr")
    assert "'etalon' (ters-example 0.1, sources " in line
    assert "pip install 'ters-example==0.1'" in line
    assert "pip install" in alone.bad("extend", "a.zarr", "--n", 10)
    assert outside.good("reproduce", "a.zarr", "--fraction", 1).endswith("to the bit\n")


@pytest.mark.exhaustive
def test_workers_have_the_effect_too(outside, folder):
    effect = ("--set", "effects.etalon.period_cm1=60")
    shards = ("--shard-rows", 256, "--chunk-rows", 256)
    outside.good(*BUILD, *effect, *shards, "--out", "one.zarr")
    outside.good(*BUILD, *effect, *shards, "--out", "two.zarr", "--workers", 2)
    assert np.array_equal(spectra(folder / "one.zarr"), spectra(folder / "two.zarr"))


@pytest.mark.exhaustive
def test_other_sources_under_the_same_name_are_refused(alone, installed, folder):
    source = (installed / "ters_example" / "effects.py").read_text()
    register = (
        'from tersgen.plugins import register\nregister("tersgen.effects", "etalon")(Etalon)\n'
    )
    (folder / "mine.py").write_text(source + register)
    effect = ("--set", "effects.etalon.period_cm1=60", "--out", "a.zarr", "--plugin", "mine.py")
    alone.good(*BUILD, *effect)
    alone.good("reproduce", "a.zarr", "--plugin", "mine.py")
    jobs = (*BUILD, "--shard-rows", 256, "--chunk-rows", 256, *effect[:2], *effect[4:])
    alone.good(*jobs, "--out", "b.zarr", "--shard-range", "0:")
    hint = f"--out b.zarr --plugin {folder / 'mine.py'}"
    assert f"{hint}\n" in alone.good("info", "b.zarr")
    assert hint in alone.run("-m", "tersgen", "verify", "b.zarr").stdout
    assert "name its module with --plugin" in alone.bad("finalize", "b.zarr")
    alone.good("finalize", "b.zarr", "--plugin", "mine.py")
    assert np.array_equal(spectra(folder / "a.zarr"), spectra(folder / "b.zarr"))
    (folder / "mine.py").write_text(source.replace("2.0 * np.pi", "3.0 * np.pi") + register)
    line = alone.bad("reproduce", "a.zarr", "--plugin", "mine.py")
    assert "expected the plug-in 'etalon' (mine, sources " in line


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("effects.etalon.depht=1", "effects.etalon: depht: unknown field (did you mean 'depth'?"),
        *(
            pytest.param(*one, marks=pytest.mark.exhaustive)
            for one in [
                ("effects.etaln.depth=1", "got 'etaln' (did you mean 'etalon'?"),
                ("effects.fano.q=-1", "effects.fano: q: "),
            ]
        ),
    ],
)
def test_what_is_not_expected_is_one_line_and_nothing_is_made(outside, folder, setting, words):
    assert words in outside.bad(*BUILD, "--set", setting, "--out", "a.zarr")
    assert not (folder / "a.zarr").exists()
