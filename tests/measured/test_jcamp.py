"""JCAMP-DX, with the examples of the paper that defines it."""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import MeasurementError
from tersgen.measured.readers.jcamp import is_jcamp, read_jcamp

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
    text = table("100, 5; 102.5, 6E+1", "110 7", form="(XY..XY)", n=3, label="XYPOINTS")
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
