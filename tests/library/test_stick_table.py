"""Stick tables as people write them: read right, or refused with the line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tersgen.errors import LibraryError
from tersgen.library.importing import read_species
from tersgen.library.stick_table import is_stick_table, read_stick_table
from tersgen.library.sticks import FEWEST_POINTS, refuse_spectrum, sticks_species


def rows(text):
    assert is_stick_table(text)
    return [
        tuple(None if np.isnan(one) else one for one in row) for row in read_stick_table(text).rows
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1001,5\t20,5\n1200,3\t10,0\n", [(1001.5, 20.5, None), (1200.3, 10.0, None)]),
        ("1001,5;20,5;4\n", [(1001.5, 20.5, 4.0)]),
        ("1001,5 20,5\n1200,3 10\n", [(1001.5, 20.5, None), (1200.3, 10.0, None)]),
        ("100\t5\n200 10\n", [(100.0, 5.0, None), (200.0, 10.0, None)]),
        ("100\t5,5\n200,5 10\n", [(100.0, 5.5, None), (200.5, 10.0, None)]),
        ("100 ,5\n200 , 10\n", [(100.0, 5.0, None), (200.0, 10.0, None)]),
        ("520,512\t100,25\n", [(520.512, 100.25, None)]),
        ("1001,5\n", [(1001.0, 5.0, None)]),
        ("\u2212100 5\n100 1.5D+01\n", [(-100.0, 5.0, None), (100.0, 15.0, None)]),
        ("100,5 # strong\n# 200,5\n", [(100.0, 5.0, None)]),
    ],
)
def test_separators_and_decimal_commas(text, expected):
    assert rows(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "1 300.5 20.1\n2 400.2 10.3\n3 800.9 5.5\n",
        "1\t300,5\t20,1\n2\t400,2\t10,3\n3\t800,9\t5,5\n",
        "6: 300.5 20.1\n7: 400.2 10.3\n8: 800.9 5.5\n",
        "3 300.5 20.1\n2 400.2 10.3\n1 800.9 5.5\n",
        "0,300.5,20.1\n1,400.2,10.3\n2,800.9,5.5\n",
        "mode frequency activity\n1 300.5 20.1\n2 400.2 10.3\n9 800.9 5.5\n",
        "Nr.;Wellenzahl;Intensität\n1;300,5;20,1\n2;400,2;10,3\n4;800,9;5,5\n",
        "Peak #\tRaman shift\tHeight\n1\t300.5\t20.1\n2\t400.2\t10.3\n3\t800.9\t5.5\n",
    ],
)
def test_mode_numbers_are_no_positions(text):
    assert rows(text) == [(300.5, 20.1, None), (400.2, 10.3, None), (800.9, 5.5, None)]
    assert "mode numbers skipped" in read_stick_table(text).notes[0]


@pytest.mark.parametrize("counts", ["100 1 2\n101 3 4\n", "520,3,4\n521,3,4\n"])
def test_neighbouring_positions_are_no_mode_numbers(counts):
    assert len(rows(counts)[0]) == 3
    assert rows(counts)[0][0] > 99


THZ = 33.35640951981521


@pytest.mark.parametrize(
    ("heading", "factor"),
    [
        ("Raman shift\tIntensity\nmeV\tcounts", 8.065543937),
        ("Frequenz [THz];Aktivität", THZ),
        ("Nombre d'onde (cm-1);Intensité", 1.0),
        ("Número de onda (cm\u207b\u00b9);Intensidad", 1.0),
        ("Numero d'onda / cm-1;Intensità", 1.0),
        ("波数 (cm-1),強度", 1.0),
        ("частота [THz];интенсивность", THZ),
        ("Energy (meV),Raman intensity", 8.065543937),
        ("frequency_thz,activity", THZ),
        ("shift (THz) intensity", THZ),
        ("Raman shift cm-1 Intensity", 1.0),
        ("\u03bd / cm-1\tI", 1.0),
        ("x,y", 1.0),
    ],
)
def test_headings_in_many_languages_with_units(heading, factor):
    separator = next((one for one in "\t;," if one in heading), " ")
    assert rows(f"{heading}\n10{separator}2\n")[0] == (pytest.approx(10 * factor), 2.0, None)


@pytest.mark.parametrize(
    ("heading", "strengths"),
    [("Lage;Höhe", "height"), ("Lage;Fläche", "area"), ("x;Activité", "activity"), ("x;y", "y")],
)
def test_what_strengths_are_is_understood_in_other_languages(heading, strengths):
    assert read_stick_table(f"{heading}\n10;2\n").strengths == strengths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,086\t100\n1,351\t20\n", "line 1: .*separators of thousands.* '1,086'"),
        ("1.001,5\t20\n", "line 1: expected a position.* '1.001,5"),
        ("100\t\t5\n", "line 1: expected a position"),
        ("1001,5\t20,5\n1,200.3\t10\n", "line 2: expected a position"),
        ("100 5\n200 1.#INF\n", "line 2: expected a position.* '200 1.#INF'"),
        ("100 5\n200 -1.#IND\n", "line 2: expected a position"),
        ("100 5\n200 *****\n", "line 2: expected a position"),
        ("100,5\n\n# a\n1001,5,20,5\n", "line 4: .*separate the columns by semicolons|line 4"),
        ("1 300.5 20\n", "line 1: .* may be mode numbers; name the columns"),
        ("1 300.5\n2 400\n3 900\n", "line 1: .* may be mode numbers"),
        ("3 300.5 20\n7 400 5\n12 900 7\n", "line 1: .* may be mode numbers"),
        ("6: 500.25 10.5 0.75\n7: 600 3 .5\n", "line 1: .*name the columns in a heading"),
        ("100,1,0.75\n200,2,0.3\n300,3,0.1\n", "line 1: .*may be depolarization ratios"),
        ("Wellenlänge (nm);Intensität\n500;3\n", "line 1: expected Raman shifts .*Wellenl"),
        ("Absolute wavenumber,Intensity\n18000;3\n", "line 1: expected Raman shifts"),
        ("Kanal;Intensität\n1;3\n", "line 1: expected Raman shifts .*Kanal"),
        ("foo,bar\n100,2\n", "line 1: expected the columns position.* 'foo'"),
        ("nm,counts\n500,2\n", "line 1: expected the columns position.* 'nm'"),
        ("Energy,Intensity\n100,2\n", "line 1: expected the unit of 'Energy'"),
        ("shift,IR intensity\n100,2\n", "line 1: .* 'IR intensity' where the intensity"),
        ("shift,Absorbance\n100,2\n", "line 1: .* 'Absorbance' where the intensity"),
        ("one\ntwo\nthree\n100 2\n", "line 1: expected a row of numbers, a heading, or a comment"),
        ("mode\n1 2\n", "line 1: expected the columns"),
        ("# X axis: Wavelength (nm)\n500 2\n", "line 1: .* got nm in a comment"),
        ("#AxisUnit[1]=\teV\n2.1 2\n", "line 1: .* got eV in a comment"),
        ("# Wavelength\tIntensity\n500 2\n", "line 1: .* got Wavelength in a comment"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read_stick_table(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "comment", ["# laser: 785 nm", "# excited at 532 nm", "# slit of 50 um", "# 2.7 g/cm3"]
)
def test_comments_that_are_not_of_the_axis_are_prose(comment):
    assert rows(f"{comment}\n100 2\n") == [(100.0, 2.0, None)]


@pytest.mark.parametrize(
    "text",
    [
        "5\nmethane\nC 0.0 0.0 0.0\nH 0.6 0.6 0.6\n",
        "3\n\n8 0 0 0.1\n1 0 0.7 -0.4\n",
        "Dear all,\n12 34\nare the numbers.\nBest,\nme\n",
        "\n\n",
        "100\n200\n",
    ],
)
def test_prose_and_geometries_are_no_tables(text):
    assert not is_stick_table(text)


# ---- spectra


def spectrum(positions):
    heights = 5 + 100 * np.exp(-(((positions - positions.mean()) / 30) ** 2))
    return np.column_stack([positions, heights])


GRATING = 1e7 / 532 - 1e7 / np.linspace(537.0, 589.0, 900)


@pytest.mark.parametrize(
    "positions",
    [
        GRATING,
        GRATING[::-1],
        np.round(GRATING, 1),
        np.round(GRATING),
        np.arange(200.0, 1800.0),
        np.r_[np.arange(200, 600, 2.0), np.arange(1000, 1400, 2.0)],
        GRATING[:: len(GRATING) // FEWEST_POINTS],
        np.sort(np.random.default_rng(1).uniform(200, 1800, 900)),
    ],
    ids=["grating", "falling", "decimal", "whole", "even", "windows", "few", "irregular"],
)
def test_a_spectrum_is_refused_however_its_axis_is_spaced(positions):
    with pytest.raises(LibraryError, match=f"got {len(positions)} .*which are a spectrum"):
        refuse_spectrum(spectrum(positions))


def test_noise_on_an_axis_is_a_spectrum():
    noise = np.random.default_rng(0).poisson(100, len(GRATING))
    with pytest.raises(LibraryError, match="evenly spaced"):
        refuse_spectrum(np.column_stack([GRATING, noise]))


def test_a_spectrum_with_a_heading_of_something_else_is_called_one():
    points = "".join(f"{x:.3f}\t{y:.1f}\n" for x, y in spectrum(GRATING))
    with pytest.raises(LibraryError, match="900 evenly spaced points, which are a spectrum"):
        read_stick_table(f"Wavelength (nm)\tCounts\n{points}")


@given(
    st.integers(2, 3000), st.sampled_from([None, 0, 2]), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_modes_of_molecules_of_any_size_are_sticks(n, decimals, pairs, seed):
    chance = np.random.default_rng(seed)
    low = chance.uniform(10, 1700, n - n // 5)
    positions = np.sort(np.r_[low, chance.normal(3000, 60, n // 5)])
    if pairs:
        positions = np.repeat(positions[: (n + 1) // 2], 2)[:n]
    if decimals is not None:
        positions = np.round(positions, decimals)
    activities = 10 ** chance.normal(0, 1, n) * (1 + 20 * (positions > 2700))
    activities[chance.random(n) < 0.3] = 0
    refuse_spectrum(np.column_stack([positions, activities]))


def test_a_progression_of_overtones_is_sticks():
    quanta = np.arange(1, FEWEST_POINTS)
    refuse_spectrum(np.column_stack([213.0 * quanta - 0.6 * quanta**2, 100.0 * 0.7**quanta]))


def test_absolute_wavenumbers_are_no_shifts():
    from tersgen.library.intensities import Statement, comment
    from tersgen.library.sourcefile import make_source

    sticks = np.array([[17000.0, 1.0, np.nan], [18500.0, 2.0, np.nan]])
    said = Statement(intensity="activity")
    with pytest.raises(LibraryError, match="absolute wavenumbers or photon energies"):
        sticks_species(
            make_source("a", b""), sticks, "sticks", said, None, "observed area", comment
        )


@pytest.mark.parametrize("ending", [".csv", ".TXT", ".dat", ".tsv"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "peak,position,height,fwhm\nA,992,10,5\nB,1178,5,4\n",
            "line 2: .* begins with a pos",
        ),
        ("position,activity\n", "expected at least one stick"),
        (
            "position,activity\n992,5,100,2\n1178,3,10,1\n",
            "line 2: .* decimal commas, separate",
        ),
        ("992 100 A1 x\n1178 10 B2 y\n", "line 1: expected a position, an intensity"),
    ],
)
def test_what_is_nearly_a_table_is_refused_with_its_line(tmp_path, ending, text, message):
    path = tmp_path / f"some{ending}"
    path.write_text(text)
    with pytest.raises(LibraryError, match=message) as caught:
        read_species(path)
    assert "formats" not in str(caught.value)
    foreign = tmp_path / "some.foreign"
    foreign.write_text(text)
    with pytest.raises(LibraryError, match="expected one of these formats"):
        read_species(foreign)


def test_a_text_that_is_no_table_is_refused_as_before(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text("The position and height\nof 3 peaks were read.\nNothing else.\n")
    with pytest.raises(LibraryError, match="expected one of these formats"):
        read_species(path)


def test_mode_numbers_and_widths_under_a_heading(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("mode,position,activity,width\n1,992,10,5\n2,1178,5,4\n")
    (species,) = read_species(path)
    assert [mode.fwhm_cm1 for mode in species.modes] == [5.0, 4.0]
