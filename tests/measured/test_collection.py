"""Files, arrays and labels put together."""

import numpy as np
import pytest

import tersgen
from tersgen.errors import MeasurementError
from tersgen.jobs.ingest import Target, plan_ingest
from tersgen.measured.collection import collect, find_files
from tersgen.measured.labels import Known, LabelRule, LabelTable, ordered_classes
from tersgen.measured.reader import ReadOptions
from tersgen.measured.readers.arrays import read_arrays, read_axis

RNG = np.random.default_rng(5)
TEXT = "".join(f"{100 * k} {k % 3}\n" for k in range(1, 9))


@pytest.fixture
def folder(tmp_path):
    for name in ("quartz/a.txt", "quartz/b.txt", "calcite/a.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXT)
    (tmp_path / "quartz" / ".hidden").write_text("no spectrum")
    return tmp_path


def test_files_of_folders_in_order_without_hidden_ones(folder):
    found = [path.relative_to(folder).as_posix() for path in find_files([folder])]
    assert found == ["calcite/a.txt", "quartz/a.txt", "quartz/b.txt"]
    assert find_files([folder / "quartz" / "a.txt"] * 2) == [folder / "quartz" / "a.txt"]
    (folder / "empty").mkdir()
    for path in (folder / "none", folder / "empty"):
        with pytest.raises(MeasurementError):
            find_files([path])


def test_labels_from_folders_and_names(folder):
    files = find_files([folder])
    collection = collect(files, LabelRule(pattern="folder"))
    assert [known.label for known in collection.known] == ["calcite", "quartz", "quartz"]
    assert [one.name for one in collection.files] == [
        "calcite/a.txt",
        "quartz/a.txt",
        "quartz/b.txt",
    ]
    by_name = collect(files, LabelRule(pattern=r"([ab])\.txt$"))
    assert [known.label for known in by_name.known] == ["a", "a", "b"]
    with pytest.raises(MeasurementError, match="matches with a group"):
        collect(files, LabelRule(pattern=r"(c)\.txt$"))
    assert {known.label for known in collect(files, LabelRule()).known} == {"unknown"}
    assert {known.label for known in collect(files, LabelRule(label="x")).known} == {"x"}


def table(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return LabelTable(path)


def test_labels_from_a_table(folder):
    known = table(
        folder,
        "# made by hand\nFile;Label;Group;part\nquartz/a.txt;alpha quartz;s1;train\n"
        "b;beta quartz;s1;test\ncalcite\\a.txt;;s2;train\nother.txt;x;;\n",
    )
    files = [path for path in find_files([folder]) if path.suffix == ".txt"]
    collection = collect(files, LabelRule(known))
    assert collection.known == [
        Known("unknown", "s2", "train"),
        Known("alpha quartz", "s1", "train"),
        Known("beta quartz", "s1", "test"),
    ]
    assert known.unused == ["other.txt"]
    lacking = table(folder, "file,label\nquartz/a.txt,x\n")
    with pytest.raises(MeasurementError, match="a line of the table of labels"):
        collect(files, LabelRule(lacking))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n", "a heading, file,label, and rows"),
        ("", "a heading, file,label, and rows"),
        ("file,what\na,b\n", "columns file and label"),
        ("file;label,group\na;b,c\n", "heading of one separator, got commas and semicolons"),
        ("a.txt,benzene\n", "expected a heading, file,label, and rows"),
        ("file,label\na,b\na,c\n", "line 3: expected each file once"),
        ("file,label\n,b\n", "line 2: expected a file"),
        ("# mine\n\nfile,label\na,b\na,c\n", "line 5: expected each file once"),
        ('file,label\n"a,b\n', "expected a table"),
        ("file,label\na.txt,x\nb.txt;y\n", r"line 3: expected commas, as in .* got semicolons: "),
    ],
)
def test_tables_that_are_none(folder, text, message):
    with pytest.raises(MeasurementError, match=message):
        table(folder, text)


def test_a_bad_file_ends_it_or_is_passed_over(folder):
    (folder / "quartz" / "c.txt").write_text("no spectrum at all\n")
    files = find_files([folder])
    with pytest.raises(MeasurementError, match=r"c\.txt: .*--skip-bad") as caught:
        collect(files, LabelRule())
    assert "\n" not in str(caught.value)
    collection = collect(files, LabelRule(), skip_bad=True)
    assert (collection.n_rows, len(collection.refused)) == (3, 1)
    assert "c.txt" in collection.refused[0]
    with pytest.raises(MeasurementError, match="got none"):
        collect([folder / "quartz" / "c.txt"], LabelRule(), skip_bad=True)
    (folder / "quartz" / "c.txt").write_text("100 5\n200 6\n300 5\n")
    with pytest.raises(MeasurementError, match="expected a spectrum, of 8 points or more, got 3"):
        collect(files, LabelRule())
    (folder / "quartz" / "c.txt").write_text("1 5\n2 5\n")
    with pytest.raises(MeasurementError, match="a constant"):
        collect(files, LabelRule())


def test_classes_in_order():
    assert ordered_classes(["b", "a"], []) == ("a", "b")
    assert ordered_classes(["unknown", "z"], ["y"]) == ("y", "z", "unknown")
    assert ordered_classes(["unknown", "z"], ["unknown"]) == ("unknown", "z")


def saved(tmp_path, **arrays):
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return path


def test_arrays(tmp_path):
    spectra, axis = RNG.random((4, 6)), np.linspace(600, 100, 6)
    path = saved(
        tmp_path, spectra=spectra, shift_cm1=axis, label=np.array([1, 0, 1, 1]),
        classes=np.array(["benzene", "water"]), group=np.array(["a", "a", "b", "b"]),
    )  # fmt: skip
    rows = collect([path], LabelRule()).rows[0]
    assert [known.label for known in rows.known] == ["water", "benzene", "water", "water"]
    assert [known.group for known in rows.known] == ["a", "a", "b", "b"]
    spectrum = rows.spectrum(2)
    assert spectrum.shift_cm1.tolist() == axis[::-1].tolist()
    assert spectrum.intensity.tolist() == spectra[2, ::-1].tolist()
    np.save(tmp_path / "spectra.npy", spectra)
    rows = collect(
        [tmp_path / "spectra.npy"], LabelRule(label="x"), ReadOptions(axis=(0.0, 5.0))
    ).rows[0]
    assert rows.spectrum(0).shift_cm1.tolist() == [0, 1, 2, 3, 4, 5]
    np.save(tmp_path / "maps.npy", RNG.random((3, 8, 9)))
    assert collect([tmp_path / "maps.npy"], LabelRule()).rows[0].map_shape == (1, 8, 9)
    np.save(tmp_path / "axis.npy", axis)
    assert read_axis(tmp_path / "axis.npy").tolist() == axis.tolist()
    for name in ("maps.npy", "none.npy"):
        with pytest.raises(MeasurementError, match=name):
            read_axis(tmp_path / name)


GOOD = {"spectra": RNG.random((3, 4)), "shift_cm1": np.arange(4.0)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shift_cm1": np.arange(5.0)}, "expected 4 Raman shifts"),
        ({"shift_cm1": np.array([1.0, 3.0, 2.0, 4.0])}, "rises or falls"),
        ({"spectra": np.array([["a"]])}, "expected numbers of shape"),
        ({"spectra": RNG.random((3, 2, 2))}, "expected numbers of shape"),
        ({"maps": RNG.random((2, 1, 4, 4))}, "maps: expected 3 rows, got 2"),
        ({"spectra": np.array([[1.0, 2, 3], [5, 9, 4]])}, "seems to be an axis and one spectrum"),
        ({"spectra": np.array([[3.0, 5], [2, 9], [1, 4]])}, "seems to be an axis and one spectrum"),
        ({"label": np.array([0, 1])}, "expected 3 texts or numbers"),
        ({"label": np.array([0, 1, 5]), "classes": np.array(["a", "b"])}, "positions in 2 classes"),
        ({"label": np.array([0.5, 1, 2])}, "texts or numbers"),
        ({"other": np.zeros(3)}, "arrays named"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, changes, message):
    with pytest.raises(MeasurementError, match=message):
        read_arrays(saved(tmp_path, **{**GOOD, **changes}))


def test_dead_rows_of_arrays_are_left_out_alone(tmp_path):
    spectra, maps = RNG.random((5, 6)), RNG.random((5, 4, 4))
    spectra[1], spectra[3, 2], maps[3] = 7.0, np.inf, 0.0
    label = np.array(["a", "b", "c", "d", "e"])
    path = saved(tmp_path, spectra=spectra, shift_cm1=np.arange(6.0), maps=maps, label=label)
    with pytest.raises(MeasurementError, match=r"spectra: row 1: .*one constant .*--skip-bad"):
        collect([path], LabelRule())
    collection = collect([path], LabelRule(), skip_bad=True)
    rows = collection.rows[0]
    assert [rows.place(row) for row in range(rows.n_rows)] == [0, 2, 4]
    assert [known.label for known in rows.known] == ["a", "c", "e"]
    assert rows.spectrum(1).intensity.tolist() == spectra[2].tolist()
    assert rows.map(2)[0].tolist() == maps[4].tolist()
    assert [line.partition(": ")[2] for line in collection.refused] == [
        "spectra: row 1: expected a signal, got one constant",
        "spectra: row 3: expected a signal, got one not finite",
    ]
    dead = saved(tmp_path, spectra=np.zeros((2, 6)), shift_cm1=np.arange(6.0))
    with pytest.raises(MeasurementError, match=r"row 0: .*constant"):
        collect([dead], LabelRule(), skip_bad=True)


def test_arrays_that_would_run_code(tmp_path):
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(MeasurementError, match="expected numbers or texts, got object"):
        read_arrays(path)
    with pytest.raises(MeasurementError, match="an axis of the spectra too"):
        read_arrays(saved(tmp_path, spectra=GOOD["spectra"]))
    with pytest.raises(MeasurementError, match="got shift_cm1"):
        read_arrays(saved(tmp_path, shift_cm1=np.arange(4.0)))
    truncated = saved(tmp_path, **GOOD)
    truncated.write_bytes(truncated.read_bytes()[:100])
    with pytest.raises(MeasurementError, match="expected an archive of arrays"):
        read_arrays(truncated)


def test_what_lies_below_zero_is_cut_with_a_note(tmp_path):
    axis = np.arange(-150.0, 1451.0, 25.0)
    lines = [f"{x:g}\t{100 + 9 * (x == 650):g}" for x in axis]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    (tmp_path / "b.txt").write_text("\n".join(lines[::-1]))
    collection = collect(find_files([tmp_path]), LabelRule(label="x"))
    assert collection.notes() == [
        "a.txt and 1 more: axis without a unit: taken as Raman shifts in cm^-1",
        "a.txt and 1 more: begins at -150 cm^-1: cut at 0",
    ]
    measured = plan_ingest(collection, Target(), "zarr")[0].recipe
    assert (measured.grid.start_cm1, measured.grid.stop_cm1) == (0.0, 1450.0)
    (tmp_path / "b.txt").write_text("\n".join(lines[:6]) + "\n-5\t3\n-4\t3\n")
    with pytest.raises(MeasurementError, match="overlap above 0"):
        plan_ingest(collect(find_files([tmp_path]), LabelRule()), Target(), "zarr")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label,gruop\na,x,1\n", r"got 'gruop' \(did you mean 'group'\?\); rename"),
        ("file,label,Split\na,x,1\n", r"got 'Split' \(did you mean 'part'\?\); rename"),
        ("file,label,laser\na,x,1\nb,x,red\n", r"got 'laser' with 'red' in line 3; rename"),
        ("file,label,Sample\na,x,1\n", r"got 'Sample' \(did you mean 'group'\?\); rename"),
        ("file,label,c/M,c M\na,x,1,2\n", r"columns of different names, .*got 'c M'; rename"),
        ("file,label,part\na,x,train\nb,x,tran\n", r"line 3: .*got 'tran' .*mean 'train'"),
        ("file,label,part\na,x,Train\nb,x,test\n", r"line 2: .*got 'Train' beside test .*'train'"),
    ],
)
def test_misspelt_columns_and_parts(tmp_path, text, message):
    with pytest.raises(MeasurementError, match=message):
        table(tmp_path, text)


def test_columns_and_parts_of_other_names(tmp_path):
    known = table(tmp_path, ",file,class,part\n0,a,x,train\n1,b,x,test_2\n2,c,x,unseen\n")
    parts = [known.find(tmp_path / name) for name in "abc"]
    assert parts == [Known("x", None, part) for part in ("train", "test_2", "unseen")]
    table(tmp_path, "file,label,part\na,x,tran\nb,x,rest\n")


def test_columns_of_numbers_are_arrays_of_the_dataset(tmp_path):
    shift = np.arange(100.0, 1500.0, 10.0)
    for name, place in (("a", 400), ("b", 600), ("c", 900)):
        rows = np.column_stack([shift, np.exp(-(((shift - place) / 20) ** 2))])
        np.savetxt(tmp_path / f"{name}.txt", rows, header="Raman shift (cm-1) counts")
    text = "file,label,Concentration (mM),empty,T_k\na,x,0.5,,300\nb,x,1e-3,,\nc,x,2,,301\n"
    table(tmp_path, text)
    files = [tmp_path / f"{name}.txt" for name in "abc"]
    tersgen.ingest(files, tmp_path / "real.zarr", labels=tmp_path / "labels.csv")
    ds = tersgen.open(tmp_path / "real.zarr")
    assert {name for name in ds.fields if name.startswith("table/")} == {
        "table/concentration_mm",
        "table/t_k",
    }
    order = ds["source/file"][:]
    assert np.array_equal(ds["table/concentration_mm"][:], np.float32([0.5, 1e-3, 2.0])[order])
    assert np.array_equal(ds["table/t_k"][:], np.array([300, np.nan, 301])[order], equal_nan=True)


def test_misspelt_parts_of_arrays(tmp_path):
    path = saved(tmp_path, **GOOD, part=np.array(["train", "tran", "test"]))
    with pytest.raises(MeasurementError, match=r"part: .*got 'tran' beside train and test"):
        plan_ingest(collect([path], LabelRule()), Target(), "zarr")
