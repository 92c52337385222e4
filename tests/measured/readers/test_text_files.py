"""Texts of instruments that hold more than two columns."""

import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.facts import inspect
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import FORMATS, read_spectra


@pytest.fixture
def found(written):
    """Return a function that reads a text: facts and spectra."""
    return lambda content, **more: inspect(written(content, "a.txt"), ReadOptions(**more))


@pytest.fixture
def refused(written):
    """Return a function that reads a text that is refused, and returns the message."""

    def read(content, **more):
        with pytest.raises(MeasurementError) as caught:
            read_spectra(written(content, "a.txt"), **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return read


def test_each_text_has_one_reader(corpus, tmp_path):
    names = {
        "bwspec.txt": "bwspec", "enlighten.csv": "wasatch", "labspec.txt": "labspec_map",
        "wire.txt": "wire_map", "witec.txt": "witec", "wide.csv": "wide",
        "map.csv": "map_table", "points.csv": "map_table",
    }  # fmt: skip
    for name, reader in names.items():
        assert FORMATS.choose(tmp_path / name, corpus[name]).name == reader


@pytest.mark.parametrize("separator", [";", ","])
def test_bwspec(make, found, separator):
    facts, (one,) = found(make.bwspec(separator=separator))
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=1e-4)
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.laser_nm == 785.0
    assert facts.left[0] == "2 pixels without an axis"


def test_several_spectra_in_bwspec(make, found):
    _, spectra = found(make.bwspec(numbers=(1, 2), names=("Raw data", "Dark Subtracted")))
    assert [one.name for one in spectra] == ["a.txt[1]", "a.txt[2]"]
    assert spectra[1].intensity.tolist() == (2 * make.band()).tolist()


def test_raw_data_of_bwspec_without_the_dark_spectrum(make, found):
    facts, (one,) = found(make.bwspec(names=("Raw data",)))
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.notes == ("dark spectrum subtracted",)


def test_damaged_bwspec(make, refused):
    text = make.bwspec()
    damaged = text.replace(b"\n6;800;12000;350,0000", b"\n6;800;12000;x")
    assert "line 10: expected a number, got 'x'" in refused(damaged)
    assert "is it whole" in refused(text[:-30])
    assert "begins with 'Pixel'" in refused(text[:40])


def test_enlighten(make, found, refused):
    facts, (one,) = found(make.wasatch())
    assert one.shift_cm1 == pytest.approx(make.AXIS, abs=1e-5)
    assert one.intensity.tolist() == make.band().tolist()
    assert facts.laser_nm == make.LASER_NM
    facts, spectra = found(make.wasatch(("Wavelength",), n_spectra=3))
    assert [one.intensity.max() for one in spectra] == [k * make.band().max() for k in (1, 2, 3)]
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    assert "an axis of pixels" in refused(make.wasatch(()))


def test_a_labspec_map(make, found):
    facts, spectra = found(make.labspec_map())
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert [one.position_um for one in spectra] == [(k // 3, 0.5 * (k % 3)) for k in range(6)]
    assert facts.map == "3 rows x 2 columns, step x 1 um, y 0.5 um"
    assert facts.notes[0].startswith("axis without a unit: taken as Raman shifts")


def test_units_of_a_labspec_map(make, found, refused):
    units = ["#Laser (nm)=\t632.8", "#AxisUnit[1]=\t1/cm", "#AxisUnit[2]=\tnm", "#AxisUnit[3]=\tmm"]
    facts, spectra = found(make.labspec_map(units))
    assert spectra[4].position_um == (0.001, 500.0)
    assert (facts.notes, facts.laser_nm) == ((), 632.8)
    assert "got 'nm' over 200 to 1775" in refused(make.labspec_map(["#AxisUnit[1]=\tnm"]))
    assert "got #AxisUnit[1]='pixel'" in refused(make.labspec_map(["#AxisUnit[1]=\tpixel"]))


def test_a_labspec_series(make, found):
    facts, spectra = found(make.labspec_map(places=1))
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert spectra[0].position_um is None
    assert facts.left == ("a column of positions or times before each spectrum",)


def test_a_damaged_labspec_map(make, refused):
    text = make.labspec_map()
    lines = text.split(b"\n")
    lines[2] = lines[2].rsplit(b"\t", 1)[0]
    assert "line 3: expected 66 columns, got 65" in refused(b"\n".join(lines))
    lines[2] += b"\tnan"
    assert "line 3: expected a number, got 'nan'" in refused(b"\n".join(lines))


@pytest.mark.parametrize("heading", [
    "#X\t\t#Y\t\t#Wave\t\t#Intensity", "#X\t#Y\t#Z\t#Wave\t#Intensity",
])  # fmt: skip
def test_a_wire_map(make, found, heading):
    facts, spectra = found(make.wire_map(heading))
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert [one.position_um for one in spectra] == [(0.5 * (k % 3), k // 3) for k in range(6)]
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"


def test_a_wire_series(make, found):
    facts, spectra = found(make.wire_map("#Time\t\t#Wave\t\t#Intensity"))
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert (spectra[0].position_um, facts.left) == (None, ("column #Time",))


@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_a_witec_scan(make, found, separator):
    facts, spectra = found(make.witec(separator=separator))
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert facts.map == "2 rows x 3 columns, step x 0.5 um, y 1 um"
    assert spectra[4].position_um == (10.75, 21.5)


def test_witec_without_a_scan(make, found, refused):
    _, spectra = found(make.witec(unit="nm", scan=False), laser_nm=make.LASER_NM)
    assert spectra[0].position_um is None
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    assert "'XAxisUnit = rel. 1/cm' or nm" in refused(make.witec(unit="a.u."))
    assert "a header only" in refused(make.witec().split(b"[Data]")[0])


@pytest.mark.parametrize(("separator", "comma"), [(",", False), ("\t", True), (";", True)])
def test_a_table_of_spectra(make, found, separator, comma):
    _, spectra = found(make.wide(separator=separator, comma=comma))
    assert [one.name for one in spectra] == ["a.txt[first]", "a.txt[second]", "a.txt[third]"]
    assert [one.intensity.tolist() for one in spectra] == make.MAP[:3].tolist()
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS)


@pytest.mark.parametrize("heading", ["Raman shift (cm-1)", "Wavelength (nm)"])
def test_a_table_with_a_spectrum_in_each_row(make, found, heading):
    axis = make.AXIS if "Raman" in heading else make.NM
    rows = [",".join([heading, *(f"{x:.6f}" for x in axis)])]
    rows += [f"sample {k}," + ",".join(f"{y:.2f}" for y in row) for k, row in enumerate(make.MAP)]
    _, spectra = found("\r\n".join([*rows, ""]).encode(), laser_nm=make.LASER_NM)
    assert [one.name for one in spectra] == [f"a.txt[sample {k}]" for k in range(6)]
    assert [one.intensity.tolist() for one in spectra] == make.MAP.tolist()
    assert spectra[0].shift_cm1 == pytest.approx(make.AXIS, abs=0.5)
    rows[3] = "sample 2,,,"
    with pytest.raises(MeasurementError, match="line 4: expected 64 numbers, got none"):
        found("\n".join(rows).encode(), laser_nm=make.LASER_NM)


@pytest.mark.parametrize("heading", ["time / s", "x", "Absorbance"])
def test_a_table_whose_axis_is_not_known_is_refused(make, refused, heading):
    assert "expected two columns" in refused(make.wide(heading))


@pytest.mark.parametrize("name", [
    b"Baseline", b"dark", b"Wavelength (nm)", b"label", b"std", b"SD", b"SEM", b"bg", b"blank",
    b"FWHM", b"Raman shift (cm-1)", b"Absorbance", b"dark_1",
])  # fmt: skip
def test_columns_that_are_no_spectra_are_refused(make, refused, name):
    message = refused(make.wide().replace(b"second", name))
    assert f"got a column '{name.decode()}'" in message


def test_a_column_that_is_another_axis(make, refused):
    lines = make.wide().split(b"\n")
    for k in range(1, len(lines) - 1):
        first, _, rest = lines[k].partition(b",")
        lines[k] = b",".join([first, b"%d" % (18_797 - k), rest.partition(b",")[2]])
    assert "got a column 'first'" in refused(b"\n".join(lines))


def test_a_number_that_a_table_lacks(make, refused):
    text = make.wide().split(b"\n")
    text[40] = text[40].rsplit(b",", 1)[0] + b",-1.#IND"
    assert "line 41: expected a number, got '-1.#IND'" in refused(b"\n".join(text))
    text[40] = text[40].rsplit(b",", 1)[0]
    assert "line 41: expected 4 columns, got 3" in refused(b"\n".join(text))


def test_commas_that_may_part_thousands(make, refused):
    text = make.wide(separator=";", comma=True).replace(b",000", b"")
    both = text.replace(b";100;", b";1.5;", 1).replace(b";100;", b";1,5;", 1)
    assert "either decimal commas or decimal points" in refused(both)
    assert "got '1,000', whose comma may part thousands" in refused(
        text.replace(b";100;", b";1,000;", 1)
    )


def test_positions_reach_the_dataset(make, written, tmp_path):
    import tersgen
    from tersgen.dataset.verify import verify
    from tersgen.jobs.ingest import Target, ingest, plan_ingest
    from tersgen.measured.collection import collect
    from tersgen.measured.labels import LabelRule

    lines = "".join(f"{x} {y}\n" for x, y in zip(make.AXIS, make.band(), strict=True))
    files = [written(make.wire_map(), "map.txt"), written(lines.encode(), "single.txt")]
    ingest(*plan_ingest(collect(files, LabelRule()), Target(), "zarr"), tmp_path / "a.zarr")
    ds = tersgen.open(tmp_path / "a.zarr")
    assert verify(ds.path).sound
    of_map = ds["source/file"][:] == 0
    place = ds["source/row"][:][of_map]
    assert ds["source/x"][:][of_map].tolist() == [0.5 * (k % 3) for k in place]
    assert ds["source/y"][:][of_map].tolist() == [k // 3 for k in place]
    assert np.isnan(ds["source/x"][:][~of_map]).all()
    collection = collect(files[1:], LabelRule())
    ingest(*plan_ingest(collection, Target(), "zarr"), tmp_path / "b.zarr")
    assert "source/x" not in {
        field.spec.name for field in tersgen.open(tmp_path / "b.zarr").fields.values()
    }
