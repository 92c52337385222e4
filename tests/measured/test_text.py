"""Measured spectra: files as instruments write them, and their way to a model's axis."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tersgen.errors import MeasurementError
from tersgen.measured import reader
from tersgen.measured.reading import read_spectrum
from tersgen.measured.resample import extrapolated, resample
from tersgen.measured.spectrum import Spectrum

LABSPEC = (
    "#Acq. time (s)=\t10\n#Accumulations=\t2\n#Laser (nm)=\t632.817\n#Objective=\tx100 \xb5m\n"
    "#AxisType[0]=\tIntens\n#AxisUnit[0]=\tCnt\n#AxisType[1]=\tSpectr\n#AxisUnit[1]=\t1/cm\n"
    "100.251\t512.5\n101.873\t498\n103.495\t530.25\n"
).encode("latin-1")
WIRE = b"#Wave\t\t#Intensity\r\n103.495\t530.25\r\n101.873\t498\r\n100.251\t512.5\r\n"
EXCEL = (
    b"\xef\xbb\xbfRaman Shift (cm-1),Intensity\r\n100.251,512.5\r\n101.873,498\r\n"
    b"103.495,530.25\r\n"
)
GERMAN_EXCEL = b"Raman-Verschiebung;Intensit\xe4t\n100,251;512,5\n101,873;498\n103,495;530,25\n"
UNICODE_TEXT = (
    "Raman Shift\tIntensity\r\n100.251\t512.5\r\n101.873\t498\r\n103.495\t530.25\r\n".encode(
        "utf-16"
    )
)
QUOTED = (
    b'"Raman Shift (cm-1)","Intensity"\n"100.251","512.5"\n"101.873","498"\n"103.495","530.25"\n'
)
QUOTED_COMMAS = b'"shift","counts"\n"100,251","512,5"\n"101,873","498"\n"103,495","530,25"\n'
OCEAN = (
    b"Data from FLMS.txt Node\n\nIntegration Time (sec): 1.0E-1\nNumber of Pixels: 3\n"
    b">>>>>Begin Spectral Data<<<<<\n100.251\t512.5\n101.873\t498\n103.495\t530.25\n"
    b">>>>>End Spectral Data<<<<<\n"
)
JASCO = (
    b"TITLE\tsample 3\nXUNITS\t1/CM\nNPOINTS\tthree\nXYDATA\n100.251\t512.5\n101.873\t498\n"
    b"103.495\t530.25\n\n##### Extended Information\n[Comments]\nOperator\tE. L.\n"
)
PLAIN = (
    b"% taken at night\n// and cold\n; with care\n  100.251   5.125e2  # first\n"
    b"101.873 498.\n103.495 5.3025D+02"
)
BLANKS_AND_COMMAS = b"100,251 512,5\n101,873 498,0\n103,495 530,25\n"
SPACED_CSV = b"shift, intensity,\n100.251, 512.5,\n101.873, 498,\n103.495, 530.25,\n"
OLD_MAC = b"100.251\t512.5\r101.873\t498\r103.495\t530.25\r"
SEP_LINE = b"sep=;\nWavenumber;Intensity\n100.251;512.5\n101.873;498\n103.495;530.25\n"

UNNAMED = "axis without a unit: taken as Raman shifts in cm^-1"
WITHOUT_AXIS = ("WIRE", "OCEAN", "PLAIN", "BLANKS_AND_COMMAS", "OLD_MAC")
"""Files that do not say what their axis is."""
FILES = {
    name: content
    for name, content in list(globals().items())
    if name.isupper() and isinstance(content, bytes)
}
SHIFT, INTENSITY = [100.251, 101.873, 103.495], [512.5, 498.0, 530.25]


@pytest.fixture
def written(tmp_path):
    def write(content, name="spectrum.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("name", FILES)
def test_files_as_they_are_exported(written, name):
    spectrum = read_spectrum(written(FILES[name]))
    assert spectrum.shift_cm1.tolist() == SHIFT
    assert spectrum.intensity.tolist() == INTENSITY
    assert spectrum.notes == (UNNAMED,) * (name in WITHOUT_AXIS)


def test_one_repeated_shift(written):
    spectrum = read_spectrum(written("Raman shift (cm-1)\tI\n1\t10\n2\t20\n2\t40\n"))
    assert spectrum.notes == ("1 Raman shift given more than once: intensities averaged",)


def test_repeated_shifts_are_averaged_with_a_note(written):
    spectrum = read_spectrum(written("1 10\n2 20\n2 40\n2 60\n3 5\n3 6\n"))
    assert spectrum.shift_cm1.tolist() == [1, 2, 3]
    assert spectrum.intensity == pytest.approx([10, 40, 5.5])
    notes = [UNNAMED, "2 Raman shifts given more than once: intensities averaged"]
    assert list(spectrum.notes) == notes
    assert json.loads(json.dumps(spectrum.summary())) == {
        "name": "spectrum.txt",
        "points": 3,
        "start_cm1": 1.0,
        "stop_cm1": 3.0,
        "axis": {"kind": "shift", "unit": "cm^-1", "evidence": []},
        "notes": notes,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"expected at least two rows of two numbers.*got 0"),
        ("nothing here\nnor here\n", r"got 0 in 3 lines"),
        ("100 5\n", r"got 1 in 2 lines"),
        ("1 2\n1 3\n", r"at least two Raman shifts, got 1 only"),
        ("x,y1,y2\n1,2,3\n", r"line 2: expected two columns.*got 3 in '1,2,3'"),
        ("100,5,200,3\n", r"line 1: expected two columns.*got 4.*decimal commas need semicolons"),
        ("#X\t#Y\t#Wave\t#Intensity\n0\t0\t100\t5\n", r"at least two Raman shifts, got 100 only"),
        (",100,101,102\n0,5,6,7\n", r"line 1: expected two columns.*got 4"),
        ("1 2\n2 nan\n3 4\n", r"line 2: expected two numbers, got no intensity in '2 nan'"),
        ("1,2\n2,\n3,4\n", r"line 2: .*no intensity in '2,'"),
        ("100 NaN\n1 2\n2 3\n", r"line 1: .*no intensity"),
        ("1;2\n#N/A;3\n", r"line 2: .*no Raman shift in '#N/A;3'"),
        ("1;2\nn/a;3\n", r"line 2: .*no Raman shift in 'n/a;3'"),
        ("1 2\n2 3\nnan nan\n", r"line 3: expected two numbers, got 'nan nan'"),
        ("1 2\n2 inf\n", r"line 2: .*no intensity"),
        ("1 2\n2 1e999\n", r"line 2: expected two numbers, got '1e999', which is too large"),
        ("1 2\n2\n3 4\n", r"line 2: expected two numbers, got '2'"),
        ("1 2\n2 3\n4", r"line 3: expected two numbers, got '4'"),
        ("1 2\n2 x\n3 4\n", r"line 2: expected two numbers, got '2 x'; correct it"),
        ("1 2\n2 3\nShift Intensity\n1 5\n2 6\n", r"line 3: .*'Shift Intensity' between two"),
        ("1 2\n2 3\n1.5 4\n", r"line 3: expected an axis that rises throughout, got '1.5' after"),
        ("3 2\n2 3\n2 4\n2.5 1\n", r"line 4: expected an axis that falls throughout"),
        ("Wavelength (nm)\tCounts\n500\t1\n501\t2\n", r"expected Raman shifts.*'Wavelength"),
        ("#AxisUnit[1]=\tnm\n#Date=\ttoday\n500\t1\n501\t2\n", r"expected Raman shifts.*nm"),
        ("LUX laser_nm=785\n800 1\n801 2\n", r"whose unit is known, got 'LUX laser_nm=785'"),
        ("# laser 532 nm, 5 mW/cm2\n540 1\n541 2\n", r"whose unit is known, got 'laser 532 nm"),
        ("XAxis mode: Wavelengths\n540 1\n541 2\n", r"got wavelengths in nm.*--laser-nm"),
        ("laser\x1b[2J\n540 1\n541 2\n", r"got 'laser\\x1b\[2J'"),
        ("Intensity,Raman shift\n5,1\n6,2\n", r"expected the Raman shift first"),
        ("1.5\t2,5\n2.5\t3,5\n", r"line 1: expected numbers with either decimal commas or"),
        ("1\t999\n2\t1,000\n3\t1,001\n", r"line 2: expected decimal commas, got '1,000'"),
        ("1\t1,234,567\n2\t3\n", r"line 1: expected two numbers"),
        ("1 1_000\n2 2\n3 4\n", r"line 1: expected two numbers, got '1 1_000'"),
        ("##TITLE=x\n##JCAMP-DX=4.24\n##XYDATA=(X++(Y..Y))\n1 2 3\n", r"got 'x'|##FIRSTX="),
        (b"1 2\n2 \x00 3\n", r"expected text, got a binary file"),
        (b"\xff\xfe1", r"no UTF-16"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(written, content, message):
    with pytest.raises(MeasurementError, match=message) as caught:
        read_spectrum(written(content))
    assert "\n" not in str(caught.value)
    assert "spectrum.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("heading", "last"),
    [
        ("Laser (nm)\t785\nRaman shift\tcounts", 20.0),
        ("# laser 785 nm\n# x: cm^-1", 20.0),
        ("Laser: 785 nm\nRaman-Verschiebung\tcounts", 20.0),
        ("# laser 785 nm\nfrequency/THz\tcounts", 20.0 * 33.35640951981521),
    ],
)
def test_a_laser_beside_a_stated_axis_is_no_fault(written, heading, last):
    spectrum = read_spectrum(written(f"{heading}\n10\t1\n20\t2\n"))
    assert spectrum.shift_cm1[-1] == pytest.approx(last)


def test_numbers_of_other_scripts_are_text(written):
    path = written("1 2\n\u0662 3\n4 5\n")
    with pytest.raises(MeasurementError, match="line 2"):
        read_spectrum(path)


def test_hostile_text_is_spelt_out(written):
    with pytest.raises(MeasurementError) as caught:
        read_spectrum(written("1 2\n2 \x1b]0;owned\x07\n", "a\x1b[2Jb.txt"))
    assert str(caught.value).isprintable()
    spectrum = read_spectrum(written("1 2\n2 3\n", "a\x1b[2Jb.txt"))
    assert spectrum.name == r"a\x1b[2Jb.txt"


def test_long_lines_are_not_shown_whole(written):
    with pytest.raises(MeasurementError) as caught:
        read_spectrum(written("1 2\n2 " + "x" * 100_000))
    assert len(str(caught.value)) < 400


def test_files_that_cannot_be_read(tmp_path, written, monkeypatch):
    with pytest.raises(MeasurementError, match="no such file"):
        read_spectrum(tmp_path / "none.txt")
    with pytest.raises(MeasurementError, match="a folder"):
        read_spectrum(tmp_path)
    monkeypatch.setattr(reader, "LARGEST_TEXT", 1 << 20)
    with pytest.raises(MeasurementError, match="at most 1 MiB"):
        read_spectrum(written(b"1 2\n" * (1 << 18) + b"\n"))


FORMATS = {"blank": (" ", "."), "comma": (",", "."), "tab": ("\t", ","), "semicolon": (";", ",")}
NUMBERS = st.floats(-4e3, 4e3).map(lambda x: round(x, 4) + 0.0)


@given(
    axis=st.lists(NUMBERS, min_size=2, max_size=20, unique=True),
    data=st.data(),
    kind=st.sampled_from(list(FORMATS)),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    falls=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, axis, data, kind, ending, falls):
    axis = sorted(axis)
    values = data.draw(st.lists(NUMBERS, min_size=len(axis), max_size=len(axis)))
    separator, mark = FORMATS[kind]
    pairs = list(zip(axis, values, strict=True))
    lines = ["shift" + separator + "intensity"] + [
        separator.join(f"{number:.4f}".replace(".", mark) for number in pair)
        for pair in (reversed(pairs) if falls else pairs)
    ]
    path = tmp_path_factory.mktemp("written") / "s.csv"
    path.write_bytes(ending.join(lines).encode())
    spectrum = read_spectrum(path)
    assert spectrum.shift_cm1.tolist() == axis
    assert spectrum.intensity.tolist() == values


@given(content=st.binary(max_size=200) | st.text('0123456789.,;\t \nenaN#-+"', max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_spectrum_or_an_error_of_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "s.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    complaint = ""
    try:
        spectrum = read_spectrum(path)
    except MeasurementError as error:
        complaint = str(error)
    if complaint:
        assert complaint.isprintable()
    else:
        assert np.all(np.diff(spectrum.shift_cm1) > 0)
        assert np.isfinite(spectrum.intensity).all()


def scaled(values):
    return (values - values.min()) / (values.max() - values.min())


def made(x, y):
    return Spectrum("s", np.asarray(x, float), np.asarray(y, float))


GRID = np.linspace(100, 1700, 401)


def test_a_coarser_axis_is_interpolated():
    rng = np.random.default_rng(1)
    x = np.sort(np.concatenate([[90, 1710], rng.uniform(90, 1710, 60)]))
    x = x[np.concatenate([[True], np.diff(x) > 4.0])]
    x[-1] = 1710
    y = rng.uniform(0, 9, len(x))
    got = resample(made(x, y), GRID)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, scaled(np.interp(GRID, x, y)), rtol=0, atol=1e-6)


def test_a_finer_axis_is_averaged_over_cells():
    x = np.linspace(90, 1710, 5000)
    y = np.random.default_rng(2).uniform(0, 9, len(x))
    fine = 2000
    means = [np.mean(np.interp(g - 2 + 4 * (np.arange(fine) + 0.5) / fine, x, y)) for g in GRID]
    np.testing.assert_allclose(resample(made(x, y), GRID), scaled(np.array(means)), atol=1e-4)


def test_a_narrow_band_keeps_its_area():
    x = np.arange(90.0, 1711.0, 0.5)
    for centre in (802.0, 803.0, 803.7):  # between the points 800 and 804 of the grid
        band = np.exp(-(((x - centre) / 0.6) ** 2)) + 4 * np.exp(-(((x - 400) / 50) ** 2))
        got = resample(made(x, band), GRID).astype(np.float64)
        assert got.max() == 1
        area = 4.0 * 4.0 * got[(GRID > 790) & (GRID < 816)].sum()  # height 4, step 4
        assert area == pytest.approx(0.6 * np.sqrt(np.pi), rel=0.02)


def test_the_same_axis_and_a_falling_file_give_the_same(written):
    y = np.exp(-(((GRID - 800) / 60) ** 2)) + 0.1
    lines = [f"{a!r} {b!r}" for a, b in zip(GRID.tolist(), y.tolist(), strict=True)]
    rising = read_spectrum(written("\n".join(lines), "up.txt"))
    falling = read_spectrum(written("\n".join(lines[::-1]), "down.txt"))
    assert np.array_equal(resample(rising, GRID), resample(falling, GRID))
    np.testing.assert_allclose(resample(rising, GRID), scaled(y), rtol=0, atol=1e-6)


@given(
    y=st.lists(st.floats(-1, 1), min_size=8, max_size=8),
    factor=st.floats(1e-3, 1e3),
    offset=st.floats(-100, 100),
    n=st.integers(2, 40),
)
@settings(max_examples=60, deadline=None)
def test_units_and_background_do_not_matter(y, factor, offset, n):
    assume(np.ptp(y) > 0.1)
    x, grid = np.linspace(0, 70, 8), np.linspace(5, 60, n)
    assume(np.ptp(np.interp(grid, x, y)) > 0.05)
    one = resample(made(x, y), grid)
    assert one.min() == 0
    assert one.max() == pytest.approx(1, abs=1e-6)
    other = resample(made(x, factor * np.array(y) + offset), grid)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 + 1e-12 * abs(offset) / factor * 1e3)


def test_largest_numbers_do_not_overflow():
    got = resample(made([0, 50, 100], [-1.7e308, 1.7e308, 0]), np.linspace(0, 100, 5))
    assert got == pytest.approx([0, 0.5, 1, 0.75, 0.5])


def test_symmetric_data():
    x, y = np.linspace(0, 100, 11), np.arange(11.0) ** 2
    grid = np.linspace(0, 100, 7)
    low, plain = resample(made(x, y), grid, low=-1.0), resample(made(x, y), grid)
    np.testing.assert_allclose(low, 2 * plain - 1, rtol=0, atol=1e-6)


def test_an_axis_that_does_not_cover_the_models():
    x = np.linspace(200, 1500, 50)
    spectrum = made(x, np.sin(x / 90) + 2)
    with pytest.raises(MeasurementError, match=r"over 100 to 1700 cm\^-1.*got 200 to 1500 cm\^-1"):
        resample(spectrum, GRID)
    got = resample(spectrum, GRID, allow_extrapolation=True)
    expected = scaled(np.interp(GRID, x, spectrum.intensity))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    with pytest.raises(MeasurementError, match="none of it"):
        resample(made([2000, 3000], [1, 2]), GRID, allow_extrapolation=True)


@pytest.mark.parametrize("points", [40, 4000])
def test_half_a_step_may_be_missing_at_the_ends(points):
    grid = np.linspace(100, 1700, 401)  # steps of 4
    for start, stop, fits in ((102, 1698, True), (103, 1700, False), (100, 1697, False)):
        spectrum = made(np.linspace(start, stop, points), np.arange(float(points)))
        if fits:
            assert resample(spectrum, grid).shape == (401,)
        else:
            with pytest.raises(MeasurementError, match="allow-extrapolation"):
                resample(spectrum, grid)


def test_edges_are_repeated_outside_a_fine_axis():
    x = np.linspace(300, 1500, 3001)
    y = 1 + (x - 300) / 1200
    got = resample(made(x, y), GRID, allow_extrapolation=True)
    assert np.all(got[GRID < 298] == 0)
    assert got[GRID > 1502] == pytest.approx(1)
    np.testing.assert_allclose(got, scaled(np.interp(GRID, x, y)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 7.0, -3e200])
def test_a_constant_spectrum_is_refused(value):
    with pytest.raises(MeasurementError, match="one that is constant over 100 to 1700"):
        resample(made([0, 1000, 2000], [value] * 3), GRID)


@pytest.mark.parametrize("thousand", ["1.011,14", "1,011.14", "1 011.14", "1'011.14"])
def test_thousands_with_separators_are_refused(tmp_path, thousand):
    path = tmp_path / "spectrum.txt"
    rows = "".join(f"{shift}\t{shift % 7}.5\n" for shift in range(900, 1000, 10))
    path.write_text(f"{rows}{thousand}\t3.5\n")
    with pytest.raises(MeasurementError, match=r"line 11.*write 1000 and more without separators"):
        read_spectrum(path)


@pytest.mark.parametrize(
    ("first", "last", "share"), [(100, 500, 0), (50, 600, 0), (200, 500, 0.25), (200, 300, 0.75)]
)
def test_the_share_that_was_not_measured(first, last, share):
    shift = np.array([first, last], float)
    spectrum = Spectrum("a", shift, np.ones(2), ())
    assert extrapolated(spectrum.shift_cm1, np.linspace(100, 500, 9)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("heading", "factor"),
    [
        ("Raman shift (THz),I", 33.35640951981521),
        ("Raman shift [meV],I", 8.065543937),
        ("frequency/THz,I", 33.35640951981521),
        ("# Raman shift (m^-1),I", 0.01),
        ("Raman Shift (rel. 1/cm),I", 1.0),
        ("Raman shift (Dark Subtracted #1),I", 1.0),
    ],
)
def test_the_unit_that_a_heading_states(written, heading, factor):
    spectrum = read_spectrum(written(f"{heading}\n20,1\n30,2\n"))
    assert spectrum.shift_cm1 == pytest.approx([20 * factor, 30 * factor])
    assert bool(spectrum.notes) == (factor != 1.0)


def test_a_quantity_in_a_heading_is_no_unit(written):
    spectrum = read_spectrum(written("sample 5 meV,I\n20,1\n30,2\n"))
    assert (spectrum.shift_cm1.tolist(), spectrum.notes) == ([20, 30], (UNNAMED,))
