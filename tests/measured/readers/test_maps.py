"""Maps of every format that has positions, as cubes and as maps of bands."""

import numpy as np
import pytest

import tersgen
from tersgen.dataset.verify import verify
from tersgen.errors import MeasurementError
from tersgen.jobs.convert import convert
from tersgen.jobs.ingest import Target, ingest, plan_ingest
from tersgen.measured.axis import Stated
from tersgen.measured.collection import collect
from tersgen.measured.facts import inspect
from tersgen.measured.labels import LabelRule
from tersgen.measured.reader import ReadOptions
from tersgen.schema.grid import Grid

BACK_AND_FORTH = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0), (0.0, 1.0)]


@pytest.fixture
def collected(tmp_path):
    """Return a function that collects maps from contents by file name."""

    def read(files, skip_bad=False, **more):
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        paths = [tmp_path / name for name in files]
        options = ReadOptions(**more)
        return collect(paths, LabelRule(label="x"), options, skip_bad=skip_bad, cubes=True)

    return read


@pytest.fixture
def made(collected, tmp_path):
    """Return a function that makes a dataset of maps and opens it."""

    def build(files, target=None, out="x.zarr", **more):
        collection = collected(files, **more)
        form = "hdf5" if out.endswith(".h5") else "zarr"
        ingest(*plan_ingest(collection, target or Target(), form), tmp_path / out)
        return tersgen.open(tmp_path / out)

    return build


def scaled(values):
    return (values - values.min()) / np.ptp(values)


def test_positions_in_arrays(make, tmp_path):
    arrays_of(make, tmp_path)
    facts, _ = inspect(tmp_path / "a.npz", ReadOptions())
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"
    rows = collect([tmp_path / "a.npz"], LabelRule()).rows[0]
    assert sorted(rows.position(k) for k in range(6))[-1] == (1.0, 1.0)


def on_axis(make):
    return Target(Grid(start_cm1=make.AXIS[0], stop_cm1=make.AXIS[-1], n_points=len(make.AXIS)))


@pytest.mark.parametrize("name", [
    "wire.txt", "witec.txt", "a.nxs", "map.csv", "map.txt", "points.csv", "a.npz", "labspec.txt",
])  # fmt: skip
def test_a_map_is_a_cube(make, made, tmp_path, name):
    content = {
        "wire.txt": make.wire_map,
        "witec.txt": make.witec,
        "a.nxs": lambda: make.nexus(tmp_path / "a.nxs", is_map=True),
        "map.csv": make.map_table,
        "map.txt": lambda: make.map_table(("Y [um]", "X"), "\t"),
        "points.csv": lambda: make.map_table(by_point=True),
        "a.npz": lambda: arrays_of(make, tmp_path),
        "labspec.txt": make.labspec_map,
    }[name]()
    ds = made({name: content}, on_axis(make))
    cube = make.MAP.reshape(2, 3, -1)
    if name == "labspec.txt":  # its first column is x: three rows of two columns
        cube = cube.transpose(1, 0, 2)
    assert ds["cube"][0] == pytest.approx(scaled(cube), abs=1e-6)
    assert ds["raw/intensity"][0].tolist() == cube.tolist()
    assert ds.axes["shift_channel"].points().tolist() == make.AXIS.tolist()
    steps = (1.0, 0.5) if name != "labspec.txt" else (0.5, 1.0)
    assert (ds.axes["row"].stop, ds.axes["column"].stop) == (1.0, 1.0)
    assert (ds.axes["row"].points()[1], ds.axes["column"].points()[1]) == steps
    assert ds.axes["row"].unit == "um"
    first = (10.25, 20.5) if name == "witec.txt" else (0.0, 0.0)
    assert (ds["source/x"][0], ds["source/y"][0]) == first


def arrays_of(make, folder):
    order = np.random.default_rng(1).permutation(6)
    x, y = 0.5 * (order % 3), order // 3
    np.savez(folder / "a.npz", spectra=make.MAP[order], shift_cm1=make.AXIS, x_um=x, y_um=y)
    return (folder / "a.npz").read_bytes()


def test_a_map_measured_back_and_forth(make, made):
    pytest.importorskip("rsciio")
    ds = made({"a.wdf": make.wdf(BACK_AND_FORTH)}, on_axis(make))
    cube = make.MAP[[0, 1, 2, 5, 4, 3]].reshape(2, 3, -1)
    assert ds["raw/intensity"][0].tolist() == cube.tolist()


def test_a_map_of_labspec(make, made):
    pytest.importorskip("rsciio")
    ds = made({"a.xml": make.horiba()}, on_axis(make))
    assert ds["raw/intensity"][0].tolist() == make.MAP.reshape(2, 3, -1).tolist()


def test_maps_are_verified_and_converted(make, made, tmp_path):
    files = {"a.txt": make.wire_map(), "b.csv": make.map_table(), "c.txt": make.witec()}
    ds = made(files)
    assert ds["cube"].shape == (3, 2, 3, 1024)
    assert verify(tmp_path / "x.zarr").sound
    convert(tmp_path / "x.zarr", tmp_path / "x.h5", "hdf5")
    assert tersgen.open(tmp_path / "x.h5").digest == ds.digest
    assert sorted(ds["source/file"][:].tolist()) == [0, 1, 2]
    assert ds["source/row"][:].tolist() == [0, 0, 0]
    tersgen_array = tersgen.open(tmp_path / "x.zarr").sample(1)
    assert (tersgen_array["cube"].min(), tersgen_array["cube"].max()) == (0.0, 1.0)


def test_bands_are_areas_above_the_line_between_their_ends(make, made):
    ds = made({"a.txt": make.wire_map()}, Target(bands=((900.0, 1100.0), (200.0, 1000.0))))
    assert ("cube" in ds, "raw/shift" in ds) == (False, False)
    expected = []
    for low, high in ds.basis.bands:
        inside = np.flatnonzero((low <= make.AXIS) & (high >= make.AXIS))
        x, y = make.AXIS[inside], make.MAP[:, inside]
        line = y[:, :1] + (y[:, -1:] - y[:, :1]) * (x - x[0]) / (x[-1] - x[0])
        expected.append(np.trapezoid(y - line, x).reshape(2, 3))
    assert ds["maps"][0] == pytest.approx(scaled(np.array(expected)), abs=1e-6)


def test_bands_that_were_not_measured(make, collected):
    collection = collected({"a.txt": make.wire_map()})
    for band in ((100.0, 400.0), (1700.0, 1900.0), (990.0, 1020.0)):
        runs = plan_ingest(collection, Target(bands=(band,)), "zarr")[1]
        with pytest.raises(MeasurementError, match=r"a.txt: expected three points or more in the"):
            runs.make(0, 1)


def test_arrays_of_cubes(make, made, collected, tmp_path):
    cubes = np.random.default_rng(3).random((4, 2, 3, 64))
    np.save(tmp_path / "c.npy", cubes)
    content = (tmp_path / "c.npy").read_bytes()
    ds = made({"c.npy": content}, axis=(200.0, 1775.0))
    rows = ds["source/row"][:]
    assert np.allclose(ds["raw/intensity"][:], cubes[rows])
    assert "row" not in ds.axes  # no step is known
    np.savez(tmp_path / "d.npz", cube=cubes[0], shift_cm1=make.AXIS[::-1], step_um=[0.2, 0.1])
    ds = made({"d.npz": (tmp_path / "d.npz").read_bytes()}, out="y.zarr")
    assert np.allclose(ds["raw/intensity"][0], cubes[0, ..., ::-1])
    assert ds.axes["row"].stop == 0.2
    assert ds.axes["column"].stop == 0.2
    facts, _ = inspect(tmp_path / "d.npz", ReadOptions())
    assert facts.map == "cubes of 2 rows x 3 columns: 1, step x 0.1 um, y 0.2 um"
    assert facts.n_spectra == 6
    with pytest.raises(MeasurementError, match="got cubes; make rows of them: --as cubes"):
        collect([tmp_path / "d.npz"], LabelRule())
    np.savez(tmp_path / "e.npz", cube=cubes[0], maps=cubes[0], shift_cm1=make.AXIS)
    with pytest.raises(MeasurementError, match="keep them apart"):
        collected({"e.npz": (tmp_path / "e.npz").read_bytes()})


@pytest.mark.parametrize(("places", "message"), [
    ([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], "got a line of 6 points; .*--as spectra"),
    ([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (5, 1)], "got 6 positions on no regular grid"),
])  # fmt: skip
def test_lines_and_irregular_maps_are_no_cubes(make, collected, places, message):
    pytest.importorskip("rsciio")
    with pytest.raises(MeasurementError, match=message):
        collected({"a.wdf": make.wdf([(float(x), float(y)) for x, y in places])})


def test_what_is_no_map(make, collected):
    with pytest.raises(MeasurementError, match="got 3 spectra of which 0 have positions"):
        collected({"a.csv": make.wide()})
    lines = make.wire_map().split(b"\r\n")
    lines[1] = lines[1].replace(b"1775.000000", b"1776.000000")
    with pytest.raises(MeasurementError, match="spectra over different axes"):
        collected({"a.txt": b"\r\n".join(lines)})


def test_maps_that_do_not_go_together(make, collected):
    both = {"a.txt": make.wire_map(), "b.txt": make.labspec_map()}
    with pytest.raises(MeasurementError, match=r"got 2 x 3 pixels in a.txt and 3 x 2 in b.txt"):
        plan_ingest(collected(both), Target(), "zarr")
    both = {"a.txt": make.wire_map(), "b.txt": make.map_table(("x (nm)", "y (nm)"))}
    with pytest.raises(MeasurementError, match=r"got 1 x 0.5 um in a.txt and 0.001 x 0.0005 um"):
        plan_ingest(collected(both), Target(), "zarr")


def test_a_pixel_that_is_constant_is_kept_and_one_that_is_damaged_is_not(make, collected):
    lines = make.map_table().split(b"\n")
    lines[3] = b"1.00,0.00," + b",".join([b"5.0"] * 64)
    good = b"\n".join(lines)
    assert collected({"a.csv": good}).rows[0].cube(0)[0, 2].tolist() == [5.0] * 64
    bad = good.replace(b",5.0", b",nan")
    with pytest.raises(MeasurementError, match="line 4: expected a number, got 'nan'"):
        collected({"a.csv": bad})
    found = collected({"a.csv": bad, "b.csv": good}, skip_bad=True)
    assert [one.name for one in found.files] == ["b.csv"]


def test_units_and_axes_of_a_table_of_a_map(make, collected):
    text = make.map_table(("x (mm)", "y (mm)"))
    assert collected({"a.csv": text}).rows[0].spectra.steps_um == (1000.0, 500.0)
    with pytest.raises(
        MeasurementError, match=r"expected positions in um, nm or mm, got 'x \(V\)'"
    ):
        collected({"a.csv": make.map_table(("x (V)", "y (V)"))})
    stated = Stated("absolute", "cm-1")
    found = collected({"a.csv": make.map_table()}, stated=stated, laser_nm=5000.0)
    assert found.rows[0].axes()[0].tolist() == pytest.approx(2000.0 - make.AXIS[::-1])
