"""Tables in texts: no row is lost, no line is misread, in any encoding."""

import io
import zipfile

import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.columns import read_table
from tersgen.measured.reading import read_spectrum

AXIS = [f"{100 + 2 * k}.5" for k in range(12)]
VALUES = [f"{7 * k % 5}.25" for k in range(12)]
SEPARATORS = ("\t", ";", ",", " ")
NO_NUMBERS = (
    "1.#INF", "-1.#IND", "1.#QNAN", "-1.#INF00", "*****", "nan", "-NaN", "nan(ind)", "inf", "∞",
    "#N/A", "#VALUE!", "#DIV/0!", "n/a", "NULL", "---", "?", "1'234.5", "100 cts", "100cts", "1e",
    "0x10", "1_000", "1,234.5", "1.234,5", "1\u202f234.5",
)  # fmt: skip


def text(separator, place=0, column=0, cell=None, heading=""):
    rows = [list(row) for row in zip(AXIS, VALUES, strict=True)]
    if cell is not None:
        rows[place][column] = cell
    return heading + "\n".join(separator.join(row) for row in rows) + "\n"


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_a_cell_that_is_no_number_is_refused_with_its_line(separator, cell):
    if separator in cell:
        return
    for heading, above in (("", 0), (f"Raman shift (cm-1){separator}Intensity\n", 1)):
        for place in (0, 5, 11):
            for column in (0, 1):
                with pytest.raises(MeasurementError) as caught:
                    read_table(text(separator, place, column, cell, heading))
                assert f"line {place + above + 1}: " in str(caught.value), (place, column)


@pytest.mark.parametrize("separator", SEPARATORS[:3])
@pytest.mark.parametrize("column", [0, 1])
def test_an_empty_cell_is_refused_with_its_line(separator, column):
    for place in (0, 5, 11):
        with pytest.raises(MeasurementError, match=f"line {place + 1}: "):
            read_table(text(separator, place, column, ""))


@pytest.mark.parametrize("minus", "-−–‐‑－﹣")  # noqa: RUF001
def test_every_sign_of_minus_is_one(minus):
    lines = "\n".join(f"{v}\t{-v}" for v in range(-8, 9)).replace("-", minus)
    table = read_table(f"Raman shift\tIntensity\n{lines}\n")
    assert table.column(0).tolist() == list(range(-8, 9))
    assert table.column(1).tolist() == list(range(8, -9, -1))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, encoding, end):
    for separator, mark in (("\t", "."), ("\t", ","), (";", ","), (",", "."), (" ", ",")):
        lines = [f"Wellenlänge (µm){separator}Intensität"]
        for axis, value in zip(AXIS, VALUES, strict=True):
            lines.append(f"0.5{axis[:3]}{separator}{value}".replace(".", mark))
        path = tmp_path / "s.txt"
        path.write_bytes((end.join(lines) + end).encode(encoding))
        spectrum = read_spectrum(path, 500.0)
        assert len(spectrum.shift_cm1) == 12
        assert spectrum.axis is not None
        assert (spectrum.axis.kind, spectrum.axis.unit) == ("wavelength", "um")
        assert sorted(spectrum.intensity) == sorted(map(float, VALUES))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1 200.5 7\n2 202.5 8\n3 204.5 9\n", 1),  # a number of the row comes first
        (",Raman shift,Intensity\n0,200.5,7\n1,202.5,8\n", 2),
        ("200.5\t7\n202.5\t8\nShift\tIntensity\n204.5\t9\n", 3),
        ("200.5 cm-1\t7 cts\n202.5\t8\n204.5\t9\n", 1),
        (";7\n200,5;8\n202,5;9\n", 1),
        ("\t7\n200.5\t8\n202.5\t9\n", 1),
        ("200.5\n202.5 8\n204.5 9\n", 1),
        ("200.5 seven\n202.5 8\n204.5 9\n", 1),
        ("200.5\t7\n202.5\t8\nnone\t9\n", 3),
        ("200.5;1.234,5\n202.5;8\n204.5;9\n", 1),
    ],
)
def test_rows_that_would_be_lost(content, line):
    with pytest.raises(MeasurementError, match=rf"line {line}: "):
        read_table(content)


def test_what_stands_around_a_table():
    above = "Sample\tcalcite\nDate\t01.05.2023\nTime\t12:30:11\nPoints\t3\n\n3\n"
    table = read_table(f"{above}200.5\t7 # first\n202.5\t8\n204.5\t9\n\nOperator\t5\n# end\n")
    assert table.column(0).tolist() == [200.5, 202.5, 204.5]
    assert table.heading[0] == "Sample\tcalcite"
    assert table.footer == ["Operator\t5", "end"]


def zipped(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "200 5")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.example/spec/v1\noid sha256:1\nsize 5\n",
            "a pointer of Git LFS",
        ),
        (
            b"../.git/annex/objects/aa/bb/SHA256E-s1--c.txt/SHA256E-s1--c.txt",
            "a pointer of git-annex",
        ),
        (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "an HTML page"),
        (b"\xef\xbb\xbf<HTML><head></head></HTML>", "an HTML page"),
        (b"%PDF-1.7\n1 0 obj\n", "a PDF"),
        (zipped("[Content_Types].xml"), "an Excel workbook"),
        (zipped("xl/workbook.xml"), "an Excel workbook"),
        (zipped("mimetype"), "an OpenDocument file"),
        (zipped("spectrum.txt"), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "an old Excel"),
        (b"\x1f\x8b\x08" + bytes(50), "a compressed file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a picture"),
        (b"<?xml version='1.0'?>\n<!DOCTYPE html>\n<html/>", "an HTML page"),
        (b"<?xml version='1.0'?>\n<scan/>", "XML that no reader knows"),
        (b'{"x": [200, 201], "y": [5, 6]}', "JSON"),
        (b"{\\rtf1\\ansi 200 5\\par}", "a document in RTF"),
    ],
)
def test_files_of_other_kinds_are_called_what_they_are(tmp_path, content, what):
    path = tmp_path / "s.txt"
    path.write_bytes(content)
    with pytest.raises(MeasurementError, match=f"got {what}"):
        read_spectrum(path)


@pytest.mark.parametrize(
    ("first", "step"), [(0.0, 1.0), (1.0, 1.0), (0.5, 1.0), (0.0, 2.0), (540.0, 0.2), (2.1, 0.001)]
)
def test_numbers_without_a_heading_that_may_be_something_else(tmp_path, first, step):
    path = tmp_path / "s.txt"
    axis = first + step * np.arange(200)
    path.write_text("".join(f"{v:.4f}\t{k % 7}\n" for k, v in enumerate(axis)))
    with pytest.raises(MeasurementError, match="without a heading that says what they are"):
        read_spectrum(path)
