"""``tersgen ingest`` as a user types it."""

import json

import numpy as np
import pytest

import tersgen


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    axis = np.arange(200.0, 1201.0, 2.5)
    rows = ["file,label"]
    for number, name in enumerate(("quartz", "calcite", "quartz")):
        values = np.exp(-(((axis - 464 - 622 * (number == 1)) / 9) ** 2)) + 1e-4 * number * axis
        lines = [f"{x} {y:.6f}" for x, y in zip(axis, values, strict=True)]
        (folder / f"{name}_{number}.txt").write_text("\n".join(lines))
        rows.append(f"{name}_{number}.txt,{name}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def test_measured_spectra_become_a_dataset(folder, quick_cli, tmp_path):
    def run(*options):
        return quick_cli.good("ingest", *options, "--out", tmp_path / "x.zarr", "--overwrite")

    text = run(folder, "--labels", folder / "labels.csv")
    assert "3 samples of 2 species" in text
    assert tersgen.open(tmp_path / "x.zarr").digest in text
    assert "3 measured samples of 2 classes" in quick_cli.good("info", tmp_path / "x.zarr")
    facts = json.loads(quick_cli.good("info", "--json", tmp_path / "x.zarr"))
    assert facts["kind"] == "measured"
    (tmp_path / "x.zarr").rename(tmp_path / "real.zarr")
    real = tmp_path / "real.zarr"
    run(folder, "--labels", folder / "labels.csv", "--like", real)
    assert (
        tersgen.open(tmp_path / "x.zarr").shift_cm1.tolist()
        == tersgen.open(real).shift_cm1.tolist()
    )
    run(folder / "quartz_0.txt", "--label", "quartz", "--grid", "300:900:64")
    assert tersgen.open(tmp_path / "x.zarr")["spectra"].shape == (1, 64)
    bad = quick_cli.bad
    out = ("--out", tmp_path / "y.zarr")
    assert "no such file" in bad("ingest", tmp_path / "none", *out)
    assert "one of labels" in bad(
        "ingest", folder, "--label", "x", "--label-from", "folder", *out, code=2
    )
    assert "with a group" in bad("ingest", folder, "--label-from", "x", *out, code=2)
    assert "no regular expression" in bad("ingest", folder, "--label-from", "(", *out, code=2)
    assert "START:STOP:POINTS" in bad("ingest", folder, "--grid", "1:2", *out, code=2)
    assert "grid" in bad("ingest", folder / "quartz_0.txt", "--grid", "9:2:5", *out)
    assert not (tmp_path / "y.zarr").exists()


def spectrum(path, start, stop, place):
    axis = np.arange(start, stop + 1, 2.5)
    values = np.exp(-(((axis - place) / 9) ** 2)) + 1e-4 * axis
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{x} {y:.6f}\n" for x, y in zip(axis, values, strict=True)))


def test_the_axis_is_named_and_never_a_sliver(quick_cli, tmp_path):
    spectrum(tmp_path / "in" / "low.txt", 200, 1800, 992)
    spectrum(tmp_path / "in" / "high.txt", 1795, 3000, 2900)
    out = ("--label", "x", "--out", tmp_path / "x.zarr")
    error = quick_cli.bad("ingest", tmp_path / "in", *out)
    assert "only 1795 to 1800 cm^-1 in common" in error
    assert "high.txt begins at 1795 and low.txt ends at 1800 cm^-1" in error
    assert "--grid START:STOP:POINTS, and --allow-extrapolation" in error
    assert not (tmp_path / "x.zarr").exists()
    for k in range(2):
        spectrum(tmp_path / "one" / f"{k}.txt", 200, 3000, 992)
    spectrum(tmp_path / "one" / "short.txt", 900, 1500, 992)
    error = quick_cli.bad("ingest", tmp_path / "one", *out)
    assert "of the 2800 cm^-1 of the median file: short.txt has no more; leave it out" in error
    text = quick_cli.good("ingest", tmp_path / "in" / "low.txt", *out)
    assert "axis 200 to 1800 cm^-1 in 1024 points, what all spectra cover" in text
    wide = ("--grid", "200:3000:512", "--allow-extrapolation", "--overwrite")
    done = quick_cli.run("ingest", tmp_path / "in", *out, *wide)
    assert "axis 200 to 3000 cm^-1 in 512 points, of --grid" in done.stdout
    assert "low.txt: 43% of the axis was not measured: filled from its edges" in done.stderr
    assert "high.txt: 57% of the axis was not measured: filled from its edges" in done.stderr
    done = quick_cli.run("ingest", tmp_path / "in" / "low.txt", *out, "--overwrite", "--json")
    assert json.loads(done.stdout)["n_samples"] == 1
    assert "axis 200 to 1800" in done.stderr


def test_a_class_that_the_dataset_of_like_does_not_have(folder, quick_cli, tmp_path):
    known = tmp_path / "known.zarr"
    quick_cli.good("ingest", folder, "--labels", folder / "labels.csv", "--out", known)
    like = ("--like", known, "--out", tmp_path / "x.zarr", "--overwrite")
    one = folder / "quartz_0.txt"
    done = quick_cli.run("ingest", one, "--label", "quarz", *like)
    assert done.returncode == 0
    wanted = f"Warning: {known} has no class quarz (did you mean 'quartz'?); added as new"
    assert wanted in done.stderr
    assert f"points, of {known}" in done.stdout
    for options in (("--label", "quartz"), ()):
        assert "Warning" not in quick_cli.run("ingest", one, *options, *like).stderr


@pytest.mark.parametrize("name", ["old.zarr", "old.h5"])
def test_datasets_among_files_are_named_and_skipped(folder, quick_cli, tmp_path, name):
    source, old = tmp_path / "in", tmp_path / "in" / "sub" / name
    spectrum(source / "a.txt", 200, 1200, 464)
    old.parent.mkdir()
    quick_cli.good("ingest", source / "a.txt", "--out", old)
    for words in (("inspect",), ("ingest", "--out", tmp_path / "x.zarr")):
        error = quick_cli.bad(*words, old)
        assert f"got a dataset of tersgen; see tersgen info {old}" in error
        done = quick_cli.run(*words, source)
        assert done.returncode == 0, done.stderr
        assert f"skipped: {old}: a dataset of tersgen; see tersgen info {old}" in done.stderr
    assert tersgen.open(tmp_path / "x.zarr").n_samples == 1
    for _ in range(2):  # its own output is no news
        own = quick_cli.run("ingest", source, "--out", source / "new.zarr")
        assert own.returncode == 0, own.stderr
        assert "new.zarr" not in own.stderr


def test_measured_samples_stay_together_by_default(folder, quick_cli, tmp_path):
    out = tmp_path / "x.zarr"
    spectra = np.random.default_rng(1).random((3, 20, 32))
    for k, rows in enumerate(spectra):
        np.savez(tmp_path / f"{k}.npz", spectra=rows, shift_cm1=np.linspace(100, 400, 32))
    files = [tmp_path / f"{k}.npz" for k in range(3)]
    quick_cli.good("ingest", *files, "--label", "x", "--out", out)
    done = quick_cli.run("split", out, "--ratios", "train=0.6,test=0.4")
    assert "rows of one file stay together; --by species spreads them" in done.stderr
    ds = tersgen.open(out)
    assert ds.splits["default"].rule.by == "sample"
    parts, source = ds.parts("default"), ds["source/file"][:]
    assert all(len(set(parts[source == k])) == 1 for k in range(3))
    quick_cli.good("split", out, "--name", "held", "--hold-out", "source/row=0:5")
    quick_cli.good("split", out, "--name", "spread", "--by", "species")
    assert {one: tersgen.open(out).splits[one].rule.by for one in ("held", "spread")} == {
        "held": "species",
        "spread": "species",
    }
    quick_cli.good("ingest", files[0], "--label", "x", "--out", out, "--overwrite")
    done = quick_cli.run("split", out)
    assert "Warning: all rows are of one group or file" in done.stderr
    assert tersgen.open(out).splits["default"].rule.by == "species"


def test_maps_become_cubes_or_maps_of_bands(quick_cli, tmp_path):
    axis = np.linspace(200.0, 1200.0, 64)
    band = 1e3 * np.exp(-(((axis - 700) / 40) ** 2))
    lines = ["#X\t#Y\t#Wave\t#Intensity"]
    for k in range(6):
        lines += [f"{k % 3}\t{k // 3}\t{x:.3f}\t{(k + 1) * y:.3f}"
                  for x, y in zip(axis, band, strict=True)]  # fmt: skip
    (tmp_path / "map.txt").write_text("\n".join(lines) + "\n")
    shared = ("ingest", tmp_path / "map.txt", "--label", "x", "--out", tmp_path / "x.zarr")
    quick_cli.good(*shared, "--as", "cubes", "--grid", "300:1100:32")
    assert tersgen.open(tmp_path / "x.zarr")["cube"].shape == (1, 2, 3, 32)
    assert "row 2, column 3, shift_channel 32" in quick_cli.good("info", tmp_path / "x.zarr")
    quick_cli.good("plot", tmp_path / "x.zarr", "-o", tmp_path / "x.png")
    (tmp_path / "x.zarr").rename(tmp_path / "like.zarr")
    quick_cli.good(*shared, "--as", "cubes", "--like", tmp_path / "like.zarr")
    assert tersgen.open(tmp_path / "x.zarr").axes["shift_channel"].n == 32
    quick_cli.good(*shared, "--as", "maps", "--band", "600:800", "--overwrite")
    image = tersgen.open(tmp_path / "x.zarr")["maps"][0, 0]
    assert image == pytest.approx(np.arange(6).reshape(2, 3) / 5, abs=1e-4)
    bad = quick_cli.bad
    assert "for maps, and only for them" in bad(*shared, "--as", "maps", code=2)
    assert "LOW:HIGH" in bad(*shared, "--as", "maps", "--band", "800:600", code=2)
    assert "a dataset with spectra" in bad(*shared, "--like", tmp_path / "like.zarr", code=2)
