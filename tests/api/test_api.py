"""Every command as a function: the same results, progress, cancellation, errors of one line."""

import json
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import tersgen
from tersgen.api.progress import ProgressBar
from tersgen.cli import main
from tersgen.errors import (
    CancelledError,
    ConfigError,
    DatasetError,
    LibraryError,
    OutputError,
    TersWarning,
)
from tersgen.jobs.progress import Progress
from tersgen.schema.presets import PRESETS

SMALL = {"chunk_rows": 64, "shard_rows": 256}


@pytest.fixture(scope="module")
def direct(tiny_recipe, tmp_path_factory):
    """A dataset of 1280 rows in 5 shards, with a split."""
    path = tmp_path_factory.mktemp("direct") / "a.zarr"
    tersgen.build(tiny_recipe, 1280, path, **SMALL)
    tersgen.split(path)
    return path


def test_a_recipe_is_taken_in_every_form(tiny_recipe, direct, tmp_path):
    digest = tersgen.open(direct).digest
    file = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, file)
    for k, recipe in enumerate([file, str(file), tersgen.load_recipe(file)]):
        ds = tersgen.build(recipe, 1280, tmp_path / f"{k}.zarr", **SMALL)
        assert (ds.digest, len(ds)) == (digest, 1280)
    table = {"library": ["random:2"], "seed": 5}
    mapped = tersgen.generate(table, 0, 3)["spectra"]
    np.testing.assert_array_equal(
        mapped, tersgen.generate(tersgen.Recipe(**table), 0, 3)["spectra"]
    )
    for name in PRESETS:
        assert tersgen.plan(name, 10).n_samples == 10
    assert tersgen.build(n=8, out=tmp_path / "near.zarr")["maps"].shape == (8, 4, 64, 64)


@pytest.mark.parametrize(
    ("recipe", "error", "said"),
    [
        ("nearfeld", ConfigError, "(did you mean 'nearfield'?)"),
        ("missing.toml", ConfigError, "missing.toml: cannot be read"),
        ({"sed": 1}, ConfigError, "recipe: sed: unknown field (did you mean 'seed'?)"),
        ({"library": ["builtin:benzen"]}, LibraryError, "benzene"),
        (5, ConfigError, "expected a Recipe, a mapping, a file or the name of a preset, got int"),
    ],
)
def test_recipes_that_are_none_are_one_line(recipe, error, said, tmp_path):
    for call in (
        lambda: tersgen.build(recipe, 10, tmp_path / "a.zarr"),
        lambda: tersgen.generate(recipe, 0, 1),
    ):
        with pytest.raises(error) as caught:
            call()
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seed": "x"}, "recipe: seed: expected a valid integer"),
        (
            {"grid": {"n_pints": 3}},
            "recipe: grid.n_pints: unknown field (did you mean 'n_points'?)",
        ),
        ({"library": ()}, "recipe: library: expected at least one source, got none"),
    ],
)
def test_wrong_settings_of_a_recipe_are_one_line(settings, said):
    with pytest.raises(ConfigError) as caught:
        tersgen.Recipe(**settings)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "n: expected a whole number"),
        ({"n": 1.5}, "n: expected a whole number"),
        ({"n": True}, "n: expected a whole number"),
        ({"workers": 0}, "workers: expected a whole number"),
        ({"progress": 5}, "progress: expected a callable or True"),
        ({"scheduler": "here"}, "expected an address such as tcp://host:8786"),
        ({"cluster": {"cors": 3}}, "got 'cors'"),
        ({"out": "a.h5", "compression": "lz4"}, "compression: expected none for HDF5"),
    ],
)
def test_options_that_are_wrong_are_one_line(tiny_recipe, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        tersgen.build(**{"recipe": tiny_recipe, "n": 100, "out": "a.zarr", **options})
    assert said in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_progress_is_reported_and_a_second_call_adds_nothing(tiny_recipe, direct, tmp_path):
    seen = []
    out = tmp_path / "a.zarr"
    tersgen.build(tiny_recipe, 1280, out, progress=seen.append, threads=1, **SMALL)
    done = [one for one in seen if not one.note]
    assert [one.n_done for one in done] == [256, 512, 768, 1024, 1280]
    assert {type(one) for one in seen} == {Progress}
    with pytest.raises(AttributeError):
        seen[0].n_done = 0
    seen.clear()
    assert tersgen.build(tiny_recipe, 1280, out, progress=seen.append, **SMALL).digest
    assert seen == []
    with pytest.raises(OutputError, match="n_samples: 1280 there, 1200 here"):
        tersgen.build(tiny_recipe, 1200, out, **SMALL)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("how", ["event", "exception"])
def test_a_build_that_is_stopped_resumes_with_the_same_call(how, tiny_recipe, direct, tmp_path):
    out, cancel, kept = tmp_path / "a.zarr", threading.Event(), []

    def stop(progress):
        if progress.n_done >= 512:
            kept.append(progress.n_done)
            if how == "exception":
                raise StoppedError
            cancel.set()

    expected = CancelledError if how == "event" else StoppedError
    with pytest.raises(expected) as caught:
        tersgen.build(tiny_recipe, 1280, out, progress=stop, cancel=cancel, threads=1, **SMALL)
    text = str(caught.value) if how == "event" else caught.value.__notes__[0]
    assert f"{out}: " in text
    assert "of 1280 samples are on disk and kept; the same command resumes" in text
    # what a signal leaves: an incomplete dataset that nobody holds
    seen = tersgen.info(out)
    assert seen.dataset is None
    assert not seen.build.holders
    assert 512 <= seen.build.n_done < 1280
    with pytest.raises(DatasetError):
        tersgen.open(out)
    found = []
    ds = tersgen.build(tiny_recipe, 1280, out, progress=found.append, **SMALL)
    assert found[-1].n_kept == seen.build.n_done
    assert ds.digest == tersgen.open(direct).digest


def test_a_build_that_is_cancelled_at_once_leaves_nothing(tiny_recipe, tmp_path):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError, match="nothing is left"):
        tersgen.build(tiny_recipe, 1280, tmp_path / "a.zarr", cancel=cancel, **SMALL)
    assert not any(tmp_path.iterdir())


def test_what_commands_do_to_a_dataset(direct, tiny_recipe, tmp_path):
    path = tmp_path / "a.zarr"
    copy = tersgen.convert(direct, path, chunk_rows=32)
    first = copy.digest
    assert first == tersgen.open(direct).digest
    assert tersgen.verify(path).sound
    (tag,) = tersgen.tag(path, "v1")
    assert [one.name for one in tersgen.tag(path)] == ["v1"]
    grown = tersgen.extend(path, 60)
    assert len(grown) == len(tersgen.extend(path, 60)) == 1340
    assert tersgen.info(path).tags["v1"].version == tag.version
    assert tersgen.open(f"{path}@v1").digest == first
    assert not tersgen.diff(path, f"{path}@v1").equal
    split = tersgen.split(path, {"a": 0.5, "b": 0.5}, name="halves", seed=3)
    assert sum(split.part_rows.values()) == 1340
    with pytest.warns(TersWarning, match="no row is in test: its share of each species rounds"):
        tersgen.split(path, {"train": 0.9998, "test": 0.0002}, name="uneven")
    with pytest.warns(TersWarning, match="no row is in test: none is in params/width=5:6"):
        tersgen.split(path, name="none", hold_out=["params/width=5:6"])
    file = next(path.glob("spectra/c.0*"))
    file.write_bytes(file.read_bytes()[:-9])
    assert not tersgen.verify(path).sound
    steps = []
    repaired = tersgen.repair(path, progress=steps.append)
    assert repaired.verified.sound
    assert repaired.done
    assert tersgen.open(path).digest == grown.digest
    with pytest.raises(ConfigError, match=r"expected n .*, got none"):
        tersgen.extend(path)
    with pytest.raises(ConfigError, match="name of the tag"):
        tersgen.tag(path, delete=True)
    with pytest.raises(OutputError, match="overwrite"):
        tersgen.split(path, name="halves")


def test_measured_spectra_become_a_dataset(tmp_path):
    axis = np.linspace(100, 3000, 200)
    for k, name in enumerate(["calcite", "quartz"]):
        (tmp_path / name).mkdir()
        values = np.exp(-((axis - 600 - 400 * k) ** 2) / 800)
        table = np.column_stack([axis, values])
        np.savetxt(tmp_path / name / "a.txt", table, header="Raman shift (cm-1), intensity")
    files = [tmp_path / "calcite", tmp_path / "quartz"]
    ds = tersgen.ingest(files, tmp_path / "a.zarr", label_from="folder", grid=(200, 2500, 64))
    assert (len(ds), set(ds.classes), ds.kind) == (2, {"calcite", "quartz"}, "measured")
    (tmp_path / "quartz" / "bad.txt").write_text("1 2\n")
    with pytest.warns(TersWarning, match="skipped: .*bad.txt"):
        tersgen.ingest(
            files, tmp_path / "b.zarr", label_from="folder", like=tmp_path / "a.zarr", skip_bad=True
        )
    with pytest.raises(ConfigError, match="expected one of labels"):
        tersgen.ingest(files, tmp_path / "c.zarr", label="x", label_from="folder")


def test_a_bar_shows_progress_and_keeps_quiet_afterwards(tiny_recipe, tmp_path, capsys):
    tersgen.build(tiny_recipe, 1280, tmp_path / "a.zarr", progress=True, **SMALL)
    assert "1280" in capsys.readouterr().err
    bar = ProgressBar()
    bar(Progress(3, 9, 0, note="waiting for workers"))
    bar.close()
    assert "waiting for workers" in capsys.readouterr().err


def test_command_lines_and_functions_agree(tiny_recipe, direct, tmp_path):
    file = tmp_path / "recipe.json"
    tersgen.save_recipe(tiny_recipe, file)

    def command(*words):
        done = CliRunner().invoke(main, [*map(str, words), "--json"], catch_exceptions=False)
        return json.loads(done.stdout)

    planned = command("plan", "--config", file, "--n", 1280, "--workers", 3)
    own = tersgen.plan(file, 1280, workers=3).content()
    assert planned.keys() == own.keys()
    exact = ("n_samples", "n_shards", "shard_rows", "n_files", "workers", "threads_per_worker")
    assert {name: planned[name] for name in exact} == {name: own[name] for name in exact}
    shown = command("info", direct)
    info = tersgen.info(direct)
    assert shown["n_samples"] == len(info.dataset)
    assert shown["splits"] == {"default": info.dataset.splits["default"].part_rows}


def test_names_are_there_and_documented():
    assert sorted(tersgen.__all__) == tersgen.__all__
    assert {*tersgen.__all__} == {*tersgen._HOMES}
    for name in tersgen.__all__:
        assert getattr(tersgen, name).__doc__, name
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = tersgen.nothing


def test_reading_imports_no_compiler(direct):
    code = (
        "import sys, tersgen; ds = tersgen.open(sys.argv[1]); ds[5]; ds[3:9]; tersgen.info("
        "sys.argv[1]); ds.select(where='label > 0')[0]; ds._repr_html_(); "
        "print('numba' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, direct], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"


@pytest.mark.exhaustive
def test_workers_build_the_same_and_are_cancelled(tiny_recipe, direct, tmp_path):
    digest, out, cancel = tersgen.open(direct).digest, tmp_path / "a.zarr", threading.Event()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, of a busy machine
        with pytest.raises(CancelledError, match="the same command resumes"):
            tersgen.build(
                tiny_recipe, 1280, out, workers=2, cancel=cancel,
                progress=lambda one: one.n_done and cancel.set(), **SMALL,
            )  # fmt: skip
        assert tersgen.build(tiny_recipe, 1280, out, workers=2, **SMALL).digest == digest
