"""Every source that predict takes gives what the model says of the same rows."""

import csv
import json

import numpy as np
import pytest
import torch

import ters_train
import tersgen
from ters_train.prediction.sources import SourceOptions, read_sources
from tersgen.errors import ConfigError, MeasurementError, TersWarning
from tersgen.measured import on_axis
from tersgen.measured.on_axis import TargetAxis, read_many_on_axis

TOP = 2


@pytest.fixture(scope="module")
def trained(finished):
    return ters_train.load(finished)


@pytest.fixture(scope="module")
def spectra(few):
    """Return all spectra, scaled as measured ones are."""
    values = tersgen.open(few)["spectra"][:].astype(np.float64)
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    return ((values - low) / (high - low)).astype(np.float32)


@pytest.fixture(scope="module")
def first(trained, spectra):
    """Return the probability of the first species of each spectrum."""
    with torch.inference_mode():
        logits = trained.model({"spectra": torch.from_numpy((spectra - 0.5) / 0.5)})["logits"]
    return logits.softmax(1).amax(1).numpy()


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_texts(folder, shift, spectra, count):
    folder.mkdir()
    for row in range(count):
        np.savetxt(folder / f"{row:03}.txt", np.c_[shift, spectra[row]], header="Raman shift")
    return folder


def test_files_folders_patterns_and_lists(runs, finished, trained, spectra, first, tmp_path):
    folder = write_texts(tmp_path / "texts", trained.shift_cm1, spectra, 5)
    tables = []
    for k, source in enumerate((folder, folder / "*.txt", f"{tmp_path}/**/00?.txt")):
        tables.append(tmp_path / f"{k}.csv")
        runs.good("predict", finished, source, "--out", tables[-1], "--top", TOP)
    for table in tables:
        found = rows_of(table)
        assert [one["file"][-7:] for one in found] == [f"{row:03}.txt" for row in range(5)]
        assert list(found[0])[-4:] == ["species_1", "probability_1", "species_2", "probability_2"]
        given = [float(one["probability_1"]) for one in found]
        np.testing.assert_allclose(given, first[:5], atol=1e-5)
    line = runs.bad("predict", finished, folder / "*.spc")
    assert "expected files that match" in line


def test_arrays_need_an_axis_and_name_bad_rows(runs, finished, trained, spectra, first, tmp_path):
    values = spectra[:6].copy()
    values[4] = 0.25
    np.save(tmp_path / "s.npy", values)
    np.savez(tmp_path / "s.npz", spectra=3e4 * values[:4], shift_cm1=trained.shift_cm1)
    assert "--axis START:STOP" in runs.bad("predict", finished, tmp_path / "s.npy")
    options = ("--axis", "model", "--json", "--top", TOP)
    line = runs.bad("predict", finished, tmp_path / "s.npy", *options)
    assert "row 4: expected a signal, got one constant" in line
    done = runs.good("predict", finished, tmp_path / "s.npy", *options, "--skip-bad")
    found = json.loads(done.stdout)
    assert [one["row"] for one in found] == [0, 1, 2, 3, 4, 5]
    refused = found.pop(4)
    assert refused["answer"] == "cannot be used"
    assert "got one constant" in refused["reason"]
    assert done.stderr.count("skipped: ") == 1
    given = [one["species"][0]["probability"] for one in found]
    np.testing.assert_allclose(given, first[[0, 1, 2, 3, 5]], atol=1e-5)
    found = json.loads(runs.good("predict", finished, tmp_path / "s.npz", "--json").stdout)
    given = [one["species"][0]["probability"] for one in found]
    np.testing.assert_allclose(given, first[:4], atol=1e-5)


def test_rows_of_datasets(runs, finished, trained, few, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    dataset = tersgen.open(few)
    out = tmp_path / "rows.parquet"
    runs.good("predict", finished, few, "--part", "val", "--out", out)
    found = parquet.read_table(out).to_pydict()
    rows = dataset.rows_in("val")
    assert found["row"] == rows.tolist()
    assert found["truth"] == [dataset.classes[k] for k in dataset["label"][rows]]
    said = trained.predict(dataset["spectra"][rows])
    for k in (0, len(rows) - 1):
        assert found["species_1"][k] == said[k].content["species"][0]["name"]
    scored = tmp_path / "scored.jsonl"
    runs.good("evaluate", finished, "--data", few, "--part", "val", "--out", scored)
    lines = [json.loads(line) for line in scored.read_text().splitlines()]
    assert [one["row"] for one in lines] == rows.tolist()
    scores = json.loads((finished / "evaluation-val/scores.json").read_text())
    right = np.mean([one["species"][0]["name"] == one["truth"] for one in lines])
    assert scores["accuracy"] == pytest.approx(right)
    assert "expected one of train, val, test" in runs.bad("predict", finished, few, "--part", "v")
    line = runs.bad("evaluate", finished, "--data", few, "--split", "val")
    assert "that is a part of one: --part val" in line


def test_what_cannot_be_written_leaves_nothing(runs, finished, few, tmp_path):
    (tmp_path / "full.csv").write_text("mine")
    bad = tmp_path / "bad.txt"
    bad.write_text("nothing\n")
    runs.bad("predict", finished, few, bad, "--out", tmp_path / "full.csv")
    assert (tmp_path / "full.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.txt", "full.csv"]
    assert "expected a name that ends in" in runs.bad(
        "predict", finished, few, "--out", tmp_path / "a.xlsx", code=2
    )
    inside = few / "rows.csv"
    assert "outside datasets" in runs.bad("predict", finished, few, "--out", inside)


def test_maps_are_named_too(runs, few, tmp_path):
    options = ("--input", "map", "--set", "model.options.size=custom", "--set",
               "model.options.width=8", "--set", "model.options.depth=1", "--set",
               "model.options.heads=1", "--set", "model.options.patch=2")  # fmt: skip
    out = tmp_path / "vit"
    runs.good("fit", "--data", few, "--out", out, *options, "--epochs", 1)
    dataset = tersgen.open(few)
    np.save(tmp_path / "maps.npy", dataset["maps"][:3])
    found = json.loads(runs.good("predict", out, tmp_path / "maps.npy", "--json").stdout)
    rows = json.loads(runs.good("predict", out, few, "--n", 3, "--json").stdout)
    assert [one["species"] for one in found] == [one["species"] for one in rows]
    trained = ters_train.load(out)
    assert trained.embed(dataset["maps"][:3]).shape == (3, 8)
    with pytest.raises(ConfigError, match="expected values from 0 to 1, as trained on, got"):
        trained.predict(3 * dataset["maps"][:3].astype(np.float32))
    with pytest.raises(ConfigError, match="expected an array maps, got spectra"):
        trained.predict({"spectra": dataset["spectra"][:3]})


def test_a_predictor_in_python(trained, few, spectra, first):
    dataset = tersgen.open(few)
    axis = dataset.shift_cm1
    said = trained.predict(spectra[:600])
    given = [one.content["species"][0]["probability"] for one in said]
    np.testing.assert_allclose(given, first[: len(said)], atol=1e-5)
    (measured,) = trained.predict(100 + 1e5 * spectra[5], shift_cm1=axis)
    assert measured.content["species"][0]["probability"] == pytest.approx(first[5], abs=1e-5)
    features = trained.embed(spectra[:10])
    assert features.dtype == np.float32
    assert trained.classes == dataset.classes
    (batch,) = trained.batches({"spectra": spectra[:10]})
    with torch.inference_mode():
        logits = trained.model.classes(torch.from_numpy(features))
        each = trained.model.logits_of_each(batch)
    torch.testing.assert_close(logits, each[:, 0])  # features of the first network
    with pytest.raises(MeasurementError, match="the axis wanted"):
        trained.predict(spectra[0, :8], shift_cm1=axis[:8])


@pytest.mark.exhaustive
def test_processes_read_what_one_reads_in_the_same_order(trained, spectra, tmp_path, monkeypatch):
    folder = write_texts(tmp_path / "texts", trained.shift_cm1, spectra, 40)
    (folder / "007.txt").write_text("no spectrum\n")
    paths = sorted(folder.iterdir())
    target = TargetAxis(trained.shift_cm1)
    alone = list(read_many_on_axis(paths, target))
    monkeypatch.setattr(on_axis, "_FEW_FILES", 1)
    monkeypatch.setattr(on_axis, "_FILES_A_TASK", 3)
    together = list(read_many_on_axis(paths, target, processes=2))
    assert len(alone) == len(together) == 40
    for (one,), (other,) in zip(alone, together, strict=True):
        if isinstance(one, MeasurementError):
            assert str(one) == str(other)
        else:
            np.testing.assert_array_equal(one.intensity, other.intensity)


def test_columns_of_a_table_are_printed_by_their_names(runs, finished, trained, spectra, tmp_path):
    table = tmp_path / "wide.csv"
    columns = np.c_[trained.shift_cm1, spectra[:3].T]
    np.savetxt(table, columns, delimiter=",", header="Raman shift (cm-1),first,second,third",
               comments="")  # fmt: skip
    printed = runs.good("predict", finished, table).stdout.splitlines()
    assert [line.partition(":")[0] for line in printed] == [
        "wide.csv[first]", "wide.csv[second]", "wide.csv[third]",
    ]  # fmt: skip


def test_rows_of_a_dataset_on_another_axis_are_resampled(runs, finished, trained, few, tmp_path):
    own = tersgen.open(few)
    grid = {**own.recipe.grid.model_dump(), "n_points": 3 * own.recipe.grid.n_points}
    finer = own.recipe.model_copy(update={"grid": tersgen.Recipe(grid=grid).grid})
    made = tersgen.build(finer, 40, tmp_path / "finer.zarr")
    out = tmp_path / "rows.csv"
    runs.good("predict", finished, tmp_path / "finer.zarr", "--out", out)
    said = trained.predict(made["spectra"][:], shift_cm1=made.shift_cm1)
    found = rows_of(out)
    assert [one["species_1"] for one in found] == [
        one.content["species"][0]["name"] for one in said
    ]
    assert [one["truth"] for one in found] == [made.classes[k] for k in made["label"][:]]
    half = {**grid, "stop_cm1": (grid["start_cm1"] + grid["stop_cm1"]) / 2}
    short = own.recipe.model_copy(update={"grid": tersgen.Recipe(grid=half).grid})
    tersgen.build(short, 5, tmp_path / "short.zarr")
    line = runs.bad("predict", finished, tmp_path / "short.zarr")
    assert "short.zarr: expected a spectrum over" in line
    runs.good("predict", finished, tmp_path / "short.zarr", "--allow-extrapolation")


def test_models_of_spectra_with_parts_missing_take_short_files(runs, few, tmp_path):
    own = tersgen.open(few).recipe
    recipe = own.model_copy(update={"instrument": tersgen.Recipe(
        instrument={"missing": (0.2, 0.5)}).instrument})  # fmt: skip
    tersgen.build(recipe, 200, tmp_path / "parts.zarr")
    tersgen.split(tmp_path / "parts.zarr")
    model = ("--model", "library-search", "--out", tmp_path / "run")
    runs.good("fit", "--data", tmp_path / "parts.zarr", *model)
    short = tmp_path / "short.txt"
    short.write_text("".join(f"{x} {x % 700}\n" for x in range(500, 3000, 10)))
    done = runs.good("predict", tmp_path / "run", short)
    assert "% of the model's axis was not measured\n" in done.stdout


def test_a_file_is_read_as_its_ingested_row_is(trained, spectra, tmp_path):
    """Also what was measured of it: less at an end, a gap inside, and a saturated end that was."""
    axis = trained.shift_cm1
    inside = np.ones(len(axis), bool)
    inside[20:40] = False
    saturated = np.minimum(spectra[2], np.sort(spectra[2])[-30])
    parts = {"short": (axis[12:], spectra[0, 12:]), "gap": (axis[inside], spectra[1, inside]),
             "saturated": (axis, saturated)}  # fmt: skip
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, (shift, values) in parts.items():
        np.savetxt(folder / f"{name}.txt", np.c_[shift, values], header="Raman shift")
    options = SourceOptions(allow_extrapolation=True)
    (read,) = read_sources(trained, [folder / f"{name}.txt" for name in parts], options)
    masks = read.arrays["measured"]
    assert masks.sum(axis=1).tolist() == [len(axis) - 12, len(axis) - 20, len(axis)]
    for points in (len(axis), 4 * len(axis) - 3):  # the model's axis, and a finer one
        out = tmp_path / f"{points}.zarr"
        with pytest.warns(TersWarning, match="of the axis was not measured"):
            rows = tersgen.ingest(folder, out, label="x", grid=(axis[0], axis[-1], points),
                                  allow_extrapolation=True)  # fmt: skip
        (stored,) = read_sources(trained, [out], options)
        files = [rows.basis.files[k].name for k in rows["source/file"][:]]
        order = [[f"{name}.txt" for name in parts].index(name) for name in files]
        found = stored.arrays
        np.testing.assert_array_equal(found["measured"], masks[order])
        if points == len(axis):
            np.testing.assert_allclose(found["spectra"], read.arrays["spectra"][order], atol=1e-6)


def test_a_recipe_on_another_axis_is_no_measurement(runs, finished, few, tmp_path):
    recipe = tersgen.Recipe(library=("random:3",), grid={"n_points": 32})
    tersgen.save_recipe(recipe, tmp_path / "recipe.json")
    line = runs.bad("evaluate", finished, "--data", tmp_path / "recipe.json", code=2)
    assert f"got (32,); build it with the settings of {few}" in line


def test_a_model_of_spectra_and_maps_says_what_it_is_fed(runs, few, tmp_path):
    runs.good(
        "fit", "--data", few, "--out", tmp_path / "joint", "--model", "cnn+vit", "--epochs", 1,
        "--batch-size", 240, "--set", "model.options={cnn: {widths: [4, 8]}, vit: {size: custom, "
        "width: 16, depth: 1, heads: 2, patch: 2}}",
    )  # fmt: skip
    (tmp_path / "x.txt").write_text("1 2\n2 3\n")
    line = runs.bad("predict", tmp_path / "joint", tmp_path / "x.txt")
    assert "x.txt: expected a dataset, or .npz with spectra and maps" in line


def test_each_bad_file_has_an_answer(runs, finished, trained, tmp_path):
    """What is wrong with a file is in its row: of files that cannot be used, too."""
    low, high = trained.shift_cm1[[0, -1]]
    shift = np.linspace(low, high, 2000)
    noise = np.random.default_rng(8).normal(1000, 5, 2000)
    band = 3000 * np.exp(-0.5 * ((shift - shift[900]) / 40) ** 2)
    beyond = np.linspace(high + 50, high + 900, 2000)
    part = np.linspace(low, low + 0.2 * (high - low), 2000)
    files = {
        "good": ("Raman shift", shift, noise + band, None),
        "noise": ("Raman shift", shift, noise, "no band above the noise"),
        "cut": ("Raman shift", shift, np.minimum(np.round(noise + band), 2500), "saturated"),
        "short": ("Raman shift", part, noise + band, "too little of the model's axis measured"),
        "beyond": ("Raman shift", beyond, noise + band, "does not cover the model's axis"),
        "flat": ("Raman shift", shift, 0 * noise, "no band above the noise"),
        "xray": ("2theta/deg", np.linspace(5, 90, 2000), noise + band, "not Raman"),
        "text": None,
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.txt"
        if content is None:
            path.write_text("nothing\n")
            continue
        heading, axis, values, _ = content
        np.savetxt(path, np.c_[axis, values], header=f"{heading}\tintensity", delimiter="\t")
    options = ("--allow-extrapolation", "--skip-bad")
    table = tmp_path / "out.csv"
    names = [
        tmp_path / f"{name}.txt" for name in ("xray", *(one for one in files if one != "xray"))
    ]
    done = runs.good("predict", finished, *names, *options, "--out", table)
    answers = {row["file"].rpartition("/")[2][:-4]: row["answer"] for row in rows_of(table)}
    assert answers.pop("good") in trained.classes
    assert answers.pop("text") == "cannot be used"
    assert answers == {name: files[name][3] for name in answers}
    assert len(answers) == 6
    assert done.stderr.count("not Raman") == 0  # the reason is told in full
    assert "scattering angle" in done.stderr
    listed = json.loads(runs.good("predict", finished, *names, *options, "--json").stdout)
    assert {one["file"].rpartition("/")[2][:-4]: one["answer"] for one in listed}.items() >= (
        answers.items()
    )
