"""``tersgen plot``: what is in the pictures, by the texts of SVG files and panels of figures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.dataset.splits import make_split
from tersgen.errors import ConfigError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.plotting.lines import find_peaks, plot_line, repeated_ends
from tersgen.plotting.sample_images import DrawOptions
from tersgen.plotting.samples import atoms_of, draw_rows, draw_sample
from tersgen.plotting.style import new_figure, save, styled
from tersgen.schema.split import SplitRule

ORCA = Path(__file__).parents[1] / "library/data/dvb_raman.orca.out"
GRID = {"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 512}


def built(path, n=40, **settings):
    recipe = tersgen.resolve(tersgen.Recipe(seed=3, grid=GRID, **settings))
    run(make_plan(recipe, n, chunk_rows=8, shard_rows=256), path)
    make_split(path, "default", SplitRule())
    return path


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """Return maps of two bands of pyridine and benzene under a tip, with sticks."""
    return built(
        tmp_path_factory.mktemp("near") / "near.zarr",
        library=("builtin:benzene", "builtin:pyridine"),
        map={"height": 48, "width": 48},
        nearfield={"bands": ((900.0, 1100.0), (2900.0, 3200.0))},
        structure={"elements": ("H", "C", "N")},
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return spectra and maps without a frame."""
    folder = tmp_path_factory.mktemp("plain")
    return built(folder / "plain.zarr", library=("builtin:benzene",), map={"height": 8, "width": 8})


def texts(svg):
    return re.findall(r"<text[^>]*>(.*?)</text>", svg.read_text(), re.DOTALL)


def drawn(good, tmp_path, *arguments):
    out = tmp_path / "picture.svg"
    good("plot", *arguments, "-o", out)
    # formulas have a line for each letter
    return " | ".join(re.sub(r"<[^>]*>|\n\s*", "", text).strip() for text in texts(out))


def test_a_sample_has_all_channels_in_angstrom_with_modes_and_atoms(good, near, tmp_path):
    said = drawn(good, tmp_path, near, "--species", "benzene")
    assert "benzene, row " in said
    for expected in ("900-1100", "2900-3200", "bonds", "atoms of C", "\u00c5", "sticks"):
        assert expected in said
    assert re.search(r"\b9\d\d A1g\b", said)  # the ring's breathing, with its representation
    assert "atoms of N" not in said  # benzene has none
    assert "A1g" not in drawn(good, tmp_path, near, "--species", "benzene", "--no-labels")


@pytest.mark.filterwarnings("ignore:no effect")  # points of spectra
def test_a_cosmic_ray_does_not_choose_the_channel_of_a_cube(good, tmp_path):
    """A recorded cube of benzene: what is drawn is a band of it, the ray is elsewhere."""
    exposure = {"electrons": (500.0, 500.0), "cosmic_rays": 0.02, "cosmic_height": (20.0, 20.0)}
    path = built(
        tmp_path / "cube.zarr",
        n=4,
        library=("builtin:benzene",),
        map={"height": 12, "width": 12},
        nearfield={"channel_cm1": 100.0},
        instrument={"cube": exposure},
        fields={"spectra": False, "maps": False, "cube": True},
    )
    dataset = tersgen.open(path)
    cube = dataset["cube"][0]
    struck = dataset.axes["shift_channel"].points()[cube.max(axis=(0, 1)).argmax()]
    said = drawn(good, tmp_path, path, "--index", "0")
    (title,) = re.findall(r"\| (\d+)\s*cm", said)
    assert 900 < float(title) < 1700 or 3000 < float(title) < 3200
    assert float(title) != struck
    assert "mean over pixels, scaled" in said


def test_atoms_lie_where_the_dataset_says(near):
    dataset = tersgen.open(near)
    sample = dataset.sample(5)
    symbols, places = atoms_of(dataset, sample)
    hidden = {name: value for name, value in sample.items() if not name.startswith("structure/")}
    again, turned = atoms_of(dataset, hidden)
    assert sorted(symbols) == sorted(again)
    order, other = (np.lexsort(one[:, :2].round(3).T) for one in (places, turned))
    np.testing.assert_allclose(places[order, :2], turned[other, :2], atol=1e-4)


def test_channels_and_bands_are_chosen(near, plain):
    dataset = tersgen.open(near)

    def titles(**options):
        with styled():
            figure = draw_sample(dataset, 0, DrawOptions(**options))
        return [axes.get_title() for axes in figure.axes if axes.images and axes.get_title()]

    assert titles(channels=(1,)) == ["2900-3200 cm$^{-1}$"]
    assert titles(band_cm1=(1000.0, 1000.0)) == ["900-1100 cm$^{-1}$"]
    with pytest.raises(ConfigError, match="expected channels from 0 to 1, got 2"):
        titles(channels=(2,))
    assert titles(band_cm1=(2900.0, 3200.0)) == ["2900-3200 cm$^{-1}$"]
    with pytest.raises(ConfigError, match=r"the band 1500 cm.*got 900-1100"):
        titles(band_cm1=(1500.0, 1500.0))
    with pytest.raises(ConfigError, match="got maps without Raman shifts"), styled():
        draw_sample(tersgen.open(plain), 0, DrawOptions(band_cm1=(1000.0, 1000.0)))


def test_a_band_of_a_cube_is_the_mean_of_its_channels(good, bad, tmp_path):
    axis = np.linspace(500, 1500, 101)
    cube = np.random.default_rng(4).random((1, 6, 7, 101), np.float32)
    np.savez(tmp_path / "c.npz", cube=cube, shift_cm1=axis, label=np.array(["a"]))
    out = tmp_path / "c.zarr"
    good("ingest", tmp_path / "c.npz", "--as", "cubes", "--grid", "500:1500:101", "--out", out)
    dataset = tersgen.open(out)
    with styled():
        figure = draw_sample(dataset, 0, DrawOptions(band_cm1=(950.0, 1050.0)))
    (image,) = [axes.images[0] for axes in figure.axes if axes.images and axes.get_title()]
    wanted = dataset["cube"][0][:, :, 45:56].mean(axis=2)
    np.testing.assert_allclose(np.asarray(image.get_array()), wanted, rtol=1e-5)
    assert "950-1050" in drawn(good, tmp_path, out, "--band", "950:1050")
    assert "990\xa0cm" in drawn(good, tmp_path, out, "--band", "992")
    line = bad("plot", out, "--band", "9:3", "-o", tmp_path / "x.png")
    assert "expected LOW:HIGH, such as 950:1050, or a Raman shift" in line
    line = bad("plot", out, "--band", "1600:1700", "-o", tmp_path / "x.png")
    assert "expected Raman shifts from 500 to 1500 cm^-1, got 1600-1700" in line


def test_a_grid_of_mixtures_has_one_legend_outside_its_panels(tmp_path):
    names = ("benzene", "pyridine", "water")
    mixed = built(
        tmp_path / "mixed.zarr", 8, library=tuple(f"builtin:{name}" for name in names),
        mixture={"n_species": (1, 3)}, fields={"sticks": True, "maps": False},
    )  # fmt: skip
    with styled():
        figure = draw_rows(tersgen.open(mixed), range(6), DrawOptions())
    assert not [axes for axes in figure.axes if axes.get_legend()]
    (legend,) = figure.legends
    told = {text.get_text() for text in legend.get_texts()}
    colours: dict[str, set] = {}
    for axes in figure.axes:
        for lines in axes.collections:
            colours.setdefault(lines.get_label(), set()).add(tuple(lines.get_color()[0]))
    assert told == {"spectrum", *colours}
    assert all(len(one) == 1 for one in colours.values())  # the same in every panel
    assert len(set().union(*colours.values())) == len(colours)


def test_rows_in_a_grid(good, bad, plain, tmp_path):
    said = drawn(good, tmp_path, plain, "--index", "0:3,-1")
    for row in (0, 1, 2, 39):
        assert f"(row {row})" in said
    with styled():
        figure = draw_rows(tersgen.open(plain), range(4), DrawOptions(channels=(0,)))
    assert sum(bool(axes.images) for axes in figure.axes) >= 4
    assert "expected numbers or ranges" in bad("plot", plain, "--index", "a", "-o", "x.png")
    assert "expected LOW:HIGH" in bad("plot", plain, "--range", "9:3", "-o", "x.png")


def test_what_was_not_measured_is_a_gap(good, plain, tmp_path):
    values = tersgen.open(plain)["spectra"][0].astype(float)
    axis = tersgen.open(plain).shift_cm1
    kept = slice(120, 400)
    np.savetxt(tmp_path / "cut.txt", np.c_[axis[kept], values[kept]], header="Raman shift (cm-1)")
    out = tmp_path / "m.zarr"
    options = ("--like", plain, "--label", "benzene", "--allow-extrapolation")
    good("ingest", tmp_path / "cut.txt", "--out", out, *options)
    assert "not measured" in drawn(good, tmp_path, out)
    assert "not measured" not in drawn(good, tmp_path, plain)
    assert repeated_ends(tersgen.open(out)["spectra"][0]) == pytest.approx((120, 112), abs=2)
    flat = tmp_path / "flat.zarr"
    good("build", "--preset", "ideal", "--precision", "uint8", "--n", 4, "--out", flat)
    assert "not measured" not in drawn(good, tmp_path, flat)
    with styled():
        axes = new_figure(4, 3).subplots()
        plot_line(axes, np.r_[0:10, 500:510], np.ones(20))
    assert np.isnan(axes.lines[0].get_xdata()).sum() == 1


def test_measured_files_over_datasets_and_libraries(good, bad, plain, near, tmp_path):
    axis = tersgen.open(plain).shift_cm1
    measured = tmp_path / "mine$x.txt"
    np.savetxt(measured, np.c_[axis, np.exp(-(((axis - 992) / 9) ** 2))], header="Raman shift")
    assert re.search(r"\b99[123]\b", drawn(good, tmp_path, measured))  # its peak
    said = drawn(good, tmp_path, measured, "--over", near, "--species", "pyridine")
    assert "mine$x.txt" in said
    assert "pyridine (row " in said
    said = drawn(good, tmp_path, measured, "--over", "builtin:benzene")
    assert said.endswith("benzene | Raman activity")
    assert "did you mean 'pyridine'" in bad("plot", "builtin:pyridin", "-o", tmp_path / "x.png")
    library = tmp_path / "both.tlib"
    good("library", "merge", "benzene", "pyridine", "-o", library)
    assert re.search(r"\b\d+ A1g\b", drawn(good, tmp_path, library, "--species", "benzene"))
    both = drawn(good, tmp_path, library)
    assert "benzene" in both
    assert "pyridine" in both
    sticks = tmp_path / "sticks.csv"
    sticks.write_text("# intensity: activity\nfrequency,activity\n500,10\n1000,30\n1500,5\n")
    for path in (sticks, ORCA):
        assert "activity" in drawn(good, tmp_path, path)
    line = bad("plot", library, "--species", "benzen", "-o", tmp_path / "x.png")
    assert "did you mean 'benzene'?" in line


def test_predictions_are_written_beside_their_spectra(good, bad, plain, tmp_path):
    row = {"file": str(plain), "row": 3, "truth": "benzene"}
    row["species"] = [{"name": "water", "probability": 0.75}]
    (tmp_path / "said.jsonl").write_text(json.dumps(row) + "\n")
    assert "predicted: water 75%, true: benzene" in drawn(
        good, tmp_path, tmp_path / "said.jsonl", "--over", plain
    )
    table = tmp_path / "said.csv"
    table.write_text(f"file,row,truth,extrapolated,species_1,probability_1\n{plain},2,,0,water,0.5\n"
                     f"{plain},4,,0,benzene,0.9\n")  # fmt: skip
    said = drawn(good, tmp_path, table)
    assert "predicted: water 50%" in said
    assert "predicted: benzene 90%" in said
    for ending, text in (("jsonl", '{"file": '), ("csv", f"file,row,x\n{plain},x,0\n")):
        damaged = tmp_path / f"damaged.{ending}"
        damaged.write_text(text)
        assert "expected" in bad("plot", damaged, "-o", tmp_path / "x.png")


def test_structures_that_were_predicted_are_drawn(good, bad, tmp_path):
    arrays = {
        "masks": np.random.default_rng(1).random((3, 2, 8, 8)).astype(np.float16),
        "bonds": np.zeros((3, 8, 8), np.float16), "symbols": np.array(["C", "N"]),
        "atom_rows": np.array([1, 1, 2]), "atom_elements": np.array([0, 0, 1]),
        "atom_positions": np.zeros((3, 2), np.float32),
    }  # fmt: skip
    path = tmp_path / "maps.npz"
    np.savez(path, **arrays)
    said = drawn(good, tmp_path, path, "--index", "1,2")
    for expected in ("C: 2 (map 1)", "N: 0 (map 1)", "N: 1 (map 2)", "bonds"):
        assert expected in said
    line = bad("plot", path, "--index", 3, "-o", tmp_path / "x.png")
    assert "expected maps from 0 to 2, got 3" in line


def test_a_folder_and_a_yaml_file_of_a_crystal(good, bad, tmp_path):
    path = tmp_path / "crystal.yaml"
    tensor = "[[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]"
    path.write_text(
        "frequency_units: inv_cm\nraman_activities:\n"
        f"- {{frequency: 500.0, raman_tensor: {tensor}}}\n"
    )
    assert "crystal" in drawn(good, tmp_path, path)
    line = bad("plot", tmp_path, "-o", tmp_path / "x.png")
    assert f"got another folder; draw what is in it, such as {path}" in line
    line = bad("plot", tmp_path / "gone.zarr", "-o", tmp_path / "x.png")
    assert "expected a dataset, recipe, measured file" in line
    assert "got no such file or folder" in line


def test_a_run_is_drawn(good, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entries = [{"part": "train", "step": k, "loss": 2.0 / k, "lr": 0.1} for k in range(1, 9)]
    lines = [json.dumps(one) + "\n" for one in entries]
    (folder / "log.jsonl").write_text("".join(lines) + lines[0][:9])  # it is being written
    content = {"classes": ["a", "b"], "confusion": [[8, 2], [0, 5]]}
    (folder / "confusion.json").write_text(json.dumps(content))
    said = drawn(good, tmp_path, folder)
    for expected in ("loss", "learning rate", "true class", "80", "20"):
        assert expected in said


def test_peaks_stand_out_from_noise():
    rng = np.random.default_rng(1)
    axis = np.linspace(100, 4000, 1024)
    noise = 0.02 * rng.normal(size=1024)
    assert find_peaks(axis, noise) == []
    bands = sum(a * np.exp(-(((axis - x) / 12) ** 2)) for x, a in ((500, 1.0), (1600, 0.5)))
    found = [one.shift_cm1 for one in find_peaks(axis, bands + noise)]
    assert found == pytest.approx([500, 1600], abs=6)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file(tmp_path, ending):
    contents = []
    for name in ("a", "b"):
        with styled():
            figure = new_figure(3, 3)
            figure.subplots().plot([0, 1])
            save(figure, tmp_path / f"{name}.{ending}", 72)
        contents.append((tmp_path / f"{name}.{ending}").read_bytes())
    if ending == "svg":  # ids are drawn at random
        contents = [len(one) // 100 for one in contents]
    assert contents[0] == contents[1]
