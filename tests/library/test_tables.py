"""Tables of modes as text: vasp_raman.dat, Raman tensors, sticks with units, JCAMP-DX peaks."""

import math

import numpy as np
import pytest

from tersgen.errors import LibraryError
from tersgen.library.importing import read_species
from tersgen.library.intensities import Statement
from tersgen.numeric.tensor import activity

ACTIVITIES = Statement(intensity="activity")


def written(tmp_path, text, name="modes.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


VASP = """# mode    freq(cm-1)    alpha    beta2    activity
001  1589.95371  -0.0035    0.0000    0.0006
002  1336.24  0.5   0.2   12.65
003  -12.1  0.0   0.0   0.0
"""


def test_vasp_raman(tmp_path):
    (species,) = read_species(written(tmp_path, VASP, "vasp_raman.dat"))
    assert [mode.frequency_cm1 for mode in species.modes] == [1336.24, 1589.95371]
    assert activity(np.array(species.modes[0].tensor)) == pytest.approx(45 * 0.25 + 1.4)
    assert species.provenance.note.endswith("1 modes of frequency <= 0 left out")
    with pytest.raises(LibraryError, match="45 alpha"):
        read_species(written(tmp_path, VASP.replace("12.65", "19.0")))
    with pytest.raises(LibraryError, match="expected 5 finite numbers"):
        read_species(written(tmp_path, VASP.replace("  12.65", "")))


TENSORS = """frequency,xx [Angstrom^2 amu^-1/2],yy,zz,xy,xz,yz
464.0,1.0,1.0,2.0,0.0,0.0,0.0
128.0,0.5,-0.5,0.0,0.1,0.2,0.3
-3,1,1,1,0,0,0
"""


def test_a_table_of_tensors(tmp_path):
    (species,) = read_species(written(tmp_path, TENSORS))
    low, high = species.modes
    assert high.tensor == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 2.0))
    assert low.tensor == ((0.5, 0.1, 0.2), (0.1, -0.5, 0.3), (0.2, 0.3, 0.0))
    assert "1 modes" in species.provenance.note
    bohr = TENSORS.replace("Angstrom^2", "bohr^2")
    (species,) = read_species(written(tmp_path, bohr))
    assert species.modes[1].tensor[2][2] == pytest.approx(2 * 0.529177210903**2)
    nine = "frequency;xx (arb. units);xy;xz;yx;yy;yz;zx;zy;zz\n100;1;2;3;2;5;6;3;6;9\n"
    (species,) = read_species(written(tmp_path, nine))
    assert species.modes[0].tensor == ((1, 2, 3), (2, 5, 6), (3, 6, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TENSORS.replace("Angstrom^2 amu^-1/2", "furlong"), "a unit in brackets after xx"),
        (TENSORS.replace(" [Angstrom^2 amu^-1/2]", ""), "a unit in brackets after xx"),
        (TENSORS.replace("xy,", "yx,"), "expected the columns"),
        (TENSORS.replace("464.0,1.0,", "464.0,nan,"), "finite numbers"),
        (
            "f,xx (arb. units),xy,xz,yx,yy,yz,zx,zy,zz\n100,1,2,3,9,5,6,3,6,9\n",
            "a symmetric tensor",
        ),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    with pytest.raises(LibraryError, match=message):
        read_species(written(tmp_path, text))


PEAKS = (
    "##TITLE=calcite\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN PEAK TABLE\n##XUNITS=1/CM\n"
    "##YUNITS=ACTIVITY\n##NPOINTS=2\n##PEAK TABLE=(XYW..XYW)\n1086,100,4 281,30,10\n##END=\n"
)


def test_jcamp_peaks(tmp_path):
    (species,) = read_species(written(tmp_path, PEAKS, "calcite.jdx"))
    assert [(m.frequency_cm1, m.fwhm_cm1) for m in species.modes] == [(281, 10), (1086, 4)]
    assert species.name == "calcite"
    assert activity(np.array(species.modes[1].tensor)) == pytest.approx(100)
    for old, new, message in (
        ("1/CM", "FURLONG", "expected peaks in cm"),
        ("1086,100,4", "1086,-100,4", "heights >= 0"),
        ("##NPOINTS=2", "##NPOINTS=3", "expected 3 points"),
    ):
        with pytest.raises(LibraryError, match=message):
            read_species(written(tmp_path, PEAKS.replace(old, new)))
    spectrum = PEAKS.replace("PEAK TABLE=(XYW..XYW)", "XYPOINTS=(XY..XY)")
    spectrum = spectrum.replace("1086,100,4 281,30,10", "1086,100 281,30")
    with pytest.raises(LibraryError, match="tersgen ingest"):
        read_species(written(tmp_path, spectrum))


@pytest.mark.parametrize(
    ("heading", "factor"),
    [("Raman shift (cm-1),Intensity (a.u.),FWHM (cm-1)", 1.0), ("Wavenumber;Activity", 1.0),
     ("frequency [THz];activity;width", 33.35640951981521), ("shift (meV),activity", 8.065543937),
     ("frequency THz,intensity", 33.35640951981521), ("shift_THz,intensity", 33.35640951981521),
     ("Raman shift / cm^-1,intensity", 1.0), ("frequency [GHz],intensity", 0.03335640951981521),
     ("wavenumber (m-1),intensity", 0.01)],
)  # fmt: skip
def test_units_in_the_heading_of_sticks(tmp_path, heading, factor):
    separator = next((one for one in ",;" if one in heading), " ")
    rows = separator.join(["100.0", "5"]) + "\n" + separator.join(["20.0", "7"])
    (species,) = read_species(written(tmp_path, f"{heading}\n{rows}\n", "x.csv"), said=ACTIVITIES)
    assert species.modes[1].frequency_cm1 == pytest.approx(100 * factor)
    assert math.isclose(activity(np.array(species.modes[0].tensor)), 7, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("heading", "width"),
    [("position [THz],intensity,width [cm^-1]", 10), ("position,intensity,fwhm [meV]", 80.65543937),
     ("position [meV],intensity,width", 80.65543937)],
)  # fmt: skip
def test_widths_have_a_unit_of_their_own(tmp_path, heading, width):
    (species,) = read_species(written(tmp_path, f"{heading}\n15,1,10\n", "x.csv"), said=ACTIVITIES)
    assert species.modes[0].fwhm_cm1 == pytest.approx(width)


def test_a_unit_in_a_comment_is_not_passed_over(tmp_path):
    with pytest.raises(LibraryError, match=r"got THz in a comment; .*position \[THz\]"):
        read_species(written(tmp_path, "# frequency in THz\n15,1\n16,1\n", "x.csv"))


def test_columns_of_tensors_go_by_their_names(tmp_path):
    rest = "xx [Angstrom^2 amu^-1/2],yy,zz,xy,xz,yz"
    for heading, row, frequency, width in (
        (f"frequency [THz],{rest}", "15,1,2,3,0,0,0", 15 * 33.35640951981521, None),
        (f"mode,frequency_thz,{rest}", "1,15,1,2,3,0,0,0", 15 * 33.35640951981521, None),
        (f"{rest},frequency,width [meV]", "1,2,3,0,0,0,500,1", 500, 8.065543937),
    ):
        (species,) = read_species(written(tmp_path, f"{heading}\n{row}\n", "x.csv"))
        (mode,) = species.modes
        assert mode.frequency_cm1 == pytest.approx(frequency)
        assert mode.fwhm_cm1 == (width if width is None else pytest.approx(width))
        assert np.diag(mode.tensor) == pytest.approx([1, 2, 3])
    for heading, message in (
        (rest, "expected the columns frequency"),
        (f"frequency,energy shift,{rest}", "expected the columns frequency"),
        (f"frequency,colour,{rest}", "expected the columns frequency"),
        (f"frequency [furlong],{rest}", "expected frequencies in one of cm-1"),
        (f"frequency,{rest.replace('yy', 'yy [bohr^2 amu^-1/2]')}", "one unit of all components"),
    ):
        row = ",".join(["1"] * len(heading.split(",")))
        with pytest.raises(LibraryError, match=message):
            read_species(written(tmp_path, f"{heading}\n{row}\n", "x.csv"))


def test_peaks_of_other_spectra_are_refused(tmp_path):
    for kind in ("INFRARED PEAK TABLE", "MASS SPECTRUM"):
        with pytest.raises(LibraryError, match=f"expected Raman data, got ##DATA TYPE={kind}"):
            read_species(written(tmp_path, PEAKS.replace("RAMAN PEAK TABLE", kind)))


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(LibraryError, match="expected positions in one of"):
        read_species(written(tmp_path, "position (nm),intensity\n500,3\n510,2\n", "x.csv"))
