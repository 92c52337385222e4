"""Files of measured spectra, told by content."""

import re
from pathlib import Path

import numpy as np
import pytest

from tersgen.errors import MeasurementError, MissingExtraError
from tersgen.measured.reader import ReadOptions
from tersgen.measured.readers import instrument
from tersgen.measured.reading import FORMATS, read_spectra, read_spectrum
from tersgen.measured.spectrum import ascending, shift_from_nm

RRUFF = (
    "##NAMES=Quartz\n##RRUFFID=R040031\n##IDEAL CHEMISTRY=Si O2\n"
    "100.5, 12.0\n101.0, 13.5\n101.5, 12.25\n##END=\n"
)
JCAMP = (
    "##TITLE=calcite\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n"
    "##YUNITS=ARBITRARY UNITS\n##XFACTOR=1\n##YFACTOR=0.5\n##FIRSTX=100\n##LASTX=104\n"
    "##NPOINTS=5\n##FIRSTY=1\n##XYDATA=(X++(Y..Y))\n100 2 4 6\n103 8 10\n##END=\n"
)


def written(tmp_path, content, name="spectrum.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_of_the_rruff_database(tmp_path):
    spectrum = read_spectrum(written(tmp_path, RRUFF))
    assert spectrum.shift_cm1.tolist() == [100.5, 101.0, 101.5]
    assert spectrum.intensity.tolist() == [12.0, 13.5, 12.25]


@pytest.mark.parametrize("name", ["calcite.jdx", "calcite.txt", "calcite"])
def test_jcamp_by_its_content(tmp_path, name):
    spectrum = read_spectrum(written(tmp_path, JCAMP, name))
    assert spectrum.shift_cm1.tolist() == [100, 101, 102, 103, 104]
    assert spectrum.intensity.tolist() == [1, 2, 3, 4, 5]


def test_wavelengths_become_shifts_by_the_laser(tmp_path):
    path = written(tmp_path, "Wavelength (nm)\tCounts\n540\t1\n550\t2\n560\t3\n")
    with pytest.raises(MeasurementError, match="say which laser"):
        read_spectrum(path)
    spectrum = read_spectrum(path, laser_nm=532.0)
    assert spectrum.shift_cm1 == pytest.approx([278.393, 614.996, 939.578], abs=1e-3)
    nm = JCAMP.replace("1/CM", "NANOMETERS").replace("FIRSTX=100", "FIRSTX=540")
    nm = (
        nm.replace("LASTX=104", "LASTX=544").replace("\n100 ", "\n540 ").replace("\n103 ", "\n543 ")
    )
    path = written(tmp_path, nm, "nm.jdx")
    with pytest.raises(MeasurementError, match=r"wavelengths in nm .*say which laser"):
        read_spectrum(path)
    assert read_spectrum(path, 532.0).shift_cm1[0] == pytest.approx(278.393, abs=1e-3)


def test_wavelengths_are_above_zero():
    with pytest.raises(MeasurementError, match="above 0 nm"):
        shift_from_nm(np.array([0.0, 1.0]), 532.0)


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], "finite"),
        ([1.0, 3.0, 2.0], [1.0, 2.0, 3.0], "one that turns"),
        ([1.0, 1.0], [1.0, 2.0], "at least two Raman shifts, got 1 only"),
        ([], [], "got none"),
    ],
)
def test_what_is_no_axis(axis, values, message):
    with pytest.raises(MeasurementError, match=message):
        ascending("x", np.array(axis), np.array(values))


def test_a_table_of_peaks_is_no_spectrum(tmp_path):
    peaks = (
        "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN PEAK TABLE\n##XUNITS=1/CM\n"
        "##YUNITS=ARBITRARY UNITS\n##NPOINTS=2\n##PEAK TABLE=(XY..XY)\n100,5 200,7\n##END=\n"
    )
    with pytest.raises(MeasurementError, match="tersgen library import"):
        read_spectrum(written(tmp_path, peaks))


def test_formats_by_their_beginnings():
    for head, name in (
        (b"WDF1" + bytes(100), "renishaw"),
        (b"#FORMAT      : EMSA/MAS Spectral Data File\n", "emsa"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<LSX Version='1'>", "horiba"),
        (b"<?xml version='1.0'?>\n<XmlMain>", "trivista"),
        (b"##TITLE=x\n##JCAMP-DX=4.24\n", "jcamp"),
        (b"PK\x03\x04", "numpy"),
        (b"100 5\n101 6\n", "text"),
        (b"", "text"),
    ):
        assert FORMATS.choose(Path("a"), head).name == name


def test_without_rosettasciio(tmp_path, monkeypatch):
    monkeypatch.setattr(instrument.util, "find_spec", lambda _: None)
    path = written(tmp_path, b"WDF1" + bytes(1000), "map.wdf")
    with pytest.raises(MissingExtraError, match=r"tersgen\[instruments\]"):
        read_spectra(path)


def test_a_damaged_file_of_an_instrument(tmp_path):
    pytest.importorskip("rsciio")
    path = written(tmp_path, b"WDF1" + bytes(1000), "map.wdf")
    with pytest.raises(MeasurementError, match="a damaged one at 0") as caught:
        read_spectra(path)
    assert "\n" not in str(caught.value)


def emsa(unit="1/cm", n=5):
    lines = [
        "#FORMAT      : EMSA/MAS Spectral Data File", "#VERSION     : 1.0", "#TITLE       : x",
        "#DATE        : 01-JAN-2026", "#TIME        : 12:00", "#OWNER       : me",
        f"#NPOINTS     : {n}.", "#NCOLUMNS    : 1.", f"#XUNITS      : {unit}", "#YUNITS      : ",
        "#DATATYPE    : Y", "#XPERCHAN    : 2.", "#OFFSET      : 100.", "#SPECTRUM    : ",
        *(f"{k * k:.1f}" for k in range(n)), "#ENDOFDATA   : ",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def test_an_emsa_file_through_rosettasciio(tmp_path):
    pytest.importorskip("rsciio")
    spectrum = read_spectrum(written(tmp_path, emsa(), "x.msa"))
    assert spectrum.shift_cm1.tolist() == [100, 102, 104, 106, 108]
    assert spectrum.intensity.tolist() == [0, 1, 4, 9, 16]
    with pytest.raises(MeasurementError, match="got 'keV' over 100 to 108"):
        read_spectra(written(tmp_path, emsa("keV"), "x.msa"))
    with pytest.raises(MeasurementError, match="say which laser"):
        read_spectra(written(tmp_path, emsa("nm").replace(": 100.", ": 540."), "x.msa"))
    with pytest.raises(MeasurementError, match="expected 9 points, as #NPOINTS says, got 5"):
        read_spectra(written(tmp_path, emsa().replace(": 5.", ": 9."), "x.msa"))


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("NPOINTS", "1.2.3", "#NPOINTS"),
        ("NPOINTS", "", "#NPOINTS"),
        ("NPOINTS", "five", "#NPOINTS"),
        ("OFFSET", "abc", "the offset of an axis"),
        ("XPERCHAN", "1,5", "the scale of an axis"),
    ],
)
def test_text_in_a_number_of_an_emsa_file(tmp_path, field, value, what, capfd):
    pytest.importorskip("rsciio")
    text = re.sub(rf"(?m)^#{field} .*$", f"#{field:12}: {value}", emsa())
    assert f": {value}" in text
    expected = re.escape(f"{what}: expected a number, got '{value}'")
    with pytest.raises(MeasurementError, match=expected):
        read_spectra(written(tmp_path, text, "x.msa"))
    assert capfd.readouterr() == ("", "")  # RosettaSciIO would log a traceback


def test_one_spectrum_of_several(tmp_path):
    two = "x,quartz,calcite\n" + "".join(f"{100 * k},{k % 3},{k % 4}\n" for k in range(1, 10))
    table = written(tmp_path, two.replace("x,", "Raman shift (cm-1),"), "wide.csv")
    blocks = JCAMP + JCAMP.replace("\n103 8 10", "\n103 8 12")
    path = written(tmp_path, f"##TITLE=two\n##JCAMP-DX=5\n##DATA TYPE=LINK\n{blocks}", "two.jdx")
    with pytest.raises(MeasurementError, match="expected one spectrum, got 2; choose one: --spec"):
        read_spectrum(path)
    one = read_spectrum(path, options=ReadOptions(spectrum="1"))
    assert (one.name, one.intensity.max()) == ("two.jdx[1]", 6.0)
    assert read_spectrum(table, options=ReadOptions(spectrum="calcite")).intensity[3] == 0
    assert read_spectrum(table, options=ReadOptions(spectrum="0")).intensity[2] == 0
    with pytest.raises(MeasurementError, match="expected 0 to 1, got '2'"):
        read_spectrum(path, options=ReadOptions(spectrum="2"))
    with pytest.raises(MeasurementError, match="or a name as 'quartz', 'calcite', got 'quarz'"):
        read_spectrum(table, options=ReadOptions(spectrum="quarz"))
    np.savez(tmp_path / "a.npz", spectra=np.ones((2, 3)), shift_cm1=[1, 2, 3])
    with pytest.raises(MeasurementError, match="got arrays"):
        read_spectrum(tmp_path / "a.npz", options=ReadOptions(spectrum="0"))


@pytest.mark.parametrize("line", [
    "##$LASER WAVELENGTH=532", "##.EXCITATION WAVELENGTH=532.0 nm", "##$Excitation=532 nm laser",
])  # fmt: skip
def test_the_laser_that_jcamp_states(tmp_path, line):
    nm = JCAMP.replace("1/CM", "NANOMETERS").replace("FIRSTX=100", "FIRSTX=540")
    nm = nm.replace("LASTX=104", "LASTX=544").replace("\n100 ", "\n540 ").replace("\n103", "\n543")
    path = written(tmp_path, nm.replace("##NPOINTS", f"{line}\n##NPOINTS"), "nm.jdx")
    one = read_spectrum(path)
    assert one.shift_cm1[0] == pytest.approx(278.393, abs=1e-3)
    assert one.notes[0] == "laser of 532 nm, as the heading says"
    other = read_spectrum(path, laser_nm=514.5)
    assert "--laser-nm another" in other.notes[0]
    assert other.shift_cm1[0] > 900
