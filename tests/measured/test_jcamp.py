"""JCAMP-DX, with the examples of the paper that defines it."""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import MeasurementError
from tersgen.measured.jcamp import is_jcamp, read_jcamp
from tersgen.measured.reading import read_spectra

HEAD = "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n##YUNITS=COUNTS\n"


def table(*lines, first=599.860, last=609.646, n=4, form="(X++(Y..Y))", more="", label="XYDATA"):
    ends = f"##FIRSTX={first}\n##LASTX={last}\n##NPOINTS={n}\n{more}##{label}={form}\n"
    return HEAD + ends + "\n".join(lines) + "\n##END=\n"


# the example of Table I there: the same points in all forms
POINTS = [1, 2, 3, 3, 2, 1, 0, -1, -2, -3, -3, -2, -1, 0, 1, 2, 3]
FORMS = {
    "AFFN": "0 1 2 3 3 2 1 0 -1 -2 -3 -3 -2 -1 0 1 2 3",
    "PAC": "0+1+2+3+3+2+1+0-1-2-3-3-2-1+0+1+2+3",
    "SQZ": "0ABCCBA@abccba@ABC",
    "DIF": "0A%JJ%jjjjjj%JJJJJJ".replace("A%", "A"),
    "DIFDUP": "0AJT%jX%JX",
}


@pytest.mark.parametrize("form", FORMS)
def test_one_table_in_all_forms(form):
    record = read_jcamp(table(FORMS[form], first=0, last=16, n=17))
    assert record.y.tolist() == POINTS
    assert record.x.tolist() == list(range(17))
    assert (record.x_unit, record.y_unit, record.is_peaks) == ("cm^-1", "COUNTS", False)


def test_differences_go_on_behind_a_checkpoint():
    record = read_jcamp(table("0A0JK", "2A3L", first=0, last=3, n=4))
    assert record.y.tolist() == [10, 11, 13, 16]
    with pytest.raises(MeasurementError, match="expected the checkpoint 13, got 14"):
        read_jcamp(table("0A0JK", "2A4L", first=0, last=3, n=4))


def test_factors_and_a_falling_axis():
    more = "##XFACTOR=0.5\n##YFACTOR=0.01\n"
    record = read_jcamp(table("400 100 200", "396 300 400", first=200, last=197, n=4, more=more))
    assert record.x.tolist() == [200, 199, 198, 197]
    assert record.y == pytest.approx([1, 2, 3, 4])


def test_points_and_peaks():
    text = table(
        "100, 5; 102.5, 6E+1", "110 7", first=100, last=110, form="(XY..XY)", n=3, label="XYPOINTS"
    )
    record = read_jcamp(text)
    assert record.x.tolist() == [100, 102.5, 110]
    assert record.y.tolist() == [5, 60, 7]
    text = table("100,5,2 200,7,3", form="(XYW..XYW)", n=2, label="PEAK TABLE")
    record = read_jcamp(text)
    assert record.is_peaks
    assert record.width is not None
    assert record.width.tolist() == [2, 3]


def test_a_block_of_links_with_one_spectrum():
    text = "##TITLE=all\n##JCAMP-DX=4.24\n##DATA TYPE=LINK\n##BLOCKS=1\n"
    record = read_jcamp(text + table("0 1 2 3 4", first=0, last=3) + "##END=\n")
    assert record.y.tolist() == [1, 2, 3, 4]
    twice = text + table("0 1 2 3 4", first=0, last=3) * 2
    with pytest.raises(MeasurementError, match="got 2"):
        read_jcamp(twice)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "got 0 .*XYDATA"),
        (table("0 1 2 3", first=0, last=3), "expected 4 points, as ##NPOINTS= says, got 3"),
        (table("0 1 2", "7 3 4", first=0, last=3), "begins at 2, got 7"),
        (table("0 1 x 3 4", first=0, last=3), "expected numbers"),
        (table("0 1 ? 3 4", first=0, last=3), "a missing one"),
        (table("0 1 2 3 4", first=0, last=3, n=10**12), "expected 2 to"),
        (table("0 1 2 3 4", first=0, last=0), "between two ends"),
        (table("0 1 2 3 4", first="a", last=3), "a number ##FIRSTX="),
        (table("0 1 2 3 4", first="nan", last=3), "a number ##FIRSTX="),
        (table("T 1 2 3 4", first=0, last=3), "an abscissa first"),
        (table("0 1Z9999999999", first=0, last=3), "repeats"),
        (table("0 1 2 3 4", first=0, last=3, form="(XYA)"), r"table \(X\+\+"),
        (table("1 2 3", form="(XY..XY)", n=2), "2 numbers for each point"),
        (table("1 2 a 3", form="(XY..XY)", n=2), "expected numbers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, message):
    with pytest.raises(MeasurementError, match=message) as caught:
        read_jcamp(text)
    assert str(caught.value).isprintable()


SHIFTS, COUNTS = list(range(200, 1801, 25)), [abs(k - 32) for k in range(65)][::-1]
LABELS = {
    "TITLE": "x", "JCAMP-DX": "4.24", "DATA TYPE": "RAMAN SPECTRUM", "XUNITS": "1/CM",
    "YUNITS": "COUNTS", "FIRSTX": "200", "LASTX": "1800", "NPOINTS": "65",
}  # fmt: skip
TABLE = "##XYDATA=(X++(Y..Y))\n"
LINES = "".join(
    f"{SHIFTS[k]} {' '.join(map(str, COUNTS[k : k + 5]))}\n" for k in range(0, len(SHIFTS), 5)
)
POINTS_OF_LINES = "".join(f"{x}, {y}\n" for x, y in zip(SHIFTS, COUNTS, strict=True))


def labels(**changed):
    """Return labelled records; None leaves one out, an underscore is a blank."""
    named = LABELS | {key.replace("_", " "): value for key, value in changed.items()}
    return "".join(f"##{key}={value}\n" for key, value in named.items() if value is not None)


@pytest.fixture
def read(tmp_path):
    def reading(text, encoding="utf-8", laser_nm=None, name="s.jdx"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return read_spectra(tmp_path / name, laser_nm)

    return reading


def is_right(spectra):
    (spectrum,) = spectra
    assert spectrum.shift_cm1.tolist() == SHIFTS
    assert spectrum.intensity.tolist() == COUNTS
    return True


def refused(read, text, **options):
    with pytest.raises(MeasurementError) as caught:
        read(text, **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("JCAMP-DX", "JCAMP_DX"),
        lambda t: t.replace("JCAMP-DX", "Jcamp DX"),
        lambda t: t.replace("##", "## ").lower(),
        lambda t: "$$ made by a program\n\n" + t,
        lambda t: "a comment of ours\n# and another\n" + t,
        lambda t: t.replace("##JCAMP-DX=4.24\n", ""),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("##END=", "##END"),
        lambda t: t.replace("##END=\n", ""),
    ],
)
def test_jcamp_however_it_begins_and_ends(read, change):
    text = labels() + TABLE + LINES + "##END=\n"
    assert is_right(read(change(text), name="s.txt"))
    assert is_right(read(change(text), "utf-16"))
    ir = change(text.replace("RAMAN", "INFRARED"))
    assert "expected Raman data" in refused(read, ir, name="s.txt")


@pytest.mark.parametrize(
    "unit",
    [
        "1/cm", "CM^-1", "RAMAN SHIFT (1/CM)", "Raman shift/cm-1", "WAVENUMBER", "WAVENUMBERS",
        "RAMAN SHIFT", "Wavenumber [cm-1]", "INVERSE CENTIMETERS", "Wellenzahl", "1/CM.",
        "raman shift, cm⁻¹", "delta cm-1",
    ],
)  # fmt: skip
def test_units_of_raman_shifts(read, unit):
    assert is_right(read(labels(XUNITS=unit) + TABLE + LINES))


@pytest.mark.parametrize(
    "unit",
    [
        "NANOMETERS",
        "MICROMETERS",
        "SECONDS",
        "HZ",
        "eV",
        "M/Z",
        "PPM",
        "POINTS",
        "2THETA",
        None,
        "V",
    ],
)
def test_units_of_other_axes(read, unit):
    message = refused(read, labels(XUNITS=unit) + TABLE + LINES)
    assert "--axis" in message or "--laser-nm" in message


def test_wavelengths(read):
    points = "".join(f"{x}, {k}\n" for k, x in enumerate((540, 550, 560)))
    text = labels(XUNITS="nm", FIRSTX="540", LASTX="560", NPOINTS="3") + "##XYDATA=(XY..XY)\n"
    (spectrum,) = read(text + points, laser_nm=532.0)
    assert spectrum.shift_cm1[0] == pytest.approx(278.393, abs=1e-3)
    assert spectrum.axis == ("wavelength", "nm", ("nm",), ())


@pytest.mark.parametrize(
    "kind",
    [
        "FTIR SPECTRUM", "FT-IR", "NIR SPECTRUM", "NEAR INFRARED", "UV-VIS", "MASS SPECTRUM", "XRD",
        "NMR FID", "TGA", "CHROMATOGRAM", "FLUORESCENCE", "CIRCULAR DICHROISM", "IV SPECTRUM",
    ],
)  # fmt: skip
def test_data_of_other_kinds(read, kind):
    assert "expected Raman data" in refused(read, labels(DATA_TYPE=kind) + TABLE + LINES)


@pytest.mark.parametrize("kind", ["raman", "FT-RAMAN SPECTRUM", "SERS", "SPECTRUM", "", None])
def test_data_that_may_be_raman(read, kind):
    assert is_right(read(labels(DATA_TYPE=kind) + TABLE + LINES))


@pytest.mark.parametrize("unit", ["%T", "Transmission", "ABSORBANCE", "% R", "KUBELKA-MUNK", "T%"])
def test_ordinates_that_are_not_scattered(read, unit):
    assert "not a Raman spectrum" in refused(read, labels(YUNITS=unit) + TABLE + LINES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"LASTX": "1825"}, {"LASTX": "1775"}, {"FIRSTX": "225"}, {"FIRSTX": "175"},
        {"NPOINTS": "64"}, {"NPOINTS": "66"}, {"DELTAX": "24"}, {"DELTAX": "26"}, {"FIRSTY": "31"},
        {"XFACTOR": "2"}, {"LASTX": "18,00"}, {"YFACTOR": "x"}, {"NPOINTS": ""},
    ],
)  # fmt: skip
def test_labels_that_are_not_those_of_the_table(read, wrong):
    assert "##" in refused(read, labels(**wrong) + TABLE + LINES)


def test_labels_that_agree_as_far_as_they_are_printed(read):
    for right in ({"DELTAX": "-25."}, {"LASTX": "1.8E+03"}, {"FIRSTY": "32.4"}, {"LASTX": None}):
        text = labels(**right, **({"DELTAX": "25"} if "LASTX" in right else {}))
        assert is_right(read(text + TABLE + LINES)), right


@pytest.mark.parametrize("line", [0, 5, 12])
def test_a_line_that_is_missing(read, line):
    kept = LINES.splitlines(keepends=True)
    del kept[line]
    refused(read, labels(NPOINTS="60") + TABLE + "".join(kept))


def test_points_whose_ends_are_announced(read):
    points = POINTS_OF_LINES.splitlines(keepends=True)
    for form in ("##XYDATA=(XY..XY)\n", "##XYPOINTS=(XY..XY)\n"):
        assert is_right(read(labels() + form + "".join(points)))
        assert is_right(read(labels() + form + "".join(points[::-1])))
        for kept in (points[1:], points[:-1]):
            message = refused(read, labels(NPOINTS=None) + form + "".join(kept))
            assert "##FIRSTX= and ##LASTX= say" in message


def test_decimal_commas(read):
    ends = {"FIRSTX": "200,0", "LASTX": "1800,0"}
    commas = "".join(
        " ".join(f"{int(one)},0" for one in line.split()) + "\n" for line in LINES.splitlines()
    )
    assert is_right(read(labels(**ends) + TABLE + commas))
    points = "".join(f"{x},0 {y},0\n" for x, y in zip(SHIFTS, COUNTS, strict=True))
    for separator in (" ", ";", "\t"):
        form = "##XYPOINTS=(XY..XY)\n" + points.replace(" ", separator)
        assert is_right(read(labels(**ends) + form))
        refused(read, labels() + form)  # commas there separate the numbers
    assert is_right(read(labels(**ends) + "##XYDATA=(XY..XY)\n" + POINTS_OF_LINES))


def test_blocks_of_several_spectra(read):
    one = labels() + TABLE + LINES + "##END=\n"
    link = "##TITLE=all\n##JCAMP-DX=4.24\n##DATA TYPE=LINK\n##BLOCKS=2\n"
    spectra = read(link + one + one + "##END=\n")
    assert [spectrum.name for spectrum in spectra] == ["s.jdx[0]", "s.jdx[1]"]
    infrared = one.replace("RAMAN", "INFRARED")
    (spectrum,) = read(link + infrared + one)
    assert spectrum.notes == ("1 blocks that are not Raman left out",)
    assert "##DATA TYPE=INFRARED SPECTRUM" in refused(read, link + infrared * 2)
    peaks = "##PEAK TABLE=(XY..XY)\n500,3 1000,9\n"
    assert is_right(read(labels() + TABLE + LINES + peaks))
    assert is_right(read(link + labels(NPOINTS="2") + peaks + one))


def test_pages_of_ntuples(read):
    head = (
        "##TITLE=x\n##JCAMP-DX=5.00\n##DATA TYPE=RAMAN SPECTRUM\n##NTUPLES=RAMAN SPECTRUM\n"
        "##VAR_NAME=RAMAN SHIFT, INTENSITY, TIME\n##SYMBOL=X, Y, T\n##VAR_DIM=65, 65, 2\n"
        "##UNITS=1/CM, COUNTS, SECONDS\n##FIRST=200, 32, 0\n##LAST=1800, 32, 1\n"
        "##FACTOR=1, 1, 1\n"
    )
    page = f"##PAGE=T=0\n##DATA TABLE=(X++(Y..Y)), XYDATA\n{LINES}"
    end = "##END NTUPLES=\n##END=\n"
    assert is_right(read(head + page + end))
    assert len(read(head + page * 2 + end)) == 2
    points = f"##PAGE=T=0\n##DATA TABLE=(XY..XY), XYDATA\n{POINTS_OF_LINES}"
    assert is_right(read(head + points + end))
    refused(read, head.replace("LAST=1800", "LAST=1825") + page + end)
    refused(read, head.replace("1/CM", "SECONDS").replace("RAMAN SHIFT,", "DELAY,") + page + end)
    assert is_right(read(labels() + "##DATA TABLE=(X++(Y..Y)), XYDATA\n" + LINES))


@pytest.mark.parametrize("label", ["OWN RECORD", "DATA TABLE", "$X", "XYDATA"])
def test_long_records_take_linear_time(read, label):
    # 4 MB: minutes, if each line copied those before it
    refused(read, labels() + f"##{label}=\n" + LINES * 4000)


def test_a_table_without_an_equals_sign(read):
    assert "without an equals sign" in refused(read, labels() + "##XYDATA (X++(Y..Y))\n" + LINES)


def dif_line(values):
    """Return points in differences, as an instrument packs them."""

    def coded(number, positive, negative):
        text = str(abs(number))
        letters = positive if number >= 0 else negative
        return letters[int(text[0]) - (number < 0)] + text[1:]

    line = "0" + coded(values[0], "@ABCDEFGHI", "abcdefghi")
    for before, value in pairwise(values):
        line += coded(value - before, "%JKLMNOPQR", "jklmnopqr")
    return line


@given(st.lists(st.integers(-5000, 5000), min_size=2, max_size=40))
def test_whatever_is_packed_comes_back(values):
    record = read_jcamp(table(dif_line(values), first=0, last=len(values) - 1, n=len(values)))
    assert np.array_equal(record.y, values)


@given(st.text("##XYDATA=(+.)\n 0123ATJj%@Ss", max_size=80))
def test_any_text_is_a_record_or_an_error_of_ours(text):
    text = "##TITLE=x\n##JCAMP-DX=4.24\n##NPOINTS=3\n##FIRSTX=1\n##LASTX=3\n##XYDATA=" + text
    assert is_jcamp(text)
    with suppress(MeasurementError):
        read_jcamp(text)
